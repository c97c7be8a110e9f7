"""The layers of a training step against definitions in float64 and against Keras' own."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from scipy import special

from tfhf.learning import layers


def noise(seed=1, step=0):
    return layers.Noise(seed, tf.constant(step, tf.int64))


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def own(layer, shape):
    """A Keras layer, built, with the class that stands in its place."""
    if not layer.built:
        layer.build(shape)
    object.__setattr__(layer, "__class__", layers.CLASSES[type(layer)])
    return layer


def norm(x, scale, offset):
    variance = x.var(-1, keepdims=True)
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(variance + 1e-6) * scale + offset


def normalization():
    layer = own(tf_keras.layers.LayerNormalization(epsilon=1e-6), (None, None, 24))

    def run(x, scale, offset):
        layer.gamma, layer.beta = scale, offset
        return layer.call(x)

    return run


def dense():
    layer = own(tf_keras.layers.Dense(5), (None, None, 24))

    def run(x, kernel, bias):
        layer.kernel, layer.bias = kernel, bias
        return layer.call(x)

    return run


X = 3 * draw(4, 7, 24) + 0.5
CASES = {
    "normalization": (normalization, norm, [X, draw(24, seed=1), draw(24, seed=2)]),
    "dense": (dense, lambda x, w, b: x @ w + b, [X, draw(24, 5, seed=1), draw(5, seed=2)]),
    "gelu": (lambda: layers.gelu, lambda x: x * special.ndtr(x), [X]),
    "gelu_new": (
        lambda: layers.gelu_new,
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        [X],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_slopes_are_those_of_the_definition_in_float64(case):
    make, definition, points = CASES[case]
    variables = [tf.Variable(point, dtype=tf.float32) for point in points]
    run = make()
    with layers.training(noise()), tf.GradientTape() as tape:
        found = run(*variables if len(points) > 1 else map(tf.convert_to_tensor, variables))
    np.testing.assert_allclose(found, definition(*points), rtol=1e-5, atol=5e-6)

    upstream = draw(*found.shape, seed=3)
    gradients = tape.gradient(found, variables, tf.constant(upstream, tf.float32))
    for place, gradient in enumerate(gradients):  # along a direction, by differences in float64
        direction = 1e-5 * draw(*points[place].shape, seed=4)
        moved = [
            definition(*points[:place], points[place] + sign * direction, *points[place + 1 :])
            for sign in (1, -1)
        ]
        expected = (upstream * (moved[0] - moved[1]) / 2).sum()
        assert (gradient.numpy() * direction).sum() == pytest.approx(expected, rel=2e-5, abs=1e-9)


def test_slopes_far_out_are_those_of_the_definition():
    x = tf.constant([-30.0, -8.0, -3.0, 0.0, 3.0, 8.0, 30.0])
    for function, keras in ((layers.gelu, False), (layers.gelu_new, True)):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            expected = tf.nn.gelu(x, approximate=keras)
            with layers.training(noise()):
                found = function(x)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
        slopes = [tape.gradient(values, x).numpy() for values in (found, expected)]
        np.testing.assert_allclose(*slopes, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_other_types_give_what_keras_gives(policy):
    x = draw(4, 7, 24)
    for keras in (
        tf_keras.layers.LayerNormalization(dtype=policy),
        tf_keras.layers.Dense(5, dtype=policy),
    ):
        plain = keras(x)
        with layers.training(noise()):
            found = own(keras, x.shape)(x)
        assert found.dtype == plain.dtype
        np.testing.assert_allclose(found.numpy().astype(float), plain.numpy().astype(float), 2e-2)
    half = tf.cast(x, tf.bfloat16)
    with layers.training(noise()):
        assert (layers.gelu(half).numpy() == tf.nn.gelu(half).numpy()).all()


# === Dropout ===


def dropped(rate, shape, drawn, calls=1):
    """Inputs of one and what dropout makes of them, call after call, and the slope of the last."""
    layer = own(tf_keras.layers.Dropout(rate), shape)
    x = tf.ones(shape)
    with layers.training(drawn), tf.GradientTape() as tape:
        tape.watch(x)
        found = [layer(x, training=True) for _ in range(calls)]
    return [one.numpy() for one in found], tape.gradient(found[-1], x).numpy()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_its_rate_and_the_mean(rate):
    (found,), slope = dropped(rate, (1000, 1001), noise())
    share, spread = (found == 0).mean(), np.sqrt(rate * (1 - rate) / found.size)
    assert abs(share - rate) < 5 * spread + 2**-17
    kept = np.unique(found[found > 0])
    assert kept == pytest.approx([1 / (1 - round(rate * 2**16) / 2**16)], rel=1e-6)
    assert (slope == found).all()
    # Numbers that stand next to each other come of the same draw of 32 bits.
    flat = (found.ravel() == 0).astype(float) - rate
    assert abs((flat[:-1] * flat[1:]).mean()) < 5 * rate * (1 - rate) / np.sqrt(flat.size)


def test_what_is_dropped_is_a_function_of_seed_step_and_call():
    shape = (50, 41)
    with layers.training(noise()), layers.tower(tf.constant(1)):
        second_tower = layers._noise.get()
    draws = [noise(), noise(seed=2), noise(step=1), second_tower]
    masks = [one.ravel() == 0 for drawn in draws for one in dropped(0.5, shape, drawn, calls=2)[0]]
    again = dropped(0.5, shape, noise(), calls=2)[0]
    assert (masks[0] == (again[0].ravel() == 0)).all()
    assert (masks[1] == (again[1].ravel() == 0)).all()
    agreement = np.array([[(a == b).mean() for a in masks] for b in masks])
    others = agreement[~np.eye(len(masks), dtype=bool)]
    assert abs(others - 0.5).max() < 5 * 0.5 / np.sqrt(masks[0].size)


def test_a_rate_of_nothing_drops_nothing():
    (found,), _ = dropped(0.0, (3, 4), noise())
    assert (found == 1).all()


# === In the place of Keras' own ===


def bert():
    from transformers import BertConfig, TFBertModel

    narrow = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return TFBertModel(BertConfig(vocab_size=11, num_hidden_layers=1, **narrow, **none))


def gpt2():
    from transformers import GPT2Config, TFGPT2Model

    none = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return TFGPT2Model(GPT2Config(vocab_size=11, n_embd=16, n_layer=1, n_head=2, **none))


def t5():
    from transformers import T5Config, TFT5EncoderModel

    narrow = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    kind = {"feed_forward_proj": "gated-gelu", "dropout_rate": 0.0}
    return TFT5EncoderModel(T5Config(vocab_size=11, **narrow, **kind))


def seen(model):
    """What others may know of a model: its variables, and the configuration of Keras' layers."""
    kept = [layer for layer in model.submodules if isinstance(layer, tuple(layers.CLASSES))]
    return [(id(v), v.name) for v in model.variables], [layer.get_config() for layer in kept]


