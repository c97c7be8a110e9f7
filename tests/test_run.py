"""Run: what stands in its folder, and what may be replaced."""

import json

import pytest
import yaml

from tfhf.errors import StorageError, UserError
from tfhf.recipe import Recipe
from tfhf.run import CONTENTS, Run, is_run

RECIPE = Recipe.load({"task": "text_classification", "data": {"train": "a.csv"}})


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def test_the_folder_holds_what_the_design_says(toy_run):
    assert {path.name for path in toy_run.folder.iterdir()} == set(CONTENTS) - {"tokens"}
    assert files(toy_run.folder / "predictions") == ["test.jsonl", "validation.jsonl"]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(
        files(toy_run.folder / "model")
    )
    version = toy_run.folder / "export" / "toy" / "1"
    assert {"saved_model.pb", "assets/labels.txt", "assets.extra/task.json"} <= set(files(version))
    assert {"loss.png", "confusion.png"} <= set(files(toy_run.folder / "plots"))
    assert toy_run.name == "toy"
    assert toy_run.exports == version.parent


def test_the_recipe_is_resolved_and_loads_again(toy_run, toy_recipe):
    written = yaml.safe_load((toy_run.folder / "recipe.yaml").read_text())
    assert written["train"]["weight_decay"] == 0.01
    assert written["options"] == {
        "max_length": 24,
        "problem": None,
        "threshold": 0.5,
        "class_weights": None,
        "label_smoothing": 0.0,
        "focal_gamma": 0.0,
    }
    assert toy_run.recipe.train == Recipe.load(toy_recipe).train
    assert toy_run.recipe.data.files == Recipe.load(toy_recipe).data.files


def test_the_environment_names_versions_devices_and_phases(toy_run):
    environment = json.loads((toy_run.folder / "environment.json").read_text())
    assert environment["versions"]["tensorflow"].startswith("2.21")
    assert environment["strategy"].endswith("PU")
    phases = environment["phases"]
    assert list(phases)[:3] == ["loading data", "checking the model", "surveying the data"]
    assert environment["seconds"] == pytest.approx(sum(phases.values()), abs=0.01)


def test_the_data_are_described(toy_run):
    data = json.loads((toy_run.folder / "data.json").read_text())
    rows = {split: values["rows"] for split, values in data["splits"].items()}
    assert rows == {"train": 64, "validation": 16, "test": 16}
    assert data["splits"]["test"]["labels"] == {"negative": 8, "positive": 8}
    assert data["splits"]["train"]["lengths"]["truncated"] == 0.0
    assert data["max_length"] == 24
    assert data["load_line"].endswith("new: classifier (2)")
    assert data["parameters"] > 4_000


def test_the_log_has_a_row_every_two_steps_and_every_epoch(toy_run):
    rows = rows_of(toy_run.folder / "log.jsonl")
    steps = [row for row in rows if "loss" in row]
    assert [row["step"] for row in steps] == [2, 4, 6, 8, 10, 12, 14, 16]
    assert [row["epoch"] for row in steps] == [1] * 4 + [2] * 4
    assert set(steps[0]) == {
        "step", "epoch", "loss", "learning_rate", "tokens_per_second", "real_tokens", "seconds",
    }  # fmt: skip
    assert all(0.5 < row["real_tokens"] <= 1.0 for row in steps)
    assert steps[0]["learning_rate"] > steps[-1]["learning_rate"] > 0
    epochs = [row for row in rows if "validation" in row]
    assert [(row["step"], row["epoch"]) for row in epochs] == [(8, 1), (16, 2)]
    assert {"loss", "accuracy", "f1_macro"} <= set(epochs[0]["validation"])


def test_the_metrics_are_those_of_the_best_epoch(toy_run):
    metrics = toy_run.metrics
    assert metrics["monitor"] == "accuracy"
    logged = [row for row in rows_of(toy_run.folder / "log.jsonl") if "validation" in row]
    best = logged[metrics["best_epoch"] - 1]["validation"]
    assert best["accuracy"] == max(row["validation"]["accuracy"] for row in logged)
    assert {name: metrics["validation"][name] for name in best} == pytest.approx(best)
    assert set(metrics["test"]["per_class"]) == {"negative", "positive"}


