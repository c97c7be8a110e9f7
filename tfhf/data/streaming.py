"""Sets that are read as they are trained on: nothing of them is kept, in memory or on disk.

`datasets` reads; a set comes in parts (files, for most). An epoch takes the parts in an order of
its own, drawn from (seed, epoch), and the rows of a part as they lie there. Rows are handed out in
windows of some thousand, and every window is checked as an ordinary set is; what mixes the rows
inside a window stands in `tfhf.data.windowed`. Where the next window begins is a `Position`, so a
training that was stopped begins there again: the rows before it are skipped, not checked and not
tokenized.
"""

import sys
from dataclasses import dataclass, replace

import numpy as np

from tfhf.data.parts import hub_parts
from tfhf.data.reading import check_rows
from tfhf.data.rows import Rows
from tfhf.errors import UserError


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


class Stream:
    """The training rows of a streamed set.

    Args:
        parts: list of Part.
        known: rows that they have together; None where nobody knows.
        window: rows handed out together, 1 or more.
        seed: decides the order of the parts; None takes them as they lie there, in every epoch.
        told: rows of an epoch, as the recipe says; a longer stream is cut there. None for all.
        name: what messages call the set.

    Attributes:
        rows: rows of an epoch; None where nobody knows.
        looked_at: rows of the first window, which were read before the training.

    Raises:
        UserError: if there are fewer rows than was told.
    """

    def __init__(self, parts, known=None, *, window, seed, told=None, name="data.train"):
        self.parts, self.window, self.seed, self.name = parts, window, seed, name
        self.rows = self._told = told
        self.looked_at = 0
        self._settled = None
        if known is not None:
            self._check_told(known)
            self.rows = told or known

    def first_tables(self):
        """The `Table`s of the first window of the set as it lies there: what is known before."""
        _, tables, self.looked_at = next(self._windows(Position(), range(len(self.parts))))
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
            yield from self.rest(start)
            start = replace(start, epoch=start.epoch + 1, part=0, row=0, rows=0)

    def rest(self, start):
        """Yields the windows from a position to the end of its epoch, as `windows` does."""
        order = range(len(self.parts))
        if self.seed is not None:
            order = np.random.default_rng([self.seed, start.epoch]).permutation(len(order))
        rows = start.rows
        for at, tables, end in self._windows(start, order):
            yield at, self._checked(tables, at.rows, end)
            rows = end
        self._check_told(rows)

    def _check_told(self, rows):
        if self._told is not None and rows < self._told:
            raise UserError(
                f"data.train: the stream ends after {rows:,} rows, but data.rows says "
                f"{self._told:,}; lower it, or leave it out and set train.steps_per_epoch"
            )

    def _windows(self, at, order):
        """Yields `(Position, list of Table, rows of the epoch at its end)` until the epoch ends."""
        found, count, rows = [], 0, at.rows
        for place, row, table in self._tables(at, order):
            while table.num_rows:
                some = table.slice(0, self.window - count)
                found.append(self.parts[order[place]].as_table(some, row))
                taken, table = some.num_rows, table.slice(some.num_rows)
                count, row, rows = count + taken, row + taken, rows + taken
                if count == self.window:
                    yield at, found, rows
                    at, found, count = replace(at, part=place, row=row, rows=rows), [], 0
        if found:
            yield at, found, rows
        elif not rows:
            raise UserError(f"{self.name}: {self.parts[0].name} has no rows")

    def _tables(self, at, order):
        """Yields `(place of a part, number of the first row in it, Arrow table)`."""
        left = sys.maxsize if self._told is None else self._told - at.rows
        for place in range(at.part, len(order)):
            row = at.row if place == at.part else 0
            for table in self.parts[order[place]].tables(row, self.window) if left else ():
                yield place, row, table.slice(0, left)
                row, left = row + table.num_rows, left - min(left, table.num_rows)
                if not left:
                    return

    def _checked(self, tables, first, last):
        kinds, columns, *how = self._settled
        rows = Rows(named(first, last, self.name), tables, kinds, columns)
        for role in self._roles ^ set(rows.matched):
            raise UserError(
                f"{tables[0].name}: column {role!r} is in some files of data.train and not in "
                "others; give all files the same columns"
            )
        dataset, keep, _ = check_rows(rows, kinds, *how)
        return dataset if len(keep) == len(dataset) else dataset.select(keep)


def named(first, last, name="data.train"):
    """What messages call some rows of an epoch, numbered from 0."""
    return f"{name}, rows {first + 1:,} to {last:,}"


def whole_batches(window, batch_size):
    """Rows of a window of a stream, so that only the last batch of an epoch is filled up."""
    if window is None or batch_size is None:
        return window
    return -(-window // batch_size) * batch_size


def conform(dataset, kinds, columns, features, *, window, seed):
    """Opens a `datasets.IterableDataset` with the columns a task expects.

    Args:
        dataset: the `datasets.IterableDataset`.
        kinds, columns, features: as for `memory.conform`.
        window, seed: as for Stream.

    Returns:
        The Stream, and the rows of its first window as a `datasets.Dataset`.

    Raises:
        UserError: if a column is missing or a value of the first window does not fit.
    """
    parts, _ = hub_parts("the dataset", dataset)  # it may have picked some of the rows it tells of
    stream = Stream(parts, window=window, seed=seed, name="the dataset")
    kinds = {role: kind.required() for role, kind in kinds.items() if role in features}
    tables = stream.first_tables()
    first = Rows(named(0, stream.looked_at, stream.name), tables, kinds, columns)
    learned = {role: kind.learned(features[role]) for role, kind in kinds.items()}
    stream.settle(first, kinds, columns, learned, "error", "keep")
    return stream, check_rows(first, kinds, learned)[0]


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
                "data.labels is missing: a stream is not searched for its classes, so name them in "
                f"their order; the first {len(rows):,} rows have "
                f"{', '.join(map(repr, found[:10]))}{more}"
            )
