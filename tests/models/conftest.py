"""Tiny models whose weights are made by formula, and the facts recorded from PyTorch."""

import functools
import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from tfhf.models import tensors

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def formula():
    """`weight(name, shape)` and `inputs(head, config)`, as PyTorch used them."""
    return SimpleNamespace(**runpy.run_path(str(HERE / "formula.py")))


@pytest.fixture(scope="session")
def names():
    """family → head → class, config and the names and shapes of the weights PyTorch writes."""
    return json.loads((HERE / "facts" / "names.json").read_text(encoding="utf-8"))["families"]


@pytest.fixture(scope="session")
def logits():
    """family → head → output → the numbers PyTorch gave, as one flat list."""
    return json.loads((HERE / "facts" / "logits.json").read_text(encoding="utf-8"))["families"]


@pytest.fixture(scope="session")
def starts():
    """family → head → weight → what PyTorch starts it with; see benchmarks/record_starts.py."""
    return json.loads((HERE / "facts" / "starts.json").read_text(encoding="utf-8"))["families"]


@pytest.fixture(scope="session")
def write_folder(formula):
    """`write_folder(folder, config, weights)`: writes a model folder in PyTorch's format."""

    def write(folder, config, weights):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config))
        values = {
            name: (tuple(shape), functools.partial(formula.weight, name, shape))
            for name, shape in weights.items()
        }
        tensors.write(folder / "model.safetensors", values)
        return folder

    return write


@pytest.fixture
def bert(tmp_path, names, write_folder):
    """A one-layer BERT classifier of three classes, in its own folder."""
    fact = names["bert"]["AutoModelForSequenceClassification"]
    return write_folder(tmp_path / "bert", fact["config"], fact["weights"])


@pytest.fixture(scope="session")
def tokenizer():
    """A fast tokenizer that knows three words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"[PAD]": 0, "[UNK]": 1, "good": 2, "bad": 3, "film": 4}
    inner = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", model_max_length=20
    )
