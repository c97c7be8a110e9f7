"""A plot of images that were taken for others. A drawing function as in `curves.py`."""

from tfhf.reporting.findings import final_split, mistakes
from tfhf.reporting.outcomes import drawable

ACROSS, DOWN = 4, 3
TRIED = 100  # mistakes among which images are looked for
LARGEST = 256  # pixels of an image's longer side in the plot


def draw_surest_mistakes(figure, record, theme):
    split = final_split(record.predictions)
    rows = record.predictions.get(split, [])
    if not rows or "image" not in rows[0].inputs or record.form != "single_label":
        return None
    worst, wrong = mistakes(rows, record.form, limit=TRIED)
    found = []
    for row in worst:
        image = _opened(row.inputs["image"])
        if image is not None:
            found.append((row, image))
        if len(found) == ACROSS * DOWN:
            break
    if not found:
        return None
    names = list(dict.fromkeys(name for row in rows for name in (row.expected, row.predicted)))
    down = -(-len(found) // ACROSS)
    figure.set_size_inches(7.2, 0.4 + 2.1 * down)
    # The plot's title stands over these axes, which hold the images.
    whole = figure.add_subplot()
    whole.axis("off")
    for place, (row, image) in enumerate(found):
        column, line = place % ACROSS, place // ACROSS
        box = [column / ACROSS + 0.02, 1 - (line + 1) / down, 0.96 / ACROSS - 0.02, 0.78 / down]
        axes = whole.inset_axes(box)
        axes.imshow(image, cmap="gray")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(False)
        axes.spines[:].set_visible(False)
        said = f"{_cut(drawable(row.predicted, names))} {row.confidence or 0:.2f}"
        said += f"\nnot {_cut(drawable(row.expected, names))}"
        axes.set_title(said, fontsize=9, loc="left")
    return (
        f"{len(found)} of {wrong:,} images of the {split} split that were given a wrong class, the "
        "surest first: the class given, its probability, and the class expected."
    )


def _cut(name):
    return name if len(name) <= 16 else f"{name[:15]}…"


def _opened(path):
    """An image as an array, made small, or None where there is none under its path any more."""
    import numpy as np
    import PIL.Image

    try:
        with PIL.Image.open(path) as image:
            image.thumbnail((LARGEST, LARGEST))
            return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except (OSError, ValueError, PIL.Image.DecompressionBombError):
        return None
