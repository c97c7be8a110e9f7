"""The report page: everything about one run in one HTML file that needs nothing else."""

import base64
import json
import shlex
from datetime import datetime
from pathlib import Path

from tfhf import storage
from tfhf.reporting import plots
from tfhf.reporting.findings import (
    class_names,
    confused_pairs,
    confusion,
    dataset_name,
    final_split,
    interval,
    main_metric,
    majority,
    metric_name,
    mistakes,
    per_class,
)
from tfhf.reporting.record import SPLITS, number, read, section

MOST_PAIRS = 15


def write_report(run_folder):
    """Writes `report.html` and `plots/*.png` from the files of a run.

    The page is self-contained, works without JavaScript and says which parts a run lacks.

    Args:
        run_folder: the folder that `tfhf train` wrote, finished or not.

    Returns:
        The path of `report.html`.

    Raises:
        UserError: if the folder holds no file of a run.
        StorageError: if the page or a plot cannot be written.
    """
    from jinja2 import Environment

    record = read(run_folder)
    drawn = plots.draw(record)
    for plot in drawn:
        storage.write(record.folder / "plots" / f"{plot.name}.png", plot.light)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(breakable=_breakable, embed=_embed, figure=_figure, seconds=_seconds)
    template = environment.from_string(Path(__file__).with_name("page.html").read_text("utf-8"))
    path = record.folder / "report.html"
    storage.write(path, template.render(_contents(record, drawn)))
    return path


def _contents(record, drawn):
    """The template's variables."""
    problem = record.problem
    split = final_split(record.predictions)
    rows = record.predictions.get(split, [])
    worst, wrong = mistakes(rows, problem) if problem else ([], 0)
    pairs = confused_pairs(confusion(rows)) if problem == "single_label" else []
    class_split, classes = per_class(record)
    return {
        "record": record,
        "dataset": dataset_name(record),
        "started": _date(record.environment.get("started")),
        "headline": _headline(record),
        "tiles": _tiles(record),
        "results": _results(record),
        "plots": {plot.name: plot for plot in drawn},
        "problem": problem,
        "split": split,
        "rows": len(rows),
        "mistakes": worst,
        "wrong": wrong,
        "pairs": pairs[:MOST_PAIRS],
        "pairs_left": len(pairs[MOST_PAIRS:]),
        "class_split": class_split,
        "classes": classes,
        "numbers": {name: place for place, name in enumerate(class_names(record))},
        "lengths": _lengths(record),
        "notes": [*record.data_notes, *record.notes],
        "phases": _phases(record),
        "environment": _environment(record),
        "versions": section(record.environment, "versions"),
        "run": shlex.quote(record.shown),
    }


def _headline(record):
    """The figure the page opens with, and what to hold it against."""
    name = main_metric(record)
    split = final_split({split: name in figures for split, figures in record.metrics.items()})
    if name is None or split is None:
        return None
    value = number(record.metrics[split][name])
    against = []
    rows = number(record.split(split).get("rows")) or len(record.predictions.get(split, []))
    if rows:
        against.append(f"on {rows:,.0f} rows")
    if name == "accuracy" and rows and value is not None and 0 <= value <= 1:
        low, high = interval(value, rows)
        against.append(f"95% interval {low:.3f} to {high:.3f}")
    guess = majority(record, split)
    if name == "accuracy" and guess:
        against.append(f"always answering “{guess[0]}” would score {guess[1]:.3f}")
    return {"name": f"{split} {metric_name(name)}", "value": value, "against": against}


def _tiles(record):
    """Facts of the run in a few words each, as (name, value); what is unknown is left out."""
    trained = number(record.split("train").get("rows"))
    parameters = number(record.data.get("parameters"))
    seconds = number(record.environment.get("seconds"))
    last = record.steps[-1] if record.steps else {}
    tiles = [
        ("training rows", f"{trained:,.0f}" if trained is not None else None),
        ("parameters", _short(parameters)),
        ("steps", f"{last['step']:,.0f}" if last else None),
        ("best epoch", record.best_epoch),
        ("whole run", _seconds(seconds) if seconds is not None else None),
        ("tokens per second", _short(_mean(record.steps, "tokens_per_second"))),
        ("real tokens", _percent(_mean(record.steps, "real_tokens"))),
    ]
    return [(name, value) for name, value in tiles if value is not None]


def _results(record):
    """Final figures as columns per split; of a stopped run, those of its last epoch."""
    by_split = dict(record.metrics)
    if not by_split and record.epochs:
        last = record.epochs[-1]
        by_split = {f"validation, epoch {last.get('epoch', '?')}": last["validation"]}
    names = dict.fromkeys(
        name
        for figures in by_split.values()
        for name, value in figures.items()
        if not isinstance(value, dict | list)
    )
    table = [
        (metric_name(name), [figures.get(name) for figures in by_split.values()]) for name in names
    ]
    return {"splits": list(by_split), "rows": table}


def _lengths(record):
    """Per split: rows, token-length percentiles, and the share that was cut."""
    table = []
    for split in SPLITS:
        facts = record.split(split)
        lengths = section(facts, "lengths")
        if facts:
            percentiles = section(lengths, "percentiles")
            marks = [number(percentiles.get(mark)) for mark in ("50", "90", "95", "99", "100")]
            rows, truncated = number(facts.get("rows")), number(lengths.get("truncated"))
            table.append((split, rows, marks, truncated))
    return table


def _phases(record):
    """(phase, seconds, share of all phases) in the order they ran."""
    phases = section(record.environment, "phases")
    timed = [(name, number(value)) for name, value in phases.items() if number(value) is not None]
    total = sum(value for _, value in timed)
    return [(name, value, value / total if total else 0) for name, value in timed]


def _environment(record):
    """What the run ran on, as (name, value)."""
    shown = []
    for name, value in record.environment.items():
        if name in ("versions", "phases", "seconds", "started") or value in (None, "", []):
            continue
        if isinstance(value, list):
            value = ", ".join(map(str, value))
        elif isinstance(value, dict):
            value = json.dumps(value, ensure_ascii=False)
        shown.append((name.replace("_", " ").replace("gib", "(GiB)"), value))
    return shown


def _mean(rows, key):
    values = [number(row.get(key)) for row in rows]
    values = [value for value in values if value is not None]
    return sum(values) / len(values) if values else None


def _short(value):
    """A large count in three digits: 22.7 M."""
    if value is None:
        return None
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if value >= size:
            scale = 1e3 if unit == " k" else size
            return f"{value / scale:.3g}{unit}"
    return f"{value:,.0f}"


def _percent(share):
    return None if share is None else f"{share:.1%}"


def _figure(value, digits=4):
    """A number of a results table; a dash where there is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    value = number(value)
    return "–" if value is None else f"{value:,.{digits}f}"


def _seconds(value):
    """A duration as people say it: 0.42 s, 31 s, 7 min 12 s, 2 h 5 min."""
    value = number(value)
    if value is None:
        return "–"
    if value < 10:
        return f"{value:.2g} s"
    if round(value) < 60:
        return f"{value:.0f} s"
    minutes, seconds = divmod(round(value), 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min {seconds} s"


def _date(text):
    """An ISO time as `2025-11-22 04:11 UTC`; the text itself where it is no such time."""
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M %Z").strip()
    except (TypeError, ValueError):
        return text


def _breakable(name):
    """A class name that may wrap after its underscores."""
    from markupsafe import Markup, escape

    return escape(name).replace("_", Markup("_<wbr>"))


def _embed(image):
    """PNG bytes as a data URI."""
    return "data:image/png;base64," + base64.b64encode(image).decode("ascii")
