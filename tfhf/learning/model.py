"""tfhf.Model: a transformers model and a task, as one Keras model.

It is compiled and fitted like any other Keras model; what it adds is a loss in float32 that is
divided once, by the number of real labels over all replicas and accumulated slices, and weights
saved under PyTorch's names.
"""

import tensorflow as tf
import tf_keras

from tfhf.learning import layers, strategy
from tfhf.learning.optimizers import each_row_once


class Model(tf_keras.Model):
    """A transformers model that learns one task.

    Args:
        backbone: a TensorFlow model of transformers with the task's head.
        task: a `tfhf.tasks.base.Task`.
        accumulate: slices into which each batch is cut; they run forward and backward in turn,
            before the one update. The update equals that of the whole batch; the memory for
            activations is that of a slice.
        seed: of dropout, 0 to 2^31 - 1. Where all devices are CPUs, it and the number of updates so
            far say what is dropped. None draws one from TensorFlow's global generator.

    Raises:
        UserError: if there are several, and the task's loss compares the rows of a batch.
    """

    def __init__(self, backbone, task, *, accumulate=1, seed=None, **kwargs):
        super().__init__(**kwargs)
        task.check_accumulate(accumulate, **task.settings())
        self.backbone = backbone
        self.task = task
        self.accumulate = accumulate
        if seed is None:
            seed = int(tf.random.uniform([], maxval=tf.int32.max, dtype=tf.int32))
        self.seed = seed
        self._frozen = frozenset()
        self.tells_step_loss = False  # for a callback that logs; Keras' progress bar shows it
        self._loss_of = task.loss
        self._mean_loss = tf_keras.metrics.Mean(name="loss")

    def call(self, inputs, training=None):
        """Runs the task's forward pass.

        Args:
            inputs: column → tensor, as `tfhf.to_tf_dataset` gives them.
            training: whether dropout is on.

        Returns:
            Output name → float32 tensor, such as `{"logits": (B, C)}`.
        """
        # AutoGraph, which Keras has on, takes longer over transformers' code than tracing does.
        forward = tf.autograph.experimental.do_not_convert(self.task.forward)
        return forward(self.backbone, inputs, bool(training))

    def compile(
        self, optimizer="rmsprop", loss=None, metrics=None, weighted_metrics=None, **kwargs
    ):
        """Keras' compile; without a loss the task's own is used.

        Args:
            optimizer: as in Keras; `tfhf.AdamW` is the fast one.
            loss: a Keras loss between targets and logits, in place of the task's.
            metrics, weighted_metrics: lists of Keras metrics between targets and logits; both
                are weighted, and pass over tokens without a label, as a Keras loss does.
            **kwargs: passed on to Keras.
        """
        # Batches are filled up with rows of weight 0, which unweighted metrics would count.
        weighted = [*(metrics or ()), *(weighted_metrics or ())]
        super().compile(optimizer=optimizer, weighted_metrics=weighted, **kwargs)
        layers.replace(self.backbone)
        # What a step returns is already the same on every replica; Keras would add it up.
        self.distribute_reduction_method = "first"
        self._loss_of = self.task.loss if loss is None else _keras_loss(loss)

    def freeze(self, variables):
        """Leaves variables as they are from now on; call it before `compile`.

        Args:
            variables: of the backbone; those frozen before stay so.
        """
        self._frozen |= {variable.ref() for variable in variables}

    @property
    def trainable_weights(self):
        return [v for v in super().trainable_weights if v.ref() not in self._frozen]

    @property
    def non_trainable_weights(self):
        frozen = [v for v in super().trainable_weights if v.ref() in self._frozen]
        return super().non_trainable_weights + frozen

    @property
    def metrics(self):
        compiled = self.compiled_metrics.metrics if self._is_compiled else []
        return [self._mean_loss, *compiled]

    # === Training ===

    def make_train_function(self, force=False):
        # TensorFlow traces a function twice that makes variables while it is traced.
        if hasattr(self.optimizer, "build"):
            self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def train_step(self, data):
        inputs, targets, weights = tf_keras.utils.unpack_x_y_sample_weight(data)
        variables = self.trainable_variables
        if self.accumulate == 1:
            with tf.GradientTape() as tape:
                total, count, outputs = self._sums(inputs, targets, weights, self._noise(0))
                count = _over_replicas(count)
                share = self._scaled(tf.math.divide_no_nan(total, count))
            gradients = tape.gradient(share, variables)
            self._update_metrics(targets, outputs, weights)
        else:
            total, count, gradients = self._accumulated(inputs, targets, weights, variables)
            count = _over_replicas(count)
            scale = tf.math.divide_no_nan(1.0, count)
            gradients = [
                None if gradient is None else gradient * tf.cast(scale, gradient.dtype)
                for gradient in gradients
            ]
        if self._scales_loss:
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        gradients = each_row_once(gradients)  # for Keras' optimizers; `AdamW` finds nothing to add
        if not self.jit_compile and strategy.on_cpu():  # XLA has no such operation
            _share_memory(variables)
        # Behind the end of a dataset of unknown length there is no batch, and what follows from no
        # gradient, such as decay and the count of updates, would be done all the same.
        with tf.control_dependencies([total]):
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        loss = tf.math.divide_no_nan(_over_replicas(total), count)
        self._mean_loss.update_state(loss, count)
        return self._results() | ({"step_loss": loss} if self.tells_step_loss else {})

    @property
    def _scales_loss(self):
        """Whether gradients are computed in float16, where small ones would be 0; Keras then puts
        an optimizer around the one given, which scales the loss and skips what overflows."""
        return isinstance(self.optimizer, tf_keras.mixed_precision.LossScaleOptimizer)

    def _scaled(self, loss):
        return self.optimizer.get_scaled_loss(loss) if self._scales_loss else loss

    def _noise(self, part):
        """What dropout draws in one slice of this replica's share of the batch."""
        replicas = tf.distribute.get_replica_context()
        parts = self.accumulate * replicas.num_replicas_in_sync
        if replicas.num_replicas_in_sync > 1:
            part += self.accumulate * replicas.replica_id_in_sync_group
        number = tf.cast(self.optimizer.iterations, tf.int64) * parts + tf.cast(part, tf.int64)
        return layers.Noise(self.seed, number)

    def _sums(self, inputs, targets, weights, noise=None):
        """Summed loss and number of real labels of a batch, and the outputs.

        With noise it is a training step's forward pass, without it one of evaluation.
        """
        with layers.training(noise):
            outputs = self(inputs, training=noise is not None)
        losses, counts = self._loss_of(targets, outputs)
        if weights is not None:
            losses, counts = losses * weights, counts * weights
        return tf.reduce_sum(losses), tf.reduce_sum(counts), outputs

    def _accumulated(self, inputs, targets, weights, variables):
        """Sums of loss, labels and gradients over the slices; the slice is traced once."""
        if weights is None:
            weights = tf.ones(tf.shape(tf.nest.flatten(inputs)[0])[:1])
        batch = (inputs, targets, weights)
        rows = tf.shape(weights)[0] // self.accumulate
        tf.debugging.assert_equal(
            rows * self.accumulate,
            tf.shape(weights)[0],
            "the batch size must be a multiple of accumulate",
        )

        unreached = set()  # variables that the loss does not depend on: they have no gradient

        def add(step, total, count, sums):
            part = tf.nest.map_structure(lambda x: x[step * rows : (step + 1) * rows], batch)
            with tf.GradientTape() as tape:
                more, labels, outputs = self._sums(*part, self._noise(step))
                scaled = self._scaled(more)
            self._update_metrics(part[1], outputs, part[2])
            gradients = tape.gradient(scaled, variables)
            unreached.update(place for place, one in enumerate(gradients) if one is None)
            sums = [
                before if one is None else before + tf.convert_to_tensor(one)
                for before, one in zip(sums, gradients, strict=True)
            ]
            return step + 1, total + more, count + labels, sums

        start = (0, 0.0, 0.0, [tf.zeros_like(variable) for variable in variables])
        _, total, count, sums = tf.while_loop(
            lambda step, *_: step < self.accumulate, add, start, parallel_iterations=1
        )
        gradients = [None if place in unreached else one for place, one in enumerate(sums)]
        return total, count, gradients

    # === Evaluation ===

    def test_step(self, data):
        inputs, targets, weights = tf_keras.utils.unpack_x_y_sample_weight(data)
        total, count, outputs = self._sums(inputs, targets, weights)
        count = _over_replicas(count)
        loss = tf.math.divide_no_nan(_over_replicas(total), count)
        self._mean_loss.update_state(loss, count)
        self._update_metrics(targets, outputs, weights)
        return self._results()

    def predict_step(self, data):
        inputs, _, _ = tf_keras.utils.unpack_x_y_sample_weight(data)
        return self.task.outputs(self(inputs, training=False), inputs, self.backbone)

    def _update_metrics(self, targets, outputs, weights):
        if self.compiled_metrics is not None and "logits" in outputs:
            targets, weights = _weighed(targets, weights)
            self.compiled_metrics.update_state(targets, outputs["logits"], weights)

    def _results(self):
        return {metric.name: metric.result() for metric in self.metrics}

    # === Saving ===

    def save_pretrained(self, folder):
        """Writes config, tokenizer and `model.safetensors` under PyTorch's names.

        Args:
            folder: made if absent; PyTorch's transformers opens it, and so does `load_model`.

        Raises:
            StorageError: if a file cannot be written.
        """
        from tfhf import models

        models.save_backbone(self.backbone, self.task.processor, folder)
        self.task.save_extras(folder, self.backbone)


