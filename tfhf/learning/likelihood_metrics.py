"""Metrics of models that give tokens a likelihood: a local `evaluate.Metric`, as in `metrics`."""

import evaluate
import numpy as np
from datasets import Features, Value

from tfhf.errors import UserError


class TokenLikelihood(evaluate.Metric):
    """Perplexity and accuracy over the tokens of a whole split, from sums per example.

    The mean is taken over tokens, once: a mean of the batches' means would depend on the batches.

    Raises:
        UserError: if there is no token, of which no mean could be taken.
    """

    def __init__(self, **kwargs):
        super().__init__(keep_in_memory=True, **kwargs)

    def _info(self):
        features = {"losses": "float64", "tokens": "int64", "correct": "int64"}
        return evaluate.MetricInfo(
            description="Sums over the tokens of each example: loss in nats, tokens, right ones.",
            citation="Jelinek et al. 1977, https://doi.org/10.1121/1.2016299",
            features=Features({name: Value(kind) for name, kind in features.items()}),
        )

    def _compute(self, losses, tokens, correct):
        count = int(np.sum(tokens))
        if not count:
            raise UserError(
                f"data: none of the {len(tokens)} examples to evaluate on has a token to predict;"
                " give this split more text"
            )
        # A diverged model's loss is finite where its perplexity is not.
        with np.errstate(over="ignore"):
            perplexity = float(np.exp(np.sum(losses) / count))
        return {
            "perplexity": perplexity,
            "accuracy": float(np.sum(correct) / count),
            "tokens": count,
        }
