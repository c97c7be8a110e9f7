"""Callbacks: what is logged, which step diverged, which epoch is kept."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tfhf.data.orders import Plan
from tfhf.errors import Diverged
from tfhf.learning.callbacks import Progress, Validation
from tfhf.learning.events import EventLog

LENGTHS = np.arange(3, 23)  # 20 rows: 5 steps of 4
PLAN = Plan(LENGTHS, 1, batch_size=4)


def model(rate=0.25, iterations=0):
    optimizer = SimpleNamespace(
        learning_rate=tf.Variable(rate), iterations=tf.Variable(iterations, dtype=tf.int64)
    )
    return SimpleNamespace(optimizer=optimizer, stop_training=False)


def rows_of(losses, every):
    """What Progress logs of two epochs with these losses."""
    rows = []
    progress = Progress(rows.append, PLAN, epochs=2, every=every)
    progress.set_model(model())
    progress.on_train_begin()
    for epoch in range(2):
        progress.on_epoch_begin(epoch)
        for step in range(5):
            progress.on_train_batch_end(step, {"step_loss": tf.constant(losses[5 * epoch + step])})
    progress.on_train_end()
    return rows


def test_a_row_every_few_steps_and_at_the_end_of_an_epoch():
    rows = rows_of([float(loss) for loss in range(10)], every=2)
    assert [row["step"] for row in rows] == [2, 4, 5, 7, 9, 10]
    assert [row["epoch"] for row in rows] == [1, 1, 1, 2, 2, 2]
    assert [row["loss"] for row in rows] == [0.5, 2.5, 4.0, 5.5, 7.5, 9.0]
    assert {row["learning_rate"] for row in rows} == {0.25}
    assert all(row["tokens_per_second"] > 0 for row in rows)


def test_real_tokens_are_those_of_the_batches_of_the_row():
    real, fed = (
        np.concatenate(parts)
        for parts in zip(*(PLAN.real_share(epoch) for epoch in range(2)), strict=True)
    )
    rows = rows_of([1.0] * 10, every=5)
    assert [row["real_tokens"] for row in rows] == [
        round(real[:5].sum() / fed[:5].sum(), 4),
        round(real[5:].sum() / fed[5:].sum(), 4),
    ]


@pytest.mark.parametrize("every", [1, 3, 10])
@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (-np.inf, "infinite")])
def test_the_step_that_diverged_is_named_whatever_is_logged(every, value, word):
    losses = [1.0] * 10
    losses[6] = losses[8] = value
    with pytest.raises(Diverged) as caught:
        rows_of(losses, every)
    assert str(caught.value) == (
        f"loss became {word} at step 7 (learning rate 0.25); "
        "lower train.learning_rate or raise train.warmup_ratio"
    )
    assert caught.value.exit_code == 3


def validated(scores, *, monitor="accuracy", patience=None):
    """Validation after one epoch per score, its log, and the epochs it kept."""
    values = iter({"loss": 1.0, monitor: score, "per_class": {}} for score in scores)
    rows, kept = [], []
    found = Validation(
        lambda: next(values),
        lambda: kept.append(len(rows)),
        rows.append,
        monitor=monitor,
        patience=patience,
    )
    found.set_model(model(iterations=12))
    for epoch in range(len(scores)):
        found.on_epoch_end(epoch)
        if found.model.stop_training:
            break
    return found, rows, kept


def test_the_best_epoch_is_kept():
    found, rows, kept = validated([0.5, 0.7, 0.7, 0.6])
    assert (found.best, found.best_epoch) == (0.7, 2)
    assert kept == [1, 2]
    assert rows[0] == {"step": 12, "epoch": 1, "validation": {"loss": 1.0, "accuracy": 0.5}}
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]


def test_errors_are_best_when_small():
    found, _, _ = validated([0.5, 0.7, 0.4], monitor="mse")
    assert (found.best, found.best_epoch) == (0.4, 3)


def test_a_first_epoch_is_kept_even_where_the_metric_is_undefined():
    found, _, kept = validated([np.nan, np.nan, 0.1], monitor="pearson")
    assert kept == [1, 3]
    assert found.best_epoch == 3


def test_patience_counts_epochs_since_the_best():
    found, rows, _ = validated([0.5, 0.7, 0.6, 0.7, 0.9], patience=2)
    assert len(rows) == 4
    assert found.model.stop_training and found.best_epoch == 2


@pytest.mark.parametrize(("loss", "word"), [(np.nan, "NaN"), (np.inf, "infinite")])
def test_a_validation_that_diverged_is_not_kept(loss, word):
    kept = []
    validation = Validation(
        lambda: {"loss": loss, "accuracy": 0.5}, lambda: kept.append(1), print, monitor="accuracy"
    )
    validation.set_model(model())
    with pytest.raises(Diverged) as caught:
        validation.on_epoch_end(2)
    assert str(caught.value) == (
        f"validation loss became {word} after epoch 3; "
        "lower train.learning_rate or raise train.warmup_ratio"
    )
    assert not kept


def test_rows_become_tensorboard_scalars(tmp_path):
    log = EventLog(tmp_path)
    log.write({"step": 5, "epoch": 1, "loss": 0.5, "learning_rate": 0.1})
    log.write({"step": 5, "epoch": 1, "validation": {"loss": 0.25, "accuracy": 1}})
    (file,) = tmp_path.iterdir()
    found = {}
    for event in tf.compat.v1.train.summary_iterator(str(file)):
        for value in event.summary.value:
            found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    assert found == pytest.approx(
        {
            ("train/loss", 5): 0.5,
            ("train/learning_rate", 5): 0.1,
            ("validation/loss", 5): 0.25,
            ("validation/accuracy", 5): 1.0,
        }
    )
