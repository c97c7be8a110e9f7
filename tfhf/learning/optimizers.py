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
        # The base class would decay in a pass of its own, even by 0, so it is told of none at all.
        super().__init__(weight_decay=None, name=name, global_clipnorm=global_clipnorm, **kwargs)
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
        found = [(g, v) for g, v in grads_and_vars if g is not None]
        gradients = each_row_once([g for g, _ in found])
        found = [(g, v) for g, (_, v) in zip(gradients, found, strict=True)]
        return super().apply_gradients(found, *args, **kwargs)

    def _clip_gradients(self, gradients):
        """Scales all gradients by one factor, as `torch.nn.utils.clip_grad_norm_` does.

        Gradients of embeddings are made dense last: measured and scaled are the few rows that
        occur, not the whole table.
        """
        if self.global_clipnorm:
            squares = [tf.nn.l2_loss(tf.cast(_values(g), tf.float32)) for g in gradients]
            norm = tf.sqrt(2.0 * tf.add_n(squares))
            factor = tf.minimum(1.0, self.global_clipnorm / (norm + 1e-6))
            gradients = [_scaled(g, factor) for g in gradients]
        return [tf.convert_to_tensor(g) for g in gradients]

    def _distributed_apply_gradients_fn(self, distribution, grads_and_vars, **kwargs):
        # Made once, not anew for every variable, of which there are a hundred.
        self._numbers = self._no_dependency(self.numbers_of_step())
        try:
            return super()._distributed_apply_gradients_fn(distribution, grads_and_vars, **kwargs)
        finally:
            self._numbers = None  # tensors of a graph, which would keep it alive

    def numbers_of(self, variable):
        """What the update of a variable takes: what `numbers_of_step` gave, once for all of them.

        A subclass whose variables differ in their learning rate overrides this.
        """
        return self._numbers

    def numbers_of_step(self):
        """What an update at this learning rate takes: the arguments of the kernel, and `kept`."""
        rate = tf.convert_to_tensor(self.learning_rate)
        step = tf.cast(self.iterations + 1, rate.dtype)
        beta_1, beta_2 = (tf.constant(beta, rate.dtype) for beta in (self.beta_1, self.beta_2))
        power_1, power_2 = tf.pow(beta_1, step), tf.pow(beta_2, step)
        return {
            "kept": 1.0 - rate * self.decay,
            "beta1_power": power_1,
            "beta2_power": power_2,
            "lr": rate,
            "beta1": beta_1,
            "beta2": beta_2,
            # The kernel corrects the bias in the learning rate, PyTorch before adding epsilon:
            # lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + e') with e' = e * sqrt(1 - b2^t).
            "epsilon": self.epsilon * tf.sqrt(1.0 - power_2),
        }

    def update_step(self, gradient, variable):
        numbers = {
            name: tf.cast(x, variable.dtype) for name, x in self.numbers_of(variable).items()
        }
        kept, position = numbers.pop("kept"), self._index_dict[self._var_key(variable)]
        if self._decays[position]:
            # The product takes the old value's place. Subtracting from that in place would read
            # and write more, and round no better: PyTorch multiplies by this factor, too.
            variable.assign(variable * kept, read_value=False)
        first, second = _here(self._first[position]), _here(self._second[position])
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=first.handle, v=second.handle, grad=gradient, **numbers
        )

    def get_config(self):
        return super().get_config() | {
            "learning_rate": self._serialize_hyperparameter(self._learning_rate),
            "weight_decay": self.decay,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


def each_row_once(gradients):
    """Gradients that can be measured: each row of an embedding stands in them once.

    A token that occurs several times in a batch has as many rows in a sparse gradient, and their
    norm, which Keras clips by, is not the gradient's.

    Args:
        gradients: tensors, `tf.IndexedSlices`, or None.

    Returns:
        The same, rows of equal index added up; all of them dense where there are several replicas,
        whose rows Keras would put side by side.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return [None if one is None else tf.convert_to_tensor(one) for one in gradients]
    return [_added_up(one) for one in gradients]


def _added_up(gradient):
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    indices, place = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, place, tf.size(indices))
    return tf.IndexedSlices(values, indices, gradient.dense_shape)


def _values(gradient):
    """A gradient's numbers: those of the rows that occur, where it is one of embeddings."""
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient


def _scaled(gradient, factor):
    values = _values(gradient) * tf.cast(factor, gradient.dtype)
    if not isinstance(gradient, tf.IndexedSlices):
        return values
    return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)


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
