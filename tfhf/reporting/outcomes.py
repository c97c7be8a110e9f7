"""Plots of classes and numbers: from the predictions and the figures of each class.

Drawing functions as in `curves.py`.
"""

from tfhf.reporting.findings import (
    calibration,
    class_names,
    class_rows,
    confused_pairs,
    confusion,
    final_split,
    per_class,
)

WHOLE_MATRIX = 20  # classes a confusion matrix shows at most
DRAWN_MATRIX = 15  # classes of it that are drawn when there are more
DRAWN_BARS = 40  # labels
FEWEST_BARS = 3  # of fewer the table says it all
DRAWN_POINTS = 3000


def draw_confusion(figure, record, theme):
    split = final_split(record.predictions)
    if record.form != "single_label" or split is None:
        return None
    counts = confusion(record.predictions[split])
    names = class_names(record)
    pairs = confused_pairs(counts)
    shown = names if len(names) <= WHOLE_MATRIX else _most_confused(counts, names)
    _paint_matrix(figure, counts, shown, names, theme)
    wrong = sum(pair.rows for pair in pairs)
    said = f"{wrong:,} of {counts.total():,} rows of the {split} split are wrong."
    if len(shown) < len(names):
        seen = sum(pair.rows for pair in pairs if {pair.expected, pair.predicted} <= {*shown})
        said += f" Drawn: the {len(shown)} most confused of {len(names)} classes,"
        said += f" with {seen:,} of the mistakes."
    return said


def _most_confused(counts, names):
    """The classes of the largest wrong cells, in class order."""
    chosen = dict.fromkeys(
        label for pair in confused_pairs(counts) for label in (pair.expected, pair.predicted)
    )
    rows = class_rows(counts)
    chosen.update(dict.fromkeys(sorted(names, key=lambda name: -rows[name])))
    kept = set(list(chosen)[:DRAWN_MATRIX])
    return [name for name in names if name in kept]


def _paint_matrix(figure, counts, shown, names, theme):
    from matplotlib.colors import LinearSegmentedColormap

    size = len(shown)
    many = size > 5
    if many:
        figure.set_size_inches(4.2 + 0.42 * size, 3 + 0.4 * size)
    else:
        figure.set_size_inches(5.4, 4.4)
    totals = class_rows(counts)
    shares = [
        [counts[expected, predicted] / (totals[expected] or 1) for predicted in shown]
        for expected in shown
    ]
    axes = figure.add_subplot(xlabel="predicted class", ylabel="expected class")
    shade = LinearSegmentedColormap.from_list("shade", [theme.paper, theme.first])
    image = axes.imshow(shares, cmap=shade, vmin=0, vmax=1, aspect="auto" if many else "equal")
    ticks = [drawable(name, names) for name in shown]
    turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if many else {}
    axes.set_xticks(range(size), ticks, **turn)
    axes.set_yticks(range(size), ticks)
    axes.grid(False)
    for row, expected in enumerate(shown):
        for column, predicted in enumerate(shown):
            if counts[expected, predicted]:
                colour = _readable(shade(shares[row][column]), theme)
                text = f"{counts[expected, predicted]:,}"
                axes.text(column, row, text, color=colour, ha="center", va="center", fontsize=10)
    bar = figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label("share of expected class")
    bar.outline.set_visible(False)


def _readable(fill, theme):
    """The theme's ink or paper, whichever stands out more from a fill colour (WCAG contrast)."""
    from matplotlib.colors import to_rgb

    def brightness(colour):
        red, green, blue = (part**2.2 for part in to_rgb(colour))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05

    def contrast(colour):
        low, high = sorted((brightness(colour), brightness(fill)))
        return high / low

    return max((theme.ink, theme.paper), key=contrast)


def draw_label_f1(figure, record, theme):
    split, rows = per_class(record)
    rows = [row for row in rows if row["f1"] is not None]
    if len(rows) < FEWEST_BARS:
        return None
    names, shown = class_names(record), rows[:DRAWN_BARS]
    figure.set_size_inches(5.4, 1.6 + 0.26 * len(shown))
    axes = figure.add_subplot(xlabel=f"F1 on the {split} split (0 to 1)")
    bars = axes.barh(range(len(shown)), [row["f1"] for row in shown], color=theme.first)
    axes.set_yticks(range(len(shown)), [drawable(row["label"], names) for row in shown])
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=10)
    axes.set_xlim(0, 1.08)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.grid(False, axis="y")
    extent = "The labels" if len(rows) == len(shown) else f"{len(shown)} of {len(rows)} labels"
    return f"{extent}, weakest first: {shown[0]['label']} has F1 {shown[0]['f1']:.2f}."


def draw_scatter(figure, record, theme):
    split = final_split(record.predictions)
    if record.form not in ("regression", "similarity") or split is None:
        return None
    rows = [row for row in record.predictions[split] if row.predicted is not None]
    if not rows:
        return None
    drawn = rows[:: -(-len(rows) // DRAWN_POINTS)]
    figure.set_size_inches(5.4, 4.6)
    same = record.form == "regression"
    label = "predicted value" if same else "cosine of the two texts"
    axes = figure.add_subplot(xlabel="expected value", ylabel=label)
    expected, predicted = [row.expected for row in drawn], [row.predicted for row in drawn]
    axes.scatter(expected, predicted, s=16, alpha=0.45, linewidths=0, color=theme.first)
    extent = f"{len(drawn):,} of {len(rows):,}" if len(drawn) < len(rows) else f"{len(rows):,}"
    said = f"{extent} rows of the {split} split"
    if not same:
        return f"{said}. Spearman's correlation sees their order, whatever their scale."
    low, high = min(expected + predicted), max(expected + predicted)
    style = {"color": theme.second, "linestyle": "--", "label": "expected = predicted"}
    axes.plot([low, high], [low, high], **style)
    axes.legend(loc="upper left")
    error = sum(abs(row.predicted - row.expected) for row in rows) / len(rows)
    return f"{said}; mean absolute error {error:.3g}."


def draw_calibration(figure, record, theme):
    split = final_split(record.predictions)
    if record.form not in ("single_label", "choices") or split is None:
        return None
    bins, error = calibration(record.predictions[split])
    if not bins:
        return None
    figure.set_size_inches(5.4, 4.4)
    axes = figure.add_subplot(
        xlabel="confidence (probability given to the answer)", ylabel="accuracy"
    )
    axes.plot([0, 1], [0, 1], color=theme.ink, linestyle=":", label="as sure as right")
    confidences, accuracies, rows = zip(*bins, strict=True)
    axes.plot(confidences, accuracies, color=theme.first, linewidth=2, zorder=3)
    sizes = [30 + 300 * each / sum(rows) for each in rows]
    style = {"color": theme.first, "edgecolors": theme.paper, "zorder": 4}
    axes.scatter(confidences, accuracies, s=sizes, label="predictions (dot area: rows)", **style)
    axes.set(xlim=(-0.02, 1.04), ylim=(-0.02, 1.06))
    axes.legend(loc="lower right")
    sure = sum(each.confidence * each.rows for each in bins) / sum(rows)
    right = sum(each.accuracy * each.rows for each in bins) / sum(rows)
    return (
        f"On the {split} split the model is {sure:.1%} sure on average and {right:.1%} right; "
        f"expected calibration error {error:.3f}."
    )


def drawable(name, names):
    """A class name as an axis can show it: short, or its number where the font lacks a letter."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    if not all(font.get_char_index(ord(letter)) for letter in name):
        return f"class {names.index(name)}"
    return name if len(name) <= 28 else f"{name[:16]}…{name[-11:]}"
