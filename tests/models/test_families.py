"""docs/families.md says of every family what the code and PyTorch's recorded facts say."""

import re
from pathlib import Path

import pytest
import transformers
from transformers.convert_slow_tokenizer import SLOW_TO_FAST_CONVERTERS, SpmConverter
from transformers.models.auto import modeling_tf_auto
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

from tests.models.families import CONFIGS
from tfhf import models, tasks
from tfhf.learning.decoding.families import CACHED, ENCODER_DECODERS, UNCACHED
from tfhf.models import heads, intake

PAGE = (Path(__file__).parents[2] / "docs" / "families.md").read_text(encoding="utf-8")
# Column of the page → the task whose head it is.
TASKS = {
    "classes": "text_classification",
    "tags": "token_classification",
    "spans": "question_answering",
    "choices": "multiple_choice",
    "masks": "masked_lm",
    "next words": "causal_lm",
    "texts from texts": "text2text",
}
WRITERS = {"causal_lm": CACHED | UNCACHED, "text2text": ENCODER_DECODERS}
# What transformers turns a slow tokenizer into, by the name of its converter.
BYTES = ("GPT2Converter", "RobertaConverter", "DebertaConverter", "BlenderbotConverter")
PIECES = ("BertConverter", "FunnelConverter", "MPNetConverter")
IMAGES = ("vit", "deit", "swin", "convnext", "convnextv2", "resnet")


def texts():
    """Families of texts that are held against PyTorch, by name."""
    return sorted({model_type for model_type, _ in CONFIGS.values()} - set(IMAGES))


def head(family, task):
    auto_class = tasks.get(task).auto_class
    if family not in models.families(auto_class) or family not in WRITERS.get(task, {family}):
        return "–"
    name = heads.architecture(family, auto_class)
    if name is None:
        return "yes"
    stated = {"model_type": family, "architectures": [name.removeprefix("TF")]}
    return "added" if heads.in_pytorch(stated) else "here alone"


def graph_tokenizer(family):
    """The kind of tokenizer a family has in the graph, as transformers makes it."""
    _, fast = TOKENIZER_MAPPING_NAMES[family]
    if fast is None:
        return "–"
    slow = getattr(transformers, fast).slow_tokenizer_class.__name__
    converter = SLOW_TO_FAST_CONVERTERS[slow]
    if converter.__name__ in (*BYTES, *PIECES):
        return "byte-level BPE" if converter.__name__ in BYTES else "WordPiece"
    # RoFormer's cuts Chinese words by a library of Python, Mistral's falls back to bytes.
    refused = ("RoFormerConverter", "LlamaConverter")
    is_unigram = converter.__name__ not in refused and issubclass(converter, SpmConverter)
    return "Unigram" if is_unigram else "–"


def rows(held):
    for family in texts():
        cells = [head(family, task) for task in TASKS.values()]
        vectors = "yes" if family in models.families("TFAutoModel") else "–"
        checked = "yes" if held(family) else "no"
        yield [family, checked, *cells, vectors, graph_tokenizer(family)]


def test_the_table(names):
    held = {fact["config"]["model_type"] for kinds in names.values() for fact in kinds.values()}
    expected = [f"| {' | '.join(row)} |" for row in rows(held.__contains__)]
    found = [line for line in PAGE.splitlines() if re.match(r"\| [a-z0-9-]+ \| (yes|no) \|", line)]
    assert found == expected
    assert f"| family | opens in both | {' | '.join(TASKS)} | vectors | graph tokenizer |" in PAGE


def test_families_that_are_not_held():
    tables = [name for name in dir(modeling_tf_auto) if re.fullmatch(r"TF_MODEL_\w+_NAMES", name)]
    encoding = set(TOKENIZER_MAPPING_NAMES) & set(intake.tensorflow_model_types())
    text_heads = set()
    for kind in ("MASKED_LM", "CAUSAL_LM", "SEQ_TO_SEQ_CAUSAL_LM", "SEQUENCE_CLASSIFICATION"):
        (table,) = [name for name in tables if name == f"TF_MODEL_FOR_{kind}_MAPPING_NAMES"]
        text_heads |= set(getattr(modeling_tf_auto, table))
    others = sorted((encoding & text_heads) - set(texts()))
    assert f"but are not held against PyTorch here: {', '.join(others)}." in PAGE.replace("\n", " ")


@pytest.mark.parametrize("kind", heads.HEADS)
def test_only_what_transformers_lacks_is_added(kind, names):
    auto_class = f"TFAutoModelFor{kind}"
    known = getattr(transformers, auto_class)._model_mapping._model_mapping
    both, alone = heads.HEADS[kind]
    assert not set(known) & {*both, *alone}
    # What is said to be in PyTorch was opened there.
    assert all(f"AutoModelFor{kind}" in names[family] for family in both)
    assert not any(f"AutoModelFor{kind}" in names[family] for family in alone)
