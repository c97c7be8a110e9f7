"""Plots of written texts and of how likely a model finds given ones.

Drawing functions as in `curves.py`.
"""

from tfhf.reporting.findings import final_split

BARS = 25
DRAWN_POINTS = 3000


def draw_chrf(figure, record, theme):
    split, rows = _rows(record, "texts")
    if not rows:
        return None
    scores = [row.facts["chrf"] for row in rows]
    axes = figure.add_subplot(xlabel="chrF of the answer (0 to 100)", ylabel=f"{split} rows")
    axes.hist(scores, [place * 100 / BARS for place in range(BARS + 1)], color=theme.first)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    middle = sorted(scores)[len(scores) // 2]
    _mark_middle(axes, middle, f"median {middle:.1f}", middle > 50, theme)
    exact = sum(row.facts["exact"] for row in rows)
    return f"{exact:,} of {len(rows):,} answers equal a reference; the median chrF is {middle:.1f}."


def draw_lengths(figure, record, theme):
    split, rows = _rows(record, "texts")
    rows = [row for row in rows if row.expected]
    if not rows:
        return None
    drawn = rows[:: -(-len(rows) // DRAWN_POINTS)]
    figure.set_size_inches(5.4, 4.6)
    axes = figure.add_subplot(
        xlabel="nearest reference (characters)", ylabel="generated (characters)"
    )
    pairs = [(_nearest_length(row), len(row.predicted)) for row in drawn]
    expected, generated = zip(*pairs, strict=True)
    axes.scatter(expected, generated, s=16, alpha=0.45, linewidths=0, color=theme.first)
    high = max(expected + generated)
    style = {"color": theme.second, "linestyle": "--", "label": "equally long"}
    axes.plot([0, high], [0, high], **style)
    axes.legend(loc="upper left")
    whole = sum(map(_nearest_length, rows))
    made = sum(len(row.predicted) for row in rows)
    empty = sum(not row.predicted.strip() for row in rows)
    said = f"The {split} answers are together {made / max(1, whole):.2f} times as long as the "
    said += "references."
    return said + (f" Empty: {empty:,}." if empty else "")


def _nearest_length(row):
    """Characters of the reference whose length is nearest to the answer's."""
    return min(map(len, row.expected), key=lambda length: abs(length - len(row.predicted)))


def draw_block_loss(figure, record, theme):
    split, rows = _rows(record, "blocks")
    losses = [row.facts["loss"] for row in rows if row.facts["loss"] is not None]
    if not losses:
        return None
    axes = figure.add_subplot(
        xlabel="loss of a passage (nats per token)", ylabel=f"{split} passages"
    )
    axes.hist(losses, BARS, color=theme.first)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ordered = sorted(losses)
    middle, high = ordered[len(losses) // 2], ordered[int(0.95 * (len(losses) - 1))]
    right = middle > (ordered[0] + ordered[-1]) / 2
    _mark_middle(axes, middle, f"median {middle:.2f}", right, theme)
    return (
        f"{len(losses):,} passages of the {split} split; half have a loss of at most "
        f"{middle:.2f}, one in twenty of more than {high:.2f}."
    )


def _mark_middle(axes, middle, said, on_the_left, theme):
    """A vertical line with what it says beside it."""
    axes.axvline(middle, color=theme.second, linestyle="--", linewidth=2)
    side = "right" if on_the_left else "left"
    place = {"ha": side, "va": "top", "transform": axes.get_xaxis_transform()}
    axes.text(middle, 0.98, f"  {said}  ", color=theme.second, **place)
    axes.margins(y=0.15)


def _rows(record, form):
    """The split that counts and its predictions, or nothing where they have another form."""
    split = final_split(record.predictions)
    return (split, record.predictions[split]) if split and record.form == form else (None, [])
