"""Run: what came out. The folder that one training writes and every later command takes.

recipe.yaml        the recipe, every value written out
environment.json   versions, devices, seconds per phase
data.json          rows, labels and token lengths per split, notes about the data
log.jsonl          one row per logged step and per validated epoch
metrics.json       {"validation": {"loss": …, "accuracy": …}, "test": {…}}
predictions/       <split>.jsonl: roles, expected, label, score, probabilities
model/             config, tokenizer, model.safetensors (PyTorch opens it too)
export/<name>/<version>/   the SavedModel for TensorFlow Serving
report.html  plots/*.png  README.md (model card)
tensorboard/       event files
tokens/            the token store, while the training runs
"""

import json
import shutil
from pathlib import Path

from tfhf import environment, storage
from tfhf.errors import UserError
from tfhf.recipe import Recipe

# What a run's folder holds: replacing a run deletes these and nothing else.
CONTENTS = (
    "recipe.yaml",
    "environment.json",
    "data.json",
    "log.jsonl",
    "metrics.json",
    "predictions",
    "model",
    "export",
    "report.html",
    "plots",
    "README.md",
    "tensorboard",
    "tokens",
)


class Run:
    """One training's folder.

    Args:
        folder: an existing run.

    Raises:
        UserError: if there is no run in the folder.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise UserError(f"no such run: {folder}")
        if not is_run(self.folder):
            raise UserError(f"{folder} is no run: recipe.yaml or environment.json is missing")

    @classmethod
    def create(cls, folder, recipe, overwrite=False):
        """Makes the folder and writes the resolved recipe.

        Args:
            folder: where the run shall be.
            recipe: the Recipe.
            overwrite: whether a run that is there may be deleted.

        Raises:
            UserError: if there is something already, and `overwrite` is off or it is no run.
            StorageError: if the folder cannot be written.
        """
        folder = Path(folder)
        check_vacant(folder, overwrite)
        _clear(folder)
        storage.write(folder / "recipe.yaml", recipe.to_yaml())
        storage.write_json(folder / "environment.json", environment.describe())
        return cls(folder)

    @property
    def name(self):
        """The folder's name, which is also the name of the served model."""
        return self.folder.resolve().name

    @property
    def recipe(self):
        return Recipe.load(str(self.folder / "recipe.yaml"))

    @property
    def model(self):
        """Folder of the trained model.

        Raises:
            UserError: if the training has not got as far as a first model.
        """
        folder = self.folder / "model"
        if not (folder / "config.json").exists():
            raise UserError(f"{self.folder} holds no trained model: its training did not finish")
        return folder

    @property
    def exports(self):
        """Folder under which the numbered versions of the SavedModel stand."""
        return self.folder / "export" / self.name

    @property
    def metrics(self):
        """Metrics by split, as written by `train` and `evaluate`."""
        return storage.read_json(self.folder / "metrics.json")

    def log(self, row):
        """Appends a row to log.jsonl."""
        path = self.folder / "log.jsonl"
        with storage.storing(path), path.open("a", encoding="utf-8") as file:
            file.write(storage.to_json(row) + "\n")

    def write(self, name, value):
        """Writes a JSON file of the run; see `storage.write_json`."""
        storage.write_json(self.folder / name, value)

    def update(self, name, value):
        """Merges the keys of `value` into a JSON file of the run."""
        self.write(name, storage.read_json(self.folder / name) | value)

    def predictions(self, split):
        """The rows of predictions/<split>.jsonl, as dictionaries; empty where there is none."""
        path = self.folder / "predictions" / f"{split}.jsonl"
        if not path.exists():
            return []
        with path.open(encoding="utf-8") as file:  # splitlines() would split at U+2028, too
            return [json.loads(line) for line in file]

    def write_predictions(self, split, rows):
        """Writes predictions/<split>.jsonl, one JSON object per row."""
        lines = [storage.to_json(row) for row in rows]
        storage.write(self.folder / "predictions" / f"{split}.jsonl", "\n".join(lines) + "\n")

    def __repr__(self):
        return f"Run({str(self.folder)!r})"


def is_run(folder):
    """Whether a folder is a run: it holds a recipe and the environment of a training."""
    return all((Path(folder) / name).is_file() for name in ("recipe.yaml", "environment.json"))


def check_vacant(folder, overwrite=False):
    """Makes sure that a run may be written into a folder; changes nothing.

    Raises:
        UserError: if there is something already, and `overwrite` is off or it is no run.
    """
    folder = Path(folder)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not is_run(folder):
        raise UserError(f"--out: {folder} exists and is no run; name another folder")
    if not overwrite:
        raise UserError(
            f"--out: {folder} already holds a run; name another folder, "
            "or replace it with --overwrite"
        )


def _clear(folder):
    with storage.storing(folder):
        for name in CONTENTS:
            path = folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
