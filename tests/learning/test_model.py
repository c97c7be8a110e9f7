"""tfhf.Model: accumulation, weights and Keras' own verbs."""

import datasets
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests.conftest import toy_rows
from tfhf import pieces
from tfhf.data import batches
from tfhf.data.tokens import TokenStore
from tfhf.errors import UserError
from tfhf.learning.model import Model
from tfhf.learning.optimizers import AdamW


@pytest.fixture(scope="module")
def toy(tiny_bert_folder):
    """A model without dropout, and its training rows."""
    tf_keras.utils.set_random_seed(1)
    model = pieces.load_model(str(tiny_bert_folder), labels=["negative", "positive"], max_length=24)
    for layer in model.submodules:
        if isinstance(layer, tf_keras.layers.Dropout):
            layer.rate = 0.0
    rows = datasets.Dataset.from_list(toy_rows(45))
    return model, rows


def fitted(toy, optimizer, *, accumulate=1, epochs=1):
    """The weights after some steps from the same start, and Keras' history."""
    model, rows = toy
    start = [v.numpy() for v in model.trainable_variables]
    again = Model(model.backbone, model.task, accumulate=accumulate)
    again.compile(optimizer, metrics=["accuracy"])
    dataset = pieces.to_tf_dataset(rows, again, batch_size=12, shuffle=True, seed=3)
    history = again.fit(dataset, epochs=epochs, verbose=0).history
    weights = [v.numpy() for v in again.trainable_variables]
    for variable, value in zip(model.trainable_variables, start, strict=True):
        variable.assign(value)
    return weights, history


