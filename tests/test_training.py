"""Training: what it repeats, where it stops, which epoch it keeps."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tf_keras

from tfhf import data, evaluation, exporting, forecast, prediction, reporting, tasks, training
from tfhf.errors import Diverged, UserError
from tfhf.recipe import Recipe
from tfhf.run import Run


@pytest.fixture
def bare(monkeypatch):
    """Trainings end with their metrics: exports and reports take seconds, and have other tests."""
    monkeypatch.setattr(exporting, "obstacles", lambda task: ["not here"])
    monkeypatch.setattr(reporting, "report", lambda run: None)


def changed(recipe, **settings):
    """A recipe with other `train:` settings."""
    return recipe | {"train": recipe["train"] | settings}


def logged(run):
    """The rows of log.jsonl: those of steps, those of epochs."""
    text = (run.folder / "log.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.split("\n")[:-1]]
    return [row for row in rows if "loss" in row], [row for row in rows if "validation" in row]


def test_a_seed_gives_the_same_losses_again(toy_recipe, tmp_path, bare):
    # With dropout, two epochs and slices: nothing may draw from elsewhere.
    recipe = changed(toy_recipe, accumulate=2, log_every=1)
    runs = [training.train(recipe, out=tmp_path / name) for name in ("a", "b")]
    (steps, epochs), (again, epochs_again) = map(logged, runs)
    assert [row["loss"] for row in steps] == [row["loss"] for row in again]
    assert len(steps) == 16
    assert epochs == epochs_again
    assert runs[0].metrics == runs[1].metrics


def test_batches_of_tokens_and_of_few_shapes(toy_recipe, tmp_path, bare):
    settings = {name: one for name, one in toy_recipe["train"].items() if name != "batch_size"}
    settings |= {"batch_tokens": 120, "shapes": 3, "log_every": 1}
    run = training.train(toy_recipe | {"train": settings}, out=tmp_path / "run")
    steps, _ = logged(run)
    found = forecast.dry_run(toy_recipe | {"train": settings})
    assert steps[-1]["step"] == len(steps) == found["steps"] == 2 * found["steps_per_epoch"]
    assert steps[-1]["learning_rate"] == pytest.approx(0.03 / found["steps"])
    assert all(0 < row["real_tokens"] <= 1 for row in steps)
    assert (run.recipe.train.batch_size, run.recipe.train.batch_tokens) == (None, 120)
    assert evaluation.evaluate(run)["accuracy"] == run.metrics["test"]["accuracy"]


def test_compiled_steps_have_few_shapes(toy_recipe, monkeypatch):
    asked = []
    prepared = SimpleNamespace(task=SimpleNamespace(fixed_shapes=True), stream=None)
    monkeypatch.setattr(training.orders, "plan", lambda *_, shapes, **__: asked.append(shapes))
    for settings in ({}, {"jit_compile": True}, {"jit_compile": True, "shapes": 3}):
        train = Recipe.load(changed(toy_recipe, **settings)).train
        training.plan_batches(train, prepared, None)
    assert asked == [None, training.COMPILED_SHAPES, 3]
    several = SimpleNamespace(num_replicas_in_sync=2)
    with pytest.raises(UserError) as caught:
        training.plan_batches(train, prepared, None, several)
    assert str(caught.value) == (
        "train.jit_compile: is for one device; this is SimpleNamespace on 2 × CPU; leave it out"
    )


def test_the_best_epoch_stays_and_patience_ends_the_training(
    toy_recipe, tmp_path, bare, monkeypatch, capsys
):
    measure, accuracies = evaluation.measure, [0.9, 0.1]

    def first_epoch_is_best(*arguments):
        values, scores = measure(*arguments)
        return values | ({"accuracy": accuracies.pop(0)} if accuracies else {}), scores

    monkeypatch.setattr(evaluation, "measure", first_epoch_is_best)
    run = training.train(changed(toy_recipe, epochs=5, patience=1), out=tmp_path / "run")
    first, second = (row["validation"] for row in logged(run)[1])
    assert run.metrics["best_epoch"] == 1
    assert run.metrics["validation"]["loss"] == pytest.approx(first["loss"], rel=1e-6)
    assert first["loss"] != pytest.approx(second["loss"], rel=1e-3)
    assert "  stopping: no better accuracy for 1 epochs\n" in capsys.readouterr().err


OWN = """
import tensorflow as tf
import tf_keras

from tfhf.tasks.text_classification import TextClassification

class Loud(TextClassification):
    def decode(self, results, index, row):
        return super().decode(results, index, row) | {"loud": row["text"].upper()}

def shouted(rows):
    return sum(row["loud"] == row["text"].upper() for row in rows) / len(rows)

def hinge(targets, logits):
    return 100.0 * tf_keras.losses.categorical_hinge(tf.one_hot(targets, 2), logits)

class Seen(tf_keras.callbacks.Callback):
    def __init__(self, file):
        super().__init__()
        self.file = file

    def on_epoch_end(self, epoch, logs=None):
        open(self.file, "w").write(" ".join(sorted(logs)))
