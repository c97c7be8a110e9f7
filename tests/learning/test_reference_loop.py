"""What a recipe may change about an update, each against a plain loop in float64."""

import datasets
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests.conftest import toy_rows
from tfhf import pieces, preparation, training
from tfhf.console import Phases
from tfhf.errors import UserError
from tfhf.learning.averaging import averaged
from tfhf.learning.optimizers import undecayed
from tfhf.models import names
from tfhf.recipe import Recipe

RATE, DECAY, BETA_1, BETA_2, EPSILON, CLIP = 0.01, 0.1, 0.9, 0.999, 1e-3, 1.0
STEPS, EPOCHS = 4, 2
OPTIMIZER = {"name": "AdamW", "epsilon": EPSILON}  # so large that rounding is no direction
LEARNING = {"learning_rate": RATE, "weight_decay": DECAY, "schedule": "constant"}


@pytest.fixture(scope="module")
def prepared(toy_recipe):
    return preparation.prepare(Recipe.load(toy_recipe), Phases())


def compiled(toy_recipe, prepared, **settings):
    """A model as `train` makes it, without dropout, and eager: tracing would take far longer."""
    given = {"train": {**LEARNING, "epochs": EPOCHS, "optimizer": OPTIMIZER, **settings}}
    checked = Recipe.load(toy_recipe | given).train
    strategy = tf.distribute.get_strategy()
    model, line = training.load_compiled(checked, prepared, STEPS, strategy)
    for layer in model.submodules:
        if isinstance(layer, tf_keras.layers.Dropout):
            layer.rate = 0.0
    model.run_eagerly = not checked.jit_compile
    return model, line


def batches_for(model):
    rows = datasets.Dataset.from_list(toy_rows(45))  # the last batch is filled up
    return list(pieces.to_tf_dataset(rows, model, batch_size=12, shuffle=True, seed=3)) * EPOCHS


def plain_loop(model, batches, pace, scale=1.0):
    """PyTorch's AdamW by its definition; `pace(name, step)` is a weight's own rate, None frozen,
    and `scale` what the loss is multiplied by on its way back.

    Yields the weights by PyTorch's name after each update.
    """
    variables = {place.name: place.variable for place in names.places(model.backbone)}
    spared = {variable.ref() for variable in undecayed(model.backbone)}
    weights = {name: v.numpy().astype(np.float64) for name, v in variables.items()}
    first = {name: np.zeros_like(value) for name, value in weights.items()}
    second = {name: np.zeros_like(value) for name, value in weights.items()}
    for step, (inputs, targets, real) in enumerate(batches):
        with tf.GradientTape() as tape:
            losses, counts = model.task.loss(targets, model(inputs))
            loss = scale * tf.reduce_sum(losses * real) / tf.reduce_sum(counts * real)
        found = tape.gradient(loss, list(variables.values()))
        gradients = {
            name: tf.convert_to_tensor(gradient).numpy().astype(np.float64) / scale
            for name, gradient in zip(variables, found, strict=True)
            if gradient is not None and pace(name, step) is not None
        }
        norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients.values()))
        for name, gradient in gradients.items():
            g, rate = gradient * min(1.0, CLIP / (norm + 1e-6)), RATE * pace(name, step)
            if variables[name].ref() not in spared:
                weights[name] *= 1 - rate * DECAY
            first[name] = BETA_1 * first[name] + (1 - BETA_1) * g
            second[name] = BETA_2 * second[name] + (1 - BETA_2) * g * g
            root = np.sqrt(second[name] / (1 - BETA_2 ** (step + 1))) + EPSILON
            weights[name] -= rate * first[name] / (1 - BETA_1 ** (step + 1)) / root
            variables[name].assign(weights[name])
        yield {name: value.copy() for name, value in weights.items()}