def test_accumulated_slices_equal_the_whole_batch(toy):
    # 45 rows in batches of 12: the last is filled up with rows of weight 0, in one slice more
    # than in another, so a mean of means would differ.
    # SGD, because Adam divides by the gradient's size: where that is 0, rounding would be seen.
    whole, history = fitted(toy, tf_keras.optimizers.SGD(0.1))
    sliced, again = fitted(toy, tf_keras.optimizers.SGD(0.1), accumulate=3)
    assert again["loss"] == pytest.approx(history["loss"], rel=1e-6)
    assert again["accuracy"] == history["accuracy"]
    for a, b in zip(whole, sliced, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_keras_optimizers_clip_by_the_norm_of_the_whole_gradient(toy):
    """At rate 1 a step is as long as a gradient may be, though words occur in several rows."""
    model, rows = toy
    start = [v.numpy() for v in model.trainable_variables]
    again = Model(model.backbone, model.task)
    again.compile(tf_keras.optimizers.SGD(1.0, global_clipnorm=0.05))
    again.fit(pieces.to_tf_dataset(rows, again, batch_size=12).take(1), verbose=0)
    squares = 0.0
    for variable, value in zip(model.trainable_variables, start, strict=True):
        squares += np.square(variable.numpy().astype(np.float64) - value).sum()
        variable.assign(value)
    assert np.sqrt(squares) == pytest.approx(0.05, rel=1e-3)


@pytest.fixture
def dropping(toy):
    """Trains a model that drops out, from the same start; batches in the same order."""
    model, rows = toy
    dropouts = [one for one in model.submodules if isinstance(one, tf_keras.layers.Dropout)]
    start = [v.numpy() for v in model.trainable_variables]
    batches = list(pieces.to_tf_dataset(rows, model, batch_size=12))[:2]

    def train(seed, steps=2, begun=None):
        """Weights of model and optimizer afterwards; from `begun`, such a list, with its steps."""
        again = Model(model.backbone, model.task, seed=seed)
        again.compile(AdamW(1e-2))
        again.optimizer.build(again.trainable_variables)
        state = [*again.trainable_variables, *again.optimizer.variables]
        zeros = [np.zeros(v.shape, v.dtype.as_numpy_dtype) for v in again.optimizer.variables]
        for variable, value in zip(state, begun or [*start, *zeros], strict=True):
            variable.assign(value)
        for batch in batches[int(again.optimizer.iterations) :][:steps]:
            again.train_step(batch)
        return [variable.numpy() for variable in state]

    for one in dropouts:
        one.rate = 0.5
    yield train
    for one in dropouts:
        one.rate = 0.0
    for variable, value in zip(model.trainable_variables, start, strict=True):
        variable.assign(value)


def test_dropout_is_a_function_of_seed_and_step(dropping):
    whole, other = dropping(seed=1), dropping(seed=2)
    tf.random.normal([3])  # draws of others change nothing
    resumed = dropping(seed=1, begun=dropping(seed=1, steps=1))
    assert all((a == b).all() for a, b in zip(whole, resumed, strict=True))
    assert any((a != b).any() for a, b in zip(whole, other, strict=True))


def test_every_slice_of_every_step_draws_its_own(toy):
    model, _ = toy
    sliced = Model(model.backbone, model.task, accumulate=3, seed=5)
    sliced.compile(AdamW())
    keys = []
    for step in range(3):
        sliced.optimizer.iterations.assign(step)
        keys += [int(sliced._noise(part).key[0]) for part in range(3)]
    assert keys == [5 * 2**32 + number for number in range(9)]


def test_without_a_seed_dropout_follows_the_global_one(toy):
    model, _ = toy
    tf_keras.utils.set_random_seed(3)
    first, second = (Model(model.backbone, model.task).seed for _ in range(2))
    tf_keras.utils.set_random_seed(3)
    assert Model(model.backbone, model.task).seed == first != second


def test_a_step_is_traced_once_for_all_lengths(toy):
    model, rows = toy
    traced = []

    class Counted(Model):
        def train_step(self, data):
            traced.append(data[0]["input_ids"].shape.rank)
            return super().train_step(data)

    counted = Counted(model.backbone, model.task)
    counted.compile(AdamW(0.0))
    counted.fit(pieces.to_tf_dataset(rows, counted, batch_size=12, shuffle=True), verbose=0)
    assert traced == [2]


@pytest.mark.slow
def test_xla_takes_the_same_steps(toy):
    model, rows = toy
    start = [v.numpy() for v in model.trainable_variables]
    found = []
    for compiled in (False, True):
        again = Model(model.backbone, model.task, seed=1)
        again.compile(AdamW(1e-3), jit_compile=compiled)
        again.fit(pieces.to_tf_dataset(rows, again, batch_size=12), verbose=0)
        found.append([v.numpy() for v in model.trainable_variables])
        for variable, value in zip(model.trainable_variables, start, strict=True):
            variable.assign(value)
    for plain, compiled in zip(*found, strict=True):
        np.testing.assert_allclose(plain, compiled, atol=1e-4)


def test_accumulation_leaves_alone_what_the_loss_does_not_reach(toy):
    model, rows = toy
    model.backbone.spare = tf.Variable([1.0, 2.0], name="spare")
    again = Model(model.backbone, model.task, accumulate=3)
    assert any(variable is model.backbone.spare for variable in again.trainable_variables)
    again.compile(AdamW(1e-2, weight_decay=0.5))
    again.fit(pieces.to_tf_dataset(rows, again, batch_size=45), verbose=0)
    assert model.backbone.spare.numpy().tolist() == [1.0, 2.0]
    del model.backbone.spare


def test_keras_fit_reports_loss_and_metrics_and_learns(toy):
    _, history = fitted(toy, AdamW(1e-2), epochs=4)
    assert set(history) == {"loss", "accuracy"}
    assert history["loss"][-1] < history["loss"][0]


def test_evaluate_counts_every_row_once(toy):
    model, rows = toy
    model.compile(AdamW(1e-3), metrics=["accuracy"])
    by_16 = model.evaluate(pieces.to_tf_dataset(rows, model, batch_size=16), verbose=0)
    by_45 = model.evaluate(pieces.to_tf_dataset(rows, model, batch_size=45), verbose=0)
    assert by_16 == pytest.approx(by_45, rel=1e-5)


def test_predict_gives_the_tasks_results_in_row_order(toy):
    model, rows = toy
    dataset = pieces.to_tf_dataset(rows, model, batch_size=16)
    found = model.predict(dataset, verbose=0)
    assert set(found) == {"label", "score", "probabilities"}
    alone = model.predict(pieces.to_tf_dataset(rows.select([7]), model, batch_size=1), verbose=0)
    np.testing.assert_allclose(found["probabilities"][7], alone["probabilities"][0], atol=1e-6)


def test_a_keras_loss_takes_the_place_of_the_tasks(toy):
    model, rows = toy
    dataset = pieces.to_tf_dataset(rows, model, batch_size=45)
    model.compile(AdamW(1e-3))
    own = model.evaluate(dataset, verbose=0)
    model.compile(AdamW(1e-3), loss=tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert model.evaluate(dataset, verbose=0) == pytest.approx(own, rel=1e-5)


def test_keras_metrics_and_losses_pass_over_tokens_without_a_label(tiny_bert_folder):
    rows = datasets.Dataset.from_list(
        [
            {"tokens": ["lovely"], "tags": ["A"]},
            {"tokens": ["a", "warm", "and", "funny", "story"], "tags": ["O", "A", "O", "A", "O"]},
        ]
    )
    model = pieces.load_model(
        str(tiny_bert_folder), "token_classification", labels=["O", "A"], max_length=16
    )
    dataset = pieces.to_tf_dataset(rows, model, batch_size=2)
    model.compile(AdamW(1e-3))
    own = model.evaluate(dataset, verbose=0)
    ((inputs, tags, weights),) = dataset
    right = model(inputs)["logits"].numpy().argmax(-1) == tags.numpy()
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(AdamW(1e-3), loss=loss, metrics=["accuracy"])
    found = model.evaluate(dataset, verbose=0)
    assert found == pytest.approx([own, right.sum() / (tags.numpy() >= 0).sum()], rel=1e-5)
    assert (tags.numpy() < 0).sum() > 6


def test_a_loss_between_rows_is_not_accumulated(tiny_bert_folder):
    model = pieces.load_model(str(tiny_bert_folder), "embedding", loss="cosent", max_length=16)
    with pytest.raises(UserError) as caught:
        Model(model.backbone, model.task, accumulate=2)
    assert str(caught.value) == (
        "train.accumulate: must be 1, because this loss compares all rows of a batch, and slices "
        "would compare fewer; lower train.batch_size; received 2"
    )


def test_no_labels_at_all_give_no_nan(toy, tmp_path):
    model, rows = toy
    store = TokenStore.build(rows.remove_columns("label"), model.task, tmp_path / "store")
    assert "label" not in store.names
    inputs, _, weights = batches.assembler(store, model.task, "predict")(
        tf.constant([-1, 0], tf.int64), 0
    )
    assert weights.numpy().tolist() == [0.0, 1.0]
    assert inputs["attention_mask"].numpy().sum() > 0
    data = (inputs, tf.constant([0, 1]), tf.zeros(2))
    model.compile(AdamW(1e-3))
    model.tells_step_loss = True
    assert float(model.train_step(data)["step_loss"]) == 0.0
