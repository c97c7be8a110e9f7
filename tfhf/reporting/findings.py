"""What the figures of a run mean: its headline, its errors and how sure it was of them."""

import math
from collections import Counter
from typing import NamedTuple

from tfhf.reporting.record import SPLITS, number, section

HEADLINES = ("accuracy", "f1_macro", "pearson", "loss")
BINS = 10  # of confidence, from 0 to 1

# Name in metrics.json → what a person calls it, and the Hub's metric id (None: the Hub has none).
METRICS = {
    "loss": ("loss", None),
    "accuracy": ("accuracy", "accuracy"),
    "precision": ("precision", "precision"),
    "precision_macro": ("precision (macro)", "precision"),
    "precision_micro": ("precision (micro)", "precision"),
    "recall": ("recall", "recall"),
    "recall_macro": ("recall (macro)", "recall"),
    "recall_micro": ("recall (micro)", "recall"),
    "f1": ("F1", "f1"),
    "f1_macro": ("F1 (macro)", "f1"),
    "f1_micro": ("F1 (micro)", "f1"),
    "f1_weighted": ("F1 (weighted)", "f1"),
    "mcc": ("Matthews correlation", "matthews_correlation"),
    "matthews_correlation": ("Matthews correlation", "matthews_correlation"),
    "pearson": ("Pearson correlation", "pearsonr"),
    "spearman": ("Spearman correlation", "spearmanr"),
    "mse": ("mean squared error", "mse"),
    "mae": ("mean absolute error", "mae"),
}


class Bin(NamedTuple):
    """Predictions of like confidence: their mean confidence, share right, and number."""

    confidence: float
    accuracy: float
    rows: int


class Pair(NamedTuple):
    """One kind of mistake: its rows, and their share of all rows of the expected class (0-1)."""

    expected: str
    predicted: str
    rows: int
    share: float


def metric_name(name):
    """What a person calls a metric of `metrics.json`."""
    return METRICS.get(name, (name.replace("_", " "), None))[0]


def main_metric(record):
    """The name of the metric that stands for the run: the monitored one where it is known.

    Returns:
        A name such as `"accuracy"`, or None where the run has no figures at all.
    """
    known = [row["validation"] for row in record.epochs] + list(record.metrics.values())
    for name in (record.monitor, *HEADLINES):
        if any(number(figures.get(name)) is not None for figures in known):
            return name
    return None


def final_split(by_split):
    """The split that counts, test before validation, or None where there is neither."""
    return next((split for split in ("test", "validation") if by_split.get(split)), None)


def dataset_name(record):
    """The training data in a few words: a Hub id and its subset, or the names of the files."""
    data = section(record.recipe, "data")
    if data.get("path"):
        return " ".join(str(part) for part in (data["path"], data.get("name")) if part)
    files = data.get("train") or []
    files = [files] if isinstance(files, str) else files
    return ", ".join(str(file).replace("\\", "/").rsplit("/", 1)[-1] for file in files)


def class_names(record):
    """Every class of the run, in the order of `data.json` where that has one."""
    names = {}
    for split in SPLITS:
        names.update(dict.fromkeys(section(record.split(split), "labels")))
    for figures in record.metrics.values():
        names.update(dict.fromkeys(section(figures, "per_class")))
    for rows in record.predictions.values():
        for row in rows:
            for label in (row.expected, row.predicted):
                names.update(dict.fromkeys(label if isinstance(label, tuple) else [label]))
    return [name for name in names if isinstance(name, str)]


def per_class(record):
    """Figures of each class on the final split, the weakest class first.

    Returns:
        A split name, or None, and a list of dicts with `label`, `train` (training rows),
        `support` (rows), `precision`, `recall`, `f1` (each 0-1); what is unknown is None.
    """
    tables = {name: section(figures, "per_class") for name, figures in record.metrics.items()}
    split = final_split(tables)
    trained = section(record.split("train"), "labels")
    rows = []
    for label in tables.get(split, {}):
        figures = section(tables[split], label)
        keys = ("support", "precision", "recall", "f1")
        row = {"label": label, "train": number(trained.get(label))}
        rows.append(row | {key: number(figures.get(key)) for key in keys})
    return split, sorted(rows, key=lambda row: math.inf if row["f1"] is None else row["f1"])


def confusion(rows):
    """Counts single-label predictions by (expected, predicted)."""
    return Counter((row.expected, row.predicted) for row in rows)


def class_rows(counts):
    """How many rows of a confusion each class is expected in, as a Counter."""
    totals = Counter()
    for (expected, _), rows in counts.items():
        totals[expected] += rows
    return totals


def confused_pairs(counts):
    """The wrong cells of a confusion, the largest first, as a list of `Pair`."""
    totals = class_rows(counts)
    pairs = [
        Pair(expected, predicted, rows, rows / totals[expected])
        for (expected, predicted), rows in counts.items()
        if expected != predicted
    ]
    return sorted(pairs, key=lambda pair: (-pair.rows, -pair.share, pair.expected, pair.predicted))


def mistakes(rows, problem, limit=20):
    """The rows the model got wrong while it was surest; for regression, the largest errors.

    Args:
        rows: predictions of one split.
        problem: `"single_label"`, `"multi_label"` or `"regression"`.
        limit: how many to return.

    Returns:
        The worst `limit` rows, and how many wrong rows there are in all (for regression, all rows).
    """
    if problem == "regression":
        wrong = [row for row in rows if row.predicted is not None]
        wrong.sort(key=lambda row: -abs(row.predicted - row.expected))
    else:
        several = problem == "multi_label"
        same = (lambda a, b: set(a) == set(b)) if several else (lambda a, b: a == b)
        wrong = [row for row in rows if not same(row.expected, row.predicted)]
        wrong.sort(key=lambda row: -1 if row.confidence is None else row.confidence, reverse=True)
    return wrong[:limit], len(wrong)


def calibration(rows):
    """Compares the confidence of single-label predictions with how often they are right.

    Returns:
        A list of `Bin`, of those of `BINS` equal bins that hold rows, and the expected calibration
        error: the mean gap between confidence and accuracy, weighted by rows (0-1).

    Source: Guo et al. 2017, section 2, https://arxiv.org/abs/1706.04599
    """
    groups = {}
    for row in rows:
        if row.confidence is not None:
            place = min(BINS - 1, max(0, int(row.confidence * BINS)))
            groups.setdefault(place, []).append((row.confidence, row.expected == row.predicted))
    bins = []
    for _, group in sorted(groups.items()):
        confidences, rights = zip(*group, strict=True)
        bins.append(Bin(sum(confidences) / len(group), sum(rights) / len(group), len(group)))
    total = sum(each.rows for each in bins)
    gap = sum(each.rows * abs(each.confidence - each.accuracy) for each in bins)
    return bins, gap / total if total else 0.0


def interval(share, rows):
    """The 95 % Wilson interval of a share of `rows` examples, as (low, high), each 0-1.

    Source: Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953
    """
    z = 1.96
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    spread = z / (1 + z * z / rows)
    spread *= math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return middle - spread, middle + spread


def majority(record, split):
    """The commonest class of a split and its share (0-1), or None: what guessing would score."""
    counts = {
        label: number(rows)
        for label, rows in section(record.split(split), "labels").items()
        if number(rows) is not None
    }
    total = sum(counts.values())
    if record.problem != "single_label" or not total:
        return None
    label = max(counts, key=counts.get)
    return label, counts[label] / total
