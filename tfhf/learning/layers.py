"""Layers of transformers models that cost less in a training step on a CPU than Keras' own.

Beside the matrix products a step is bound by memory: every operation reads and writes its tensors
as a whole, and Keras makes dropout, layer normalisation and GELU of many. Here they are made of
few, and the gradients are written out. A layer stays the object that it was, with its variables,
name and configuration; and it does what Keras' own does wherever no `training` block is open: in
evaluation, in exports, in anybody else's loop.
"""

import contextlib
import contextvars
import copy
import itertools
import math

import tensorflow as tf
import tf_keras

from tfhf.learning import strategy

# The Noise of the step that is being traced. Strategies trace each replica in a thread of its own.
_noise = contextvars.ContextVar("noise", default=None)


def replace(backbone):
    """Gives a model's layers the classes of this module, where all devices are CPUs.

    The class of the layer itself is changed, because other objects hold it, too: its parent, the
    model that it is shared with, Keras' lists of what is to be saved.

    Args:
        backbone: a transformers model; changed in place, any number of times.
    """
    if not strategy.on_cpu():
        return  # measured on CPUs alone; GPUs have fused kernels for these layers
    from transformers.activations_tf import ACT2FN

    for layer in backbone.submodules:
        if type(layer) in CLASSES:
            object.__setattr__(layer, "__class__", CLASSES[type(layer)])
        elif not isinstance(layer, tuple(CLASSES)):  # a Dense names its function when it is saved
            for name, value in list(vars(layer).items()):
                for activation, own in ACTIVATIONS.items():
                    if value is ACT2FN[activation]:
                        setattr(layer, name, own)


@contextlib.contextmanager
def training(noise):
    """What is traced in this block is a training step, whose dropouts draw from a Noise.

    Args:
        noise: a Noise, or None for what is no training step.
    """
    token = _noise.set(noise)
    try:
        yield
    finally:
        _noise.reset(token)


@contextlib.contextmanager
def tower(number):
    """In this block dropouts draw other numbers than under any other number.

    For a function that is traced once and called several times in a step: without, each call would
    draw the same.

    Args:
        number: scalar int32 tensor, an argument of that function; 0 or more.
    """
    noise = _noise.get()
    with training(None if noise is None else noise.of(number)):
        yield


class Noise:
    """Random bits for all dropouts of a step: a function of (seed, step) and nothing else.

    Args:
        seed: of the training, 0 to 2^31 - 1.
        step: scalar int64 tensor, the number of the step, below 2^32.

    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox4x32-10, which
        `tf.random.stateless_uniform` uses, too). Seed and step are its key; the upper half of its
        counter says which of the step's dropouts is drawn, the lower half which of its numbers.
    """

    def __init__(self, seed, step):
        self.key = tf.cast([seed * 2**32 + step], tf.uint64)
        self.draws = itertools.count()
        self.upper = tf.constant(0, tf.uint64)

    def of(self, number):
        """The same with other numbers: those of a tower."""
        other = copy.copy(self)
        other.upper = tf.cast(number, tf.uint64) * 2**32
        return other

    def __call__(self, shape):
        """Draws uint16 numbers of a shape, an int32 tensor; in each call others."""
        words = tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=[(tf.reduce_prod(shape) + 1) // 2],
            key=self.key,
            counter=tf.stack([tf.constant(0, tf.uint64), self.upper + next(self.draws)]),
            alg=1,  # Philox
            dtype=tf.uint32,
        )
        halves = tf.reshape(tf.bitcast(words, tf.uint16), [-1])
        return tf.reshape(halves[: tf.reduce_prod(shape)], shape)


class Dropout(tf_keras.layers.Dropout):
    """Dropout from 16 random bits per number, half of what Keras draws.

    A number is dropped with probability `round(rate * 2^16) / 2^16`, and the others are scaled by
    just that.
    """

    def call(self, inputs, training=None):
        noise, dropped = _noise.get(), round(self.rate * 2**16)
        if noise is None or training is not True or self.noise_shape is not None:
            return super().call(inputs, training=training)
        if not 0 < dropped < 2**16:
            return super().call(inputs, training=training)
        kept = noise(tf.shape(inputs)) >= tf.constant(dropped, tf.uint16)
        return inputs * (tf.cast(kept, inputs.dtype) * (1.0 / (1.0 - dropped / 2**16)))