def test_the_average_is_measured_and_kept_and_training_goes_on(toy_recipe, prepared):
    model, _ = compiled(toy_recipe, prepared, ema=0.7, freeze=["bert.embeddings"])
    batches = batches_for(model)
    places = {place.name: place.variable for place in names.places(model.backbone)}
    start = {name: variable.numpy() for name, variable in places.items()}
    frozen = [name for name in places if "embeddings" in name]
    averages = {name: value.astype(np.float64) for name, value in start.items()}
    for weights in plain_loop(model, batches, lambda name, _: None if name in frozen else 1.0):
        averages = {name: 0.7 * old + 0.3 * weights[name] for name, old in averages.items()}
    for name, variable in places.items():
        variable.assign(start[name])
    for batch in batches:
        model.train_step(batch)
    with pytest.raises(KeyboardInterrupt), averaged(model):
        for name, variable in places.items():
            np.testing.assert_allclose(variable.numpy(), averages[name], atol=2e-6, err_msg=name)
        raise KeyboardInterrupt  # the weights come back all the same
    for name, variable in places.items():
        np.testing.assert_allclose(variable.numpy(), weights[name], atol=2e-6, err_msg=name)
    # What a checkpoint holds: the averages are the optimizer's own variables.
    kept = [v for v in model.optimizer.variables if "average" in v.name]
    assert len(kept) == len(places) - len(frozen)


def test_float16_scales_the_loss_and_skips_what_overflows(toy_recipe, prepared):
    model, _ = compiled(toy_recipe, prepared, dtype_policy="mixed_float16")
    assert model.dtype_policy.name == "mixed_float16"
    batches = batches_for(model)
    places = {place.name: place.variable for place in names.places(model.backbone)}
    assert {variable.dtype for variable in places.values()} == {tf.float32}
    start = {name: variable.numpy() for name, variable in places.items()}
    assert float(model.optimizer.loss_scale) == 2.0**15
    scale = model.optimizer._loss_scale._current_loss_scale
    scale.assign(2.0**120)
    model.train_step(batches[0])
    assert all((variable.numpy() == start[name]).all() for name, variable in places.items())
    assert float(scale) == 2.0**119
    scale.assign(2.0**12)
    model.optimizer.iterations.assign(0)
    for batch in batches:
        model.train_step(batch)
    found = {name: variable.numpy() for name, variable in places.items()}
    for name, variable in places.items():
        variable.assign(start[name])
    *_, expected = plain_loop(model, batches, lambda name, step: 1.0, scale=2.0**12)
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], atol=1e-4, err_msg=name)
    moved = max(np.abs(value - start[name]).max() for name, value in found.items())
    assert moved > 0.02


def test_a_checkpoint_holds_all_that_an_update_changes(toy_recipe, prepared, tmp_path):
    model, _ = compiled(
        toy_recipe, prepared, optimizer="Adam", ema=0.9, layer_decay=0.5,
        unfreeze={2: "bert.encoder"}, dtype_policy="mixed_float16",
    )  # fmt: skip
    batches = batches_for(model)
    for batch in batches[:2]:
        model.train_step(batch)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    place = checkpoint.write(str(tmp_path / "state"))
    ends = []
    for _ in range(2):
        for batch in batches[2:6]:  # over the epoch's end
            model.train_step(batch)
        state = [*model.trainable_variables, *model.optimizer.variables, model.optimizer.loss_scale]
        ends.append([value.numpy() for value in state])
        checkpoint.read(place).assert_existing_objects_matched()
    for first, again in zip(*ends, strict=True):
        np.testing.assert_array_equal(first, again)


@pytest.mark.slow
def test_xla_trains_what_tensorflow_trains(toy_recipe, prepared):
    model, _ = compiled(toy_recipe, prepared, jit_compile=True)
    assert model.jit_compile
    batches = batches_for(model)[:1] * 2
    places = {place.name: place.variable for place in names.places(model.backbone)}
    start = {name: variable.numpy() for name, variable in places.items()}
    inputs, targets, weights = batches[0]
    model.fit(inputs, targets, sample_weight=weights, batch_size=12, epochs=2, verbose=0)
    found = {name: variable.numpy() for name, variable in places.items()}
    for name, variable in places.items():
        variable.assign(start[name])
    *_, expected = plain_loop(model, batches, lambda name, step: 1.0)
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], atol=2e-6, err_msg=name)


