"""The token store: what `Task.encode` gave for a whole split, in flat files that TensorFlow maps.

A ragged column (token ids) is one flat array and an array of offsets. TensorFlow reads the files
through the page cache, so two million rows cost address space, not memory, and batches are made by
plain `tf.data` operations in every worker.

Rows are encoded one chunk after the other. The tokenizers library splits each chunk over all
cores, and that is two thirds of the work; a second process or thread for the rest won nothing that
could be measured on two cores.
"""

import json
import os
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from tfhf.data.kinds import images
from tfhf.storage import storing, write_json


class TokenStore:
    """Columns of one split on disk.

    Attributes:
        folder: holds one `.bin` file per array and `columns.json`.
        padding: ragged column → fill value.
        features: number of features (equals the number of rows unless rows give windows).
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        description = json.loads((self.folder / "columns.json").read_text())
        self.padding = description["padding"]
        self.arrays = {
            name: (np.dtype(dtype), tuple(shape))
            for name, (dtype, shape) in description["arrays"].items()
        }
        self.features = self.arrays["row"][1][0]

    @classmethod
    def build(cls, dataset, task, folder):
        """Encodes every row once and writes the arrays.

        Args:
            dataset: a `datasets.Dataset` with the columns of the task's roles.
            task: its `encode` and `padding` say what is stored.
            folder: a new folder for the files.

        Returns:
            The TokenStore.

        Raises:
            StorageError: if the files cannot be written.
            UserError: if an image cannot be decoded.
        """
        folder = Path(folder)
        writer = _Writer(folder, task.padding)
        for columns, rows in encoded(dataset, task):
            writer.add(columns, rows)
        writer.close()
        return cls(folder)

    def array(self, name):
        """A stored array, memory-mapped: NumPy's view of the file."""
        dtype, shape = self.arrays[name]
        if 0 in shape:
            return np.zeros(shape, dtype)
        return np.memmap(self.folder / f"{name}.bin", dtype, "r", shape=shape)

    def tensor(self, name):
        """A stored array as a tensor on the host that lives in the mapped file."""
        import tensorflow as tf

        dtype, shape = self.arrays[name]
        if 0 in shape:
            return tf.zeros(shape, dtype)
        # Writable, because DLPack takes nothing else; nobody writes, so no page is ever copied.
        mapped = np.memmap(self.folder / f"{name}.bin", dtype, "c", shape=shape)
        return tf.experimental.dlpack.from_dlpack(np.asarray(mapped).__dlpack__())

    @property
    def names(self):
        """Names of the columns that make a batch: no offsets, row numbers and lengths."""
        return [
            name
            for name in self.arrays
            if name not in ("row", "length", "full_length") and not name.endswith(".offsets")
        ]

    @cached_property
    def lengths(self):
        """`(features,)` int32: tokens by which batches are sorted.

        They are the column `length` where the task gives it, else those of each feature's longest
        ragged column.
        """
        if "length" in self.arrays:
            return np.asarray(self.array("length"), np.int32)
        longest = np.full(self.features, 0 if self.padding else 1, np.int32)
        for name in self.padding:
            offsets = self.array(f"{name}.offsets")
            np.maximum(longest, offsets[1:] - offsets[:-1], out=longest, casting="same_kind")
        return longest

    def cut_rows(self):
        """`(rows,)` int array: numbers of the rows of which `max_length` cut something off."""
        if "full_length" not in self.arrays:
            return np.zeros(0, np.int64)
        cut = np.asarray(self.array("full_length")) > self.lengths
        return np.unique(self.array("row")[cut])


def encoded(dataset, task):
    """Yields what `task.encode` gives for some rows after the other, and whose rows they are.

    Args:
        dataset, task: as for `TokenStore.build`.

    Yields:
        Column → list or array of m values, and the `(m,)` int64 numbers of their rows.

    Raises:
        UserError: if an image cannot be decoded.
    """
    for start in range(0, len(dataset), task.rows_at_once):
        rows = _decoded(dataset, start, min(start + task.rows_at_once, len(dataset)))
        columns = dict(task.encode(rows))
        count = len(next(iter(columns.values())))
        yield columns, np.asarray(columns.pop("row", range(count)), np.int64) + start


