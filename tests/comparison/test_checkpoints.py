"""`tfhf compare`: which trainings it starts, and what it tells of them."""

import pytest
import yaml
from click.testing import CliRunner

from tests.checkpoints import write_classifier
from tests.comparison.conftest import write_run
from tfhf import training
from tfhf.cli import main
from tfhf.comparison import checkpoints
from tfhf.errors import Diverged, UserError

SCORES = {"small": 0.8, "large": 0.9, "broken": None}


@pytest.fixture
def file(recipe, tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.fixture
def names(tiny_tokenizer, tmp_path):
    """Three checkpoints, of which one will not learn."""
    return [str(write_classifier(tmp_path / name, tiny_tokenizer)) for name in SCORES]


@pytest.fixture
def trained(monkeypatch):
    """The recipes that are trained; no training takes place."""
    asked = []

    def train(recipe, *, out, overwrite):
        asked.append(recipe)
        accuracy = SCORES[recipe.model.rpartition("/")[2]]
        if accuracy is None:
            raise Diverged("loss became NaN at step 3")
        return write_run(out, recipe, accuracy, seconds=600 * accuracy)

    monkeypatch.setattr(training, "train", train)
    return asked


def compared(file, names, *arguments):
    command = ["compare", str(file), "--models", ",".join(names), *map(str, arguments)]
    return CliRunner().invoke(main, command)


def test_a_table_a_page_and_a_plot(file, names, trained, tmp_path):
    found = compared(file, names[:2], "train.epochs=2", "--out", tmp_path / "out")
    assert found.exit_code == 0, found.output
    assert [(one.model, one.train.epochs) for one in trained] == [(names[0], 2), (names[1], 2)]
    head, first, second = found.stdout.splitlines()
    assert head.split() == [
        *("checkpoint", "accuracy", "(validation)", "time"),
        *("tokens/s", "parameters", "MB"),
    ]
    assert first.split() == [
        *(names[0], "0.8000", "(0.711", "to", "0.867)"),
        *("8", "min", "0", "s", "1,000", "1", "M", "2"),
    ]
    assert second.split()[1] == "0.9000"
    page = (tmp_path / "out/comparison.md").read_text(encoding="utf-8")
    assert page.startswith("# out\n\nTask: `text_classification`.\n\n| checkpoint | accuracy (")
    assert f"| [{names[0]}](small/report.html) | 0.8000 (0.711 to 0.867) | 8 min 0 s |" in page
    assert "In brackets: the 95 % interval" in page
    assert "![Accuracy" in page or "![accuracy (higher is better)" in page
    assert (tmp_path / "out/comparison.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_finished_stays_and_what_fails_loses_nothing(file, names, trained, tmp_path):
    out = tmp_path / "out"
    assert compared(file, names[:1], "--out", out).exit_code == 0
    found = compared(file, names, "--out", out)
    assert found.exit_code == 2
    assert [one.model for one in trained] == names  # the first was not trained again
    assert f"its run is there already: {out / 'small'}" in found.stderr
    assert found.stdout.splitlines()[-1] == f"{names[2]}: loss became NaN at step 3"
    assert found.stderr.splitlines()[-1] == "tfhf: 1 of 3 trainings failed, as shown above"
    assert f"| {names[2]} | loss became NaN at step 3 |" in (out / "comparison.md").read_text()


def test_a_run_of_another_recipe_is_not_taken(file, names, trained, tmp_path):
    out = tmp_path / "out"
    compared(file, names[:1], "--out", out)
    found = compared(file, names[:1], "train.epochs=3", "--out", out)
    assert found.stderr == (
        f"tfhf: --out: {out / 'small'} already holds a run; name another folder, or replace it "
        "with --overwrite\n"
    )
    found = compared(file, names[:1], "train.epochs=3", "--out", out, "--overwrite")
    assert found.exit_code == 0 and trained[-1].train.epochs == 3


def test_all_are_checked_before_the_first_is_trained(file, names, trained, tmp_path):
    found = compared(file, [names[0], str(tmp_path / "none")], "--out", tmp_path / "out")
    assert found.stderr == f"tfhf: model: no such folder: {tmp_path / 'none'}\n"
    recipe = yaml.safe_load(file.read_text()) | {"task": "translation"}
    with pytest.raises(UserError) as caught:
        checkpoints.compare(recipe, names[:1], out=tmp_path / "out")
    assert str(caught.value) == (
        f"--models: {names[0]} is a bert, which has no TFAutoModelForSeq2SeqLM; leave it out of "
        "translation"
    )
    found = compared(file, [names[0], names[0]])
    assert found.stderr.startswith("tfhf: --models: name each checkpoint once; received ")
    assert trained == []


def test_folders_of_the_same_last_name(tmp_path):
    names = ["acme/bert", "other/bert", "./models/bert/"]
    folders = checkpoints._folders(tmp_path, names)
    assert [folder.name for folder in folders.values()] == ["bert", "other_bert", "models_bert"]


def test_a_revision_is_that_of_the_recipes_own_checkpoint(recipe):
    recipe |= {"model": "acme/bert", "revision": "v1"}
    assert checkpoints._recipe(recipe, "acme/bert", {}).revision == "v1"
    assert checkpoints._recipe(recipe, "acme/other", {}).revision is None


@pytest.mark.slow
def test_two_real_trainings(toy_recipe, tiny_bert_folder, toy_run, tmp_path):
    names = [str(tiny_bert_folder), str(toy_run.model)]
    rows, failures = checkpoints.compare(
        toy_recipe, names, out=tmp_path / "out", **{"train.epochs": 1}
    )
    assert not failures
    assert [row.name for row in rows] == names
    assert all(row.facts["latency_ms"] > 0 and row.interval for row in rows)
    assert (tmp_path / "out/comparison.png").is_file()