def depth(name):
    """Of the tiny BERT's weights: embeddings, the one layer, the head."""
    return 0 if "embeddings" in name else 1 if ".layer.0." in name else 2


@pytest.mark.parametrize(
    ("settings", "pace"),
    [
        ({}, lambda name, step: 1.0),
        ({"accumulate": 4}, lambda name, step: 1.0),
        (
            {"freeze": ["bert.embeddings", "bert.encoder.layer.*.attention"]},
            lambda name, step: None if "embeddings" in name or ".attention." in name else 1.0,
        ),
        ({"layer_decay": 0.5}, lambda name, step: 0.5 ** (2 - depth(name))),
        (
            {"unfreeze": {2: "bert.encoder"}, "layer_decay": 0.8, "freeze": ["*.bias"]},
            lambda name, step: (
                None
                if name.endswith(".bias")
                else 0.8 ** (2 - depth(name)) * (depth(name) != 1 or step >= STEPS)
            ),
        ),
    ],
    ids=["plain", "accumulate", "freeze", "layer decay", "unfreeze and all"],
)
def test_updates_are_those_of_a_plain_loop(settings, pace, toy_recipe, prepared):
    model, line = compiled(toy_recipe, prepared, **settings)
    assert ("frozen" in line) == ("freeze" in settings)
    batches = batches_for(model)
    places = names.places(model.backbone)
    start = {place.name: place.variable.numpy() for place in places}
    *_, expected = plain_loop(model, batches, pace)
    for place in places:
        place.variable.assign(start[place.name])
    for batch in batches:
        model.train_step(batch)
    for place in places:
        np.testing.assert_allclose(
            place.variable.numpy(), expected[place.name], atol=2e-6, err_msg=place.name
        )
        if pace(place.name, 0) is None:
            assert (place.variable.numpy() == start[place.name]).all()
    moved = [place.name for place in places if (place.variable.numpy() != start[place.name]).any()]
    assert "classifier.weight" in moved


@pytest.mark.parametrize("name", ["SGD", "Lion", "Adam"])
def test_layer_decay_and_weight_decay_of_kerass_optimizers(name, toy_recipe, prepared):
    """One update of a weight is linear in its rate, so half the rate is half the way."""
    moved = []
    for settings in ({}, {"layer_decay": 0.5}):
        model, _ = compiled(toy_recipe, prepared, optimizer=name, **settings)
        places = names.places(model.backbone)
        start = {place.name: place.variable.numpy() for place in places}
        model.train_step(batches_for(model)[0])
        moved.append({p.name: p.variable.numpy() - start[p.name] for p in places})
    for weight, whole in moved[0].items():
        expected = whole * 0.5 ** (2 - depth(weight))
        np.testing.assert_allclose(moved[1][weight], expected, atol=2e-7, err_msg=weight)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"freeze": ["bert.encodr"]},
            "train.freeze: no weight of the model is called 'bert.encodr'; did you mean "
            "'bert.encoder'?",
        ),
        ({"freeze": ["*"]}, "train.freeze: nothing is left to train; received ['*']"),
        (
            {"unfreeze": {2: ["*"]}},
            "train.unfreeze: nothing is left to train in the first epoch",
        ),
        (
            {"freeze": ["bert"], "unfreeze": {2: ["bert.encoder"]}},
            "train.unfreeze.2: train.freeze leaves these weights as they are for good",
        ),
    ],
)
def test_patterns_that_do_not_fit(settings, line, toy_recipe, prepared):
    with pytest.raises(UserError) as caught:
        compiled(toy_recipe, prepared, **settings)
    assert str(caught.value) == line
