"""Runs as rows of a table: what they scored, what they took, and the settings that differ."""

import os
from dataclasses import dataclass
from pathlib import Path

from tfhf import console
from tfhf.errors import UserError, did_you_mean
from tfhf.reporting import record as records
from tfhf.reporting.exported import exports
from tfhf.reporting.findings import SHARES_OF_ROWS, final_split, interval, main_metric
from tfhf.reporting.metrics import metric
from tfhf.reporting.values import number
from tfhf.reporting.wording import date, figure, seconds, short
from tfhf.run import is_run

MOST_SETTINGS = 8  # that get a column of their own
LONGEST_CELL = 32  # characters
# What is known of every run beside its figures and settings, and how it is written.
FACTS = {
    "started": lambda value: date(value) or "–",
    "time": seconds,
    "tokens_per_second": lambda value: figure(value, 0),
    "latency_ms": lambda value: figure(value, 1),
    "parameters": lambda value: short(value) or "–",
    "megabytes": lambda value: figure(value, 0),
}


@dataclass(frozen=True)
class Row:
    """One run.

    Attributes:
        name: its folder, below the one that was asked for.
        folder: its folder.
        split: where its figures come from, test before validation; None without figures.
        headline: the metric that stands for it; None without figures.
        figures: metric → number, of that split.
        interval: the 95 % interval of the headline where that is a share of the rows; else None.
        facts: name → value, of `FACTS`; None for what is not known.
        settings: dotted key of the recipe → value.
    """

    name: str
    folder: Path
    split: str | None
    headline: str | None
    figures: dict
    interval: tuple | None
    facts: dict
    settings: dict


def find(folder):
    """Finds the runs in a folder and below it, as rows in the order of their names.

    Raises:
        UserError: if there is no such folder, or no run in it.
    """
    folder, found = Path(folder), []
    if not folder.is_dir():
        raise UserError(f"runs: no such folder: {folder}")
    for place, inside, _ in os.walk(folder):
        inside.sort()
        if is_run(place):
            inside.clear()  # a run holds no others
            found.append(Path(place))
    if not found:
        raise UserError(f"runs: there is no run in {folder}; name the folder that holds them")
    return [
        read(one, "." if one == folder else one.relative_to(folder).as_posix()) for one in found
    ]


def read(folder, name, closely=False):
    """Reads one run's row; a run that was stopped has what it got as far as.

    Args:
        folder: the run's.
        name: what to call it.
        closely: whether its predictions are read, from which the interval follows.
    """
    record = records.read(folder, predictions=closely)
    split = final_split(record.metrics)
    figures = {key: number(value) for key, value in record.metrics.get(split, {}).items()}
    speeds = sorted(
        value for row in record.steps if (value := number(row.get("tokens_per_second")))
    )
    weights = Path(folder) / "model" / "model.safetensors"
    latest = next(iter(exports(record)), {"latency": []})
    facts = {
        "started": record.environment.get("started"),
        "time": number(record.environment.get("seconds")),
        "tokens_per_second": speeds[len(speeds) // 2] if speeds else None,
        "latency_ms": next((half for rows, half, _ in latest["latency"] if str(rows) == "1"), None),
        "parameters": number(record.data.get("parameters")),
        "megabytes": weights.stat().st_size / 1e6 if weights.is_file() else None,
    }
    figures = {key: value for key, value in figures.items() if value is not None}
    headline = main_metric(record) if figures else None
    rows = len(record.predictions.get(split, ()))
    spread = None
    if rows and headline in figures and SHARES_OF_ROWS.get(record.form) == headline:
        spread = interval(figures[headline], rows)
    return Row(name, Path(folder), split, headline, figures, spread, facts, record.settings)


def differing(rows):
    """The dotted keys whose values are not the same in all rows, those of most rows first."""
    keys = dict.fromkeys(key for row in rows for key in row.settings)
    return [key for key in keys if len({repr(row.settings.get(key)) for row in rows}) > 1]


def ordered(rows, key):
    """Rows sorted by a metric (the best first), a fact, or a setting; those without it come last.

    Raises:
        UserError: if no row has anything of that name.
    """
    names = {"run": 0, **FACTS}
    for row in rows:
        names |= row.figures | row.settings
    if key not in names:
        shown = ["run", *FACTS, *dict.fromkeys(name for row in rows for name in row.figures)]
        hint = did_you_mean(key, names) or f"; there are {', '.join(shown)} and the recipe's keys"
        raise UserError(f"--sort: no run has {key!r}{hint}")
    held = [row for row in rows if value_of(row, key) is not None]
    is_metric = any(key in row.figures for row in rows)
    values = [value_of(row, key) for row in held]
    words = any(not isinstance(value, int | float) for value in values)
    held.sort(
        key=lambda row: str(value_of(row, key)) if words else value_of(row, key),
        reverse=is_metric and not metric(key).lower_is_better,
    )
    return held + [row for row in rows if value_of(row, key) is None]


def value_of(row, key):
    """A row's metric, fact or setting of that name, or None."""
    if key == "run":
        return row.name
    return row.figures.get(key, row.facts.get(key, row.settings.get(key)))


def text(rows):
    """The rows as an aligned table."""
    headlines = list(dict.fromkeys(row.headline for row in rows if row.headline))
    settings = differing(rows)
    shown, more = settings[:MOST_SETTINGS], settings[MOST_SETTINGS:]
    facts = ["started", "time", "parameters"]
    cells = [
        [
            row.name,
            *(figure(row.figures.get(name)) for name in headlines),
            row.split or "–",
            *(FACTS[name](row.facts[name]) for name in facts),
            *(_cell(row.settings.get(key)) for key in shown),
        ]
        for row in rows
    ]
    head = ["run", *headlines, "split", *facts, *shown]
    lines = console.table(head, cells, right={*headlines, "time", "parameters"})
    if more:
        lines.append(f"{len(more)} more settings differ: {', '.join(more)}")
    return "\n".join(lines)


def _cell(value):
    """A setting in few characters; of files the names alone."""
    if isinstance(value, list):
        return ", ".join(_cell(one) for one in value)[:LONGEST_CELL]
    if value is None:
        return "–"
    shown = str(value)
    if os.path.isabs(shown):
        shown = Path(shown).name
    return shown if len(shown) <= LONGEST_CELL else shown[: LONGEST_CELL - 1] + "…"
