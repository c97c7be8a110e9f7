"""What `compile` and `fit` take of Keras, and what they refuse."""

import datasets
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests.conftest import toy_rows
from tfhf import pieces
from tfhf.errors import UserError
from tfhf.learning import compiling

LOSSES, METRICS, CALLBACKS = tf_keras.losses, tf_keras.metrics, tf_keras.callbacks
ROWS = datasets.Dataset.from_list(toy_rows(11))


def numbers():
    """Rows whose labels are numbers, far apart."""
    return ROWS.map(lambda row, number: {"label": float(number)}, with_indices=True)


@pytest.fixture(scope="module")
def model(tiny_bert_folder):
    return pieces.load_model(str(tiny_bert_folder), labels=["negative", "positive"], max_length=24)


@pytest.mark.parametrize(
    "loss",
    ["sparse_categorical_crossentropy", LOSSES.BinaryCrossentropy(), LOSSES.binary_crossentropy],
)
def test_a_loss_of_probabilities(loss):
    with pytest.raises(UserError) as caught:
        compiling.loss_of(loss)
    name = getattr(loss, "__name__", loss if isinstance(loss, str) else type(loss).__name__)
    assert str(caught.value) == (
        f"loss: {name} takes probabilities, and it gets logits; give it as an object, with "
        "from_logits=True"
    )


def test_a_loss_of_a_whole_batch():
    loss = compiling.loss_of(lambda targets, logits: tf.reduce_mean(logits))
    with pytest.raises(UserError, match="^loss: must give the losses of the examples, not their"):
        loss(tf.constant([0, 1]), {"logits": tf.zeros((2, 2))})


def test_a_task_without_logits():
    with pytest.raises(UserError) as caught:
        compiling.loss_of("mse")(tf.zeros(2), {"start_logits": 1, "end_logits": 2})
    assert str(caught.value) == (
        "loss, metrics: Keras' compare targets with logits, and this task gives start_logits, "
        "end_logits; leave them out for the task's own loss"
    )


@pytest.mark.parametrize(
    ("metric", "mend"),
    [
        (METRICS.AUC(), "give it as an object, with from_logits=True"),
        ("binary_crossentropy", "give it as an object, with from_logits=True"),
        (METRICS.Precision(), "give thresholds of logits, where 0.0 is a probability of 0.5"),
        (METRICS.BinaryAccuracy(), "give thresholds of logits, where 0.0 is a probability of 0.5"),
        ("binary_accuracy", "give thresholds of logits, where 0.0 is a probability of 0.5"),
        (
            METRICS.SensitivityAtSpecificity(0.5),
            "give thresholds of logits, where 0.0 is a probability of 0.5",
        ),
    ],
)
def test_a_metric_of_probabilities(metric, mend):
    with pytest.raises(UserError) as caught:
        compiling.metrics_of([metric], "single_label")
    name = metric if isinstance(metric, str) else type(metric).__name__
    expected = f"metrics: {name} takes probabilities, and it gets logits; {mend}"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("given", "problem", "line"),
    [
        ("accuracy", "multi_label", "metrics: 'accuracy' compares one class per row, and rows"),
        ("acc", "regression", "metrics: 'acc' compares classes, and the labels are numbers; take"),
        ("ce", None, "metrics: the loss stands in the results anyway; received 'ce'"),
        ({"logits": "mae"}, None, "metrics: must be a list, because the model has one output; rec"),
    ],
)
def test_a_metric_that_says_nothing_here(given, problem, line):
    with pytest.raises(UserError) as caught:
        compiling.metrics_of(given, problem)
    assert str(caught.value).startswith(line)


class OwnPrecision(METRICS.Precision):
    """A user's own, which may well make probabilities of what it gets."""


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (None, None),
        ("accuracy", "single_label"),
        ([METRICS.AUC(from_logits=True), METRICS.Precision(thresholds=0.0)], "multi_label"),
        ([METRICS.BinaryAccuracy(threshold=0.0), METRICS.F1Score()], "multi_label"),
        ([METRICS.SparseTopKCategoricalAccuracy(5), METRICS.Recall(top_k=2)], "single_label"),
        ([OwnPrecision(), lambda targets, logits, threshold=0.5: logits], "multi_label"),
        (["mae", METRICS.RootMeanSquaredError()], "regression"),
    ],
)
def test_metrics_of_logits(given, problem):
    expected = [] if given is None else given if isinstance(given, list) else [given]
    assert compiling.metrics_of(given, problem) == expected


