"""`tfhf export`: the trained model as a SavedModel that takes raw text, proven before it counts."""

import json
from dataclasses import dataclass
from pathlib import Path

from tfhf import data, prediction, tasks
from tfhf.console import Phases
from tfhf.errors import UserError
from tfhf.run import Run

ROWS = 256  # rows on which the export must answer what the model answers


@dataclass(frozen=True)
class Published:
    """A version that has proven itself.

    Attributes:
        path: the version's folder.
        facts: what `exports.saved_model.publish` found: rows compared, largest difference, size …
    """

    path: Path
    facts: dict

    def line(self):
        """The proof in one line."""
        facts = self.facts
        return (
            f"version {facts['version']}, {facts['size_bytes'] / 1e6:.0f} MB: "
            f"{facts['rows']} rows answered alike in a fresh process "
            f"(largest difference {facts['max_difference']:.1e})"
        )


def export(model, *, to=None, rows=None):
    """Exports a trained model for TensorFlow Serving.

    Args:
        model: a Run, a run's folder, or a `tfhf.Model`.
        to: folder for the numbered versions; `export/<run's name>` in the run by default.
        rows: texts, or dictionaries from role to text, on which the export must answer what the
            model answers; a run's validation predictions by default.

    Returns:
        Path of the new version.

    Raises:
        UserError: if there is no model, or its tokenizer cannot be put into a graph.
        ExportError: if the export does not give what the model gives; nothing is published then.
    """
    phases = Phases()
    run = None
    if isinstance(model, str | Path | Run):
        run = model if isinstance(model, Run) else Run(model)
        rows = rows or run.predictions("validation")
        to = to or run.exports
        with phases("loading the model"):
            model = prediction.load(run, tasks.get(run.recipe.task))
    if to is None or not rows:
        raise UserError("export: a model that is no run needs to=FOLDER and rows=[texts]")
    with phases("exporting") as found:
        published = publish(to, model, rows)
        found.append(published.line())
    return published.path


def obstacles(task):
    """Why models of a task's tokenizer cannot be exported, a line each; empty where they can."""
    from tfhf.exports import tokenizers

    if not task.serving_roles:
        return [f"no export: {task.name()} has no signature for TensorFlow Serving yet"]
    try:
        tokenizers.check_kind(task.processor)
    except UserError as error:
        return [f"no export: {error}"]
    return []


def publish(folder, model, rows):
    """Proves and publishes the next version of a served model.

    Args:
        folder: holds the numbered versions.
        model: a `tfhf.Model`.
        rows: a list of texts or dictionaries, or a `datasets.Dataset`; the first 256 are compared.

    Returns:
        Published.
    """
    from tfhf.exports import saved_model

    task = model.task
    dataset = data.from_rows(task.asked(rows) if hasattr(rows, "features") else rows, task.inputs)
    dataset = dataset.select(range(min(ROWS, len(dataset))))
    obstacle = next(iter(obstacles(task)), None)
    if obstacle:
        raise UserError(obstacle)
    about = {"task": task.name(), "config": task.model_config()}
    facts = saved_model.publish(
        model,
        folder,
        rows={role: dataset[role][:] for role in task.serving_roles},
        expected=prediction.Pipeline(model).results(dataset),
        about=json.dumps(about, indent=2),
    )
    return Published(Path(facts["path"]), facts)
