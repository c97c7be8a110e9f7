"""The plots of a run, each drawn once for a light page and once for a dark one.

Colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), told apart by all kinds of sight.
"""

import io
from typing import NamedTuple

from tfhf.reporting import (
    choices,
    curves,
    decisions,
    extractive,
    outcomes,
    pictures,
    ranking,
    written,
)

PIXELS_PER_INCH = 160


class Theme(NamedTuple):
    """Colours of one plot: the paper, writing, grid, two data colours and a weak one."""

    paper: str
    ink: str
    grid: str
    first: str
    second: str
    weak: str


LIGHT = Theme("#ffffff", "#1f2328", "#dfe3e8", "#0072b2", "#d55e00", "#9ccbe8")
DARK = Theme("#161b22", "#e6edf3", "#343b44", "#56b4e9", "#e69f00", "#2b5872")


class Plot(NamedTuple):
    """A drawn plot: file stem, title, what is to be seen, inches across, the PNG in both themes.

    `part` is the part of the page it stands in.
    """

    part: str
    name: str
    title: str
    caption: str
    width: float
    light: bytes
    dark: bytes


def draw(record):
    """Draws every plot the run has data for.

    Args:
        record: a `Record`.

    Returns:
        A list of `Plot`.
    """
    plots = []
    for name, (part, title, paint) in DRAWINGS.items():
        light = render(title, paint, record, LIGHT)
        if light:
            caption, width, image = light
            dark = render(title, paint, record, DARK)[2]
            plots.append(Plot(part, name, title, caption, width, image, dark))
    return plots


def render(title, paint, record, theme):
    """Draws one plot.

    Args:
        title: stands above it.
        paint: called with an empty figure, the record and the theme; it gives the caption, or None
            where there is nothing to draw.
        record: what is drawn.
        theme: a `Theme`.

    Returns:
        (caption, inches across, PNG), or None.
    """
    import matplotlib
    from matplotlib.figure import Figure

    style = {
        "axes.axisbelow": True,
        "axes.edgecolor": theme.ink,
        "axes.facecolor": theme.paper,
        "axes.grid": True,
        "axes.labelcolor": theme.ink,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "figure.facecolor": theme.paper,
        "font.family": "DejaVu Sans",  # comes with matplotlib, so that plots look alike everywhere
        "font.size": 11,
        "grid.color": theme.grid,
        "legend.frameon": False,
        "savefig.facecolor": theme.paper,
        "text.color": theme.ink,
        "text.parse_math": False,  # a class may be called "$100 to $200"
        "xtick.color": theme.ink,
        "ytick.color": theme.ink,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(5.4, 3.5), layout="constrained")
        caption = paint(figure, record, theme)
        if caption is None:
            return None
        figure.axes[0].set_title(title, fontweight="bold", fontsize=12)
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=PIXELS_PER_INCH)
        return caption, figure.get_figwidth(), image.getvalue()


# File stem → part of the page, title, and the function that draws it.
DRAWINGS = {
    "loss": ("curves", "Loss", curves.draw_loss),
    "metric": ("curves", "Validation metric", curves.draw_metric),
    "learning_rate": ("curves", "Learning rate", curves.draw_learning_rate),
    "confusion": ("errors", "Confusion matrix", outcomes.draw_confusion),
    "scatter": ("errors", "Expected and predicted", outcomes.draw_scatter),
    "calibration": ("errors", "Calibration", outcomes.draw_calibration),
    "precision_recall": ("errors", "Precision and recall", decisions.draw_precision_recall),
    "roc": ("errors", "ROC", decisions.draw_roc),
    "errors_by_length": ("errors", "Errors by length", decisions.draw_errors_by_length),
    "surest_mistakes": ("errors", "Surest mistakes", pictures.draw_surest_mistakes),
    "positions": ("errors", "Positions of the choices", choices.draw_positions),
    "choice_counts": ("errors", "Accuracy by number of choices", choices.draw_counts),
    "answerable": ("errors", "With and without an answer", extractive.draw_answerable),
    "answer_f1": ("errors", "F1 of each answer", extractive.draw_answer_f1),
    "answer_chrf": ("errors", "chrF of each answer", written.draw_chrf),
    "answer_lengths": ("errors", "Lengths of the answers", written.draw_lengths),
    "block_loss": ("errors", "Loss of each passage", written.draw_block_loss),
    "recall": ("errors", "Share found", ranking.draw_recall),
    "ranks": ("errors", "Ranks", ranking.draw_ranks),
    "label_f1": ("classes", "F1 of each label", outcomes.draw_label_f1),
    "lengths": ("data", "Token lengths", curves.draw_lengths),
}
