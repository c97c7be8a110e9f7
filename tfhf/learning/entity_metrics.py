"""Metrics of entities: a local `evaluate.Metric` class over seqeval, as in `metrics`."""

import evaluate
from datasets import Features, List, Value

from tfhf.learning.tagging import OUTSIDE, as_bioes

_CITATION = "Nakayama 2018, https://github.com/chakki-works/seqeval"


class Entities(evaluate.Metric):
    """Tags per row: precision, recall and F1 of whole entities, over all and for each type.

    An entity counts where its type, first word and last word are right; entities are found as
    conlleval finds them. `accuracy` is that of single tags, in which "O" prevails.
    """

    def __init__(self, **kwargs):
        super().__init__(keep_in_memory=True, **kwargs)

    def _info(self):
        tags = List(Value("string"))
        return evaluate.MetricInfo(
            description="A list of tags per example.",
            citation=_CITATION,
            features=Features({"predictions": tags, "references": tags}),
        )

    def _compute(self, predictions, references):
        from seqeval.metrics import accuracy_score, classification_report

        accuracy = accuracy_score(references, predictions)
        predictions, references = _bioes(predictions), _bioes(references)
        table = dict.fromkeys(("micro avg", "macro avg", "weighted avg"), {})
        # seqeval's own table fails where there is nothing to list.
        if any(set(tags) - {OUTSIDE} for tags in [*predictions, *references]):
            table = classification_report(
                references, predictions, output_dict=True, zero_division=0
            )
        overall, macro = table.pop("micro avg"), table.pop("macro avg")
        table.pop("weighted avg")
        return {
            "precision": float(overall.get("precision", 0.0)),
            "recall": float(overall.get("recall", 0.0)),
            "f1": float(overall.get("f1-score", 0.0)),
            "f1_macro": float(macro.get("f1-score", 0.0)),
            "accuracy": float(accuracy),
            "per_class": {kind: _figures(row) for kind, row in table.items()},
        }


def _bioes(rows):
    return [[as_bioes(tag) for tag in tags] for tags in rows]


def _figures(row):
    names = {"precision": "precision", "recall": "recall", "f1": "f1-score", "support": "support"}
    return {name: float(row[theirs]) for name, theirs in names.items()}
