"""`tfhf report`: what a person reads about a run: the report page, its plots and the model card."""

from tfhf.reporting.card import card, write_card
from tfhf.reporting.page import write_report

__all__ = ["card", "report", "write_card", "write_report"]


def report(run):
    """Writes report.html, plots/*.png and README.md (the model card) of a run anew.

    Args:
        run: a Run, or a run's folder.

    Returns:
        Path of report.html.

    Raises:
        UserError: if there is no run in the folder.
        StorageError: if a file cannot be written.
    """
    folder = getattr(run, "folder", run)
    write_card(folder)
    return write_report(folder)
