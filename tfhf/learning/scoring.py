"""Running a model over a whole split: every row once, in batches of like lengths."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfhf.data import batches
from tfhf.data.orders import check_batch_size

BATCH_TOKENS = 2048  # a batch of predictions, padding included; at 4096 a CPU took a third longer
ROWS = 32  # a batch where tokens are not what counts


@dataclass
class Scores:
    """What a model said about a split.

    Attributes:
        results: name → array with one entry per row, in the order of the rows.
        loss: mean loss per real label, or None where the rows have no targets.
    """

    results: dict
    loss: float | None


class Scorer:
    """Runs one model over splits; its graph is traced once for all lengths and splits.

    Args:
        model: a tfhf.Model.
        batch_size: features per batch over all replicas, a multiple of their number; or
        batch_tokens: most tokens per batch, padding included. Images, and prompts of tasks that
            generate, come 32 at a time then.
        shown: whether results hold what the model gave (the task's `shown`: `logits`), too.
    """

    def __init__(self, model, batch_size=None, *, batch_tokens=BATCH_TOKENS, shown=False):
        self.model = model
        self.shown = shown
        self.batch_size, self.batch_tokens = batch_size, batch_tokens
        self.strategy = tf.distribute.get_strategy()
        if model.distribute_strategy is not None:
            self.strategy = model.distribute_strategy
        self._steps = {}

    def __call__(self, store, phase, task=None, first=0, batch_size=None):
        """Scores every feature of a TokenStore and gathers them to rows.

        Args:
            store: a TokenStore.
            phase: `evaluate`, with targets and a loss, or `predict`, without.
            task: the task that made the store, where it is a copy of the model's own with other
                settings (`Task.configured`).
            first: the number of the first feature, where the store holds a part of others.
            batch_size: features per batch, where not the scorer's own.

        Returns:
            Scores.
        """
        task = task or self.model.task
        order = self._order(store, task, self.batch_size if batch_size is None else batch_size)
        dataset = batches.evaluation_dataset(store, task, order, phase, first)
        step = self._step(phase, task)
        iterator = iter(self.strategy.experimental_distribute_dataset(dataset))
        found, totals = [], np.zeros(2)
        for _ in range(order.steps):
            for feature, results, sums in self.strategy.experimental_local_results(step(iterator)):
                real = feature.numpy() >= 0
                found.append((feature.numpy()[real], _taken(results, real)))
                totals += np.asarray(sums, np.float64)
        results = _in_order(found)
        loss = float(totals[0] / totals[1]) if totals[1] else None
        return Scores(task.gather(results, store.array("row")), loss)

    def _order(self, store, task, batch_size):
        """Longest first, batches of a number of rows or of tokens, in equal parts for replicas."""
        if batch_size is not None:
            check_batch_size(batch_size)
            size = {"batch_size": batch_size}
        # What counts are the rows of images, and those that decoding keeps states of.
        elif task.generates or not store.padding:
            size = {"batch_size": ROWS}
        else:
            size = {"batch_tokens": self.batch_tokens}
        replicas = self.strategy.num_replicas_in_sync
        return batches.by_length(store.lengths, **size, slices=replicas)

    def forward(self, task, inputs):
        """What the model makes of a batch; another form of the model is scored by overriding it."""
        return task.forward(self.model.backbone, inputs, False)

    def _step(self, phase, task):
        key = (phase, task.traced_with)
        if key not in self._steps:
            self._steps[key] = self._traced(phase, task)
        return self._steps[key]

    def _traced(self, phase, task):
        backbone = self.model.backbone

        def score(batch):
            inputs, targets, weights = batch
            outputs = self.forward(task, inputs)
            if phase == "evaluate":
                losses, counts = task.loss(targets, outputs)
                sums = (tf.reduce_sum(losses * weights), tf.reduce_sum(counts * weights))
                results = task.measured(outputs, inputs, targets, backbone)
            else:
                sums = (0.0, 0.0)
                results = task.outputs(outputs, inputs, backbone)
            if self.shown:
                results = {name: outputs[name] for name in task.shown} | results
            return inputs["feature"], results, sums

        return tf.function(
            lambda iterator: self.strategy.run(score, args=(next(iterator),)), autograph=False
        )


def _taken(results, real):
    return {name: value.numpy()[real] for name, value in results.items()}


def _in_order(found):
    """Results of all batches, one entry per feature, in the order of the feature numbers."""
    if not found:
        return {}
    order = np.argsort(np.concatenate([numbers for numbers, _ in found]))
    return {name: _joined([part[name] for _, part in found])[order] for name in found[0][1]}


def _joined(parts):
    """Arrays of several batches as one; where a dimension differs, filled up with zeros."""
    shapes = np.array([part.shape[1:] for part in parts])
    largest = shapes.max(0)
    if (shapes == largest).all():
        return np.concatenate(parts)
    ends = [[(0, size - own) for size, own in zip(largest, shape, strict=True)] for shape in shapes]
    return np.concatenate(
        [np.pad(part, [(0, 0), *end]) for part, end in zip(parts, ends, strict=True)]
    )
