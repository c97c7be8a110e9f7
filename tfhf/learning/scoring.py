"""Running a model over a whole split: every row once, in batches of like lengths."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfhf.data import batches


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
        batch_size: features per batch over all replicas, a multiple of their number.
        raw: whether results hold what the model gave (`logits`) beside what the task makes of it.
    """

    def __init__(self, model, batch_size, *, raw=False):
        self.model = model
        self.raw = raw
        self.batch_size = batch_size
        self.strategy = tf.distribute.get_strategy()
        if model.distribute_strategy is not None:
            self.strategy = model.distribute_strategy
        self._steps = {}

    def __call__(self, store, phase):
        """Scores every feature of a TokenStore and gathers them to rows.

        Args:
            store: a TokenStore.
            phase: `evaluate`, with targets and a loss, or `predict`, without.

        Returns:
            Scores.
        """
        task = self.model.task
        share = self.strategy.num_replicas_in_sync
        fitting = -(-store.features // share) * share  # one text is no batch of 32
        batch_size = min(self.batch_size, max(fitting, share))
        rows = batches.by_length(store.lengths, batch_size=batch_size)
        dataset = batches.evaluation_dataset(store, task, rows, phase)
        step = self._step(phase)
        iterator = iter(self.strategy.experimental_distribute_dataset(dataset))
        found, totals = [], np.zeros(2)
        for _ in range(len(rows)):
            for feature, results, sums in self.strategy.experimental_local_results(step(iterator)):
                real = feature.numpy() >= 0
                found.append((feature.numpy()[real], _taken(results, real)))
                totals += np.asarray(sums, np.float64)
        results = _in_order(found)
        loss = float(totals[0] / totals[1]) if totals[1] else None
        return Scores(task.gather(results, store.array("row")), loss)

    def _step(self, phase):
        if phase not in self._steps:
            self._steps[phase] = self._traced(phase)
        return self._steps[phase]

    def _traced(self, phase):
        model, task = self.model, self.model.task

        def score(batch):
            inputs, targets, weights = batch
            outputs = model(inputs, training=False)
            sums = (0.0, 0.0)
            if phase == "evaluate":
                losses, counts = task.loss(targets, outputs)
                sums = (tf.reduce_sum(losses * weights), tf.reduce_sum(counts * weights))
            results = task.outputs(outputs, inputs, model.backbone)
            if self.raw:
                results = outputs | results
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
    names = found[0][1]
    return {name: np.concatenate([part[name] for _, part in found])[order] for name in names}