"""


def test_code_of_ones_own_trains_measures_and_watches(toy_recipe, tmp_path, bare, monkeypatch):
    (tmp_path / "own_training.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    seen = {"name": "own_training:Seen", "file": str(tmp_path / "seen.txt")}
    recipe = changed(
        toy_recipe | {"task": "own_training:Loud"}, epochs=1, callbacks=[seen],
        metrics=["own_training:shouted"], monitor="shouted", loss="own_training:hinge",
    )  # fmt: skip
    run = training.train(recipe, out=tmp_path / "run")
    assert run.metrics["validation"]["shouted"] == run.metrics["test"]["shouted"] == 1.0
    assert run.metrics["monitor"] == "shouted"
    assert run.predictions("test")[0]["loud"].isupper()
    names = (tmp_path / "seen.txt").read_text().split()
    assert {"loss", "val_loss", "val_accuracy", "val_shouted"} <= set(names)
    steps, epochs = logged(run)
    # A hundred hinges of two classes begin near 100, cross-entropy near 0.7.
    assert steps[0]["loss"] > 10 > epochs[0]["validation"]["loss"]


def test_a_loss_that_is_no_number_stops_and_keeps_the_model_before(toy_recipe, tmp_path):
    # One step an epoch, and a weight decay that multiplies the weights by -1e12 in each.
    recipe = changed(
        toy_recipe, batch_size=64, epochs=9, learning_rate=10, weight_decay=1e11,
        schedule="constant", global_clipnorm=None,
    )  # fmt: skip
    folder = tmp_path / "run"
    with pytest.raises(Diverged, match=r"^(validation )?loss became NaN (at step|after epoch) \d"):
        training.train(recipe, out=folder)
    run = Run(folder)
    steps, epochs = logged(run)
    assert steps and epochs
    assert all(np.isfinite(row["validation"]["loss"]) for row in epochs)
    found = evaluation.evaluate(run, split="validation")
    assert np.isfinite(found["loss"])
    assert not (folder / "tokens").exists()


def test_fewer_rows_than_a_batch_and_other_labels_than_the_checkpoint(
    toy_run, tmp_path, bare, capsys
):
    file = tmp_path / "rows.csv"
    file.write_text("text,label\ndull,a\nlovely,b\nbad film,c\ngreat film,a\na story,b\n")
    recipe = {
        "task": "text_classification",
        "model": str(toy_run.model),
        "data": {"train": str(file), "validation": str(file)},
        "options": {"max_length": 24},
        "train": {"epochs": 2, "batch_size": 8},
    }
    run = training.train(recipe, out=tmp_path / "run")
    steps, _ = logged(run)
    assert [row["step"] for row in steps] == [1, 2]
    assert set(run.metrics) == {"monitor", "best_epoch", "validation"}
    assert {row["label"] for row in run.predictions("validation")} <= {"a", "b", "c"}
    assert len(run.predictions("validation")) == 5
    line = json.loads((run.folder / "data.json").read_text())["load_line"]
    assert line.endswith("; new because the shape differs: classifier (2)")
    assert line in capsys.readouterr().err


def test_bfloat16_computes_and_float32_answers(toy_recipe, tmp_path, proven_here):
    recipe = changed(toy_recipe, dtype_policy="mixed_bfloat16", epochs=1)
    run = training.train(recipe, out=tmp_path / "run")
    assert tf_keras.mixed_precision.global_policy().name == "float32"
    assert np.isfinite(run.metrics["test"]["loss"])
    model = prediction.load(run, tasks.get("text_classification"))
    assert {variable.dtype.name for variable in model.backbone.weights} == {"float32"}
    version = run.exports / "1"
    rows = data.from_rows(["a great film"], ["text"])
    served = prediction.Servable(version).results(rows)
    assert served["probabilities"].dtype == np.float32
    # Computed in bfloat16, unlike the restored model: near, but not the same.
    answered = prediction.Pipeline(model).results(rows)
    np.testing.assert_allclose(served["probabilities"], answered["probabilities"], atol=0.02)
    assert (served["probabilities"] != answered["probabilities"]).any()


def test_a_batch_must_fit_replicas_and_slices(toy_recipe, tmp_path):
    strategy = SimpleNamespace(num_replicas_in_sync=3)
    settings = training.Recipe.load(changed(toy_recipe, accumulate=2)).train
    prepared = SimpleNamespace(task=SimpleNamespace(fixed_shapes=True), stream=None)
    with pytest.raises(UserError) as caught:
        training.plan_batches(settings, prepared, None, strategy)
    assert str(caught.value) == (
        "train.batch_size: must be a multiple of 6 (replicas × accumulate); received 8"
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"train.monitor": "acuracy"},
            "train.monitor: unknown metric 'acuracy'; did you mean 'accuracy'?; metrics: loss, "
            "accuracy, precision_macro, recall_macro, f1_macro, precision_micro, recall_micro, "
            "f1_micro, mcc",
        ),
        (
            {"options.max_length": 64},
            "options.max_length: the model reads at most 32 tokens; received 64",
        ),
    ],
)
def test_a_mistake_is_found_before_anything_is_written(toy_recipe, tmp_path, changes, line):
    with pytest.raises(UserError) as caught:
        training.train(toy_recipe, out=tmp_path / "run", **changes)
    assert str(caught.value) == line
    assert not (tmp_path / "run").exists()


def test_the_default_folder_is_named_after_the_recipe(toy_recipe):
    checked = training.Recipe.load(toy_recipe)
    assert str(training.default_folder("recipes/a/sst2.yaml", checked)) == "runs/sst2"
    assert str(training.default_folder("text_classification/sst2", checked)) == "runs/sst2"
    assert str(training.default_folder(toy_recipe, checked)) == "runs/text_classification"
