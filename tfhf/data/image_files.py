"""Images as record batches: folders with a sub-folder per class, and arrays in NPZ files."""

import base64
import io
import zipfile
import zlib

import numpy as np
import pyarrow as pa

from tfhf.errors import UserError

STORED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])  # as `datasets.Image` has it
PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}
CHANNELS = (1, 2, 3, 4)  # grey, grey and opacity, RGB, RGB and opacity
AT_ONCE = 1000  # images per record batch
THUMBNAIL = 64  # pixels of a thumbnail's longer side
# What NumPy raises for files that are not what they should be.
_DAMAGES = (
    *(ValueError, TypeError, EOFError, KeyError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, RuntimeError),  # the last for archives that need a password
)


def folder_rows(files):
    """Yields record batches of `image` (its path) and `label` (its folder's name).

    Args:
        files: paths of images.
    """
    for start in range(0, len(files), AT_ONCE):
        part = files[start : start + AT_ONCE]
        paths = pa.array([str(path.absolute()) for path in part])
        images = pa.StructArray.from_arrays(
            [pa.nulls(len(part), pa.binary()), paths], fields=list(STORED)
        )
        yield pa.record_batch({"image": images, "label": [path.parent.name for path in part]})


def npz_rows(path):
    """Yields record batches of `image` (the bytes of a PNG file) and `label`.

    Args:
        path: an NPZ file with uint8 `images`, `(N, height, width)` or `(…, channels)`,
            and `labels`, `(N,)` integers or texts.

    Raises:
        UserError: if the file cannot be read, or its arrays have other shapes or types. Arrays of
            Python objects are refused: to read them is to run code.
    """
    import PIL.Image

    images, labels = _arrays(path)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    for start in range(0, len(images), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        files = [encoded(PIL.Image.fromarray(image)) for image in images[part]]
        stored = pa.array([{"bytes": file, "path": None} for file in files], STORED)
        yield pa.record_batch({"image": stored, "label": pa.array(labels[part].tolist())})


def encoded(image):
    """The bytes of a lossless file: PNG, or TIFF where PNG cannot hold it.

    Args:
        image: a `PIL.Image.Image`.
    """
    buffer = io.BytesIO()
    image.save(buffer, format="PNG" if image.mode in PNG_MODES else "TIFF")
    return buffer.getvalue()


def thumbnail(image):
    """A small copy of an image, at most some 16 kB.

    Args:
        image: a `PIL.Image.Image`; left as it is.

    Returns:
        A PNG file as a `data:` URI.
    """
    small = image.convert("L" if image.mode in ("1", "L") else "RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return "data:image/png;base64," + base64.b64encode(encoded(small)).decode("ascii")


def _arrays(path):
    """The two arrays of an NPZ file, checked."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if not {"images", "labels"} <= set(file.files):
                raise UserError(f"{path}: expected arrays images and labels, found {file.files}")
            images, labels = file["images"], file["labels"]
    except OSError as error:
        if error.errno:
            raise UserError(f"{path}: cannot be read: {error.strerror}") from None
        raise _damaged(path) from None
    except _DAMAGES as error:
        if "allow_pickle" in str(error) and zipfile.is_zipfile(path):
            raise UserError(
                f"{path}: holds Python objects, which are not read, because that runs code; write "
                "arrays of numbers"
            ) from None
        raise _damaged(path) from None
    if not (isinstance(images, np.ndarray) and isinstance(labels, np.ndarray)):
        raise _damaged(path)
    if images.dtype != np.uint8:
        raise UserError(f"{path}: images are {images.dtype}, expected uint8 from 0 to 255")
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in CHANNELS):
        raise UserError(
            f"{path}: images have the shape {images.shape}, expected (N, height, width) or "
            "(N, height, width, channels) with 1 to 4 channels"
        )
    if labels.shape != images.shape[:1]:
        raise UserError(
            f"{path}: labels have the shape {labels.shape}, expected ({len(images)},), one for "
            "each image"
        )
    if labels.dtype.kind not in "iuU":
        raise UserError(f"{path}: labels are {labels.dtype}, expected integers or texts")
    if not images.size:
        raise UserError(f"{path} has no images")
    if labels.dtype == np.uint64:  # what is too large for a class becomes negative, and is no class
        labels = labels.astype(np.int64)
    return images, labels


def _damaged(path):
    return UserError(f"{path}: not a readable NPZ file: cut short, damaged, or of another format")


def content(stored):
    """The bytes of an image as a file that TensorFlow reads: JPEG, PNG, GIF or BMP.

    Args:
        stored: an image as `STORED` has it. A file of another format becomes a lossless one.
    """
    data = stored["bytes"]
    if data is None:
        with open(stored["path"], "rb") as file:
            data = file.read()
    if data.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM")):
        return data
    import PIL.Image

    return encoded(PIL.Image.open(io.BytesIO(data)).convert("RGB"))
