"""Plots of how a run went and what it was fed: from its log and its data.

Each drawing function takes an empty figure, the record and a theme, and returns the sentence that
says what is to be seen; it returns None, and draws nothing, where the run has nothing to show.
"""

from tfhf.reporting.findings import main_metric
from tfhf.reporting.metrics import metric
from tfhf.reporting.record import SPLITS
from tfhf.reporting.values import number, section

FEW_EPOCHS = 12  # that each have room for a tick of their own


def draw_loss(figure, record, theme):
    train = _points(record.steps, "loss")
    validation = _points([row | row["validation"] for row in record.epochs], "loss")
    if not train and not validation:
        return None
    axes = figure.add_subplot(xlabel="step (optimizer updates)", ylabel="loss")
    said = []
    if train:
        smooth = _smooth(train)
        axes.plot(
            *zip(*train, strict=True), color=theme.weak, linewidth=1, label="training, logged"
        )
        style = {"color": theme.first, "linewidth": 2, "marker": _marker(train)}
        axes.plot(*zip(*smooth, strict=True), label="training, smoothed", **style)
        step, last = smooth[-1]
        said.append(f"Smoothed training loss ends at {last:.3g}, at step {step:,.0f}.")
    if validation:
        style = {"color": theme.second, "marker": "o", "linestyle": "--"}
        axes.plot(*zip(*validation, strict=True), label="validation", **style)
        step, best = min(validation, key=lambda point: point[1])
        said.append(f"Validation loss is lowest, {best:.3g}, at step {step:,.0f}.")
    axes.set_ylim(bottom=0)
    axes.legend()
    return " ".join(said)


def draw_learning_rate(figure, record, theme):
    points = _points(record.steps, "learning_rate")
    if not points:
        return None
    axes = figure.add_subplot(xlabel="step (optimizer updates)", ylabel="learning rate")
    axes.plot(*zip(*points, strict=True), color=theme.first, linewidth=2, marker=_marker(points))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}".replace("e-0", "e-"))
    highest, last = max(rate for _, rate in points), points[-1][1]
    return f"Highest {highest:.3g}, last {last:.3g}.".replace("e-0", "e-")


def draw_metric(figure, record, theme):
    name = main_metric(record)
    points = _points([row | row["validation"] for row in record.epochs], name, across="epoch")
    if not points:
        return None
    said = metric(name)
    axes = figure.add_subplot(xlabel="epoch", ylabel=f"validation {said.name}")
    axes.plot(*zip(*points, strict=True), color=theme.first, linewidth=2, marker="o")
    if len(points) <= FEW_EPOCHS:
        axes.set_xticks([epoch for epoch, _ in points])
    choose = min if said.lower_is_better else max
    best = choose(points, key=lambda point: point[1])
    kept = next((point for point in points if point[0] == record.best_epoch), best)
    ring = {"marker": "o", "markersize": 12, "fillstyle": "none", "markeredgewidth": 2}
    axes.plot(*kept, color=theme.second, **ring)
    axes.margins(x=0.08, y=0.2)
    direction = " Lower is better." if said.lower_is_better else ""
    return f"Best epoch, ringed: {kept[0]:g}, with {said.name} {kept[1]:.4f}.{direction}"


def draw_lengths(figure, record, theme):
    split = next((name for name in SPLITS if _histogram(record, name)), None)
    if split is None:
        return None
    edges, counts = _histogram(record, split)
    axes = figure.add_subplot(xlabel="length (tokens)", ylabel=f"{split} rows")
    axes.stairs(counts, edges, fill=True, color=theme.first)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    said = f"Token lengths of the {split} split, before truncation."
    limit = number(record.data.get("max_length"))
    if limit is not None and limit <= 1.5 * edges[-1]:
        axes.axvline(limit, color=theme.second, linestyle="--", linewidth=2)
        side = "left" if limit < 0.6 * edges[-1] else "right"
        place = {"ha": side, "va": "top", "transform": axes.get_xaxis_transform()}
        axes.text(limit, 0.98, f"  max_length {limit:.0f}  ", color=theme.second, **place)
    elif limit is not None:
        said += f" max_length is {limit:.0f}, longer than every row."
    truncated = number(section(record.split(split), "lengths").get("truncated"))
    if truncated:
        said += f" {truncated:.1%} of rows are longer than max_length and were cut."
    return said


def _points(rows, key, across="step"):
    """Pairs (step, value) of the rows that have both as finite numbers."""
    pairs = ((number(row.get(across)), number(row.get(key))) for row in rows)
    return [(step, value) for step, value in pairs if step is not None and value is not None]


def _smooth(points):
    """An exponential mean over about a twentieth of the points, unbiased at its start."""
    keep = 1 - 1 / max(1, len(points) / 20)
    total = weight = 0.0
    smooth = []
    for step, value in points:
        total, weight = keep * total + value, keep * weight + 1
        smooth.append((step, total / weight))
    return smooth


def _marker(points):
    return "o" if len(points) == 1 else ""


def _histogram(record, split):
    """(edges, counts) of a split's token lengths, or None."""
    histogram = section(section(record.split(split), "lengths"), "histogram")
    edges, counts = histogram.get("edges") or [], histogram.get("counts") or []
    fits = len(edges) == len(counts) + 1 and all(number(x) is not None for x in [*edges, *counts])
    return (edges, counts) if counts and fits else None
