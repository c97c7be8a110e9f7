"""The commands: what they print where, and every exit code but 3; `test_bad_inputs.py` has that."""

import json
import re
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner

from tfhf import training
from tfhf.cli import main
from tfhf.recipe import Recipe, shipped


def tfhf(*arguments, input=None):
    return CliRunner().invoke(main, [str(one) for one in arguments], input=input)


def answered(*arguments, input=None):
    """What a command prints that must succeed."""
    found = tfhf(*arguments, input=input)
    assert found.exit_code == 0, found.output
    return found.stdout


def refused(*arguments, code=2, input=None):
    """The one line of a command that must fail; nothing else is on stderr."""
    found = tfhf(*arguments, input=input)
    assert found.exit_code == code, found.output
    assert found.stdout == ""
    assert found.stderr.startswith("tfhf: ") and found.stderr.count("\n") == 1, found.stderr
    return found.stderr.removeprefix("tfhf: ").rstrip("\n")


def last_line(*arguments, code):
    """The last line on stderr of a command that fails after it has begun."""
    found = tfhf(*arguments)
    assert found.exit_code == code, found.output
    return found.stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def recipe(toy_recipe, tmp_path_factory):
    """The toy recipe as a file."""
    path = tmp_path_factory.mktemp("recipes") / "toy.yaml"
    path.write_text(yaml.safe_dump(toy_recipe))
    return path


# === Recipes ===


def test_check_prints_the_recipe_with_every_value(recipe, tmp_path):
    (tmp_path / "again.yaml").write_text(answered("check", recipe, "train.epochs=7"))
    again = Recipe.load(str(tmp_path / "again.yaml"))
    assert again.train.epochs == 7
    assert again.train.weight_decay == 0.01


