"""Weights that `torch.save` wrote (`pytorch_model.bin`), read without PyTorch.

Since release 1.6 such a file is a zip archive, uncompressed: `data.pkl`, which describes the
tensors, and an entry per storage. Before, it was a row of pickles with the storages behind them.
Both are mapped into memory like safetensors; see `pickles` for what is read of them.

Source: https://pytorch.org/docs/stable/notes/serialization.html
"""

import io
import math
import os
import struct
import zipfile
from dataclasses import dataclass

import numpy as np

from tfhf.errors import UserError
from tfhf.models import pickles
from tfhf.models.tensors import DTYPES, widened

ZIP = b"PK\x03\x04"
# How files before 1.6 begin: two pickles, of a number that means PyTorch and of their version.
BEGINNING = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."
LARGEST_PICKLE = 10_000_000  # bytes; about 100 stand for a tensor, whose values lie elsewhere


@dataclass(frozen=True)
class Entry:
    """Where one weight lies.

    Attributes:
        dtype: a key of `tensors.DTYPES`.
        shape: its shape.
        strides: values from one place to the next, per dimension.
        start: the first byte of its storage in the file.
        first: its first value in the storage.
        count: values of the storage.
    """

    dtype: str
    shape: tuple
    strides: tuple
    start: int
    first: int
    count: int


def read_header(path):
    """Reads what a file says of its tensors, and checks that they lie in it.

    Args:
        path: the file.

    Returns:
        Name → Entry.

    Raises:
        UserError: if it is truncated, damaged, or holds anything but tensors.
    """
    with open(path, "rb") as file:
        start = file.read(8)
        file.seek(0)
        if start == b"version ":
            raise UserError(f"{path} only points to the weights: run `git lfs pull` in its folder")
        try:
            tensors, place = (_zip if start.startswith(ZIP) else _old)(file)
            return {name: _entry(tensor, place) for name, tensor in tensors.items()}
        except pickles.Damaged as error:
            raise UserError(
                f"{path} is damaged, or torch.save did not write it: {error}"
            ) from error
        except pickles.Refused as error:
            raise UserError(
                f"{path} holds {error}: tfhf reads tensors alone from a pickle, and runs nothing of"
                " it; take a checkpoint in safetensors"
            ) from error


def read(path, entry):
    """Returns one weight as a NumPy array: a view of the mapped file, bfloat16 as a float32 copy.

    Args:
        path: the file.
        entry: the weight's Entry, from `read_header`.
    """
    if math.prod(entry.shape) == 0:
        return np.zeros(entry.shape, DTYPES[entry.dtype])
    values = np.memmap(path, DTYPES[entry.dtype], "r", offset=entry.start, shape=(entry.count,))
    strides = [stride * values.itemsize for stride in entry.strides]
    view = np.lib.stride_tricks.as_strided(
        values[entry.first :], entry.shape, strides, writeable=False
    )
    return widened(view, entry.dtype)


def _entry(tensor, place):
    """A tensor's Entry; `place(storage)` is the first byte of a storage."""
    storage = tensor.storage
    return Entry(
        storage.dtype, tensor.shape, tensor.strides, place(storage), tensor.first, storage.count
    )


def _tensors(held):
    """What was pickled, if that is a dictionary of tensors."""
    if not isinstance(held, dict):
        raise pickles.Refused(f"one {type(held).__name__.lower()}, no dictionary of tensors")
    for name, tensor in held.items():
        if not isinstance(tensor, pickles.Tensor):
            raise pickles.Refused(f"{name[:100]!r}, which is no tensor")
    return held


def _bytes_of(storage):
    return storage.count * np.dtype(DTYPES[storage.dtype]).itemsize


def _zip(file):
    """The tensors of an archive, and where its storages are."""
    try:
        archive = zipfile.ZipFile(file)
        entries = _stored_entries(archive)
        (main,) = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
        folder = main.removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in entries and entries[order].file_size == 3:  # `big`
            raise pickles.Refused("big-endian numbers")
        starts = {name: _first_byte(file, info) for name, info in entries.items()}
        if entries[main].file_size > LARGEST_PICKLE:
            raise pickles.Refused(f"a pickle of more than {LARGEST_PICKLE:,} bytes")
        tensors = _tensors(pickles.read(io.BytesIO(archive.read(main))))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, struct.error) as error:
        raise pickles.Damaged("its archive is cut off or packed") from error

    def place(storage):
        name = f"{folder}data/{storage.key}"
        if name not in entries or entries[name].file_size != _bytes_of(storage):
            raise pickles.Damaged(f"storage {storage.key[:100]!r} is missing, or of another size")
        return starts[name]

    return tensors, place


def _stored_entries(archive):
    """Name → entry of an archive whose entries are plain bytes, each name there once."""
    entries = {info.filename: info for info in archive.infolist()}
    if len(entries) != len(archive.infolist()):
        raise zipfile.BadZipFile
    for info in entries.values():
        packed = info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1
        if packed or info.file_size != info.compress_size:
            raise zipfile.BadZipFile
    return entries


def _first_byte(file, info):
    """Where the bytes of an entry begin: behind a header of its own."""
    size = os.fstat(file.fileno()).st_size
    if not 0 <= info.header_offset < size:
        raise zipfile.BadZipFile
    file.seek(info.header_offset)
    header = file.read(30)
    name, extra = struct.unpack("<HH", header[26:30])
    start = info.header_offset + 30 + name + extra
    if not header.startswith(ZIP) or start + info.file_size > size:
        raise zipfile.BadZipFile
    return start


def _old(file):
    """The same of a file from before release 1.6."""
    head = io.BytesIO(file.read(LARGEST_PICKLE))
    if not head.getvalue().startswith(BEGINNING):
        raise pickles.Damaged("it begins as no such file does")
    head.seek(len(BEGINNING))
    system = pickles.read(head)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise pickles.Refused("big-endian numbers")
    tensors = _tensors(pickles.read(head))
    storages = _storages(tensors)
    keys = pickles.read(head)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise pickles.Damaged("its list of storages is none")
    if len(keys) != len(storages) or set(keys) != storages.keys():
        raise pickles.Damaged("it has other storages than its tensors need")
    starts, size = {}, os.fstat(file.fileno()).st_size
    file.seek(head.tell())
    for key in keys:  # the number of its values, then the values
        count = int.from_bytes(file.read(8), "little")
        starts[key] = file.tell()
        file.seek(_bytes_of(storages[key]), os.SEEK_CUR)
        if file.tell() > size or count != storages[key].count:
            raise pickles.Damaged(f"storage {key[:100]!r} is cut off, or of another size")
    return tensors, lambda storage: starts[storage.key]


def _storages(tensors):
    """Key → storage of the tensors."""
    found = {}
    for tensor in tensors.values():
        if found.setdefault(tensor.storage.key, tensor.storage) != tensor.storage:
            raise pickles.Damaged("one storage has two kinds of numbers")
    return found
