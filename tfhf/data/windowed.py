"""Batches of a stream: window after window is tokenized, mixed and cut into batches on the way.

A window's batches are those that `orders.Plan` makes of as many examples: drawn at random, sorted
by length inside windows of some batches, cut, and drawn again. Windows are counted over all epochs
and the count stands where an ordinary set has the epoch, so the order is a pure function of the
seed, too. A set that is no longer than its window is trained on exactly as an ordinary one is.
While the batches of one window are trained on, a thread tokenizes the next; no more than these two
are held in memory.
"""

import contextlib
import itertools
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from tfhf.data.batches import finisher, in_order, made_ahead
from tfhf.data.streaming import Position
from tfhf.data.tokens import encoded, flattened, narrowed
from tfhf.errors import UserError


class StreamPlan:
    """The batches of a training on a stream; what `orders.Plan` is to an ordinary set.

    Args:
        stream: a settled `streaming.Stream`.
        task: the Task.
        store: the TokenStore of the stream's first window.
        plan: the Plan of that window: how batches are made.
        steps: batches per epoch.

    Attributes:
        lengths: `(N,)` int array, tokens of each example of the first window.
        failure: what ended the stream, or None.
    """

    def __init__(self, stream, task, store, plan, steps):
        self.stream, self.task, self.steps = stream, task, steps
        self.lengths, self.seed = plan.lengths, plan.seed
        self.batch_size, self.batch_tokens = plan.batch_size, plan.batch_tokens
        self._plan, self._store = plan, store
        self._shares = deque()  # of the batches that were made and are not trained on yet
        self._begun = deque()  # (batches before it, Position) of each window
        self.failure = None

    def dataset(self, start=None):
        """The batches from a position on, without an end, as a `tf.data.Dataset`.

        Args:
            start: a Position; None for the beginning.

        Returns:
            A dataset of `(inputs, targets, weights)`, see `batches.assembler`.
        """
        return self._fed(lambda: self._made(start or Position()), "train")

    def shuffled_dataset(self):
        """One epoch per pass: the n-th iteration of the dataset gives epoch n, counted from 0."""
        passes = itertools.count()

        def one_epoch():
            # Windows are numbered from the pass on, so that none is mixed twice in the same way.
            epoch = next(passes)
            for at, window in self._rest(Position(epoch=epoch, window=epoch)):
                for rows in replace(self._plan, lengths=window.lengths).in_numpy(at.window):
                    yield _fed_of(at, window, rows)[0]

        return self._fed(one_epoch, "train")

    def evaluation_dataset(self):
        """All rows in the order in which they come, once per pass."""

        def all_rows():
            for at, window in self._rest(Position()):
                order = in_order(len(window.lengths), batch_size=self.batch_size)
                for first, last in itertools.pairwise(order.bounds):
                    yield _fed_of(at, window, order.rows[first:last])[0]

        return self._fed(all_rows, "evaluate")

    def _fed(self, made, phase):
        """The dataset of what `made()` yields for `finisher`."""
        import tensorflow as tf

        finish = tf.autograph.experimental.do_not_convert(finisher(self.task, phase, self.seed))
        found = tf.data.Dataset.from_generator(made, output_signature=self._signature())
        return made_ahead(found, finish)

    def shares(self, epoch):
        """Yields the real tokens and all tokens of each batch, in the order of the training."""
        while True:
            yield self._shares.popleft()

    def position(self, batches):
        """Where a training stands after some batches of the dataset that was made last.

        A new dataset that starts there goes on with the batch that would have come next.
        """
        before, at = next(one for one in reversed(self._begun) if one[0] <= batches)
        return replace(at, batch=batches - before)

    def _signature(self):
        import tensorflow as tf

        size, columns = self.batch_size, {}
        for name in self._store.names:
            kind, shape = self._store.arrays[name]
            if name in self._store.padding:
                columns |= dict.fromkeys(_pair(name), tf.TensorSpec((size, None), tf.int32))
            else:
                columns[name] = tf.TensorSpec((size, *shape[1:]), tf.as_dtype(kind))
        rows = tf.TensorSpec((size,), tf.int64)
        return columns, rows, rows, tf.TensorSpec((size,), tf.float32), tf.TensorSpec((), tf.int64)

    def _made(self, start):
        """Yields what `finisher` takes; notes what is made."""
        self._shares.clear()
        self._begun.clear()
        made, done = 0, start.batch
        try:
            for at, window in _ahead(self._windows(start, self.stream.windows)):
                self._begun.append((made - done, at))
                plan = replace(self._plan, lengths=window.lengths)
                for rows in itertools.islice(plan.in_numpy(at.window), done, None):
                    found, share = _fed_of(at, window, rows)
                    self._shares.append(share)
                    made += 1
                    yield found
                done = 0
        except Exception as error:  # TensorFlow would make a text of it
            self.failure = error
            raise

    def _rest(self, start):
        """Yields the position and the examples of each window of one epoch."""
        return _ahead(self._windows(start, self.stream.rest))

    def _windows(self, start, read):
        """Yields the position and the examples of each window that `read(start)` yields."""
        number, epoch, first = start.window, start.epoch, start.examples
        for at, rows in read(start):
            if at.epoch != epoch:
                epoch, first = at.epoch, 0
            window = _Window(rows, self.task, self._store)
            yield replace(at, window=number, examples=first, batch=0), window
            number, first = number + 1, first + len(window.lengths)


