"""`tfhf export`: the trained model as a SavedModel that takes raw text, proven before it counts."""

import shutil
from pathlib import Path

from tfhf.console import Phases
from tfhf.run import Run

ROWS = 256  # rows on which the export must give what the model gave


def export(run, *, to=None):
    """Exports a run's model.

    Args:
        run: a Run, or its folder.
        to: folder for the numbered versions; `export/<run's name>` in the run by default.

    Returns:
        Path of the new version.

    Raises:
        UserError: if the run holds no model, or its tokenizer cannot be put into a graph.
        ExportError: if the export does not give what the model gives; nothing is published then.
    """
    from tfhf import evaluation, preparation
