"""A run beside the one before it: the same task on the same data, in a folder next to it."""

from pathlib import Path
from typing import NamedTuple

from tfhf.reporting import record as records
from tfhf.reporting.findings import final_split
from tfhf.reporting.forms import badness
from tfhf.reporting.metrics import metric
from tfhf.reporting.values import number, section

SOURCE = ("path", "name", "train", "columns")  # keys of `data` that say what is learned from


class Figure(NamedTuple):
    """A metric of both runs; `better` is None where they are equal or none of the two is better."""

    name: str
    now: float
    before: float
    better: bool | None


class Comparison(NamedTuple):
    """What became of a run's predecessor.

    Attributes:
        name: the earlier run's.
        started: its time, ISO.
        split: whose figures are compared.
        figures: a list of `Figure`.
        settings: triples (dotted key, value now, value before) of what differs.
        mended, spoiled: rows that only the later or only the earlier run has right; None where the
            two did not predict the same rows.
        chance: how probable a split at least as uneven is if neither is better (0-1; None as
            above): McNemar's exact test.
    """

    name: str
    started: str
    split: str
    figures: list
    settings: list
    mended: int | None
    spoiled: int | None
    chance: float | None


def compare(record):
    """Compares a run with the latest earlier one beside it, of the same task and data.

    Args:
        record: a `Record` with its predictions.

    Returns:
        A `Comparison`, or None where there is no such run or nothing to compare.
    """
    split = final_split(record.metrics)
    folder = _previous(record)
    if folder is None or split is None:
        return None
    earlier = records.read(folder)
    figures = _figures(record.metrics[split], earlier.metrics.get(split, {}))
    if not figures:
        return None
    now, before = record.settings, earlier.settings
    keys = [key for key in {**now, **before} if now.get(key) != before.get(key)]
    settings = [(key, now.get(key), before.get(key)) for key in keys]
    started = earlier.environment.get("started")
    return Comparison(
        folder.name, started, split, figures, settings, *_flips(record, earlier, split)
    )


def _previous(record):
    """The folder of the latest run beside this one that started before it, or None."""
    started = record.environment.get("started")
    if not isinstance(started, str):
        return None
    here, found = record.folder.resolve(), []
    for folder in here.parent.iterdir():
        environment = folder / "environment.json"
        if folder == here or not environment.is_file() or not (folder / "recipe.yaml").is_file():
            continue
        time = records.read_json(environment, []).get("started")
        if isinstance(time, str) and time < started:
            found.append((time, folder))
    for _, folder in sorted(found, reverse=True):
        if _learned(records.read_recipe(Path(folder) / "recipe.yaml", [])[1]) == _learned(
            record.recipe
        ):
            return folder
    return None


def _learned(recipe):
    """What a recipe learns, and from what."""
    data = section(recipe, "data")
    return recipe.get("task"), [data.get(key) for key in SOURCE]


def _figures(now, before):
    found = []
    for name, value in now.items():
        value, other = number(value), number(before.get(name))
        if value is not None and other is not None:
            better = None if value == other else (value < other) == metric(name).lower_is_better
            if metric(name).largest is None and not metric(name).lower_is_better:
                better = None  # a count: neither is better
            found.append(Figure(name, value, other, better))
    return found


def _flips(now, before, split):
    """Rows mended and spoiled, and the probability of such a split by chance."""
    from scipy.stats import binomtest

    later, earlier = now.predictions.get(split, []), before.predictions.get(split, [])
    same = now.form == before.form and [(row.inputs, row.expected) for row in later] == [
        (row.inputs, row.expected) for row in earlier
    ]
    if not later or not same or now.form not in ("single_label", "multi_label", "choices"):
        return None, None, None
    wrong = [[badness(row, now.form) is not None for row in rows] for rows in (later, earlier)]
    pairs = list(zip(*wrong, strict=True))
    mended, spoiled = pairs.count((False, True)), pairs.count((True, False))
    changed = mended + spoiled
    return mended, spoiled, binomtest(mended, changed).pvalue if changed else 1.0
