"""tfhf.Model: a transformers model and a task, as one Keras model.

It is compiled and fitted like any other Keras model; what it adds is a loss in float32 that is
divided once, by the number of real labels over all replicas and accumulated slices, and weights
saved under PyTorch's names.
"""

import contextlib
from collections.abc import Mapping

import tensorflow as tf
import tf_keras

from tfhf.errors import UserError
from tfhf.learning import compiling, layers, strategy
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
        self._measures = False  # whether there are metrics of Keras
        self._mean_loss = tf_keras.metrics.Mean(name="loss")

    def call(self, inputs, training=None):
        """Runs the task's forward pass.

        Args:
            inputs: column → tensor, as `tfhf.to_tf_dataset` gives them.
            training: whether dropout is on.

        Returns:
            Output name → float32 tensor, such as `{"logits": (B, C)}`.

        Raises:
            UserError: if the inputs are no columns.
        """
        if not isinstance(inputs, Mapping):
            raise UserError(
                "the model takes columns of token ids, as tfhf.to_tf_dataset or a tokenizer gives "
                "them; tfhf.pipeline takes what people write"
            )
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

        Raises:
            UserError: if a loss or metric would take logits for probabilities, or one of them or
                the optimizer is of Keras 3.
        """
        compiling.check_keras([optimizer], "optimizer")
        # Batches are filled up with rows of weight 0, which unweighted metrics would count.
        weighted = [
            metric
            for given in (metrics, weighted_metrics)
            for metric in compiling.metrics_of(given, self.task.problem)
        ]
        super().compile(optimizer=optimizer, weighted_metrics=weighted, **kwargs)
        self._measures = bool(weighted)
        layers.replace(self.backbone)
        # What a step returns is already the same on every replica; Keras would add it up.
        self.distribute_reduction_method = "first"
        self._loss_of = self.task.loss if loss is None else compiling.loss_of(loss)

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

    # What Keras deletes after a training with `BackupAndRestore`, and asks for in the next.
    _training_state = None

    def fit(self, *args, **kwargs):
        """Keras' fit.

        Raises:
            UserError: if there is a `class_weight`, which is an option of the task, or a callback
                that is of Keras 3 or would call `save`.
        """
        compiling.check_fit(kwargs)
        return super().fit(*args, **kwargs)

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
                count = strategy.summed(count)
                share = self._scaled(tf.math.divide_no_nan(total, count))
            gradients = tape.gradient(share, variables)
            self._update_metrics(targets, outputs, weights)
        else:
            total, count, gradients = self._accumulated(inputs, targets, weights, variables)
            count = strategy.summed(count)
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
        loss = tf.math.divide_no_nan(strategy.summed(total), count)
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
        if isinstance(targets, Mapping) and self.task.targets and not targets:
            raise UserError("the dataset has no labels; only predict can do without")
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
        count = strategy.summed(count)
        loss = tf.math.divide_no_nan(strategy.summed(total), count)
        self._mean_loss.update_state(loss, count)
        self._update_metrics(targets, outputs, weights)
        return self._results()

    def predict_step(self, data):
        """The task's results of a batch, without the rows that only fill it up."""
        inputs, _, _ = tf_keras.utils.unpack_x_y_sample_weight(data)
        results = self.task.outputs(self(inputs, training=False), inputs, self.backbone)
        if "feature" not in inputs:
            return results
        real = inputs["feature"] >= 0
        return {name: tf.boolean_mask(value, real) for name, value in results.items()}

    def predict(self, *args, **kwargs):
        """Keras' predict: the task's results of every row, or of every window of one."""
        with self._without_xla():
            return super().predict(*args, **kwargs)

    def predict_on_batch(self, x):
        with self._without_xla():
            return super().predict_on_batch(x)

    @contextlib.contextmanager
    def _without_xla(self):
        """XLA knows no texts, such as labels, and no number of rows that depends on values."""
        compiled, self._jit_compile = self._jit_compile, False
        try:
            yield
        finally:
            self._jit_compile = compiled

    def _update_metrics(self, targets, outputs, weights):
        if self._measures:
            logits = compiling.logits_of(outputs)
            targets, weights = compiling.weighed(targets, weights)
            self.compiled_metrics.update_state(targets, logits, weights)

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

    def save(self, filepath, *args, **kwargs):
        """Refused: neither Keras' file nor its SavedModel could be opened again.

        Raises:
            UserError: always.
        """
        raise UserError(
            "save: Keras could not open it again; write model.save_pretrained(folder), which "
            "load_model and PyTorch open, tfhf.export(model, to=folder) for serving, or "
            f"model.save_weights(path); received {str(filepath)!r}"
        )


def _share_memory(variables):
    """Lets variables be read without a copy again, after rows of them were gathered.

    Gathering marks a variable as one whose every reading and every new value is copied, which an
    update of all of an embedding table would pay for twice.
    """
    for variable in variables:
        tf.raw_ops.DisableCopyOnRead(resource=variable.handle)