class Dense(tf_keras.layers.Dense):
    """Dense as a product of two matrices, whatever the rank of its input.

    It runs as fast as Keras' `tensordot`, but is traced from a tenth of the operations.
    """

    def call(self, inputs):
        if _noise.get() is None or not isinstance(inputs, tf.Tensor) or len(inputs.shape) < 3:
            return super().call(inputs)
        rows = super().call(tf.reshape(inputs, [-1, self.kernel.shape[0]]))
        outputs = tf.reshape(rows, tf.concat([tf.shape(inputs)[:-1], [self.units]], 0))
        outputs.set_shape([*inputs.shape[:-1], self.units])
        return outputs


class LayerNormalization(tf_keras.layers.LayerNormalization):
    """Normalisation over the last axis, in float32 as in Keras."""

    def call(self, inputs):
        usual = self.scale and self.center and self.dtype == "float32"
        if _noise.get() is None or not usual or list(self.axis) != [inputs.shape.rank - 1]:
            return super().call(inputs)
        values = tf.cast(inputs, tf.float32)
        normalized = _normalized(
            values, self.gamma.read_value(), self.beta.read_value(), self.epsilon
        )
        return tf.cast(normalized, self.compute_dtype)


def _normalized(values, scale, offset, epsilon):
    def mean(x):
        return tf.reduce_mean(x, -1, keepdims=True)

    @tf.custom_gradient
    def normalized(values, scale, offset):
        centred = values - mean(values)
        inverse = tf.math.rsqrt(mean(tf.square(centred)) + epsilon)
        whitened = centred * inverse

        def gradient(upstream):
            by_scale = upstream * whitened
            slope = upstream * scale
            inner = slope - mean(slope) - whitened * mean(by_scale * scale)
            return inner * inverse, _over_rows(by_scale), _over_rows(upstream)

        return tf.nn.bias_add(whitened * scale, offset), gradient

    return normalized(values, scale, offset)


def _over_rows(values):
    """The sum over all axes but the last."""
    return tf.raw_ops.BiasAddGrad(out_backprop=values)


def gelu(inputs):
    """x Φ(x). Keras' own takes erfc, far slower than erf, and is derived op by op."""
    return _gelu(inputs) if _in_float32(inputs) else tf.nn.gelu(inputs)


def gelu_new(inputs):
    """GELU by tanh, as GPT-2 has it. Keras' own takes a general power for the cube."""
    return _gelu_new(inputs) if _in_float32(inputs) else tf.nn.gelu(inputs, approximate=True)


def _in_float32(inputs):
    """Whether a training step is traced, in float32: 1 + erf has no digits to spare."""
    return _noise.get() is not None and inputs.dtype == tf.float32


@tf.custom_gradient
def _gelu(inputs):
    root = inputs * math.sqrt(0.5)
    share = 0.5 + 0.5 * tf.math.erf(root)
    # Worked out now: kept for the backward pass is one tensor in place of two.
    slope = share + root * tf.exp(-tf.square(root)) * (1.0 / math.sqrt(math.pi))
    return inputs * share, lambda upstream: upstream * slope


@tf.custom_gradient
def _gelu_new(inputs):
    root, cubic = math.sqrt(2.0 / math.pi), 0.044715
    square = tf.square(inputs)
    share = 0.5 + 0.5 * tf.tanh(inputs * (root + root * cubic * square))

    def gradient(upstream):
        density = (share - tf.square(share)) * (2 * root + 6 * root * cubic * square)
        return upstream * (share + inputs * density)

    return inputs * share, gradient


CLASSES = {
    tf_keras.layers.Dense: Dense,
    tf_keras.layers.Dropout: Dropout,
    tf_keras.layers.LayerNormalization: LayerNormalization,
}
ACTIVATIONS = {"gelu": gelu, "gelu_new": gelu_new}
