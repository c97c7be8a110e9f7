"""`tfhf export`: the trained model as a SavedModel that takes raw text, proven before it counts."""

import json
from dataclasses import dataclass
from pathlib import Path

from tfhf import data, prediction, preparation, reporting, tasks
from tfhf.console import Phases, say
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
            f"{facts['rows'] - facts['different']} of {facts['rows']} rows answered alike in a "
            f"fresh process (largest difference {facts['max_difference']:.1e})"
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
        rows = rows or _validation_rows(run)
        to = to or run.exports
        with phases("loading the model"):
            model = prediction.load(run, tasks.get(run.recipe.task))
    if to is None or not rows:
        raise UserError("export: a model that is no run needs to=FOLDER and rows=[texts]")
    with phases("exporting") as found:
        published = publish(to, model, rows, card=run and reporting.card(run.folder))
        found.append(published.line())
    if run is not None and Path(to) == run.exports:
        reporting.report(run)  # it tells of the run's exports
    say(f"  in TensorFlow Serving, or `tfhf serve {to}`, ask:\n  {published.facts['curl']}")
    return published.path


def _validation_rows(run):
    """Rows to prove an export on: what the run recorded, or its data once more."""
    kind = tasks.get(run.recipe.task)
    if kind.recorded:
        return run.predictions("validation")
    return preparation.load_data(run.recipe, kind).splits["validation"]


def obstacles(task):
    """Why models of a task's tokenizer cannot be exported, a line each; empty where they can."""
    obstacle = task.obstacle()
    return [f"no export: {obstacle}"] if obstacle else []


def publish(folder, model, rows, card=None):
    """Proves and publishes the next version of a served model.

    Args:
        folder: holds the numbered versions.
        model: a `tfhf.Model`.
        rows: a list of texts or dictionaries, or a `datasets.Dataset`; the first 256 are compared.
        card: the text of the model card, where there is one.

    Returns:
        Published.
    """
    from tfhf.exports import saved_model

    obstacle = next(iter(obstacles(model.task)), None)
    if obstacle:
        raise UserError(obstacle)
    rows = rows.select(range(min(ROWS, len(rows)))) if hasattr(rows, "features") else rows[:ROWS]
    task = model.task.as_served()
    dataset = data.from_rows(task.proof_rows(rows), task.inputs)
    answering = prediction.Pipeline(model)
    results = answering.results(dataset, task)
    asked = list(dataset)
    about = {"task": task.name(), "config": task.model_config()}
    facts = saved_model.publish(
        model,
        folder,
        task.served_rows(dataset),
        [task.decode(results, index, row) for index, row in enumerate(asked)],
        asked=asked,
        about=json.dumps(about, indent=2),
        card=card,
    )
    return Published(Path(facts["path"]), facts)
