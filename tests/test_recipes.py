"""Every shipped recipe trains on toy data that fit its columns; every script's `main` runs."""

import json
import runpy
from pathlib import Path

import datasets
import pytest

from tests import toys
from tfhf import exporting, recipe, training

FOLDER = Path(__file__).parents[1] / "recipes"
ELSEWHERE = {FOLDER / "rag.py"}  # trains nothing: tests/retrieval/test_rag.py
SCRIPTS = sorted(set(FOLDER.rglob("*.py")) - ELSEWHERE)
TRAINS_TWICE = {FOLDER / "domain_adaptation.py"}


def write_toy_file(name, path):
    """The toy rows of a recipe as JSON lines."""
    text = "".join(json.dumps(row) + "\n" for row in toys.rows(name))
    path.write_text(text, encoding="utf-8")
    return path


def of_each_kind():
    """A recipe of each task and its options, numbers aside: those decide what an export is."""
    kinds = {}
    for name in recipe.shipped():
        loaded = recipe.Recipe.load(name)
        chosen = {key: one for key, one in loaded.options.items() if isinstance(one, bool | str)}
        kinds.setdefault((loaded.task, str(chosen)), name)
    return set(kinds.values())


KINDS = of_each_kind()


@pytest.mark.parametrize(
    ("name", "with_export"),
    [
        *(
            pytest.param(name, False, id=name, marks=[] if name in KINDS else pytest.mark.slow)
            for name in recipe.shipped()
        ),
        # Exports take a fresh process each: only the slow tests have them.
        *(pytest.param(n, True, id=f"export-{n}", marks=pytest.mark.slow) for n in sorted(KINDS)),
    ],
)
def test_recipe_trains_two_steps(name, with_export, tiny_bert_folder, tmp_path, monkeypatch):
    if not with_export:
        monkeypatch.setattr(exporting, "obstacles", lambda task: ["left out by the test"])
    toy = toys.of(recipe.Recipe.load(name).task)
    overrides = toy.OPTIONS | {
        "data.train": str(write_toy_file(name, tmp_path / "toy.jsonl")),
        "model": str(toy.model(tiny_bert_folder, tmp_path / "checkpoint")),
        "tokenizer": None,
        "train.epochs": 1,
        "train.batch_size": 8,
        "train.log_every": 1,
    }
    run = training.train(name, out=tmp_path / "run", **overrides)
    log = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log if "loss" in row][:2] == [1, 2]
    assert run.metrics["best_epoch"] == 1
    assert (run.folder / "report.html").is_file()
    assert bool(list(run.folder.glob("export/*/1/saved_model.pb"))) == with_export


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(one, id=one.stem, marks=pytest.mark.slow if one in TRAINS_TWICE else [])
        for one in SCRIPTS
    ],
)
def test_script(script, tiny_bert_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    model = runpy.run_path(str(script))["main"](
        folder=tmp_path, model=str(tiny_bert_folder), max_length=24, rows=40, epochs=1
    )
    assert model.task.labels
    assert (tmp_path / "model/model.safetensors").is_file()
    assert list(tmp_path.glob("export/*/1/saved_model.pb"))