@pytest.mark.parametrize(
    ("what", "thing", "check"),
    [
        ("loss", keras.losses.MeanSquaredError(), compiling.loss_of),
        ("metrics", keras.metrics.Mean(), lambda one: compiling.metrics_of([one], None)),
        (
            "optimizer",
            keras.optimizers.Adam(),
            lambda one: compiling.check_keras([one], "optimizer"),
        ),
        (
            "callbacks",
            keras.callbacks.EarlyStopping(),
            lambda one: compiling.check_fit({"callbacks": one}),
        ),
    ],
)
def test_what_belongs_to_keras_3(what, thing, check):
    with pytest.raises(UserError) as caught:
        check(thing)
    assert str(caught.value) == (
        f"{what}: {type(thing).__name__} is of Keras 3, and tfhf.Model of tf-keras; take it from "
        "tf_keras"
    )


def test_weights_of_classes_belong_to_the_task(model):
    with pytest.raises(UserError) as caught:
        model.fit(None, class_weight={0: 1.0, 1: 2.0})
    assert str(caught.value) == (
        "class_weight: is an option of the model, which knows tags and sets of classes, too: "
        "load_model(..., class_weights={label: weight}); received {0: 1.0, 1: 2.0}"
    )


def test_nothing_is_written_that_could_not_be_opened(model, tmp_path):
    with pytest.raises(UserError, match="^save: Keras could not open it again; write model.save_p"):
        model.save(tmp_path / "model.keras")
    checkpoint = CALLBACKS.ModelCheckpoint(str(tmp_path / "best"))
    with pytest.raises(UserError, match="^callbacks: ModelCheckpoint would write a model that"):
        model.fit(None, callbacks=[checkpoint])
    assert not list(tmp_path.iterdir())


def test_callbacks_of_keras_one_training_after_another(model, tmp_path):
    """Keras' `BackupAndRestore` leaves a model that Keras fits no second time."""
    model.compile(tf_keras.optimizers.SGD(0.1))
    dataset = pieces.to_tf_dataset(ROWS, model, batch_size=4)
    kept = str(tmp_path / "kept.weights.h5")
    backup = CALLBACKS.BackupAndRestore(str(tmp_path / "backup"))
    checkpoint = CALLBACKS.ModelCheckpoint(kept, save_weights_only=True)
    model.fit(dataset, callbacks=[backup, checkpoint], verbose=0)
    first = model.predict(dataset, verbose=0)["probabilities"]
    model.fit(dataset, callbacks=CALLBACKS.History(), verbose=0)
    assert np.abs(model.predict(dataset, verbose=0)["probabilities"] - first).max() > 1e-4
    model.load_weights(kept)
    np.testing.assert_array_equal(model.predict(dataset, verbose=0)["probabilities"], first)


def test_answers_are_those_of_the_rows_with_xla_and_without_labels(model):
    model.compile(jit_compile=True)
    labeled = pieces.to_tf_dataset(ROWS, model, batch_size=4)
    found = model.predict(labeled, verbose=0)
    assert found["label"].shape == (11,)
    assert model.jit_compile  # training compiles after it as before
    asked = pieces.to_tf_dataset(ROWS.remove_columns("label"), model, batch_size=4)
    for name, value in model.predict(asked, verbose=0).items():
        assert value.tolist() == found[name].tolist()
    batches = [model.predict_on_batch(inputs)["label"] for inputs, _, _ in labeled]
    assert np.concatenate(batches).tolist() == found["label"].tolist()


def test_rows_without_labels_teach_nothing(model):
    model.compile()
    asked = pieces.to_tf_dataset(ROWS.remove_columns("label"), model, batch_size=4)
    with pytest.raises(UserError, match="the dataset has no labels; only predict can do without"):
        model.evaluate(asked, verbose=0)


def test_a_loss_between_numbers_is_of_each_row_alone(tiny_bert_folder):
    model = pieces.load_model(str(tiny_bert_folder), labels=[], problem="regression", max_length=24)
    dataset = pieces.to_tf_dataset(numbers(), model, batch_size=4)
    model.compile(loss="mse", metrics="mse")
    found = model.evaluate(dataset, verbose=0)
    model.compile()
    assert found == pytest.approx([model.evaluate(dataset, verbose=0)] * 2, rel=1e-5)
    assert found[0] > 10


def test_inputs_that_are_no_columns(model):
    with pytest.raises(UserError, match="the model takes columns of token ids, as tfhf.to_tf_data"):
        model(tf.constant(["a lovely film"]))
