"""Every kind of file → rows in a memory-mapped Arrow file in the datasets cache."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tfhf.data.conll_rows import ConllRows
from tfhf.data.csv_rows import csv_rows
from tfhf.data.files import IMAGES, class_files, format_of, suffix_of
from tfhf.data.image_files import folder_rows, npz_rows
from tfhf.data.json_rows import MIXED, JsonRows
from tfhf.data.streams import check_text, text_lines
from tfhf.errors import StorageError, UserError

VERSION = 1  # of the cached files; raise it when reading changes


@dataclass(frozen=True)
class Table:
    """The rows of one file, or of one split on the Hub.

    Args:
        name: what messages call it.
        dataset: a memory-mapped `datasets.Dataset` with all columns.
        where: row number from 0 → the place, as messages call it: `a.csv row 17` (rows are counted
            from 1, without the header), `a.jsonl:17` for one row per line.
        untyped: every value is text because the format knows nothing else (CSV).
        mixed: columns that mix types → which and where; they hold JSON text.
        folder: what paths in the rows are relative to; None for the working folder.
    """

    name: str
    dataset: object
    where: Callable[[int], str]
    untyped: bool = False
    mixed: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def inner(self):
        """Names of the values inside objects: `translation.en`."""
        return [
            f"{one.name}.{part.name}"
            for one in self.dataset.data.schema
            if pa.types.is_struct(one.type)
            for part in one.type
        ]

    def column(self, name):
        """The rows' values of a column, or inside one: a memory-mapped `pa.ChunkedArray`."""
        data = self.dataset.data
        if name in data.column_names:
            return data.column(name)
        column, part = self._parts(name)
        return pc.struct_field(data.column(column), [part])

    def feature(self, name):
        """The `datasets` feature of a column, or of the values inside one; None if unknown."""
        features = self.dataset.features
        if name in features:
            return features[name]
        column, part = self._parts(name)
        return features[column].get(part) if isinstance(features[column], dict) else None

    def _parts(self, name):
        names = ((one, name.removeprefix(f"{one}.")) for one in self.dataset.column_names)
        return next(
            (one, part) for one, part in names if f"{one}.{part}" in self.inner and part != name
        )


def read_table(path, *, encoding=None, separator=None, field=None):
    """Reads one file, or one folder with a sub-folder of `.txt` files or images per class.

    Args:
        path: a CSV, TSV, JSON, JSONL, Parquet, Arrow, CoNLL, CoNLL-U, NPZ or text file, or such a
            folder.
        encoding: of a text format; None means UTF-8.
        separator: between the fields of a CSV file; None means a comma, or a tab for `.tsv`.
        field: the field of a JSON object that holds the rows.

    Returns:
        A `Table` of at least one row.

    Raises:
        UserError: if the file cannot be read; names the file and, where it can, the line.
        StorageError: if the cache cannot be written.
    """
    if path.is_dir():
        return _read_folder(path, encoding)
    kind = format_of(path)
    if field is not None and kind != "json":
        raise UserError(f"data.field: only JSON files have fields; {path} is {suffix_of(path)}")
    if kind in ("parquet", "arrow", "npz"):
        return _read_binary(path, kind)
    key = [check_text(path, encoding), encoding, kind]
    if kind == "csv":
        separator = _separator(path, separator)
        dataset = _cached(path, [*key, separator], lambda: csv_rows(path, encoding, separator))
        return Table(str(path), dataset, _by_row(path), untyped=True, folder=path.parent)
    if kind == "text":
        dataset = _cached(path, key, lambda: text_lines(path, encoding))
        return Table(str(path), dataset, lambda row: f"{path}:{row + 1}", folder=path.parent)
    if kind.startswith("conll"):
        rows = ConllRows(path, encoding, universal=kind == "conllu")
        return Table(str(path), _cached(path, key, rows.batches), rows.where)
    rows = JsonRows(path, encoding, field)
    dataset = _cached(path, [*key, suffix_of(path), field], rows.batches)
    return Table(str(path), dataset, rows.where, mixed=_mixed(dataset), folder=path.parent)


def _mixed(dataset):
    # `datasets` drops metadata that it does not know, so the file is asked.
    with pa.memory_map(dataset.cache_files[0]["filename"]) as source:
        return json.loads(pa.ipc.open_stream(source).schema.metadata[MIXED])


def _by_row(path):
    return lambda row: f"{path} row {row + 1}"


def _separator(path, separator):
    if separator is None:
        return "\t" if suffix_of(path) == ".tsv" else ","
    separator = {"\\t": "\t", "tab": "\t"}.get(separator, separator)
    if len(separator) != 1 or separator in '"\r\n' or not separator.isascii():
        raise UserError(
            f'data.separator: expected one ASCII character such as "," or "\\t", received '
            f"{separator!r}"
        )
    return separator


def _read_folder(folder, encoding):
    files = class_files(folder)
    states = [(str(one), one.stat().st_size, one.stat().st_mtime_ns) for one in files]
    key = [hashlib.blake2b(repr(states).encode()).hexdigest(), encoding, "folder"]
    if files[0].suffix.lower() in IMAGES:
        key[-1] = f"images of {folder.absolute()}"
        dataset = _cached(folder, key, lambda: folder_rows(files))
    else:
        dataset = _cached(folder, key, lambda: _text_rows(files, encoding))
    return Table(str(folder), dataset, lambda row: str(files[row]))


