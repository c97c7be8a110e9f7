"""Quality of rankings: nDCG, MRR and recall over whole sets of queries."""

import evaluate
import numpy as np
from datasets import Features, List, Value

NAMES = ("ndcg_at_10", "mrr_at_10", "recall_at_1", "recall_at_5", "recall_at_10")
DEPTH = 10  # how many passages per query the metrics look at

_CITATION = (
    "Järvelin and Kekäläinen 2002, https://doi.org/10.1145/582415.582418; "
    "Thakur et al. 2021 (BEIR), https://arxiv.org/abs/2104.08663"
)


class Ranking(evaluate.Metric):
    """Passages per query, best first, against the relevant ones.

    `predictions` are lists of passage numbers, ten each (fewer where there are no more);
    `references` are lists of the relevant passages' numbers, and `grades` (optional) of how
    relevant each of them is, above 0. The gain of a passage is its grade, as in trec_eval. Every
    metric is a mean over the queries, and a query without a relevant passage is refused.
    """

    def _info(self):
        numbers = List(Value("int64"))
        return evaluate.MetricInfo(
            description="Passages per query, best first.",
            citation=_CITATION,
            features=Features({"predictions": numbers, "references": numbers}),
        )

    def _compute(self, predictions, references, grades=None):
        grades = grades or [[1.0] * len(relevant) for relevant in references]
        totals = np.zeros(len(NAMES))
        for found, relevant, graded in zip(predictions, references, grades, strict=True):
            totals += _of_one_query(found[:DEPTH], dict(zip(relevant, graded, strict=True)))
        return dict(zip(NAMES, (totals / len(references)).tolist(), strict=True))


def _of_one_query(found, grades):
    """The metrics of `NAMES` for one query: passages found, and passage → grade."""
    if not grades:
        raise ValueError("a query without a relevant passage has no metrics")
    gains = np.array([grades.get(passage, 0.0) for passage in found])
    ideal = np.sort(list(grades.values()))[::-1][:DEPTH]
    hits = gains > 0
    first = 1.0 / (1 + np.argmax(hits)) if hits.any() else 0.0
    recalls = [hits[:depth].sum() / len(grades) for depth in (1, 5, 10)]
    return np.array([_discounted(gains) / _discounted(ideal), first, *recalls])


def _discounted(gains):
    """Discounted cumulative gain: Σ gain / log2(1 + rank)."""
    return float(np.sum(gains / np.log2(np.arange(2, 2 + len(gains)))))


def nearest(queries, passages, count=DEPTH, *, at_once=1_024):
    """The passages with the largest inner products, best first.

    Args:
        queries: `(Q, D)` float array.
        passages: `(P, D)` float array.
        count: passages per query; all of them where there are fewer.
        at_once: queries per matrix product.

    Returns:
        `(Q, min(count, P))` int64 array of passage numbers; of two equal ones the first comes
        first.
    """
    count = min(count, len(passages))
    found = [np.zeros((0, count), np.int64)]
    for start in range(0, len(queries), at_once):
        products = queries[start : start + at_once] @ passages.T
        found.append(np.argsort(-products, axis=1, kind="stable")[:, :count])
    return np.concatenate(found)


def of_pairs(rows, anchors, positives):
    """Metrics of a search: each anchor among the positives of all rows.

    Args:
        rows: a `datasets.Dataset` with the texts `anchor` and `positive`.
        anchors, positives: `(N, D)` float arrays, their embeddings.

    Returns:
        Metric name → float. Equal texts count once; an anchor's relevant passages are the
        positives of all rows with its text.
    """
    anchor_of, first_anchors = _groups(rows["anchor"][:])
    positive_of, first_positives = _groups(rows["positive"][:])
    relevant = [set() for _ in first_anchors]
    for anchor, positive in zip(anchor_of, positive_of, strict=True):
        relevant[anchor].add(positive)
    found = nearest(anchors[first_anchors], positives[first_positives])
    return Ranking().compute(predictions=found, references=[sorted(one) for one in relevant])


def records(rows, anchors, positives):
    """Yields what was found for each row, and the rank of its positive among all, from 1.

    Args:
        rows, anchors, positives: as for `of_pairs`.
    """
    texts = rows["positive"][:]
    positive_of, firsts = _groups(texts)
    passages = positives[firsts]
    for row, anchor, own in zip(rows, anchors, positive_of, strict=True):
        products = passages @ anchor
        yield {
            "text": row["anchor"],
            "expected": row["positive"],
            "found": texts[firsts[int(np.argmax(products))]],
            "score": float(products[own]),
            "rank": int(np.sum(products > products[own])) + 1,
        }


def _groups(texts):
    """For each text the number of its group of equal ones; and the first index of each group."""
    numbers, firsts, found = {}, [], []
    for index, text in enumerate(texts):
        if text not in numbers:
            numbers[text] = len(firsts)
            firsts.append(index)
        found.append(numbers[text])
    return found, firsts
