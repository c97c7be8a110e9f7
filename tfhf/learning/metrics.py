"""Metrics of whole splits: local `evaluate.Metric` classes over scikit-learn and SciPy.

`evaluate.load` fetches code from the Hub and runs it; these need neither.
"""

import evaluate
import numpy as np
from datasets import Features, List, Value

_CITATION = "Pedregosa et al. 2011, https://jmlr.org/papers/v12/pedregosa11a.html"


def _info(description, kind):
    features = Features({"predictions": kind, "references": kind})
    return evaluate.MetricInfo(description=description, citation=_CITATION, features=features)


class Classes(evaluate.Metric):
    """One class per example: accuracy, MCC, and precision, recall, F1: macro, micro, per class."""

    def __init__(self, labels, **kwargs):
        super().__init__(keep_in_memory=True, **kwargs)
        self.labels = labels

    def _info(self):
        return _info("One class per example.", Value("int64"))

    def _compute(self, predictions, references):
        from sklearn.metrics import accuracy_score, matthews_corrcoef

        known = list(range(len(self.labels)))
        return {
            "accuracy": float(accuracy_score(references, predictions)),
            **_averages(references, predictions, self.labels, known),
            "mcc": float(matthews_corrcoef(references, predictions)),
        }


class LabelSets(evaluate.Metric):
    """A set of classes per example, as rows of 0 and 1: F1 and its parts, and exact matches."""

    def __init__(self, labels, **kwargs):
        super().__init__(keep_in_memory=True, **kwargs)
        self.labels = labels

    def _info(self):
        return _info("A set of classes per example.", List(Value("int64")))

    def _compute(self, predictions, references):
        from sklearn.metrics import accuracy_score

        references, predictions = np.asarray(references), np.asarray(predictions)
        return {
            "exact_match": float(accuracy_score(references, predictions)),
            **_averages(references, predictions, self.labels, None),
        }


class Numbers(evaluate.Metric):
    """A number per example: Pearson's and Spearman's correlation, MSE and MAE.

    A correlation is NaN where one side is constant: it is undefined there.
    """

    def _info(self):
        return _info("A number per example.", Value("float64"))

    def _compute(self, predictions, references):
        from scipy import stats

        references, predictions = np.asarray(references), np.asarray(predictions)
        varied = len(references) > 1 and np.ptp(references) > 0 and np.ptp(predictions) > 0
        return {
            "pearson": float(stats.pearsonr(references, predictions)[0]) if varied else np.nan,
            "spearman": float(stats.spearmanr(references, predictions)[0]) if varied else np.nan,
            "mse": float(np.mean((references - predictions) ** 2)),
            "mae": float(np.mean(np.abs(references - predictions))),
        }


def _averages(references, predictions, labels, known):
    """Macro, micro and per-class precision, recall and F1; classes never predicted count as 0."""
    from sklearn.metrics import precision_recall_fscore_support

    found = {}
    for average in ("macro", "micro"):
        precision, recall, f1, _ = precision_recall_fscore_support(
            references, predictions, labels=known, average=average, zero_division=0
        )
        for name, value in (("precision", precision), ("recall", recall), ("f1", f1)):
            found[f"{name}_{average}"] = float(value)
    columns = precision_recall_fscore_support(
        references, predictions, labels=known, average=None, zero_division=0
    )
    names = ("precision", "recall", "f1", "support")
    found["per_class"] = {
        label: dict(zip(names, map(float, row), strict=True))
        for label, row in zip(labels, zip(*columns, strict=True), strict=True)
    }
    return found


def better(name, value, best):
    """Tells whether a metric improved.

    Args:
        name: the metric's name; losses and errors improve downwards, everything else upwards.
        value: the new value; NaN is never better.
        best: the best value so far, or None; NaN counts as none.
    """
    if np.isnan(value):
        return False
    if best is None or np.isnan(best):
        return True
    downwards = name in (
        "loss",
        "mse",
        "mae",
        "perplexity",
        "character_error_rate",
        "nats_per_character",
    )
    return value < best if downwards else value > best