def test_the_predictions_follow_the_rows(toy_run, toy_files):
    rows = toy_run.predictions("test")
    assert len(rows) == 16
    assert list(rows[0]) == ["text", "expected", "label", "score", "probabilities"]
    for row in rows:
        assert row["score"] == max(row["probabilities"].values())
        assert row["probabilities"][row["label"]] == row["score"]
        assert sum(row["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
    right = sum(row["label"] == row["expected"] for row in rows) / 16
    assert right == toy_run.metrics["test"]["accuracy"]
    lines = (toy_files / "test.csv").read_text().splitlines()[1:]
    assert [row["text"] in line for row, line in zip(rows, lines, strict=True)] == [True] * 16


def test_report_and_card_name_the_result(toy_run):
    accuracy = f"{toy_run.metrics['test']['accuracy']:.3f}"
    assert "<html" in (toy_run.folder / "report.html").read_text(encoding="utf-8")
    card = (toy_run.folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\n") and accuracy in card


def test_predictions_of_a_line_separator(tmp_path):
    run = Run.create(tmp_path / "run", RECIPE)
    rows = [{"text": "one\u2028line\x85still", "label": "ä"}, {"text": "two\nlines"}]
    run.write_predictions("test", rows)
    assert run.predictions("test") == rows
    assert run.predictions("validation") == []


def test_update_keeps_what_is_there(tmp_path):
    run = Run.create(tmp_path / "run", RECIPE)
    run.write("metrics.json", {"test": {"loss": 1.0}})
    run.update("metrics.json", {"validation": {"loss": 2.0}})
    assert run.metrics == {"test": {"loss": 1.0}, "validation": {"loss": 2.0}}


def test_a_run_is_refused_without_overwrite(tmp_path):
    folder = tmp_path / "run"
    Run.create(folder, RECIPE)
    with pytest.raises(UserError) as caught:
        Run.create(folder, RECIPE)
    assert str(caught.value) == (
        f"--out: {folder} already holds a run; name another folder, or replace it with --overwrite"
    )


def test_overwrite_replaces_a_run_and_no_foreign_file(tmp_path):
    run = Run.create(tmp_path / "run", RECIPE)
    run.write("metrics.json", {})
    (run.folder / "export" / "run" / "1").mkdir(parents=True)
    (run.folder / "notes.txt").write_text("mine")
    Run.create(run.folder, RECIPE, overwrite=True)
    assert files(run.folder) == ["environment.json", "notes.txt", "recipe.yaml"]
    assert (run.folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_run_is_never_touched(tmp_path, overwrite):
    (tmp_path / "recipe.yaml").write_text("task: mine")
    with pytest.raises(UserError) as caught:
        Run.create(tmp_path, RECIPE, overwrite=overwrite)
    assert str(caught.value) == f"--out: {tmp_path} exists and is no run; name another folder"
    assert (tmp_path / "recipe.yaml").read_text() == "task: mine"


def test_a_file_is_no_folder_for_a_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="exists and is no run; name another folder$"):
        Run.create(tmp_path / "file", RECIPE, overwrite=True)
    with pytest.raises(StorageError, match="Not a directory$"):
        Run.create(tmp_path / "file" / "run", RECIPE)


def test_an_empty_folder_will_do(tmp_path):
    assert is_run(Run.create(tmp_path, RECIPE).folder)


def test_what_is_no_run_says_so(tmp_path):
    with pytest.raises(UserError) as caught:
        Run(tmp_path / "none")
    assert str(caught.value) == f"no such run: {tmp_path}/none"
    with pytest.raises(UserError) as caught:
        Run(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} is no run: recipe.yaml or environment.json is missing"
    )


def test_a_run_without_a_model_says_so(tmp_path):
    run = Run.create(tmp_path / "run", RECIPE)
    with pytest.raises(UserError) as caught:
        _ = run.model
    assert str(caught.value) == f"{run.folder} holds no trained model: its training did not finish"