def _text_rows(files, encoding):
    for start in range(0, len(files), 1000):
        texts, labels = [], []
        for path in files[start : start + 1000]:
            try:
                texts.append(path.read_bytes().decode(encoding or "utf-8-sig").rstrip("\r\n"))
            except (UnicodeDecodeError, LookupError):
                check_text(path, encoding)  # raises, and says which byte at which line
                raise
            labels.append(path.parent.name)
        yield pa.record_batch({"text": texts, "label": labels})


def _read_binary(path, kind):
    try:
        with open(path, "rb") as stream:
            digest = hashlib.file_digest(stream, "blake2b").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    rows = npz_rows if kind == "npz" else partial(arrow_rows, kind=kind)
    dataset = _cached(path, [digest, kind], lambda: rows(path))
    return Table(str(path), dataset, _by_row(path), folder=path.parent)


def arrow_rows(path, kind):
    """Yields the batches of a Parquet or Arrow file; every kind of string becomes plain string."""
    if not path.stat().st_size:
        raise UserError(f"{path} is empty")
    try:
        schema, batches = _open_parquet(path) if kind == "parquet" else _open_arrow(path)
        for name in schema.names:
            if schema.names.count(name) > 1:
                raise UserError(f"{path}: two columns are called {name!r}; rename one of them")
        plain = pa.schema([one.with_type(_plain(one.type)) for one in schema], schema.metadata)
        _check_types(path, plain)
        rows = 0
        for batch in batches:
            if kind == "arrow":  # read as it lies there: wrong offsets would end the process
                for column in batch.columns:
                    column.view(_bytes(column.type)).validate(full=True)
            rows += batch.num_rows
            yield from pa.Table.from_batches([batch]).cast(plain).to_batches()
    except (pa.ArrowException, OSError, UnicodeDecodeError):  # the last for names of columns
        raise UserError(
            f"{path}: not a readable {kind.capitalize()} file: cut short, damaged, or of another "
            "format; write it again"
        ) from None
    if not rows:
        raise UserError(f"{path} has no rows")


def _check_types(path, schema):
    """Refuses columns of types that rows of a dataset cannot have, such as Arrow's maps."""
    from datasets.features.features import generate_from_arrow_type

    for one in schema:
        try:
            generate_from_arrow_type(one.type)
        except ValueError:
            raise UserError(
                f"{path}: column {one.name!r} has the type {one.type}, which is not read; write "
                "the file without it, or in another type"
            ) from None


def _open_parquet(path):
    from pyarrow.parquet import ParquetFile

    file = ParquetFile(path)
    return file.schema_arrow, file.iter_batches()


def _open_arrow(path):
    """Opens either of Arrow's two layouts: stream (as `datasets` writes) or file."""
    source = pa.memory_map(str(path))
    if source.read(6) == b"ARROW1":
        file = pa.ipc.open_file(source)
        return file.schema, (file.get_batch(i) for i in range(file.num_record_batches))
    source.seek(0)
    stream = pa.ipc.open_stream(source)
    return stream.schema, iter(stream)


def _plain(kind):
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_plain(kind.value_type))
    return kind


def _bytes(kind):
    """A type with its strings taken for bytes, because characters are checked later, by row."""
    types = pa.types
    if types.is_list(kind):
        return pa.list_(_bytes(kind.value_type))
    if types.is_large_list(kind):
        return pa.large_list(_bytes(kind.value_type))
    if types.is_struct(kind):
        return pa.struct([(one.name, _bytes(one.type)) for one in kind])
    pairs = {
        pa.string(): pa.binary(),
        pa.large_string(): pa.large_binary(),
        pa.string_view(): pa.binary_view(),
    }
    return pairs.get(kind, kind)


def _cached(origin, key, batches):
    """Writes record batches to the cache, unless they are there, and maps the file into memory.

    The key holds a digest of the content, so a changed file is read again and a copy is not.
    """
    import datasets

    digest = hashlib.blake2b(repr([VERSION, *key]).encode(), digest_size=16).hexdigest()
    path = Path(datasets.config.HF_DATASETS_CACHE) / "tfhf" / f"{digest}.arrow"
    if not path.exists():
        _write(path, _named(origin, batches()))
    return datasets.Dataset.from_file(str(path))


def _named(origin, batches):
    """The batches, if what their columns are called can be written: `datasets` loses a NUL."""
    for batch in batches:
        for one in batch.schema:
            if "\0" in f"{one.name}{one.type}":
                raise UserError(f"{origin}: a NUL is in the name of column {one.name!r}; rename it")
        yield batch


def _write(path, batches):
    """Writes aside, then renames: a killed process leaves no half file under the final name."""
    first = next(batches)
    aside = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(aside), "wb") as sink, pa.ipc.new_stream(sink, first.schema) as writer:
            writer.write(first)
            for batch in batches:
                writer.write(batch)
        os.replace(aside, path)
    except OSError as error:
        raise StorageError(
            f"cannot write the data cache {path.parent}: {error.strerror or error}; free space "
            "there or set HF_DATASETS_CACHE"
        ) from None
    finally:
        if aside.exists():
            aside.unlink()
