"""Images: files, or the bytes of files, whose headers are read before anything else."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfhf.data.checks import is_blank
from tfhf.data.image_files import STORED, encoded
from tfhf.data.rows import Column, as_dataset, type_name
from tfhf.errors import UserError

# What pillow raises for files that are cut short or damaged.
DAMAGES = (OSError, ValueError, SyntaxError, EOFError)


def stored(value):
    """An image to predict on → what a column stores of it.

    Args:
        value: a `PIL.Image.Image`, a path, the bytes of an image file, or a uint8 array
            `(height, width)` or `(height, width, channels)`.

    Returns:
        `{"bytes", "path"}`, one of them None.

    Raises:
        TypeError: if the value is none of these.
    """
    import PIL.Image

    if isinstance(value, str | Path):
        return {"bytes": None, "path": str(Path(value).expanduser())}
    if isinstance(value, bytes):
        return {"bytes": value, "path": None}
    if isinstance(value, dict) and set(value) == {"bytes", "path"}:
        return value
    if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim in (2, 3):
        value = PIL.Image.fromarray(value)
    if not isinstance(value, PIL.Image.Image):
        raise TypeError
    return {"bytes": encoded(value), "path": None}


def read_image(rows, role, kind):
    """Reads an `Image`; see `Kind.read`."""
    column, chunks = rows.matched[role], []
    for start, chunk in rows.chunks(column):
        images = _stored(rows, column, role, start, chunk)
        absent = pc.and_(*[pc.is_null(images.field(name)) for name in ("bytes", "path")])
        absent = absent.to_numpy(zero_copy_only=False)
        if absent.any():
            raise UserError(
                f"{rows.where(start + int(absent.argmax()))}: column {column!r} ({role}) holds no "
                "image; name one or remove the row"
            )
        for row, image in enumerate(images, start=start):
            _check_header(rows, row, image)
        chunks.append(images)
    return Column(as_dataset(role, chunks, kind.feature()))


def _stored(rows, column, role, start, chunk):
    """An array of paths, bytes or both → `STORED`, paths made absolute."""
    nothing = pa.nulls(len(chunk))
    found, paths = nothing.cast(pa.binary()), nothing.cast(pa.string())
    if pa.types.is_struct(chunk.type) and {"bytes", "path"} >= {one.name for one in chunk.type}:
        found = pc.struct_field(chunk, ["bytes"]).cast(pa.binary())
        paths = pc.struct_field(chunk, ["path"]).cast(pa.string())
    elif pa.types.is_binary(chunk.type) or pa.types.is_large_binary(chunk.type):
        found = chunk.cast(pa.binary())
    elif type_name(chunk.type) == "text":
        paths = pc.if_else(is_blank(chunk), pa.scalar(None, chunk.type), chunk)
    elif not pa.types.is_null(chunk.type):
        raise UserError(
            f"data.columns: column {column!r} ({role}) has type {type_name(chunk.type)}, not image "
            f"({rows.where(start)}: {str(chunk[0].as_py())[:40]}); name the column of images or of "
            "their paths"
        )
    if found.null_count:
        folder = (rows.folder(start) or Path()).absolute()
        alone = pc.and_(pc.is_null(found), pc.is_valid(paths)).to_pylist()
        pairs = zip(paths.to_pylist(), alone, strict=True)
        paths = pa.array(
            [str(folder / one) if joined else one for one, joined in pairs], pa.string()
        )
    return pa.StructArray.from_arrays([found, paths], fields=list(STORED))


def damaged(dataset, first, last):
    """The error for the first image that cannot be decoded, though its header can be read.

    Args:
        dataset: a `datasets.Dataset`.
        first, last: numbers of its rows, from 0, the last excluded.

    Returns:
        A UserError, or None where all images can be decoded.
    """
    import datasets
    import PIL.Image

    for name, feature in dataset.features.items():
        if not isinstance(feature, datasets.Image):
            continue
        raw = dataset.select(range(first, last)).cast_column(name, datasets.Image(decode=False))
        for number, row in enumerate(raw, first + 1):
            found, path = row[name]["bytes"], row[name]["path"]
            try:
                with PIL.Image.open(path if found is None else io.BytesIO(found)) as image:
                    image.load()
            except DAMAGES as error:
                called = path or f"{name} {number}"
                return UserError(
                    f"{called}: cannot be decoded: {error}; write the file again or leave it out"
                )
    return None


def _check_header(rows, row, image):
    """Refuses what is no image, without decoding it."""
    import PIL.Image

    found, path = image["bytes"], image["path"].as_py()
    try:
        source = io.BytesIO(found.as_buffer()) if found.is_valid else path
        with PIL.Image.open(source):
            return
    except FileNotFoundError:
        reason = f"no such file: {path}"
    except IsADirectoryError:
        reason = f"a folder, not an image: {path}"
    except PIL.Image.DecompressionBombError as error:
        reason = f"too large an image: {error}"
    except DAMAGES:
        shown = "" if found.is_valid else f": {path}"
        reason = f"no image, or one that is cut short, damaged or of an unknown format{shown}"
    raise UserError(f"{rows.where(row)}: {reason}")
