"""What a run folder says about its training, read leniently.

A report must also open for a run that was stopped: a missing file is an empty value, and what
cannot be read is an empty value and a line in `Record.notes`.
"""

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path

from tfhf.errors import UserError
from tfhf.reporting import classes, forms
from tfhf.reporting.values import number, section
from tfhf.reporting.wording import model_name

SPLITS = ("train", "validation", "test")
# Metrics of numbers: how their order fits, and how far they are off.
CORRELATIONS = {"pearson", "spearman"}
ERRORS = {"mse", "mae"}
PROBLEMS = ("single_label", "multi_label", "regression")


@dataclass(frozen=True)
class Record:
    """The files of one run folder as plain values.

    `steps` and `epochs` are the two kinds of rows of `log.jsonl`: those with a loss and those with
    validation figures. `metrics` is by split; so is `predictions`, of which only the split that
    counts is read, test before validation. `config` is `model/config.json`.
    `repo` is the Hub id under which the model will stand, where it is to be published.
    """

    folder: Path
    recipe: dict = field(default_factory=dict)
    recipe_text: str = ""
    environment: dict = field(default_factory=dict)
    steps: list = field(default_factory=list)
    epochs: list = field(default_factory=list)
    metrics: dict = field(default_factory=dict)
    monitor: str | None = None
    best_epoch: int | None = None
    data: dict = field(default_factory=dict)
    predictions: dict = field(default_factory=dict)
    predicted_form: str | None = None
    config: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    repo: str | None = None

    @property
    def name(self):
        """The run folder's own name, or that of the Hub's repository."""
        return self.repo.rpartition("/")[2] if self.repo else self.folder.resolve().name

    @property
    def model_place(self):
        """What code names to load the model: the Hub's repository, or the folder."""
        return self.repo or f"{self.shown}/model"

    @property
    def shown(self):
        """The folder as commands name it; below the working folder, without the way to there."""
        folder, here = self.folder.resolve(), Path.cwd()
        return (folder.relative_to(here) if folder.is_relative_to(here) else self.folder).as_posix()

    @property
    def data_notes(self):
        """The warnings that loading the data left."""
        notes = self.data.get("notes")
        return [str(note) for note in notes] if isinstance(notes, list) else []

    @property
    def finished(self):
        """Whether the run got as far as its final figures."""
        return bool(self.metrics)

    @property
    def form(self):
        """The form of the predictions, see `forms`, or None if nothing in the folder tells."""
        asked = section(self.recipe, "options").get("problem")
        form = self.predicted_form or (asked if asked in PROBLEMS else None)
        figures = {name for split in self.metrics.values() for name in split}
        scored = CORRELATIONS & figures and not ERRORS & figures
        return "similarity" if form == "regression" and scored else form

    @functools.cached_property
    def decisions(self):
        """A `classes.Decision` for each class of the predictions; several plots show them."""
        rows = self.predictions.get("test") or self.predictions.get("validation") or []
        return classes.decisions(rows)

    @property
    def settings(self):
        """Dotted key of the recipe → value; a model's config counts as one value."""
        return _flat(self.recipe)

    def split(self, name):
        """What `data.json` says about one split, or an empty dict."""
        return section(section(self.data, "splits"), name)


def read(run_folder, predictions=True):
    """Reads a run folder.

    Args:
        run_folder: the folder that `tfhf train` wrote, finished or not.
        predictions: whether they are read, which takes longest.

    Returns:
        A `Record`.

    Raises:
        UserError: if the folder holds no file of a run.
    """
    folder = Path(run_folder)
    names = ("recipe.yaml", "log.jsonl", "metrics.json")
    if not any((folder / name).is_file() for name in names):
        raise UserError(
            f"no run in this folder: none of {', '.join(names)} is there; "
            f"give the folder that `tfhf train` wrote, received {str(folder)!r}"
        )
    notes = []
    log = list(_read_rows(folder / "log.jsonl", notes))
    metrics = read_json(folder / "metrics.json", notes)
    recipe_text, recipe = read_recipe(folder / "recipe.yaml", notes)
    form, rows = _read_predictions(folder / "predictions", notes) if predictions else (None, {})
    return Record(
        folder=folder,
        recipe=recipe,
        recipe_text=recipe_text,
        environment=read_json(folder / "environment.json", notes),
        steps=[row for row in log if "loss" in row and number(row.get("step")) is not None],
        epochs=[row for row in log if section(row, "validation")],
        metrics={name: figures for name, figures in metrics.items() if isinstance(figures, dict)},
        monitor=metrics.get("monitor"),
        best_epoch=metrics.get("best_epoch"),
        data=read_json(folder / "data.json", notes),
        predictions=rows,
        predicted_form=form,
        config=read_json(folder / "model" / "config.json", notes),
        notes=notes,
    )


def _flat(values, prefix=""):
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict) and key != "model":
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = model_name(value) if key == "model" else value
    return flat


def _read_predictions(folder, notes):
    """The form of the predictions and `{split: rows}` of the split that counts."""
    for split in ("test", "validation"):
        form, rows = forms.read(_read_rows(folder / f"{split}.jsonl", notes))
        if rows:
            return form, {split: rows}
    return None, {}


def read_recipe(path, notes):
    """The text of a recipe and its values; what cannot be read is empty, and a line in `notes`."""
    import yaml

    text = path.read_text("utf-8", errors="replace") if path.is_file() else ""
    try:
        recipe = yaml.safe_load(text)
    except yaml.YAMLError:
        recipe = None
    if text and not isinstance(recipe, dict):
        notes.append(f"{path.name} is not a readable YAML mapping, so task and data are not known")
        recipe = None
    return text, recipe or {}


def read_json(path, notes):
    """The object of a JSON file; what cannot be read is empty, and a line in `notes`."""
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text("utf-8", errors="replace"))
    except ValueError:
        values = None
    if not isinstance(values, dict):
        notes.append(f"{path.name} is not a readable JSON object, so its figures are not shown")
        return {}
    return values


def _read_rows(path, notes):
    """Yields the dicts of a JSONL file; a line cut off by a kill is counted, not raised."""
    if not path.is_file():
        return
    unreadable = 0
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row = json.loads(line) if line.strip() else None
            except ValueError:
                row, unreadable = None, unreadable + 1
            if isinstance(row, dict):
                yield row
    if unreadable:
        notes.append(f"{path.name}: {unreadable} unreadable line(s) left out")
