"""Optimizers by name: tf-keras' own, with what a recipe says of all of them."""

import inspect

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tfhf.learning.arguments import OPTIMIZERS
from tfhf.learning.optimization import make_optimizer
from tfhf.learning.optimizers import AdamW


@pytest.fixture
def backbone():
    """A layer as one finds it in every model: a matrix, and a bias that is not decayed."""
    tf_keras.utils.set_random_seed(0)
    model = tf_keras.Sequential([tf_keras.layers.Dense(2)])
    model.build((None, 3))
    return model


def steps(optimizer, variables, gradients):
    """The variables' values after some updates."""
    for gradient in gradients:
        optimizer.apply_gradients(zip(gradient, variables, strict=True))
    return [variable.numpy() for variable in variables]


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - {"AdamW"}))
def test_arguments_and_defaults_are_those_of_keras(name):
    signature = inspect.signature(getattr(tf_keras.optimizers, name)).parameters
    defaults = {argument: default for argument, (_, default) in OPTIMIZERS[name].items()}
    assert defaults == {argument: signature[argument].default for argument in defaults}


def test_adamw_is_ours(backbone):
    made = make_optimizer("AdamW", backbone, 0.1, weight_decay=0.3, beta_2=0.95)
    assert isinstance(made, AdamW)
    assert (made.decay, made.beta_2, made.global_clipnorm) == (0.3, 0.95, 1.0)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_gradients_of_embeddings_count_as_if_they_were_whole(name):
    generator = np.random.default_rng(0)
    found = []
    for whole in (False, True):
        table = tf_keras.Sequential([tf_keras.layers.Embedding(5, 2)])
        table.build((None, 1))
        (weights,) = table.trainable_variables
        weights.assign(np.linspace(-1, 1, 10).reshape(5, 2))
        generator = np.random.default_rng(0)
        gradients = []
        for rows in ([0, 3], [3, 1], [4, 4]):
            values = tf.constant(generator.normal(size=(2, 2)), tf.float32)
            slices = tf.IndexedSlices(values, tf.constant(rows), tf.constant([5, 2]))
            gradients.append([tf.convert_to_tensor(slices) if whole else slices])
        made = make_optimizer(name, table, 0.01, weight_decay=0.1, global_clipnorm=None)
        found += steps(made, [weights], gradients)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-7)


def test_lion_equals_its_definition_with_decay_and_clipping(backbone):
    rate, decay, beta_1, beta_2 = 0.01, 0.5, 0.95, 0.98
    generator = np.random.default_rng(1)
    variables = backbone.trainable_variables
    weights = [variable.numpy().astype(np.float64) for variable in variables]
    drawn = [[generator.normal(size=w.shape).astype(np.float32) for w in weights] for _ in range(9)]
    made = make_optimizer(
        "Lion", backbone, rate, weight_decay=decay, global_clipnorm=1.0, beta_1=0.95, beta_2=0.98
    )
    found = steps(made, variables, [list(map(tf.constant, one)) for one in drawn])
    moments = [np.zeros_like(w) for w in weights]
    for gradients in drawn:
        norm = np.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in gradients))
        for i, gradient in enumerate(gradients):
            g = gradient.astype(np.float64) / max(1.0, norm)
            if weights[i].ndim > 1:  # the bias is spared
                weights[i] *= 1 - rate * decay
            weights[i] -= rate * np.sign(beta_1 * moments[i] + (1 - beta_1) * g)
            moments[i] = beta_2 * moments[i] + (1 - beta_2) * g
    for value, expected in zip(found, weights, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