def _share_memory(variables):
    """Lets variables be read without a copy again, after rows of them were gathered.

    Gathering marks a variable as one whose every reading and every new value is copied, which an
    update of all of an embedding table would pay for twice.
    """
    for variable in variables:
        tf.raw_ops.DisableCopyOnRead(resource=variable.handle)


def _over_replicas(value):
    """The sum of a scalar over all replicas that take part in the step."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def _weighed(targets, weights):
    """Targets and weights as Keras takes them, to which a number below 0 is a label like others.

    Args:
        targets: `(B,)` or `(B, T)`; integers below 0 stand for no label.
        weights: `(B,)` float32, or None.

    Returns:
        The targets, none below 0, and the weight of each; both as they were where the targets are
        no integers.
    """
    if isinstance(targets, dict) or not targets.dtype.is_integer:
        return targets, weights
    real = tf.cast(targets >= 0, tf.float32)
    if weights is not None:
        real *= tf.reshape(weights, [-1] + [1] * (targets.shape.rank - 1))
    return tf.maximum(targets, 0), real


def _keras_loss(loss):
    """A Keras loss as a task's: unreduced, and per example the sum of its labels' losses."""
    loss = tf_keras.losses.get(loss)
    values = loss.call if isinstance(loss, tf_keras.losses.Loss) else loss

    def sums(targets, outputs):
        targets, real = _weighed(targets, None)
        losses = tf.cast(values(targets, outputs["logits"]), tf.float32)
        real = tf.ones_like(losses) if real is None else real
        tokens = list(range(1, losses.shape.rank))
        return tf.reduce_sum(losses * real, tokens), tf.reduce_sum(real, tokens)

    return sums
