"""`tfhf runs`: every run a row, with what differs. No TensorFlow."""

import re

import pytest
from click.testing import CliRunner

from tests.comparison.conftest import write_run
from tfhf.cli import main
from tfhf.comparison import table

LEARNED = ["train.epochs", "train.learning_rate"]


@pytest.fixture
def folder(recipe, tmp_path):
    """Three runs, one of them below another folder, one stopped."""
    folder = tmp_path / "runs"
    faster = {**recipe, "train": {"epochs": 1, "learning_rate": 1e-3}}
    write_run(folder / "first", recipe, 0.8, seconds=90)
    write_run(folder / "more" / "second", faster, 0.9, seconds=30, parameters=22_713_216)
    write_run(folder / "stopped", {**recipe, "train": {"epochs": 2}})
    return folder


def listed(*arguments):
    found = CliRunner().invoke(main, ["runs", *map(str, arguments)])
    assert found.exit_code == 0, found.output
    return found.stdout.splitlines()


def refused(*arguments):
    found = CliRunner().invoke(main, ["runs", *map(str, arguments)])
    assert found.exit_code == 2
    return found.stderr


def test_what_differs_has_a_column(folder):
    lines = listed(folder)
    started = "2026-01-02 03:04 UTC"
    assert [re.split(r" {2,}", line) for line in lines] == [
        ["run", "accuracy", "split", "started", "time", "parameters", *LEARNED],
        ["first", "0.8000", "validation", started, "1 min 30 s", "1 M", "1", "5e-05"],
        ["more/second", "0.9000", "validation", started, "30 s", "22.7 M", "1", "0.001"],
        ["stopped", "–", "–", started, "1 min 0 s", "1 M", "2", "5e-05"],
    ]
    assert len({line.index(started) for line in lines[1:]}) == 1  # the columns are aligned
    assert len({line.index(" M  ") for line in lines[1:]}) == 1


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("run", ["first", "more/second", "stopped"]),
        ("accuracy", ["more/second", "first", "stopped"]),
        ("loss", ["more/second", "first", "stopped"]),
        ("time", ["more/second", "stopped", "first"]),
        ("train.learning_rate", ["first", "stopped", "more/second"]),
    ],
)
def test_sorted_by(key, names, folder):
    assert [line.split()[0] for line in listed(folder, "--sort", key)[1:]] == names


def test_one_run_and_its_own_folder(folder):
    rows = table.find(folder / "first")
    assert [row.name for row in rows] == ["."]
    assert table.differing(rows) == []
    assert rows[0].facts["tokens_per_second"] == 1000
    assert rows[0].facts["megabytes"] == 2


def test_many_settings_are_named_only(recipe, tmp_path):
    several = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "schedule": "cosine", "seed": 1}
    several |= {"warmup_ratio": 0.1, "weight_decay": 0.0, "log_every": 1, "patience": 2}
    write_run(tmp_path / "runs/a", recipe, 0.5)
    write_run(tmp_path / "runs/b", {**recipe, "train": several}, 0.5)
    assert listed(tmp_path / "runs")[-1] == "1 more settings differ: train.patience"


def test_mistakes(folder, tmp_path):
    assert refused(tmp_path / "none") == f"tfhf: runs: no such folder: {tmp_path / 'none'}\n"
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty") == (
        f"tfhf: runs: there is no run in {tmp_path / 'empty'}; name the folder that holds them\n"
    )
    assert refused(folder, "--sort", "acuracy") == (
        "tfhf: --sort: no run has 'acuracy'; did you mean 'accuracy'?\n"
    )
