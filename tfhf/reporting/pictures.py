"""Images that were taken for others, and a plot of them: a drawing function as in `curves.py`."""

import base64
import io

from tfhf.reporting.findings import final_split, mistakes
from tfhf.reporting.outcomes import drawable

ACROSS, DOWN = 4, 3
TRIED = 100  # mistakes among which images are looked for
LARGEST = 256  # pixels of an image's longer side in the plot


def draw_surest_mistakes(figure, record, theme):
    import numpy as np

    split = final_split(record.predictions)
    rows = record.predictions.get(split, [])
    if not rows or "image" not in rows[0].inputs or record.form != "single_label":
        return None
    worst, wrong = mistakes(rows, record.form, limit=TRIED)
    found = []
    for row in worst:
        image = opened(row)
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
        axes.imshow(np.asarray(image), cmap="gray", vmin=0, vmax=255)
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


def opened(row):
    """The image of a row as a `PIL.Image.Image`, made small; None where it is nowhere any more.

    Args:
        row: a `Row` with the input `image`.
    """
    import PIL.Image

    source, kept = row.inputs["image"], row.facts.get("thumbnail")
    try:
        if kept:
            source = io.BytesIO(base64.b64decode(kept.partition(",")[2], validate=True))
        with PIL.Image.open(source) as image:
            image.thumbnail((LARGEST, LARGEST))
            return image.convert("L" if image.mode in ("1", "L") else "RGB")
    except (OSError, ValueError, PIL.Image.DecompressionBombError):
        return None