def flattened(values):
    """Lists of integers → one `(sum of lengths,)` int64 array, and the `(N,)` int64 lengths."""
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    return np.fromiter(chain.from_iterable(values), np.int64, lengths.sum()), lengths


def narrowed(values):
    """Numbers as they are stored: float32 or int32; pixels stay bytes."""
    array = np.asarray(values)
    if array.dtype == np.uint8:
        return array
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int32)


def _decoded(dataset, first, last):
    """Some rows, their images decoded; one that cannot be is named."""
    try:
        return dataset[first:last]
    except images.DAMAGES as error:
        raise images.damaged(dataset, first, last) or error from error


class _Writer:
    """Appends columns to flat files.

    Ragged integers (token ids, types, targets) take the narrowest type that holds them all: two
    bytes for ids of a vocabulary up to 65,536. Other integers are int32, other numbers float32.
    """

    def __init__(self, folder, padding):
        self.folder = folder
        self.padding = padding
        self.files = {}
        self.arrays = {}
        self.ends = {}
        with storing(folder):
            folder.mkdir(parents=True)

    def add(self, columns, rows):
        for name, values in columns.items():
            if name in self.padding:
                flat, lengths = flattened(values)
                last = self.ends.get(name)
                ends = np.cumsum(lengths) + (0 if last is None else last)
                self._append(f"{name}.offsets", ends if last is not None else np.r_[0, ends])
                self.ends[name] = np.r_[last or 0, ends][-1]  # rows of blank lines give no feature
                self._append(name, flat.astype(self._wide_enough(name, flat)))
            else:
                self._append(name, narrowed(values))
        self._append("row", rows)

    def _wide_enough(self, name, values):
        """The type for a ragged column with more values; what is written already is made wider."""
        kind = _narrowest(values)
        if name not in self.arrays:
            return kind
        written, shape = self.arrays[name]
        kind = np.result_type(kind, written)
        if kind != written:
            self.files.pop(name).close()
            path = self.folder / f"{name}.bin"
            aside = path.with_suffix(".wider")
            with storing(self.folder):
                with path.open("rb") as old, aside.open("wb") as new:
                    while part := old.read(1 << 24):
                        new.write(np.frombuffer(part, written).astype(kind).data)
                os.replace(aside, path)
                self.files[name] = path.open("ab")
            self.arrays[name] = [kind.name, shape]
        return kind

    def _append(self, name, array):
        with storing(self.folder):
            if name not in self.files:
                self.files[name] = (self.folder / f"{name}.bin").open("wb")
                self.arrays[name] = [array.dtype.name, [0, *array.shape[1:]]]
            self.files[name].write(np.ascontiguousarray(array).data)
        self.arrays[name][1][0] += len(array)

    def close(self):
        with storing(self.folder):  # the last bytes are written when a file is closed
            for file in self.files.values():
                file.close()
        # What is only learned from (other towers, generated text) is not there when predicting.
        padding = {name: fill for name, fill in self.padding.items() if name in self.arrays}
        write_json(self.folder / "columns.json", {"padding": padding, "arrays": self.arrays})


def _narrowest(values):
    """The narrowest integer type for some values; a byte where there are none."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    # A signed type reaches as far below -1 as above 0.
    high = -1 - high if low < 0 else high
    kind = np.result_type(np.min_scalar_type(low), np.min_scalar_type(high))
    return kind if kind.itemsize <= 2 else np.dtype(np.int32)


def describe_lengths(store):
    """How long a split's texts are and how much of them `max_length` cuts off.

    Returns:
        None where the task counts no lengths (images), else
        `{"percentiles": {"50": tokens, …}, "histogram": {"edges", "counts"}, "truncated"}`: the
        lengths before truncation, and the share of features that were cut, in [0, 1].
    """
    if "full_length" not in store.arrays:
        return None
    full = np.asarray(store.array("full_length"))
    ranks = (50, 90, 95, 99, 100)
    values = np.percentile(full, ranks, method="higher")
    counts, edges = np.histogram(full, bins=min(40, max(1, int(np.ptp(full)))))
    return {
        "percentiles": {str(r): int(v) for r, v in zip(ranks, values, strict=True)},
        "histogram": {"edges": edges.round(1).tolist(), "counts": counts.tolist()},
        "truncated": float(np.mean(full > store.lengths)),
    }
