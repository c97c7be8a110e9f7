"""Every shipped recipe trains on toy data that fit its columns; every script's `main` runs."""

import json
import re
import runpy
import shlex
from pathlib import Path

import datasets
import pytest
from click.testing import CliRunner

from tests import toys
from tfhf import exporting, recipe, training
from tfhf.cli import main

FOLDER = Path(__file__).parents[1] / "recipes"
ELSEWHERE = {FOLDER / "rag.py"}  # trains nothing: tests/retrieval/test_rag.py
SCRIPTS = sorted(set(FOLDER.rglob("*.py")) - ELSEWHERE)


def write_toy_file(name, path):
    """The task's toy rows under the names that a recipe gives the columns."""
    loaded = recipe.Recipe.load(name)
    columns = loaded.data.columns
    rows = [_renamed(row, columns) for row in toys.of(loaded.task).rows(name)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _renamed(row, columns):
    """A row with the recipe's columns; a list that several columns hold is spread over them."""
    found = {}
    for role, value in row.items():
        column = columns.get(role, role)
        several = isinstance(column, list)
        found |= dict(zip(column, value, strict=True)) if several else {column: value}
    return found


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


def commands(text):
    """The `tfhf` commands in a recipe's comments; what follows three blanks explains them."""
    comments = "\n".join(re.findall(r"^# ?(.*)$", text, flags=re.MULTILINE))
    for line in comments.replace("\\\n", " ").splitlines():
        if line.startswith("  tfhf "):
            yield shlex.split(re.split(r"(?<=\S) {3,}(?!\S+=|')", line.strip())[0])[1:]


@pytest.mark.parametrize("name", recipe.shipped())
def test_commands_in_the_header_are_right(name):
    found = list(commands(recipe.find(name).read_text(encoding="utf-8")))
    assert found
    for verb, *arguments in found:
        assert verb == "train"
        assert arguments[0] == name
        checked = CliRunner().invoke(main, ["check", *arguments])
        assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.stem for script in SCRIPTS])
def test_script(script, tiny_bert_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    model = runpy.run_path(str(script))["main"](
        folder=tmp_path, model=str(tiny_bert_folder), max_length=24, rows=40, epochs=1
    )
    assert model.task.labels
    assert (tmp_path / "model/model.safetensors").is_file()
    assert list(tmp_path.glob("export/*/1/saved_model.pb"))
