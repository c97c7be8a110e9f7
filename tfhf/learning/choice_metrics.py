"""Metrics of multiple choice: a local `evaluate.Metric` class, as in `metrics`."""

import evaluate
import numpy as np
from datasets import Features, Value


class Choices(evaluate.Metric):
    """The number of one choice per example: accuracy, and what became of each position.

    A model that has learned from where an answer stands, not from what it says, shows in
    `per_position`: it chooses some positions far more often than they are right.
    """

    def __init__(self, **kwargs):
        super().__init__(keep_in_memory=True, **kwargs)

    def _info(self):
        return evaluate.MetricInfo(
            description="The number of one choice per example.",
            citation="",
            features=Features({"predictions": Value("int64"), "references": Value("int64")}),
        )

    def _compute(self, predictions, references):
        predictions, references = np.asarray(predictions), np.asarray(references)
        positions = range(int(max(predictions.max(), references.max())) + 1)
        return {
            "accuracy": float(np.mean(predictions == references)),
            "per_position": {
                str(position): _position(predictions == position, references == position)
                for position in positions
            },
        }


def _position(chosen, right):
    """How often a position was right and was chosen, and how often it was chosen where right."""
    support = int(right.sum())
    return {
        "support": float(support),
        "chosen": float(chosen.sum()),
        "recall": float((chosen & right).sum() / support) if support else 0.0,
    }
