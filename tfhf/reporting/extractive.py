"""Plots of answers found in a text. Drawing functions as in `curves.py`."""

from tfhf.reporting.findings import final_split
from tfhf.reporting.values import number

BINS = 10  # of F1, from 0 to 1
KINDS = {"": "all", "has_answer_": "answerable", "no_answer_": "unanswerable"}


def draw_answerable(figure, record, theme):
    split = final_split(record.metrics)
    figures = record.metrics.get(split, {})
    if number(figures.get("no_answer_f1")) is None:
        return None
    kinds = [kind for kind in KINDS if number(figures.get(f"{kind}f1")) is not None]
    axes = figure.add_subplot(xlabel="questions", ylabel=f"mean (0 to 1), {split} split")
    series = (("exact_match", "exact match", theme.first), ("f1", "F1", theme.second))
    for shift, (name, label, colour) in zip((-0.2, 0.2), series, strict=True):
        values = [number(figures.get(f"{kind}{name}")) or 0 for kind in kinds]
        places = [place + shift for place in range(len(kinds))]
        bars = axes.bar(places, values, width=0.38, color=colour, label=label)
        axes.bar_label(bars, fmt="%.2f", padding=2, fontsize=10)
    axes.set_xticks(range(len(kinds)), [KINDS[kind] for kind in kinds])
    axes.set_ylim(0, 1.25)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.grid(False, axis="x")
    axes.legend(loc="upper right", ncols=2)
    return "An unanswerable question is right, and counts 1, where the model gives no answer."


def draw_answer_f1(figure, record, theme):
    split = final_split(record.predictions)
    if record.form != "answers" or split is None:
        return None
    rows = record.predictions[split]
    answerable = [row.facts["f1"] for row in rows if row.expected]
    others = [row.facts["f1"] for row in rows if not row.expected]
    axes = figure.add_subplot(xlabel="F1 of the answer (0 to 1)", ylabel=f"{split} questions")
    edges = [place / BINS for place in range(BINS + 1)]
    sides = [("answerable", answerable, theme.first), ("unanswerable", others, theme.second)]
    sides = [side for side in sides if side[1]]
    names, values, colours = zip(*sides, strict=True)
    axes.hist(values, edges, stacked=True, color=colours, label=names)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(False, axis="x")
    if others:
        axes.legend(loc="upper center")
    said = []
    if answerable:
        whole = sum(value == 1 for value in answerable)
        none = sum(value == 0 for value in answerable)
        said.append(
            f"Of {len(answerable):,} answerable questions {whole:,} have all words right and "
            f"{none:,} not one."
        )
    if others:
        silent = sum(value == 1 for value in others)
        said.append(f"Of {len(others):,} unanswerable ones {silent:,} are left unanswered.")
    return " ".join(said)
