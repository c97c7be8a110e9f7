"""Evaluation: a run, a model, other data, and what a split says again."""

import shutil
from types import SimpleNamespace

import pytest

from tfhf import evaluation
from tfhf.errors import UserError
from tfhf.run import Run


def numbers(values):
    return {name: value for name, value in values.items() if isinstance(value, float)}


def test_a_model_with_a_recipe_scores_what_its_run_scored(toy_run, toy_recipe):
    found = evaluation.evaluate(str(toy_run.model), recipe=toy_recipe, split="validation")
    assert numbers(found) == pytest.approx(numbers(toy_run.metrics["validation"]), abs=1e-6)
    assert found["per_class"] == toy_run.metrics["validation"]["per_class"]


def test_options_that_differ_from_those_of_the_training_are_told(toy_run, toy_recipe, capsys):
    evaluation.evaluate(str(toy_run.model), recipe=toy_recipe)
    assert "note" not in capsys.readouterr().err
    recipe = toy_recipe | {"options": {"max_length": 12}}
    evaluation.evaluate(str(toy_run.model), recipe=recipe)
    assert (
        "  note: options.max_length is 12 in the recipe; the model was trained with 24\n"
        in capsys.readouterr().err
    )


def test_rows_with_nothing_to_predict_are_one_line():
    def scorer(store, phase):
        return SimpleNamespace(loss=None, results={})

    scorer.model = SimpleNamespace(task=None)
    with pytest.raises(UserError) as caught:
        evaluation.measure(scorer, None, [1, 2])
    assert str(caught.value) == (
        "data: none of the 2 rows to evaluate on has anything to predict; give this split more data"
    )


def test_other_data_leave_the_run_as_it_is(toy_run, toy_files):
    before = (toy_run.folder / "metrics.json").read_text()
    found = evaluation.evaluate(
        toy_run, split="test", **{"data.test": str(toy_files / "train.csv")}
    )
    assert sum(values["support"] for values in found["per_class"].values()) == 64
    assert (toy_run.folder / "metrics.json").read_text() == before
    assert len(toy_run.predictions("test")) == 16


def test_the_train_split_is_added_to_the_run(toy_run, tmp_path):
    run = Run(shutil.copytree(toy_run.folder, tmp_path / "run"))
    found = evaluation.evaluate(run, split="train")
    assert run.metrics == toy_run.metrics | {"train": found}
    assert len(run.predictions("train")) == 64


def test_labels_are_those_the_model_has_learned(toy_run, toy_recipe, tmp_path):
    file = tmp_path / "odd.csv"
    file.write_text("text,label\na film,neutral\ndull,negative\n")
    recipe = toy_recipe | {"data": {"train": str(file), "validation": str(file)}}
    with pytest.raises(UserError) as caught:
        evaluation.evaluate(str(toy_run.model), recipe=recipe)
    assert str(caught.value) == (
        f"{file} row 1: unknown label 'neutral'; the labels are ['negative', 'positive']"
    )


def test_a_model_needs_a_recipe_and_a_split_must_exist(toy_run, toy_recipe, tmp_path):
    with pytest.raises(UserError) as caught:
        evaluation.evaluate(str(toy_run.model))
    assert str(caught.value) == f"{toy_run.model} is no run: say with --recipe which data to use"
    data = {name: file for name, file in toy_recipe["data"].items() if name != "test"}
    with pytest.raises(UserError) as caught:
        evaluation.evaluate(toy_run, recipe=toy_recipe | {"data": data}, split="test")
    assert str(caught.value) == "--split: the data have train, validation; received 'test'"