class _Window:
    """The examples of a window, in memory.

    Args:
        dataset: its rows.
        task: the Task that encodes them.
        store: a TokenStore of other rows of the set, whose columns these have, too.
    """

    def __init__(self, dataset, task, store):
        self.padding = store.padding
        parts = {name: [] for name in store.arrays if not name.endswith(".offsets")}
        for columns, rows in encoded(dataset, task):
            for name, values in (columns | {"row": rows}).items():
                parts[name].append(flattened(values) if name in self.padding else narrowed(values))
        self.plain, self.ragged = {}, {}
        for name, found in parts.items():
            if name in self.padding:
                ids, lengths = (np.concatenate(part) for part in zip(*found, strict=True))
                self.ragged[name] = ids.astype(np.int32), np.cumsum(lengths) - lengths, lengths
            elif name in store.names or name == "length":
                self.plain[name] = np.concatenate(found)
        self.lengths = self._lengths(sum(map(len, parts["row"])))

    def _lengths(self, count):
        """As `TokenStore.lengths`."""
        if "length" in self.plain:
            return self.plain.pop("length").astype(np.int32)
        longest = [lengths for _, _, lengths in self.ragged.values()]
        return np.max(longest, 0).astype(np.int32) if longest else np.ones(count, np.int32)

    def batch(self, rows):
        """The columns of a batch, padded to its longest, and its real tokens and all tokens.

        Args:
            rows: `(B,)` int64 example numbers, -1 where a place is to be filled up.
        """
        real = np.where(rows >= 0, self.lengths[rows], 0)
        rows = np.where(rows >= 0, rows, rows.max())
        columns = {name: values[rows] for name, values in self.plain.items()}
        for name, (ids, starts, lengths) in self.ragged.items():
            places = np.arange(lengths[rows].max())
            there = places < lengths[rows][:, None]
            found = ids[np.where(there, starts[rows][:, None] + places, 0)]
            filled = np.where(there, found, np.int32(self.padding[name]))
            columns |= dict(zip(_pair(name), (filled, there.astype(np.int32)), strict=False))
        return columns, (int(real.sum()), int(real.max()) * len(rows))


def _fed_of(at, window, rows):
    """What `finisher` takes of a batch, and its share.

    Args:
        at: the Position of the window.
        window, rows: as for `_Window.batch`.
    """
    columns, share = window.batch(rows)
    feature = np.where(rows >= 0, at.examples + rows, -1)
    filled = np.where(rows >= 0, feature, feature.max()) % 2**31
    return (columns, filled, feature, (rows >= 0).astype(np.float32), at.epoch), share


def _pair(name):
    """A ragged column, and its mask where it has one."""
    if name.endswith("input_ids"):
        return name, name.removesuffix("input_ids") + "attention_mask"
    return (name,)


def _ahead(found):
    """Yields what an iterator gives; a thread makes the next while one is used."""
    thread = ThreadPoolExecutor(1)
    try:
        coming = thread.submit(next, found, None)
        while (one := coming.result()) is not None:
            coming = thread.submit(next, found, None)
            yield one
    finally:
        thread.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def telling(plan):
    """Inside, what a stream found wrong is raised as it is, not as TensorFlow wraps it.

    Args:
        plan: a StreamPlan; another Plan has nothing to tell.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError:
        failure = getattr(plan, "failure", None)
        if failure is None:
            raise
        raise failure from None


def plan(stream, task, store, first, rows, settings):
    """Plans the batches of a training on a stream.

    Args:
        stream, task, store: as for StreamPlan.
        first: the Plan of the first window.
        rows: that window's rows.
        settings: `steps_per_epoch`, `batch_size` and `batch_tokens` of the recipe.

    Returns:
        A StreamPlan.

    Raises:
        UserError: if an example may be too long for a batch, or nobody knows how many batches an
            epoch has.
    """
    check_longest(task, settings.batch_tokens, first.slices)
    steps = settings.steps_per_epoch or _steps(stream, task, rows, settings.batch_size)
    return StreamPlan(stream, task, store, first, steps)


def check_longest(task, batch_tokens, slices=1):
    """Refuses batches of fewer tokens than the longest example that may come has."""
    names = ("max_length", "max_target_length")
    longest = max(task.settings().get(name) or 0 for name in names)
    if batch_tokens is not None and batch_tokens < longest * slices:
        times = f" × {slices} (replicas × accumulate)" if slices > 1 else ""
        raise UserError(
            f"train.batch_tokens: must be {longest * slices} or more, the longest example "
            f"that options.max_length allows{times}, because a stream may hold one; received "
            f"{batch_tokens}"
        )


def _steps(stream, task, rows, batch_size):
    """Batches per epoch, as they follow from the number of rows."""
    remedies = {
        "nobody has said how many rows data.train streams: set it, or data.rows": (
            stream.rows is None
        ),
        "batches of a number of tokens hold as many rows as fit: set it": batch_size is None,
        "rows may be left out (data.on_unlabeled, data.on_empty): set it": stream.drops,
        f"a row of {task.name()} may give several examples: set it": (
            "row" in task.encode(rows[:1])
        ),
    }
    for remedy, holds in remedies.items():
        if holds:
            raise UserError(
                f"train.steps_per_epoch is missing, and {remedy}; it says after how many updates "
                "the model is validated"
            )
    return -(-stream.rows // batch_size)
