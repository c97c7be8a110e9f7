"""Files that are either whole or not there.

Every file of a run is written beside its place and renamed into it, so that a reader, or a run that
was killed, never meets half of one.
"""

import contextlib
import json
import math
import os
from pathlib import Path

from tfhf.errors import StorageError, redacted


@contextlib.contextmanager
def storing(path):
    """Turns the system's refusal to write `path` into one line and exit code 4."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"cannot write {path}: {reason}") from error


def write(path, content):
    """Writes a file by renaming a finished copy into place.

    Args:
        path: where the file shall be; its folder is made if absent.
        content: bytes, or text, which is written as UTF-8 and without access tokens of the Hub.

    Raises:
        StorageError: if the system refuses (no space, no permission).
    """
    with writing(path) as append:
        append(content)


@contextlib.contextmanager
def writing(path):
    """Writes a file piece by piece; it appears, whole, when the block ends without an error.

    Args:
        path: as for `write`.

    Yields:
        A function that appends bytes, or text as `write` takes it.

    Raises:
        StorageError: if the system refuses (no space, no permission).
    """
    path = Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            stream = aside.open("wb")

        def append(content):
            if isinstance(content, str):
                content = redacted(content).encode("utf-8", errors="replace")
            with storing(path):
                stream.write(content)

        try:
            yield append
        finally:
            with storing(path):
                stream.close()  # writes what is left
        with storing(path):
            os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise


def write_json(path, value):
    """Writes a JSON file, indented; see `write` and `to_json`."""
    write(path, to_json(value, indent=2) + "\n")


def to_json(value, indent=None):
    """JSON text, non-ASCII kept readable; an undefined number (NaN, infinity) becomes null."""
    return json.dumps(_defined(value), indent=indent, ensure_ascii=False, allow_nan=False)


def _defined(value):
    if isinstance(value, dict):
        return {key: _defined(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_json(path):
    """Reads a JSON file; a missing one gives `{}`."""
    path = Path(path)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
