"""Sets that are read as they are trained on: nothing of them is kept, in memory or on disk.

`datasets` reads; a set comes in parts (files, for most). An epoch takes the parts in an order of
its own, drawn from (seed, epoch), and the rows of a part as they lie there. Rows are handed out in
windows of some thousand, and every window is checked as an ordinary set is; what mixes the rows
inside a window stands in `tfhf.data.windowed`. Where the next window begins is a `Position`, so a
training that was stopped begins there again: the rows before it are skipped, not checked and not
tokenized.
"""

import logging
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from tfhf.data.files import format_of, suffix_of
from tfhf.data.json_rows import JsonRows
from tfhf.data.reading import check_rows
from tfhf.data.rows import AT_ONCE, Rows
from tfhf.data.streams import check_text, text_lines
from tfhf.data.tables import Table, arrow_rows
from tfhf.errors import UserError

STREAMED = (".jsonl", ".ndjson", ".parquet", ".arrow", ".txt")
# What `datasets` and the libraries under it raise for a part that cannot be read on.
DAMAGES = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, EOFError, zlib.error)


@dataclass(frozen=True)
class Position:
    """Where a training stands in a stream; plain numbers, so that a checkpoint can hold them.

    Args:
        epoch: passes over the stream that are done.
        window: windows that are done, of all epochs.
        part: parts of this epoch that are done.
        row: rows of the next part that are done.
        rows: rows of this epoch that are done.
        examples: examples that they gave.
        batch: batches of the next window that are done.
    """

    epoch: int = 0
    window: int = 0
    part: int = 0
    row: int = 0
    rows: int = 0
    examples: int = 0
    batch: int = 0


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

    def tables(self, row):
        """Yields the rows from one (from 0) on as Arrow tables of at most `AT_ONCE` rows."""
        dataset = self.dataset.skip(row) if row else self.dataset
        try:
            for table in dataset.with_format("arrow").iter(batch_size=AT_ONCE):
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


class Stream:
    """The training rows of a streamed set.

    Args:
        parts: list of Part.
        known: rows that they have together; None where nobody knows.
        window: rows handed out together, 1 or more.
        seed: decides the order of the parts.
        told: rows of an epoch, as the recipe says; a longer stream is cut there. None for all.

    Attributes:
        rows: rows of an epoch; None where nobody knows.
        looked_at: rows of the first window, which were read before the training.

    Raises:
        UserError: if there are fewer rows than was told.
    """

    def __init__(self, parts, known=None, *, window, seed, told=None):
        self.parts, self.window, self.seed = parts, window, seed
        self.rows = self._told = told
        self.looked_at = 0
        self._settled = None
        if known is not None:
            self._check_told(known)
            self.rows = told or known

    def first_tables(self):
        """The `Table`s of the first window of the set as it lies there: what is known before."""
        _, tables, _ = next(self._windows(Position(), range(len(self.parts))))
        self.looked_at = sum(len(table.dataset) for table in tables)
        if self.looked_at < self.window:
            self._check_told(self.looked_at)
        return tables

    def settle(self, first, kinds, columns, learned, on_unlabeled, on_empty):
        """Takes over what the first window and the recipe decided for every row.

        Args:
            first: `Rows` of the first window.
            kinds, columns, learned, on_unlabeled, on_empty: as in `load` and `check_rows`.
        """
        self._settled = kinds, columns, learned, on_unlabeled, on_empty
        self._roles = set(first.matched)

    @property
    def drops(self):
        """Whether rows may be left out, so that nobody knows how many are trained on."""
        return "drop" in self._settled[3:]

    def windows(self, start):
        """Yields the windows from a position on, epoch after epoch, without an end.

        Yields:
            The Position at which a window begins, and its rows as `datasets.Dataset` whose columns
            are the roles. `window`, `examples` and `batch` are those of `start`.

        Raises:
            UserError: if a row cannot be read or used, or the stream is shorter than was told.
        """
        while True:
            order = np.random.default_rng([self.seed, start.epoch]).permutation(len(self.parts))
            end = start.rows
            for at, tables, end in self._windows(start, order):
                yield at, self._checked(tables, at.rows)
            self._check_told(end)
            start = replace(start, epoch=start.epoch + 1, part=0, row=0, rows=0)

    def _check_told(self, rows):
        if self._told is not None and rows < self._told:
            raise UserError(
                f"data.train: the stream ends after {rows:,} rows, but data.rows says "
                f"{self._told:,}; lower it, or leave it out and set train.steps_per_epoch"
            )

    def _windows(self, at, order):
        """Yields `(Position, list of Table, rows of the epoch at its end)` until the epoch ends."""
        found, count, rows = [], 0, at.rows
        for place in range(at.part, len(order)):
            part, row = self.parts[order[place]], at.row if place == at.part else 0
            for table in part.tables(row):
                while table.num_rows and rows != self._told:
                    most = self.window - count
                    most = most if self._told is None else min(most, self._told - rows)
                    some = table.slice(0, most)
                    found.append(part.as_table(some, row))
                    taken = some.num_rows
                    table = table.slice(taken)
                    count, row, rows = count + taken, row + taken, rows + taken
                    if count == self.window:
                        yield at, found, rows
                        at, found, count = replace(at, part=place, row=row, rows=rows), [], 0
                if rows == self._told:
                    break
            if rows == self._told:
                break
        if found:
            yield at, found, rows
        elif not rows:
            raise UserError(f"data.train: {self.parts[0].name} has no rows")

    def _checked(self, tables, first):
        kinds, columns, *how = self._settled
        last = first + sum(len(table.dataset) for table in tables)
        rows = Rows(named(first, last), tables, kinds, columns)
        for role in self._roles ^ set(rows.matched):
            raise UserError(
                f"{tables[0].name}: column {role!r} is in some files of data.train and not in "
                "others; give all files the same columns"
            )
        dataset, keep, _ = check_rows(rows, kinds, *how)
        return dataset if len(keep) == len(dataset) else dataset.select(keep)


def named(first, last):
    """What messages call some rows of an epoch, numbered from 0."""
    return f"data.train, rows {first + 1:,} to {last:,}"


def check_named(rows, kinds, labels):
    """Makes sure that the recipe or the columns of classes say which classes there are.

    Args:
        rows: `Rows` of the first window.
        kinds: role → kind.
        labels: `data.labels`, or None.

    Raises:
        UserError: if one does not.
    """
    for role, column in rows.matched.items():
        kind = kinds[role]
        if labels or not kind.classes or getattr(kind, "problem", None) == "regression":
            continue
        feature = None if isinstance(column, list) else rows.tables[0].feature(column)
        inner = getattr(feature, "feature", feature)
        if not isinstance(column, list) and getattr(inner, "names", None) is None:
            found = kind.decide(rows, role, None)[0].names
            more = ", …" if len(found) > 10 else ""
            raise UserError(
                f"data.labels is missing: a stream is not searched for its classes, so name them in "
                f"their order; the first {len(rows):,} rows have "
                f"{', '.join(map(repr, found[:10]))}{more}"
            )


# === Where the parts come from ===


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
    names = [str(path.absolute()) for path in files]
    checks = [partial(_read_through, path, kind, encoding) for path in files]
    try:
        found = datasets.load_dataset(kind, data_files={"train": names}, streaming=True, **how)
    except DAMAGES:
        for check in checks:
            check()
        raise
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
    return (lambda row: f"{path}:{row + 1}") if kind == "text" else lambda row: f"{path} row {row + 1}"


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
