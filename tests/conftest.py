"""Shared fixtures: tiny data, a tokenizer trained on them, and a tiny checkpoint."""

import os
import string
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

import tfhf  # noqa: F401  (sets TF_USE_LEGACY_KERAS before TensorFlow loads)

WORDS = {
    "positive": ["lovely", "great film", "a warm and funny story", "I would see it again"],
    "negative": ["dull", "bad film", "a cold and tired story", "I would not see it again"],
}
TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
    "initializer_range": 0.2,  # so narrow a model learns nothing from BERT's 0.02
}


def toy_rows(count=48):
    """Rows of a two-class set that a tiny model learns in a few steps."""
    rows = []
    for index in range(count):
        label = "positive" if index % 2 else "negative"
        phrase = WORDS[label][index // 2 % 4]
        rows.append({"text": f"{phrase}, number {index}.", "label": label})
    return rows


@pytest.fixture(scope="session")
def shared():
    """The folder of real data sets and checkpoints; tests that need it are skipped without it."""
    default = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("TFHF_SHARED", default))
    if not (folder / "data").is_dir():
        pytest.skip("shared data are not here")
    return folder


@pytest.fixture(scope="session")
def tiny_tokenizer(tmp_path_factory):
    """A lower-casing WordPiece tokenizer: the words of the toy texts, every letter and digit."""
    from transformers import BertTokenizerFast

    phrases = " ".join(phrase for phrases in WORDS.values() for phrase in phrases)
    characters = string.ascii_lowercase + string.digits
    pieces = [*phrases.lower().split(), "number", *characters, *(f"##{c}" for c in characters)]
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", "?", "!", *pieces]
    path = tmp_path_factory.mktemp("tokenizer") / "vocab.txt"
    path.write_text("\n".join(dict.fromkeys(entries)), encoding="utf-8")
    return BertTokenizerFast(str(path), model_max_length=32)


@pytest.fixture(scope="session")
def tiny_bert_folder(tiny_tokenizer, tmp_path_factory):
    """A checkpoint as PyTorch writes it: one layer of width 16, without a trained head."""
    import tf_keras
    from transformers import BertConfig, TFBertModel

    from tfhf import models

    tf_keras.utils.set_random_seed(0)
    config = BertConfig(**TINY, vocab_size=len(tiny_tokenizer))
    backbone = TFBertModel(config)
    backbone.build_in_name_scope()
    folder = tmp_path_factory.mktemp("tiny-bert")
    models.save_backbone(backbone, tiny_tokenizer, folder)
    return folder


@pytest.fixture(scope="session")
def bare_bert_folder(tiny_tokenizer, tmp_path_factory):
    """Such a checkpoint made without TensorFlow, all zeros: enough for what only checks it."""
    import numpy as np
    from transformers import BertConfig

    from tfhf.models import tensors

    folder = tmp_path_factory.mktemp("bare-bert")
    tiny_tokenizer.save_pretrained(folder)
    config = BertConfig(**TINY, vocab_size=len(tiny_tokenizer))
    (folder / "config.json").write_text(config.to_json_string(), encoding="utf-8")
    shapes = {"word": len(tiny_tokenizer), "position": 32, "token_type": 2}
    weights = {
        f"embeddings.{name}_embeddings.weight": (
            (rows, 16),
            lambda rows=rows: np.zeros((rows, 16)),
        )
        for name, rows in shapes.items()
    }
    tensors.write(folder / "model.safetensors", weights)
    return folder


@pytest.fixture(scope="session")
def toy_files(tmp_path_factory):
    """The toy set as train.csv, validation.csv and test.csv."""
    import csv

    folder = tmp_path_factory.mktemp("toy")
    rows = toy_rows(96)
    for split, part in (("train", rows[:64]), ("validation", rows[64:80]), ("test", rows[80:])):
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["text", "label"])
            writer.writeheader()
            writer.writerows(part)
    return folder


@pytest.fixture(scope="session")
def toy_recipe(toy_files, tiny_bert_folder):
    """A recipe over the toy set and the tiny checkpoint; copy it before you change it."""
    return {
        "task": "text_classification",
        "model": str(tiny_bert_folder),
        "data": {
            split: str(toy_files / f"{split}.csv") for split in ("train", "validation", "test")
        },
        "options": {"max_length": 24},
        "train": {"epochs": 2, "batch_size": 8, "learning_rate": 0.03, "log_every": 2},
    }


@pytest.fixture(scope="session")
def toy_run(toy_recipe, tmp_path_factory):
    """A finished run over the toy set, shared by all tests that only read it."""
    from tfhf import training

    return training.train(toy_recipe, out=tmp_path_factory.mktemp("runs") / "toy")


@pytest.fixture
def proven_here(monkeypatch):
    """Exports prove themselves in this process, see `prove_here`."""
    prove_here(monkeypatch)


def prove_here(monkeypatch):
    """Lets exports prove themselves in this process: starting TensorFlow afresh takes seconds, and
    `toy_run` does it already. How long answers take is not measured."""
    import tensorflow as tf

    from tfhf.exports import rehearsal, warmup

    def rehearse(folder, *, rows, warmup=(), text_ops=False):
        serve = tf.saved_model.load(str(folder)).signatures["serving_default"]

        def call(part):
            found = serve(**{name: tf.constant(values) for name, values in part.items()})
            return {name: value.numpy() for name, value in found.items()}

        rows = {name: rectangular(values) for name, values in rows.items()}
        answers = rehearsal.ask(call, rows)
        return {"load_seconds": 0.0, "warmup": [], "answers": answers, "latency": {}}

    rectangular = warmup.rectangular
    monkeypatch.setattr(rehearsal, "rehearse", rehearse)
