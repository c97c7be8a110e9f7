"""Spoilt recipes and data files: taken, or refused in one line. A traceback is never an answer.

`make test` tries the first of each; `make test-slow` the rest. A number that fails is a seed: run
its case alone.
"""

import random

import datasets
import pytest
import yaml
from click.testing import CliRunner

from tests import mutations
from tests.conftest import toy_rows
from tfhf.cli import main

AT_ONCE = 20  # mutations per case
RECIPES, DATA = 500, 200


def spans(fast, total):
    """Ranges of seeds, those behind `fast` marked slow."""
    return [
        pytest.param(
            range(start, start + AT_ONCE),
            marks=[] if start < fast else [pytest.mark.slow],
            id=f"from {start}",
        )
        for start in range(0, total, AT_ONCE)
    ]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, bare_bert_folder):
    """A working folder with valid data in every format, and a cache that is thrown away."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    work = tmp_path / "work"
    work.mkdir()
    (work / "model").symlink_to(bare_bert_folder)
    for name, content in mutations.files(toy_rows(24)).items():
        (work / name).write_bytes(content)
    monkeypatch.chdir(work)
    return work


def check(*arguments):
    """A command succeeds, or says in one line what is wrong; an exit code of 1 is a bug of ours."""
    found = CliRunner().invoke(main, [*arguments])
    lines = [line for line in found.stderr.splitlines() if not line.startswith("  ")]
    if found.exit_code == 0:
        assert lines == []
    else:
        assert found.exit_code == 2, found.output
        assert len(lines) == 1 and lines[0].startswith("tfhf: "), found.stderr
        assert found.stdout == ""
    return found.exit_code


RECIPE = {
    "task": "text_classification",
    "model": "model",
    "data": {
        "train": ["a.csv"],
        "test": "a.jsonl",
        "columns": {"text": "text", "label": "label"},
        "labels": ["negative", "positive"],
        "limit": {"train": 20},
        "encoding": "utf-8",
        "on_unlabeled": "drop",
    },
    "options": {
        "max_length": 24,
        "problem": "single_label",
        "threshold": 0.5,
        "class_weights": {"positive": 2.0},
    },
    "train": {
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 3e-2,
        "optimizer": {"name": "Lion", "beta_1": 0.95},
        "schedule": {"name": "polynomial", "power": 3, "min_ratio": 0.1},
        "freeze": ["bert.embeddings"],
        "unfreeze": {2: ["bert.encoder"]},
        "callbacks": [{"name": "tf_keras.callbacks:TerminateOnNaN"}],
        "seed": 7,
        "patience": 2,
    },
}
PLAIN = {
    "task": "text_classification",
    "model": "model",
    "data": {},
    "options": {"max_length": 24},
}
TASKS = {
    "a.txt": {"task": "masked_lm"},
    "a.npz": {"task": "image_classification", "options": {}},
    "a.conll": {"task": "token_classification"},
    "a.conllu": {"task": "token_classification", "data": {"columns": {"tags": "upos"}}},
}


@pytest.mark.parametrize("seeds", spans(100, RECIPES))
def test_recipes(folder, seeds):
    for seed in seeds:
        content = mutations.mutate_recipe(RECIPE, random.Random(f"recipe {seed}"))
        (folder / "r.yaml").write_bytes(content)
        if check("check", "r.yaml") == 0:
            check("train", "r.yaml", "--dry-run")


@pytest.mark.parametrize("seeds", spans(40, DATA))
def test_data(folder, seeds):
    for seed in seeds:
        chance = random.Random(f"data {seed}")
        name = chance.choice(sorted(mutations.files(toy_rows(1))))
        content = mutations.mutate_bytes((folder / name).read_bytes(), chance)
        spoilt = folder / f"spoilt-{name}"
        spoilt.write_bytes(content)
        recipe = PLAIN | TASKS.get(name, {})
        recipe["data"] = recipe["data"] | {"train": spoilt.name}
        (folder / "r.yaml").write_text(yaml.safe_dump(recipe))
        check("train", "r.yaml", "--dry-run")
