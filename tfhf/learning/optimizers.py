"""AdamW as PyTorch defines it, on TensorFlow's fused Adam kernel.

tf-keras' AdamW builds each update from a dozen small operations; one `ResourceApplyAdam` per
variable does the same arithmetic in one pass over memory.
"""

import tensorflow as tf
import tf_keras


class AdamW(tf_keras.optimizers.Optimizer):
    """Adam with decoupled weight decay, equal to `torch.optim.AdamW` to rounding.

    Gradients of embeddings are made dense: PyTorch's moments of a row decay in the steps in which
    the row does not occur, and a sparse update would leave them out.

    Args:
        learning_rate: a float, or a schedule (`tfhf.learning.schedules`).
        weight_decay: decay per unit of learning rate, 0 or more; `exclude` names what is spared.
        beta_1, beta_2: decay of the moments, in [0, 1).
        epsilon: added to the root of the second moment after its bias correction, as PyTorch does.
        global_clipnorm: longest gradient, over all variables, or None.
        exclude: variables without weight decay; see `undecayed`.

    Source: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101
    """

    def __init__(
        self,
        learning_rate=5e-5,
        *,
        weight_decay=0.01,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        global_clipnorm=1.0,
        exclude=(),
        name="AdamW",
        **kwargs,
    ):
        # The base class would decay in a pass of its own, so it is not told of the decay.
        super().__init__(name=name, global_clipnorm=global_clipnorm, **kwargs)
        self._learning_rate = self._build_learning_rate(learning_rate)
        self.decay = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self._spared = {variable.ref() for variable in exclude}

    def build(self, var_list):
        super().build(var_list)
        if getattr(self, "_built", False):
            return
        self._built = True
        self._first = [self.add_variable_from_reference(v, "m") for v in var_list]
        self._second = [self.add_variable_from_reference(v, "v") for v in var_list]
        # By position: inside a strategy's update the variable is a replica's, not the model's.
        self._decays = [bool(self.decay) and v.ref() not in self._spared for v in var_list]

    def apply_gradients(self, grads_and_vars, *args, **kwargs):
        dense = [(tf.convert_to_tensor(g), v) for g, v in grads_and_vars if g is not None]
        return super().apply_gradients(dense, *args, **kwargs)

    def _clip_gradients(self, gradients):
        """Scales all gradients by one factor, as `torch.nn.utils.clip_grad_norm_` does."""
        if not self.global_clipnorm:
            return gradients
        norm = tf.sqrt(2.0 * tf.add_n([tf.nn.l2_loss(tf.cast(g, tf.float32)) for g in gradients]))
        factor = tf.minimum(1.0, self.global_clipnorm / (norm + 1e-6))
        return [gradient * tf.cast(factor, gradient.dtype) for gradient in gradients]

    def update_step(self, gradient, variable):
        dtype = variable.dtype
        rate = tf.cast(self.learning_rate, dtype)
        step = tf.cast(self.iterations + 1, dtype)
        power_1 = tf.pow(tf.cast(self.beta_1, dtype), step)
        power_2 = tf.pow(tf.cast(self.beta_2, dtype), step)
        position = self._index_dict[self._var_key(variable)]
        if self._decays[position]:
            # var -= (rate * decay) * var, in one pass and without a temporary.
            tf.raw_ops.ResourceApplyGradientDescent(
                var=variable.handle, alpha=rate * self.decay, delta=variable.read_value()
            )
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=_here(self._first[position]).handle,
            v=_here(self._second[position]).handle,
            beta1_power=power_1,
            beta2_power=power_2,
            lr=rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            # The kernel corrects the bias in the learning rate, PyTorch before adding epsilon:
            # lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + e') with e' = e * sqrt(1 - b2^t).
            epsilon=self.epsilon * tf.sqrt(1.0 - power_2),
            grad=gradient,
        )

    def get_config(self):
        return super().get_config() | {
            "learning_rate": self._serialize_hyperparameter(self._learning_rate),
            "weight_decay": self.decay,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


def _here(variable):
    """The copy of a mirrored variable that belongs to the replica being updated."""
    local = getattr(variable, "_get", None)
    return local() if local is not None else variable


def undecayed(model):
    """Variables that weight decay spares: biases, and all of every normalisation layer.

    Normalisation layers are found by their type, not by the names of their weights, which differ
    from family to family (`ln_1`, `layer_norm`, `layernorm_embedding` …).

    Args:
        model: a built Keras model.

    Returns:
        A list of variables.
    """
    spared = [
        variable
        for variable in model.trainable_variables
        if variable.shape.rank < 2 or variable.name.endswith("/bias:0")  # GPT-2's are (1, D)
    ]
    known = {variable.ref() for variable in spared}
    for layer in model.submodules:
        if isinstance(layer, tf_keras.layers.Layer) and _normalises(layer):
            spared += [v for v in layer.trainable_variables if v.ref() not in known]
            known |= {v.ref() for v in layer.trainable_variables}
    return spared


def _normalises(layer):
    """Keras' normalisation layers, and the families' own (TFT5LayerNorm, TFMistralRMSNorm …)."""
    return any(
        kind.__name__.endswith(("Norm", "Normalization", "LayerNormalization"))
        for kind in type(layer).__mro__
    )