def test_recipes_are_listed_shown_and_copied(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = answered("recipes").splitlines()
    assert [line.split()[0] for line in lines] == shipped()
    assert all(len(line.split()) > 2 for line in lines)
    assert answered("recipes", "list").splitlines() == lines
    shown = answered("recipes", "show", "text_classification/sst2")
    assert yaml.safe_load(shown)["task"] == "text_classification"
    assert answered("recipes", "copy", "text_classification/sst2") == "sst2.yaml\n"
    assert (tmp_path / "sst2.yaml").read_text(encoding="utf-8") == shown
    assert refused("recipes", "copy", "text_classification/sst2") == (
        "recipes copy: sst2.yaml exists here already"
    )
    assert refused("recipes", "show") == "recipes show: name a recipe; `tfhf recipes` lists them"


# === Mistakes ===


def test_a_key_is_no_argument_of_the_function_behind_a_command(recipe, toy_run):
    assert refused("train", recipe, "out=x").startswith(f"{recipe}: unknown key 'out'; keys here: ")
    assert refused("train", recipe, "strategy=x", "--dry-run").startswith(
        f"{recipe}: unknown key 'strategy'"
    )
    line = last_line("predict", toy_run.folder, "dull", "--option", "task=x", code=2)
    assert line == "tfhf: --option: text_classification has no option 'task' here"


def test_what_a_command_was_not_given(toy_run, tmp_path):
    assert refused("evaluate", toy_run.model) == (
        f"{toy_run.model} is no run: say with --recipe which data to use"
    )
    assert refused("predict", toy_run.folder, "dull", "--file", "a.csv") == (
        "predict takes TEXT or --file, not both"
    )
    assert refused("export", tmp_path) == (
        f"{tmp_path} is no run: recipe.yaml or environment.json is missing"
    )


def test_a_mistake_and_a_dry_run_need_no_tensorflow(recipe, tmp_path):
    code = (
        "import os, sys\n"
        "from click.testing import CliRunner\n"
        "from tfhf.cli import main\n"
        "os.chdir(sys.argv[2])\n"
        "for last in ('train.lerning_rate=1', '--dry-run'):\n"
        "    found = CliRunner().invoke(main, ['train', sys.argv[1], last])\n"
        "    print(found.exit_code, 'tensorflow' in sys.modules, 'transformers' in sys.modules)\n"
        "print(found.stdout)\n"
    )
    command = [sys.executable, "-c", code, str(recipe), str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True)
    lines = found.stdout.splitlines()
    assert lines[:2] == ["2 False False", "0 False True"], found.stderr
    assert not list(tmp_path.iterdir())
    text = "\n".join(lines)
    assert "train       64 rows\n" in text
    assert "  label     positive: 32  50.0%\n" in text
    assert "  cut       0.0% are longer than 24 tokens\n" in text
    assert "steps       16 (8 per epoch)\n" in text


# === Exit codes ===


def test_a_place_that_cannot_be_written_exits_with_4(toy_run, tmp_path):
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / "new" / "out.csv"
    line = last_line("predict", toy_run.folder, "dull", "--output", output, code=4)
    assert line == f"tfhf: cannot write {output}: Not a directory"


def raising(error):
    def fail(*_, **__):
        raise error

    return fail


def test_a_bug_exits_with_1(monkeypatch, recipe):
    error = ValueError("in user code:\n  many lines\nshapes do not match")
    monkeypatch.setattr(training, "train", raising(error))
    assert refused("train", recipe, code=1) == (
        "this is a bug in tfhf: ValueError: shapes do not match (tfhf --debug shows where)"
    )


def test_control_c_exits_with_130(monkeypatch, recipe):
    monkeypatch.setattr(training, "train", raising(KeyboardInterrupt()))
    assert refused("train", recipe, code=130) == "stopped"


@pytest.mark.parametrize("place", ["before", "behind"])
def test_debug_shows_the_traceback_and_the_same_line(recipe, place):
    command = ["check", recipe, "train.epochs=0"]
    command = ["--debug", *command] if place == "before" else [*command, "--debug"]
    found = tfhf(*command)
    assert found.exit_code == 2
    lines = found.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == f"tfhf: {refused('check', recipe, 'train.epochs=0')}"


def test_debug_shows_where_a_bug_is(monkeypatch, recipe):
    monkeypatch.setattr(training, "train", raising(ValueError("odd")))
    found = tfhf("train", recipe, "--debug")
    assert found.exit_code == 1
    assert "in fail\n" in found.stderr and "ValueError: odd\n" in found.stderr


# === A run ===


def test_train_prints_the_scores_and_where_they_are(recipe, toy_run, monkeypatch):
    monkeypatch.setattr(training, "train", lambda *_, **__: toy_run)
    lines = answered("train", recipe).splitlines()
    test = toy_run.metrics["test"]
    assert lines[0].startswith("validation ") and lines[1].startswith("test ")
    assert f"loss {test['loss']:.4f}  accuracy {test['accuracy']:.4f}" in lines[1]
    assert lines[2:] == [f"report: {toy_run.folder}/report.html", f"model:  {toy_run.folder}/model"]


def test_evaluate_gives_what_training_measured(toy_run, recipe):
    for split, arguments in (
        ("test", [toy_run.folder]),
        ("validation", [toy_run.model, "--recipe", recipe, "--split", "validation"]),
    ):
        found = json.loads(answered("evaluate", *arguments))
        assert found["per_class"] == toy_run.metrics[split]["per_class"]
        assert found["loss"] == pytest.approx(toy_run.metrics[split]["loss"], abs=1e-6)


def test_evaluate_says_which_splits_there_are(toy_run):
    line = last_line("evaluate", toy_run.folder, "--split", "dev", code=2)
    assert line == "tfhf: --split: the data have train, validation, test; received 'dev'"


def test_predict_from_arguments_and_standard_input(toy_run):
    found = answered("predict", toy_run.folder, "a lovely film", "dull")
    first, second = found.splitlines()
    labels = r"(negative|positive) {17}0\.\d{3}  "
    assert re.fullmatch(labels + "a lovely film", first)
    assert re.fullmatch(labels + "dull", second)
    assert answered("predict", toy_run.folder, input="a lovely film\ndull\n") == found
    assert answered("predict", toy_run.model, "a lovely film", "dull") == found
    assert answered("predict", toy_run.exports / "1", "a lovely film", "dull") == found


def test_predict_from_a_file_to_standard_output(toy_run, toy_files):
    lines = answered("predict", toy_run.folder, "--file", toy_files / "test.csv").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 16
    expected = toy_run.predictions("test")
    assert [row["predicted_label"] for row in rows] == [row["label"] for row in expected]
    assert [row["label"] for row in rows] == [row["expected"] for row in expected]


def test_export_prints_the_folder(toy_run, tmp_path, proven_here):
    found = answered("export", toy_run.folder, "--to", tmp_path / "served")
    assert found == f"{tmp_path}/served/1\n"


def test_report_prints_the_page(toy_run):
    assert answered("report", toy_run.folder) == f"{toy_run.folder}/report.html\n"
