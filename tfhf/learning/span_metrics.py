"""Metrics of extractive question answering: a local `evaluate.Metric` class, as in `metrics`.

The figures are those of the official SQuAD 2.0 script, as shares in [0, 1] where it prints per
cent. Source: https://rajpurkar.github.io/SQuAD-explorer/ (`evaluate-v2.0.py`).
"""

import evaluate
import numpy as np
from datasets import Features, List, Value

from tfhf.learning.answers import nearest


class SpanAnswers(evaluate.Metric):
    """Exact match and F1 of answers' words, against the nearest of several references.

    Args:
        threshold: probability of no answer above which an answer counts as "no answer"; None where
            every question is answered.
    """

    def __init__(self, threshold=None, **kwargs):
        super().__init__(keep_in_memory=True, **kwargs)
        self.threshold = threshold

    def _info(self):
        return evaluate.MetricInfo(
            description="One answer per question, and how probable it is that there is none.",
            citation="Rajpurkar et al. 2018, https://arxiv.org/abs/1806.03822",
            features=Features(
                {
                    "predictions": Value("string"),
                    "no_answer_probabilities": Value("float64"),
                    "references": List(Value("string")),
                }
            ),
        )

    def _compute(self, predictions, no_answer_probabilities, references):
        absent = np.asarray(no_answer_probabilities)
        answerable = np.array([bool(texts) for texts in references])
        pairs = zip(predictions, references, strict=True)
        raw = np.array([nearest(prediction, texts) for prediction, texts in pairs])
        scores = raw
        if self.threshold is not None:
            silent = absent > self.threshold
            scores = np.where(silent[:, None], ~answerable[:, None], raw)
        found = _means("", scores)
        if answerable.all():
            return found
        if answerable.any():
            found |= _means("has_answer_", scores[answerable])
        found |= _means("no_answer_", scores[~answerable])
        spoken = np.array([bool(prediction) for prediction in predictions])
        for name, values in zip(("exact_match", "f1"), raw.T, strict=True):
            best, threshold = best_threshold(values, absent, answerable, spoken)
            found |= {f"best_{name}": best, f"best_{name}_threshold": threshold}
        return found


def _means(prefix, scores):
    exact_match, f1 = scores.mean(0)
    return {f"{prefix}exact_match": float(exact_match), f"{prefix}f1": float(f1)}


def best_threshold(scores, absent, answerable, spoken):
    """The threshold with which a metric is best, as the official script searches it.

    Questions are taken as answered one by one, the surest first: each answerable one adds its
    score, each unanswerable one that gets an answer takes away the point it had by silence.

    Args:
        scores: `(N,)` float array, the metric of each question if it is answered.
        absent: `(N,)` float array, probability of no answer.
        answerable: `(N,)` bool array, whether there is an answer.
        spoken: `(N,)` bool array, whether the model's answer has any text.

    Returns:
        The mean of the metric with the best threshold, and that threshold; 0.0 where it is best
        to answer nothing.
    """
    surest = np.argsort(absent, kind="stable")
    gains = np.where(answerable, scores, -spoken.astype(float))[surest]
    totals = np.concatenate([[np.sum(~answerable)], gains]).cumsum()
    best = int(totals.argmax())
    threshold = float(absent[surest[best - 1]]) if best else 0.0
    return float(totals[best] / len(scores)), threshold
