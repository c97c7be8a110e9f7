"""Plots of decisions: over every threshold, and by the length of what was asked.

Drawing functions as in `curves.py`.
"""

from tfhf.reporting.findings import final_split, interval
from tfhf.reporting.forms import badness
from tfhf.reporting.outcomes import drawable

WEAKEST = 3  # classes that get a curve of their own where there are more than two
STYLES = ("-", "--", ":")
GROUPS = 5  # of rows of like length
FEWEST_ROWS = 50  # in all, for which groups say anything
# Forms whose rows are right or wrong.
JUDGED = ("single_label", "multi_label", "choices", "answers", "tags", "texts", "ranks")


def draw_precision_recall(figure, record, theme):
    from sklearn.metrics import average_precision_score, precision_recall_curve

    def points(truth, scores):
        precision, recall, _ = precision_recall_curve(truth, scores)
        return recall, precision

    axes = figure.add_subplot(xlabel="recall", ylabel="precision")
    mean = _paint(axes, record, points, average_precision_score, theme)
    return mean and (
        "For every threshold: the share of the rows of a class that is found, and of those found "
        f"that is right. Average precision in brackets; its mean over {mean}."
    )


def draw_roc(figure, record, theme):
    from sklearn.metrics import roc_auc_score, roc_curve

    def points(truth, scores):
        return roc_curve(truth, scores)[:2]

    axes = figure.add_subplot(xlabel="share of other rows taken", ylabel="share of rows found")
    axes.plot([0, 1], [0, 1], color=theme.ink, linestyle=":", linewidth=1)
    mean = _paint(axes, record, points, roc_auc_score, theme)
    return mean and (
        "Receiver operating characteristic: for every threshold, the share of the rows of a class "
        "that is found against that of the others taken for it; the dotted line is guessing. Area "
        f"under the curve in brackets; its mean over {mean}."
    )


def _paint(axes, record, points, quality, theme):
    """Curves of both classes, or that of all decisions together and those of the weakest classes.

    Returns:
        The number of classes and their mean quality in words, or None where there is no curve.
    """
    import numpy as np

    every = record.decisions
    if not every:
        return None
    names = [each.name for each in every]
    rated = [(float(quality(each.truth, each.probabilities)), each) for each in every]
    mean = sum(value for value, _ in rated) / len(rated)
    if len(rated) > 2:
        truth = np.concatenate([each.truth for each in every])
        scores = np.concatenate([each.probabilities for each in every])
        axes.plot(*points(truth, scores), color=theme.first, linewidth=2, label="all decisions")
        rated = sorted(rated, key=lambda pair: pair[0])[:WEAKEST]
    for (value, each), style in zip(rated, STYLES, strict=False):
        label = f"{drawable(each.name, names)} ({value:.2f})"
        curve = points(each.truth, each.probabilities)
        axes.plot(*curve, color=theme.second, linestyle=style, linewidth=1.5, label=label)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    figure = axes.figure
    figure.set_size_inches(5.4, 4.4)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return f"{len(every)} classes is {mean:.3f}"


def draw_errors_by_length(figure, record, theme):
    split = final_split(record.predictions)
    rows = [row for row in record.predictions.get(split, []) if row.length]
    if record.form not in JUDGED or len(rows) < FEWEST_ROWS:
        return None
    rows.sort(key=lambda row: row.length)
    groups = _groups(rows)
    shares = [
        sum(badness(row, record.form) is not None for row in group) / len(group) for group in groups
    ]
    if len(groups) < 2 or not any(shares):
        return None
    axes = figure.add_subplot(xlabel="length (characters)", ylabel="share of rows that are wrong")
    whiskers = [interval(share, len(group)) for share, group in zip(shares, groups, strict=True)]
    reach = [
        [max(0, share - low) for share, (low, _) in zip(shares, whiskers, strict=True)],
        [max(0, high - share) for share, (_, high) in zip(shares, whiskers, strict=True)],
    ]
    axes.bar(range(len(groups)), shares, color=theme.first, width=0.7)
    axes.errorbar(
        range(len(groups)), shares, yerr=reach, fmt="none", ecolor=theme.second, capsize=4
    )
    axes.set_xticks(
        range(len(groups)), [f"{group[0].length:,}–{group[-1].length:,}" for group in groups]
    )
    axes.grid(False, axis="x")
    axes.set_ylim(bottom=0)
    return (
        f"The {split} split in groups of about {len(groups[0]):,} rows of like length: "
        f"{shares[0]:.1%} of the shortest are wrong, {shares[-1]:.1%} of the longest. "
        "Whiskers: 95% intervals."
    )


def _groups(rows):
    """Sorted rows cut into `GROUPS` of about the same size; rows of one length stay together."""
    groups = []
    for row in rows:
        full = len(groups) < GROUPS and len(groups and groups[-1]) * GROUPS >= len(rows)
        if not groups or (full and groups[-1][-1].length != row.length):
            groups.append([])
        groups[-1].append(row)
    return groups
