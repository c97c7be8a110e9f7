"""Token stores that were made before: the same rows, tokenizer and options are encoded once.

A store is kept under a digest of everything it follows from: the content of the rows, the
tokenizer, the task and its options, the versions of the libraries, and tfhf's own source. So it is
never out of date; at worst it is made again. Who takes a store from the cache gets files of their
own (hard links where the system has them), so that clearing the cache never hurts a training.
"""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import time
import uuid
from importlib.metadata import version
from pathlib import Path

import numpy as np

from tfhf.data.tokens import TokenStore
from tfhf.errors import UserError

LIMIT = 10.0  # GB; what was used longest ago goes first
VARIABLE = "TFHF_CACHE_GB"
ABANDONED = 24 * 3600  # seconds after which an unfinished entry was left by a killed process
LIBRARIES = ("transformers", "tokenizers", "datasets", "numpy")
ROWS = 10_000  # digested at a time


def token_store(dataset, task, folder):
    """Takes the token store of a dataset from the cache, or builds it and keeps it there.

    Processes may do so at the same time; one that finds a damaged or vanished entry builds anew.
    Not kept are the features of images, whose files may change unseen, and of slow tokenizers.

    Args:
        dataset, task, folder: as for `TokenStore.build`.

    Returns:
        The TokenStore in `folder`, and whether it came from the cache.

    Raises:
        StorageError, UserError: as `TokenStore.build` does.
        UserError: if TFHF_CACHE_GB is no number.
    """
    limit, folder = _limit(), Path(folder)
    if not limit or not _can_be_kept(task):
        return TokenStore.build(dataset, task, folder), False
    entry = place() / fingerprint(dataset, task)
    if _taken(entry, folder):
        return TokenStore(folder), True
    store = TokenStore.build(dataset, task, folder)
    # A cache that cannot be written costs time, and nothing else.
    with contextlib.suppress(OSError):
        _keep(folder, entry)
        _clear(entry.parent, limit)
    return store, False


def place():
    """The folder of the cache, beside that of the files read; it may be deleted at any time."""
    import datasets

    return Path(datasets.config.HF_DATASETS_CACHE) / "tfhf" / "tokens"


def _limit():
    """Bytes that the cache may hold; 0 for none."""
    given = os.environ.get(VARIABLE, LIMIT)
    try:
        return max(0, int(float(given) * 1e9))
    except (ValueError, OverflowError):
        raise UserError(f"{VARIABLE}: must be a number of gigabytes; received {given!r}") from None


def _can_be_kept(task):
    ours = type(task).__module__.startswith("tfhf.")
    return ours and getattr(task.processor, "is_fast", False)


# === What a store follows from ===


def fingerprint(dataset, task):
    """A digest of all that decides what `task.encode` gives for the rows of a dataset.

    Args:
        dataset: a `datasets.Dataset` without files beside it.
        task: a Task of tfhf with a fast tokenizer.

    Returns:
        32 hexadecimal digits, the same in every process.
    """
    from datasets.fingerprint import Hasher

    options = {name: value for name, value in vars(task).items() if name != "processor"}
    parts = [
        _source(),
        [version(library) for library in LIBRARIES],
        task.name(),
        Hasher.hash(options),
        _described(task.processor),
        repr(dataset.features),
        _content(dataset),
    ]
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


@functools.cache
def _source():
    """A digest of tfhf's own code, any line of which may be part of an `encode`."""
    package = Path(__file__).parents[1]
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _described(tokenizer):
    """What a fast tokenizer is, whatever folder it came from and however it was last called."""
    from datasets.fingerprint import Hasher

    if tokenizer is None:
        return None
    table = json.loads(tokenizer.backend_tokenizer.to_str())
    # What the last call left behind.
    table = {name: part for name, part in table.items() if name not in ("truncation", "padding")}
    own = {name: value for name, value in vars(tokenizer).items() if name != "_tokenizer"}
    other = own.pop("target_tokenizer", None)
    config = own.pop("checkpoint", None)
    own["init_kwargs"] = {
        name: value
        for name, value in own["init_kwargs"].items()
        if not name.endswith(("_file", "_path"))
    }
    del own["name_or_path"]
    return [
        type(tokenizer).__name__,
        hashlib.blake2b(json.dumps(table).encode(), digest_size=16).hexdigest(),
        Hasher.hash(own),
        None if config is None else config.to_json_string(),
        _described(other),
    ]


def _content(dataset):
    """A digest of a dataset's rows in their order, whatever pieces they lie in."""
    import pyarrow as pa

    digest = hashlib.blake2b(digest_size=16)
    rows = dataset.with_format("arrow")
    for start in range(0, len(rows), ROWS):
        table = rows[start : start + ROWS].replace_schema_metadata(None).combine_chunks()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        digest.update(sink.getvalue())
    return digest.hexdigest()


# === Entries: folders that are whole or not there ===


def _taken(entry, folder):
    """Puts the files of an entry into a new folder; False where it has none, or not all."""
    try:
        folder.mkdir(parents=True)
        for file in entry.iterdir():
            _link(file, folder / file.name)
        if _whole(folder):
            os.utime(entry)  # used just now
            return True
    except OSError:
        pass
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _link(source, target):
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)


def _whole(folder):
    """Whether a store's files have the sizes that its description says."""
    try:
        arrays = json.loads((folder / "columns.json").read_text())["arrays"]
        return all(
            (folder / f"{name}.bin").stat().st_size
            == np.dtype(kind).itemsize * int(np.prod(shape, dtype=np.int64))
            for name, (kind, shape) in arrays.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _keep(folder, entry):
    """Makes an entry of a store's files by one rename, once they are on the disk."""
    aside = entry.with_name(f".{entry.name}.{uuid.uuid4().hex}")
    try:
        aside.mkdir(parents=True)
        for file in folder.iterdir():
            _link(file, aside / file.name)
            with (aside / file.name).open("rb") as kept:
                os.fsync(kept.fileno())
        if entry.exists() and not _whole(entry):
            shutil.rmtree(entry)
        if not entry.exists():  # another process may have been faster; its entry is as good
            os.rename(aside, entry)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _clear(folder, limit):
    """Removes what was used longest ago until the rest is within the limit."""
    entries, total = [], 0
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):  # another process removes, too
            used = entry.stat().st_mtime
            if not entry.name.startswith("."):
                entries.append((used, sum(file.stat().st_size for file in entry.iterdir()), entry))
                total += entries[-1][1]
            elif time.time() - used > ABANDONED:
                shutil.rmtree(entry, ignore_errors=True)
    for _, size, entry in sorted(entries):
        if total <= limit:
            return
        shutil.rmtree(entry, ignore_errors=True)
        total -= size
