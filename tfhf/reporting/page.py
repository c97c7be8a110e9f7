"""The report page: everything about one run in one HTML file that needs nothing else."""

import base64
import json
import shlex
from pathlib import Path

from tfhf import storage
from tfhf.reporting import examples, exported, plots, previous, snippets, suspects
from tfhf.reporting.findings import (
    SHARES_OF_ROWS,
    class_names,
    confused_pairs,
    confusion,
    counted,
    dataset_name,
    final_split,
    guessing,
    interval,
    main_metric,
    majority,
    per_class,
    signatures,
)
from tfhf.reporting.marks import breakable, labels
from tfhf.reporting.metrics import metric, metric_name
from tfhf.reporting.record import PROBLEMS, SPLITS, read
from tfhf.reporting.values import number, section
from tfhf.reporting.wording import (
    date,
    figure,
    headline_figure,
    model_name,
    percent,
    seconds,
    short,
)

MOST_PAIRS = 15
PARTS = ("curves", "errors", "classes", "data")  # of the page, with plots
# What the figures count, where that is not plain.
FIGURE_NOTES = {
    "tags": "Precision, recall and F1 count whole entities where tags mark entities; accuracy "
    "counts single tags.",
    "answers": "Exact match and F1 ignore case, punctuation and the articles a, an, the.",
    "blocks": "Perplexity and accuracy are means over tokens; a perplexity compares only with that "
    "of another model with the same tokens.",
}


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
    from jinja2 import Environment, FileSystemLoader

    record = read(run_folder)
    drawn = plots.draw(record)
    for name in plots.DRAWINGS.keys() - {plot.name for plot in drawn}:
        (record.folder / "plots" / f"{name}.png").unlink(missing_ok=True)  # of an older report
    for plot in drawn:
        storage.write(record.folder / "plots" / f"{plot.name}.png", plot.light)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {"breakable": breakable, "embed": _embed, "labels": labels, "metric": metric_name}
    environment.filters.update(filters | {"date": date, "figure": figure, "seconds": seconds})
    template = environment.get_template("page.html")
    path = record.folder / "report.html"
    storage.write(path, template.render(_contents(record, drawn)))
    return path


def _contents(record, drawn):
    """The template's variables."""
    split = final_split(record.predictions)
    rows = record.predictions.get(split, [])
    pairs = confused_pairs(confusion(rows)) if record.form == "single_label" else []
    class_split, classes = per_class(record)
    return {
        "record": record,
        "dataset": dataset_name(record),
        "started": date(record.environment.get("started")),
        "headline": _headline(record),
        "tiles": _tiles(record),
        "results": _results(record),
        "model": model_name(record.recipe.get("model")),
        "signatures": signatures(record),
        "figures_note": FIGURE_NOTES.get(record.form),
        "plots": {part: [plot for plot in drawn if plot.part == part] for part in PARTS},
        "form": record.form,
        "split": split,
        "rows": len(rows),
        "examples": examples.table(record),
        "pairs": pairs[:MOST_PAIRS],
        "pairs_left": len(pairs[MOST_PAIRS:]),
        "doubts": suspects.doubts(rows)[: suspects.SHOWN] if record.form == "single_label" else [],
        "previous": previous.compare(record),
        "class_split": class_split,
        "counted": counted(record),
        "classes": classes,
        # What answers with texts, spans or places in a list has no classes to speak of.
        "has_classes": bool(classes) or record.form in (None, *PROBLEMS),
        "numbers": {name: place for place, name in enumerate(class_names(record))},
        "lengths": _lengths(record),
        "notes": [*record.data_notes, *record.notes],
        "phases": _phases(record),
        "environment": _environment(record),
        "versions": section(record.environment, "versions"),
        "run": shlex.quote(record.shown),
        "predict": snippets.command(record),
        "exported": (record.folder / "export").is_dir(),
        "exports": exported.exports(record),
        "lite_files": exported.lite_files(record),
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
    if name == SHARES_OF_ROWS.get(record.form) and rows and value is not None and 0 <= value <= 1:
        low, high = interval(value, rows)
        against.append(f"95% interval {low:.3f} to {high:.3f}")
    guess = majority(record, split)
    if name == "accuracy" and guess:
        against.append(f"always answering “{guess[0]}” would score {guess[1]:.3f}")
    guess = guessing(record.predictions.get(split, []))
    if name == "accuracy" and guess:
        against.append(f"guessing would score {guess:.3f}")
    known = metric(name)
    if known.largest == 100:
        against.append("on a scale from 0 to 100")
    if known.lower_is_better:
        against.append("lower is better")
    shown = headline_figure(value, known.largest)
    return {"name": f"{split} {known.name}", "value": shown, "against": against}


def _tiles(record):
    """Facts of the run in a few words each, as (name, value); what is unknown is left out."""
    train = record.split("train")
    trained = number(train.get("rows"))
    unknown = "streamed" if train.get("streamed") else None
    parameters = number(record.data.get("parameters"))
    took = number(record.environment.get("seconds"))
    last = record.steps[-1] if record.steps else {}
    tiles = [
        ("training rows", f"{trained:,.0f}" if trained is not None else unknown),
        ("parameters", short(parameters)),
        ("steps", f"{last['step']:,.0f}" if last else None),
        ("best epoch", record.best_epoch),
        ("whole run", seconds(took) if took is not None else None),
        ("tokens per second", short(_mean(record.steps, "tokens_per_second"))),
        ("real tokens", percent(_mean(record.steps, "real_tokens"))),
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
        if facts.get("streamed"):
            table.append((f"{split}, streamed", number(facts.get("rows")), [None] * 5, None))
            split, facts = f"{split}, its first rows", section(facts, "first")
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


def _embed(image):
    """PNG bytes as a data URI."""
    return "data:image/png;base64," + base64.b64encode(image).decode("ascii")
