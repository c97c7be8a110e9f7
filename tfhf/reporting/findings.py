"""What the figures of a run mean: its headline, its errors and how sure it was of them."""

import math
from collections import Counter
from typing import NamedTuple

from tfhf.reporting.forms import badness
from tfhf.reporting.record import SPLITS
from tfhf.reporting.values import number, section

# Metrics that may stand for a run, the best one first; those that few tasks have come early.
HEADLINES = ("perplexity", "ndcg_at_10", "accuracy", "f1", "f1_macro", "pearson", "spearman")
HEADLINES += ("rougeL", "bleu", "exact_match", "loss")
# Metrics that are a share of the rows, by form: a share has an interval.
SHARES_OF_ROWS = {
    "single_label": "accuracy",
    "choices": "accuracy",
    "multi_label": "exact_match",
    "answers": "exact_match",
    "texts": "exact_match",
}
BINS = 10  # of confidence, from 0 to 1


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


def main_metric(record):
    """The name of the metric that stands for the run: the monitored one where it is known.

    Returns:
        A name such as `"accuracy"`, or None where the run has no figures at all.
    """
    known = [row["validation"] for row in record.epochs] + list(record.metrics.values())
    # Where the loss chose the best epoch, another figure says more about the run.
    first = [] if record.monitor == "loss" else [record.monitor]
    for name in (*first, *HEADLINES):
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
    figures = {}
    for split in record.metrics.values():
        figures.update(dict.fromkeys(section(split, "per_class")))
    names = {}
    for split in SPLITS:
        names.update(dict.fromkeys(section(record.split(split), "labels")))
    if figures and not figures.keys() & names.keys():
        names = {}  # the data count tags (B-PER), the figures are those of entities (PER)
    names.update(figures)
    if record.form in ("single_label", "multi_label"):
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


def counted(record):
    """What the figures of a class count, in the plural: rows, entities or words."""
    rows = record.predictions.get(final_split(record.predictions), [])
    if record.form != "tags":
        return "rows"
    return "words" if rows and rows[0].facts["alone"] else "entities"


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


def mistakes(rows, form, limit=20):
    """The rows the model got most wrong, or got wrong while it was surest.

    Args:
        rows: predictions of one split.
        form: their form, see `forms`.
        limit: how many to return.

    Returns:
        The worst `limit` rows, and how many wrong rows there are in all; where no row is simply
        right or wrong (numbers, blocks of text), how many have been compared.
    """
    if form == "similarity":
        measures = [abs(gap) for gap in order_gaps(rows)]
    else:
        measures = [badness(row, form) for row in rows]
    pairs = zip(measures, rows, strict=True)
    wrong = [(measure, row) for measure, row in pairs if measure is not None]
    wrong.sort(key=lambda pair: pair[0], reverse=True)
    return [row for _, row in wrong[:limit]], len(wrong)


def order_gaps(rows):
    """How much further up a row stands by its prediction than by what was expected.

    Returns:
        A list of floats in [-1, 1]: differences of ranks as shares of all rows.
    """
    sides = []
    for values in ([row.expected for row in rows], [row.predicted or 0 for row in rows]):
        places = {}
        for place, value in enumerate(sorted(values)):
            places.setdefault(value, []).append(place)
        sides.append([sum(places[value]) / len(places[value]) for value in values])
    last = max(1, len(rows) - 1)
    return [(after - before) / last for before, after in zip(*sides, strict=True)]


def calibration(rows):
    """Compares the confidence in one class, or one choice, with how often they are right.

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
    if record.form != "single_label" or not total:
        return None
    label = max(counts, key=counts.get)
    return label, counts[label] / total


def guessing(rows):
    """What guessing among the choices of each row would score on average (0-1), or None."""
    shares = [1 / len(row.facts["choices"]) for row in rows if row.facts.get("choices")]
    return sum(shares) / len(shares) if shares else None


def signatures(record):
    """How figures were computed, where the run says so: `{metric: signature}`."""
    found = {}
    for figures in record.metrics.values():
        found |= {name: str(value) for name, value in section(figures, "sacrebleu").items()}
    return found
