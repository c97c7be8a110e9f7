"""safetensors files, read and written without PyTorch.

A file is eight bytes (the header's length), the header (JSON: name → dtype, shape, offsets) and the
values. Reading maps the file into memory, so that only the weight being copied is ever held twice.

Source: https://github.com/huggingface/safetensors#format
"""

import json
import math
import os
from dataclasses import dataclass

import numpy as np

from tfhf.errors import UserError

LARGEST_HEADER = 100_000_000  # bytes, as the format's own library allows

# Little-endian NumPy types by the format's names; NumPy has no bfloat16: `read` widens it.
DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}


@dataclass(frozen=True)
class Entry:
    """Where one weight lies: type (a key of DTYPES), shape and first byte in the file."""

    dtype: str
    shape: tuple
    start: int

    @property
    def size(self):
        """Bytes the weight takes."""
        return math.prod(self.shape) * np.dtype(DTYPES[self.dtype]).itemsize


def read_header(path):
    """Reads a safetensors header and checks that it describes the file exactly.

    Args:
        path: the file.

    Returns:
        `(entries, metadata)`: name → Entry, and the file's own notes (str → str).

    Raises:
        UserError: if the file is truncated, not safetensors, or its offsets leave gaps or overlap.
    """
    have = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if start == b"version ":
            raise UserError(f"{path} only points to the weights: run `git lfs pull` in its folder")
        if have < 8 or length > LARGEST_HEADER:
            raise UserError(f"{path} is not a safetensors file (header of {length} bytes)")
        if have < 8 + length:
            raise UserError(f"{path} is truncated (want at least {8 + length} bytes, have {have})")
        header = file.read(length)
    try:
        described = json.loads(header)
        metadata = described.pop("__metadata__", None) or {}
        entries, end = _entries(described, first=8 + length)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} is not a safetensors file: its header is damaged") from error
    if have < end:
        raise UserError(f"{path} is truncated (want {end} bytes, have {have})")
    if have > end:
        raise UserError(f"{path} is longer than its header says (want {end} bytes, have {have})")
    return entries, metadata


def _entries(described, first):
    """Header → Entry by name, and where the file must end; ValueError unless they tile it."""
    entries, end = {}, first
    for name, about in sorted(described.items(), key=lambda item: item[1]["data_offsets"]):
        start, stop = about["data_offsets"]
        shape = tuple(about["shape"])
        if not all(isinstance(n, int) and n >= 0 for n in (start, stop, *shape)):
            raise ValueError(name)
        entries[name] = Entry(about["dtype"], shape, first + start)
        if first + start != end or stop - start != entries[name].size:
            raise ValueError(name)
        end = first + stop
    return entries, end


def read(path, entry):
    """Returns one weight as a NumPy array: a view of the mapped file, bfloat16 as a float32 copy.

    Args:
        path: the safetensors file.
        entry: the weight's Entry, from `read_header`.
    """
    shape = entry.shape
    if entry.size == 0:
        return np.zeros(shape, DTYPES[entry.dtype])
    values = np.memmap(path, DTYPES[entry.dtype], mode="r", offset=entry.start, shape=shape)
    return widened(values, entry.dtype)


def widened(values, dtype):
    """Makes float32 of bfloat16, which NumPy does not have; other values stay as they are.

    Args:
        values: array of the type that DTYPES has for `dtype`.
        dtype: a key of DTYPES.
    """
    if dtype == "BF16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values


def write(path, weights):
    """Writes weights as a safetensors file that PyTorch opens, one weight at a time.

    Args:
        path: the file to write.
        weights: name → `(shape, read)` or `(shape, read, type)`; `read()` gives the values when
            their turn comes, and the type is a key of DTYPES, F32 where it is left out.

    Raises:
        OSError: if the system refuses (no space, no permission).
    """
    header, end = {"__metadata__": {"format": "pt"}}, 0
    types = {name: stated[0] if stated else "F32" for name, (_, _, *stated) in weights.items()}
    sizes = {name: np.dtype(DTYPES[kind]).itemsize for name, kind in types.items()}
    order = sorted(weights, key=lambda name: (-sizes[name], name))  # the widest first: aligned
    for name in order:
        shape = weights[name][0]
        start, end = end, end + sizes[name] * math.prod(shape)
        header[name] = {"dtype": types[name], "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # values start on a multiple of eight bytes
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            values = weights[name][1]()
            file.write(np.ascontiguousarray(values, dtype=DTYPES[types[name]]).data)
        file.flush()
        os.fsync(file.fileno())
