"""Plots of what is found among many texts. Drawing functions as in `curves.py`."""

from tfhf.reporting.findings import final_split
from tfhf.reporting.metrics import AT_DEPTH, metric_name
from tfhf.reporting.values import number

STEPS = (1, 2, 3, 5, 10, 20, 50, 100, 1000)  # ends of the groups of ranks


def draw_recall(figure, record, theme):
    split = final_split(record.metrics)
    figures = record.metrics.get(split, {})
    measured = {
        name: number(value)
        for name, value in figures.items()
        if AT_DEPTH.fullmatch(name) and number(value) is not None
    }
    recalls = [name for name in measured if name.startswith("recall")]
    if not recalls:
        return None
    axes = figure.add_subplot(xlabel="first results looked at", ylabel=f"recall, {split} split")
    values = [measured[name] for name in recalls]
    bars = axes.bar(range(len(recalls)), values, width=0.6, color=theme.first)
    axes.bar_label(bars, fmt="%.3f", padding=2, fontsize=10)
    axes.set_xticks(range(len(recalls)), [AT_DEPTH.fullmatch(name)[2] for name in recalls])
    axes.set_ylim(0, 1.1)
    axes.grid(False, axis="x")
    others = [
        f"{metric_name(name)} {measured[name]:.3f}" for name in measured if name not in recalls
    ]
    said = "The share of the right texts that are among the first results."
    return f"{said} {', '.join(others)}." if others else said


def draw_ranks(figure, record, theme):
    split = final_split(record.predictions)
    if record.form != "ranks" or split is None:
        return None
    ranks = [row.facts["rank"] for row in record.predictions[split]]
    ends = [end for end in STEPS if end < max(ranks)] + [max(ranks)]
    counts, names, low = [], [], 1
    for end in ends:
        counts.append(sum(low <= rank <= end for rank in ranks))
        names.append(f"{low:,}" if low == end else f"{low:,}–{end:,}")
        low = end + 1
    axes = figure.add_subplot(xlabel="rank of the expected text", ylabel=f"{split} rows")
    bars = axes.bar(range(len(counts)), counts, width=0.7, color=theme.first)
    axes.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=10)
    turn = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if len(names) > 5 else {}
    axes.set_xticks(range(len(names)), names, **turn)
    axes.margins(y=0.12)
    axes.grid(False, axis="x")
    first = counts[0] / len(ranks)
    middle = sorted(ranks)[len(ranks) // 2]
    return f"{first:.1%} of {len(ranks):,} texts are found first; the median rank is {middle:,}."
