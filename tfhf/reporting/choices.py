"""Plots of choices among several texts. Drawing functions as in `curves.py`."""

from collections import Counter

from tfhf.reporting.findings import final_split

MOST_POSITIONS = 12


def draw_positions(figure, record, theme):
    split, rows = _rows(record)
    right, chosen = (Counter(row.facts[side] for row in rows) for side in ("right", "chosen"))
    positions = sorted(place for place in right | chosen if isinstance(place, int))
    positions = positions[:MOST_POSITIONS]
    if not positions:
        return None
    axes = figure.add_subplot(xlabel="position of the choice", ylabel=f"{split} rows")
    series = (("right", right, theme.first), ("chosen", chosen, theme.second))
    for shift, (label, counts, colour) in zip((-0.2, 0.2), series, strict=True):
        places = [position + shift for position in positions]
        values = [counts[position] for position in positions]
        bars = axes.bar(places, values, width=0.38, color=colour, label=label)
        if len(positions) <= 6:
            axes.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=10)
    axes.set_xticks(positions, [str(position + 1) for position in positions])
    axes.margins(y=0.25)
    axes.grid(False, axis="x")
    axes.legend(loc="upper right", ncols=2)
    most = max(positions, key=lambda position: abs(chosen[position] - right[position]))
    return (
        f"Position {most + 1} is right {right[most]:,} times and chosen {chosen[most]:,} times: of "
        "all positions, the largest difference. A large one would mean that the model goes by the "
        "place of a choice, not by its text."
    )


def draw_counts(figure, record, theme):
    split, rows = _rows(record)
    groups = {}
    for row in rows:
        groups.setdefault(len(row.facts["choices"]), []).append(row.expected == row.predicted)
    if len(groups) < 2:
        return None
    numbers = sorted(groups)
    axes = figure.add_subplot(xlabel="choices in the row", ylabel=f"accuracy, {split} split")
    values = [sum(groups[number]) / len(groups[number]) for number in numbers]
    axes.bar(range(len(numbers)), values, width=0.6, color=theme.first)
    guesses = [1 / number for number in numbers]
    style = {"color": theme.second, "linestyle": "--", "marker": "o", "label": "guessing"}
    axes.plot(range(len(numbers)), guesses, **style)
    axes.set_xticks(range(len(numbers)), [f"{number}" for number in numbers])
    axes.set_ylim(0, 1.1)
    axes.grid(False, axis="x")
    axes.legend(loc="upper right")
    sizes = ", ".join(f"{len(groups[number]):,} with {number}" for number in numbers)
    return f"Rows: {sizes} choices."


def _rows(record):
    split = final_split(record.predictions)
    return (split, record.predictions[split]) if split and record.form == "choices" else (None, [])