def slopes(model, ids):
    with tf.GradientTape() as tape:
        states = model(ids, training=True).last_hidden_state
        total = tf.reduce_sum(states * tf.constant(draw(*states.shape), tf.float32))
    gradients = tape.gradient(total, model.trainable_variables)
    return [tf.convert_to_tensor(g).numpy() for g in [states, *gradients] if g is not None]


def operations(model):
    """The kinds of operations of an export's graph."""
    spec = tf.TensorSpec([None, None], tf.int32)

    def answer(ids):
        return model(ids, training=False).last_hidden_state

    graph = tf.function(answer, autograph=False).get_concrete_function(spec).graph
    return [operation.type for operation in graph.get_operations()]


@pytest.mark.parametrize("make", [bert, gpt2, t5])
def test_a_model_stays_what_it_was_but_for_its_steps(make):
    tf_keras.utils.set_random_seed(0)
    model, ids = make(), tf.constant([[1, 5, 2, 7], [3, 3, 9, 2]])
    plain, before, graph = slopes(model, ids), seen(model), operations(model)
    layers.replace(model)
    layers.replace(model)
    own = [layer for layer in model.submodules if type(layer) in layers.CLASSES.values()]
    assert own
    assert seen(model) == before
    assert operations(model) == graph
    with layers.training(noise()):
        found = slopes(model, ids)
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_activations_are_found_where_a_config_names_them():
    held = [getattr(layer, "intermediate_act_fn", None) for layer in replaced(bert()).submodules]
    assert held.count(layers.gelu) == 1
    held = [getattr(layer, "act", None) for layer in replaced(gpt2()).submodules]
    assert held.count(layers.gelu_new) == 1


def replaced(model):
    model.build_in_name_scope()
    layers.replace(model)
    return model


def test_other_loops_get_keras_own_layers():
    """Also where AutoGraph rewrites the code of the layers."""
    x = tf.constant(draw(4, 7, 24), tf.float32)
    for layer in (tf_keras.layers.Dense(5), tf_keras.layers.LayerNormalization()):
        expected = layer(x)
        assert (tf.function(own(layer, x.shape))(x).numpy() == expected.numpy()).all()
    found = []
    for layer in (tf_keras.layers.Dropout(0.5), own(tf_keras.layers.Dropout(0.5), x.shape)):
        tf_keras.utils.set_random_seed(7)
        found.append(tf.function(lambda x, layer=layer: layer(x, training=True))(x).numpy())
    assert (found[0] == found[1]).all()
