"""Every notebook runs to its last cell, on tiny models, and is kept without outputs."""

import socket
from pathlib import Path

import nbclient
import nbformat
import pytest

from tests.conftest import WORDS

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# How many pictures each shows.
PICTURES = {"tokenizers": 1, "pipelines": 1, "your_own_csv": 1, "report": 2, "serving": 1}
named = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


@named
def test_notebook_has_no_outputs(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs") and not cell.get("execution_count"), cell.source


@pytest.fixture(scope="session")
def classifier_folder(tiny_bert_folder, tmp_path_factory):
    """A checkpoint with a head."""
    import tfhf

    folder = tmp_path_factory.mktemp("classifier")
    tfhf.load_model(
        tiny_bert_folder, labels=["NEGATIVE", "POSITIVE"], max_length=32
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def xlnet_folder(tmp_path_factory):
    """XLNet's tokenizer with a small vocabulary."""
    import sentencepiece
    from transformers import XLNetTokenizerFast

    folder = tmp_path_factory.mktemp("xlnet")
    with (folder / "spiece.model").open("wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([phrase for phrases in WORDS.values() for phrase in phrases]),
            model_writer=model,
            vocab_size=60,
            hard_vocab_limit=False,
            user_defined_symbols=["<cls>", "<sep>", "<pad>", "<mask>"],
            minloglevel=2,
        )
    XLNetTokenizerFast(str(folder / "spiece.model")).save_pretrained(folder)
    return folder


@pytest.mark.slow
@named
def test_notebook_runs(
    path, tiny_bert_folder, classifier_folder, xlnet_folder, tmp_path, monkeypatch
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "PYTHONPATH": ROOT,
        "TFHF_MODEL": tiny_bert_folder,
        "TFHF_CLASSIFIER": classifier_folder,
        "TFHF_XLNET": xlnet_folder,
        "TFHF_ROWS": 64,
        "TFHF_PORT": port,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in codes)
    shown = [output.get("data", {}) for cell in codes for output in cell.outputs]
    assert sum("image/png" in data for data in shown) == PICTURES.get(path.stem, 0)
