"""AdamW against PyTorch's definition in float64, and which weights it decays."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tfhf.learning.optimizers import AdamW, undecayed

RATE, DECAY, BETA_1, BETA_2, EPSILON = 1e-2, 0.1, 0.9, 0.999, 1e-8


def pytorch_adamw(weights, gradients, decays, clip):
    """torch.optim.AdamW after clip_grad_norm_, as PyTorch documents them, in float64."""
    weights = [w.astype(np.float64) for w in weights]
    first = [np.zeros_like(w) for w in weights]
    second = [np.zeros_like(w) for w in weights]
    for step, grads in enumerate(gradients, 1):
        norm = np.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in grads))
        factor = min(1.0, clip / (norm + 1e-6)) if clip else 1.0
        for i, gradient in enumerate(grads):
            g = gradient.astype(np.float64) * factor
            if decays[i]:
                weights[i] *= 1 - RATE * DECAY
            first[i] = BETA_1 * first[i] + (1 - BETA_1) * g
            second[i] = BETA_2 * second[i] + (1 - BETA_2) * g * g
            root = np.sqrt(second[i]) / np.sqrt(1 - BETA_2**step) + EPSILON
            weights[i] -= RATE / (1 - BETA_1**step) * first[i] / root
    return weights


def draw(shapes, steps, scale, seed=0):
    generator = np.random.default_rng(seed)
    start = [generator.normal(size=s).astype(np.float32) for s in shapes]
    gradients = [
        [(scale * generator.normal(size=s)).astype(np.float32) for s in shapes]
        for _ in range(steps)
    ]
    return start, gradients


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("scale", [10.0, 1e-7])  # at 1e-7 epsilon matters: its correction is seen
def test_equals_pytorch_over_fifty_steps(clip, scale):
    start, gradients = draw([(5, 3), (3,)], 50, scale)
    variables = [tf.Variable(w) for w in start]
    optimizer = AdamW(RATE, weight_decay=DECAY, global_clipnorm=clip, exclude=[variables[1]])
    for grads in gradients:
        optimizer.apply_gradients(zip(map(tf.constant, grads), variables, strict=True))
    expected = pytorch_adamw(start, gradients, [True, False], clip)
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("clip", [None, 1.0])
def test_rows_that_occur_twice_are_added_up_before_they_are_clipped(clip):
    start, gradients = draw([(6, 3), (2, 3)], 20, 10.0)
    variables = [tf.Variable(w) for w in start]
    optimizer = AdamW(RATE, weight_decay=DECAY, global_clipnorm=clip)
    ids = np.array([4, 1, 4, 0, 4])
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step(values, dense):
        slices = tf.IndexedSlices(values, tf.constant(ids), tf.constant([6, 3]))
        optimizer.apply_gradients(zip([slices, dense], variables, strict=True))

    for grads in gradients:
        values = grads[0][:5]
        step(tf.constant(values), tf.constant(grads[1]))
        grads[0] = np.zeros((6, 3))
        np.add.at(grads[0], ids, values)
    expected = pytorch_adamw(start, gradients, [True, True], clip)
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=2e-5, atol=2e-6)


def test_a_sparse_gradient_moves_rows_that_do_not_occur():
    table = tf.Variable(tf.ones((4, 2)))
    optimizer = AdamW(0.1, weight_decay=0.0, global_clipnorm=None)
    for rows in ([0], [1]):
        slices = tf.IndexedSlices(tf.ones((1, 2)), tf.constant(rows), tf.constant([4, 2]))
        before = table.numpy()
        optimizer.apply_gradients([(slices, table)])
    # Row 0 has no gradient in the second step, but its first moment still moves it, as in PyTorch.
    assert (table.numpy()[0] < before[0]).all()
    assert (table.numpy()[2:] == 1).all()


def test_decay_spares_normalisation_layers_by_type_and_biases():
    class T5LayerNorm(tf_keras.layers.Layer):
        def build(self, shape):
            self.weight = self.add_weight(name="weight", shape=(1, shape[-1]))

        def call(self, x):
            return x * self.weight

    model = tf_keras.Sequential(
        [
            tf_keras.layers.Dense(3, name="layer_norm_like_name"),
            tf_keras.layers.LayerNormalization(name="ln_1"),
            T5LayerNorm(name="odd"),
        ]
    )
    model.build((None, 2))
    spared = {id(v) for v in undecayed(model)}
    decayed = [v.name for v in model.trainable_variables if id(v) not in spared]
    assert decayed == ["layer_norm_like_name/kernel:0"]


def test_biases_of_one_row_are_no_matrices():
    from transformers import GPT2Config, TFGPT2Model

    model = TFGPT2Model(GPT2Config(vocab_size=8, n_embd=4, n_layer=1, n_head=1, n_positions=8))
    model.build_in_name_scope()
    spared = {id(v) for v in undecayed(model)}
    decayed = {v.name.rpartition("/")[2] for v in model.trainable_variables if id(v) not in spared}
    assert decayed == {"weight:0", "embeddings:0"}


def test_config_makes_the_same_optimizer():
    optimizer = AdamW(1e-3, weight_decay=0.2, global_clipnorm=2.0, epsilon=1e-6)
    assert optimizer.weight_decay is None  # with 0, Keras would read and write all weights
    again = AdamW.from_config(optimizer.get_config())
    assert again.decay == 0.2
    assert again.global_clipnorm == 2.0
    assert again.epsilon == 1e-6
    assert float(again.learning_rate) == pytest.approx(1e-3)
