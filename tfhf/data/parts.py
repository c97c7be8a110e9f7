"""The parts of a streamed set: files here, or what `datasets` makes of a split on the Hub."""

import glob
import logging
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from tfhf.data.files import format_of, suffix_of
from tfhf.data.json_rows import JsonRows
from tfhf.data.rows import AT_ONCE
from tfhf.data.streams import check_text, text_lines
from tfhf.data.tables import Table, arrow_rows
from tfhf.errors import UserError

STREAMED = (".jsonl", ".ndjson", ".parquet", ".arrow", ".txt")
# What `datasets` and the libraries under it raise for a part that cannot be read on.
DAMAGES = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, EOFError, zlib.error)


@dataclass(frozen=True)
class Part:
    """A piece of a stream that is read from its beginning to its end.

    Args:
        name: what messages call it.
        dataset: a `datasets.IterableDataset`.
        where: row number from 0 → the place, as in `Table`.
        check: reads a damaged part once more and raises what is wrong with it; None where there is
            nothing that could.
        folder: as in `Table`.
    """

    name: str
    dataset: object
    where: Callable[[int], str]
    check: Callable[[], None] | None = None
    folder: Path | None = None

    def tables(self, row, most=AT_ONCE):
        """Yields the rows from one (from 0) on as Arrow tables of at most so many rows."""
        dataset = self.dataset.skip(row) if row else self.dataset
        try:
            for table in dataset.with_format("arrow").iter(batch_size=min(most, AT_ONCE)):
                yield table
                row += table.num_rows
        except DAMAGES as error:
            raise self._damaged(error, row) from error

    def _damaged(self, error, row):
        if self.check is not None:
            try:
                self.check()
            except UserError as found:
                return found
        lines = str(error).strip().splitlines() or [type(error).__name__]
        columns = [getattr(error, f"{one}_column_names", []) for one in ("table", "requested")]
        if more := sorted(set(columns[0]) - set(columns[1])):
            lines = [f"the rows before had no column {more[0]!r}"]
        reason = re.sub(r"\?\S+", "…", lines[0])[:200]  # no signed address
        remedy = "try again later" if self.check is None else "mend the file, or leave it out"
        return UserError(f"{self.name}: cannot be read on after row {row}: {reason}; {remedy}")

    def as_table(self, table, row):
        """Some of its rows, the first of which is `row`, as a `Table`."""
        import datasets

        place = self.where
        return Table(
            self.name, datasets.Dataset(table), lambda n: place(row + n), folder=self.folder
        )


def file_parts(files, encoding=None):
    """The parts of a stream of files, and how many rows they have, where the files say so.

    Args:
        files: list of existing Path.
        encoding: of text files; None means UTF-8.

    Raises:
        UserError: if a file is of a format that is not streamed, or cannot be read.
    """
    import datasets

    for path in files:
        if path.is_dir() or suffix_of(path) not in STREAMED:
            raise UserError(
                f"data.train: {path} is not streamed; write it as Parquet or JSON lines (.jsonl), "
                "or leave data.streaming out"
            )
        if not path.stat().st_size:
            raise UserError(f"{path} is empty")
    kinds = {format_of(path) for path in files}
    if len(kinds) > 1:
        raise UserError(
            f"data.train: files of several formats are not streamed together; received "
            f"{sorted(suffix_of(path) for path in files)}"
        )
    kind = kinds.pop()
    _hush()
    how = {"encoding": encoding} if encoding is not None and kind in ("json", "text") else {}
    # A row group may be the whole file; a list among texts would become JSON text.
    how |= {"parquet": {"batch_size": AT_ONCE}, "json": {"on_mixed_types": None}}.get(kind, {})
    names = [glob.escape(str(path.absolute())) for path in files]
    checks = [partial(_read_through, path, kind, encoding) for path in files]
    try:
        found = datasets.load_dataset(kind, data_files={"train": names}, streaming=True, **how)
    except DAMAGES as error:
        for check in checks:
            check()
        raise UserError(f"data.train: cannot be streamed: {str(error).splitlines()[0]}") from error
    parts = [
        Part(str(path), one, _places(path, kind, encoding), check, path.parent)
        for path, one, check in zip(files, _apart(found["train"]), checks, strict=True)
    ]
    return parts, _counted(files) if kind == "parquet" else None


def first_rows(source, dataset, count):
    """The first rows of a split on the Hub as a `Table`.

    Args:
        source, dataset: as for `hub_parts`.
        count: how many.
    """
    part = Part(source, dataset.take(count), lambda row: f"{source} row {row + 1}")
    tables = list(part.tables(0))
    if not tables:
        raise UserError(f"{source} has no rows")
    return part.as_table(pa.concat_tables(tables), 0)


def hub_parts(source, dataset):
    """The parts of a split on the Hub, and how many rows it has, where its card says so.

    Args:
        source: what messages call the split.
        dataset: its `datasets.IterableDataset`.
    """
    apart = _apart(dataset)
    names = [f"{source} part {n + 1} of {len(apart)}" for n in range(len(apart))]
    _hush()
    info = (dataset.info.splits or {}).get(str(dataset.split))
    known = info.num_examples if info is not None else None
    parts = [
        Part(name, one, lambda row, name=name: f"{name} row {row + 1}")
        for name, one in zip(names, apart, strict=True)
    ]
    return parts, known or None


def _apart(dataset):
    count = dataset.num_shards
    return [dataset.shard(count, number) for number in range(count)]


def _hush():
    """The one line of the error says what the library would log."""
    logging.getLogger("datasets.packaged_modules").setLevel(logging.CRITICAL)


def _counted(files):
    from pyarrow import parquet

    return sum(parquet.read_metadata(path).num_rows for path in files)


def _places(path, kind, encoding):
    """Row number from 0 → the place; as `read_table` says it."""
    if kind == "json":
        return lambda row: JsonRows(path, encoding).where(row)
    between = ":" if kind == "text" else " row "
    return lambda row: f"{path}{between}{row + 1}"


def _read_through(path, kind, encoding):
    """Reads a file as an ordinary set is read, and keeps nothing.

    Raises:
        UserError: what is wrong with it, and where.
    """
    if kind in ("json", "text"):
        check_text(path, encoding)
    batches = {
        "json": lambda: JsonRows(path, encoding).batches(),
        "text": lambda: text_lines(path, encoding),
    }.get(kind, lambda: arrow_rows(path, kind))
    for _ in batches():
        pass
