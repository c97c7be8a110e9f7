"""Which features make which batch, in an order that is a pure function of (seed, epoch).

Batches of one size: features are permuted, cut into windows of some batches, sorted by length
inside each window, cut into batches, and the batches are permuted. At a window of 50 batches about
95 % of the tokens fed are real, against about half in batches drawn at random, which are a window
of 1.

Batches of a number of tokens, or of a few widths: features are permuted, collected by ranges of
lengths, and cut where the tokens are reached, longest range first; then the batches are permuted.
Where they are cut follows from the lengths alone, so every epoch has the same number of steps.

More than a million features are planned a group after the other: a group is made of blocks of
neighbours from all over the store, so that its features are read from the disk together. Every
operation is stateless: any worker can compute any epoch alone, and skipping to step k costs
nothing.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tfhf.data.widths import widths
from tfhf.errors import UserError

WINDOW = 50  # batches sorted together; larger pads less and mixes lengths less
RANGES = 32  # of lengths that share batches of a number of tokens
GROUP = 2**20  # features planned together
GROUP_TOKENS = 2**28  # likewise; half a gigabyte of token ids
BLOCKS = 512  # per group; a block is read as a whole


class Batches(NamedTuple):
    """Batches, one behind the other.

    Attributes:
        rows: `(M,)` int64 feature numbers; -1 fills a batch up and stands for no feature.
        bounds: `(steps + 1,)` int64; batch k is `rows[bounds[k] : bounds[k + 1]]`.
    """

    rows: np.ndarray
    bounds: np.ndarray

    @property
    def steps(self):
        """Number of batches."""
        return len(self.bounds) - 1


def window(task):
    """How many batches of a task are sorted together; 1 leaves every batch as it is drawn.

    Rows of like lengths are often of one source (questions to one passage), and a loss that
    compares the rows of a batch would take them for each other's negatives.
    """
    return 1 if task.compares_rows(**task.settings()) else WINDOW


def plan(store, task, *, seed, batch_size=None, batch_tokens=None, shapes=None, slices=1):
    """Plans the batches of a training.

    Args:
        store: a TokenStore.
        task: the Task that made it.
        seed, slices: as for `Plan`.
        batch_size: features per batch; or
        batch_tokens: most tokens per batch, padding included.
        shapes: most widths that batches may have; None for those of their longest features.

    Returns:
        A Plan.

    Raises:
        UserError: if the task cannot do with such batches, or a feature is too long for them.
    """
    compares = task.compares_rows(**task.settings())
    if batch_tokens is not None:
        refusals = {
            "its loss compares the rows of a batch, whose number must not change": compares,
            "its rows are no sequences of tokens": not store.padding,
            "each of its rows holds several texts": "length" in store.arrays,
        }
        for reason, holds in refusals.items():
            if holds:
                raise UserError(
                    f"train.batch_tokens: {task.name()} needs batches of a number of rows, because "
                    f"{reason}; set train.batch_size; received {batch_tokens}"
                )
        batch_size = None
    if shapes is not None and (compares or not task.fixed_shapes):
        raise UserError(
            f"train.shapes: the shapes of a batch of {task.name()} do not follow from the lengths "
            f"of its rows alone; leave it out; received {shapes}"
        )
    return Plan(
        store.lengths,
        seed,
        batch_size=batch_size,
        batch_tokens=batch_tokens,
        slices=slices,
        window=window(task),
        widths=None if shapes is None else widths(store.lengths, shapes),
    )


@dataclass(frozen=True, eq=False)
class Plan:
    """The batches of every epoch of a training.

    Args:
        lengths: `(N,)` int array, tokens of each feature.
        seed: recipe seed.
        batch_size: features per batch; or
        batch_tokens: most tokens of a batch, its padding included: features × the longest one.
        slices: a batch of a number of tokens has a multiple of so many features (replicas times
            accumulated slices).
        window: batches of one size sorted by length together, 1 or more; see `window`.
        widths: `(K,)` int array, see `tfhf.data.widths`: every batch is padded to one of them, and
            all batches of a width have one size. None pads to the longest feature of a batch.

    Raises:
        UserError: if the longest feature is too long for the tokens.
    """

    lengths: np.ndarray
    seed: int
    batch_size: int | None = None
    batch_tokens: int | None = None
    slices: int = 1
    window: int = WINDOW
    widths: np.ndarray | None = None

    def __post_init__(self):
        least = int(self.lengths.max(initial=1)) * self.slices
        if self.batch_tokens is not None and self.batch_tokens < least:
            times = f" × {self.slices} (replicas × accumulate)" if self.slices > 1 else ""
            raise UserError(
                f"train.batch_tokens: must be {least} or more, the longest example"
                f"{times}; received {self.batch_tokens}"
            )

    @cached_property
    def steps(self):
        """Batches per epoch, the same in every epoch."""
        return sum(len(bounds) - 1 for bounds in self._bounds)

    def batches(self, epoch):
        """The `(B,)` int64 feature numbers of an epoch's batches in their order.

        Args:
            epoch: its number, from 0; may be a scalar tensor.

        Returns:
            A `tf.data.Dataset`, made of graph operations.
        """
        import tensorflow as tf

        plain = tf.autograph.experimental.do_not_convert  # no Python branches, so traced faster

        def of_group(place):
            rows, starts, ends = self._group(place, epoch)

            def batch(start, end):
                return tf.ensure_shape(rows[start:end], [self.batch_size])

            return tf.data.Dataset.from_tensor_slices((starts, ends)).map(plain(batch))

        return tf.data.Dataset.range(len(self._sizes)).flat_map(plain(of_group))

    def in_numpy(self, epoch):
        """Yields the `(B,)` int64 feature numbers of an epoch's batches in their order."""
        for place in range(len(self._sizes)):
            rows, starts, ends = (tensor.numpy() for tensor in self._group(place, epoch))
            for start, end in zip(starts, ends, strict=True):
                yield rows[start:end]

    def shares(self, epoch):
        """Yields the real tokens and all tokens of each batch of an epoch, in their order."""
        return zip(*self.real_share(epoch), strict=True)

    def real_share(self, epoch):
        """Tokens per batch of an epoch: `(steps,)` int64 real ones, and all that are fed."""
        parts = []
        for place in range(len(self._sizes)):
            rows, starts, ends = (tensor.numpy() for tensor in self._group(place, epoch))
            tokens = np.where(rows >= 0, self.lengths[rows], 0)
            # Batches lie one behind the other, here not in the order they are fed in.
            order = np.argsort(starts)
            real, longest = (
                total.reduceat(tokens, starts[order]) for total in (np.add, np.maximum)
            )
            if self.widths is not None:
                longest = self.widths[np.searchsorted(self.widths, longest)]
            fed = longest * (ends - starts)[order]
            back = np.argsort(order)
            parts.append((real[back], fed[back]))
        real, fed = (np.concatenate(part).astype(np.int64) for part in zip(*parts, strict=True))
        return real, fed

    # === Groups: what is planned together ===

    @cached_property
    def _block(self):
        """Features of a block; groups are made of whole ones."""
        average = max(1.0, float(np.mean(self.lengths))) if len(self.lengths) else 1.0
        return max(1, int(min(GROUP, GROUP_TOKENS / average)) // BLOCKS)

    @cached_property
    def _sizes(self):
        """Features of each group, a list."""
        count = len(self.lengths)
        blocks = -(-count // self._block)
        groups = max(1, -(-blocks // BLOCKS))
        sizes = [len(range(group, blocks, groups)) * self._block for group in range(groups)]
        sizes[(blocks - 1) % groups] -= blocks * self._block - count  # the last block is shorter
        return sizes

    def _members(self, index, group):
        """The feature numbers of a group: every so many blocks one; NumPy or TensorFlow."""
        groups, block = len(self._sizes), self._block
        return (group + groups * (index // block)) * block + index % block

    @cached_property
    def _ranges(self):
        """Longest length of each range whose features share batches; None: sorted in windows."""
        if self.widths is None and self.batch_tokens is None:
            return None
        return widths(self.lengths, RANGES) if self.widths is None else self.widths

    @cached_property
    def _bounds(self):
        """Where the batches of each group begin and end, a list of arrays."""
        found, size = [], {"batch_size": self.batch_size, "batch_tokens": self.batch_tokens}
        for group, count in enumerate(self._sizes):
            if self._ranges is None:
                found.append(cut(np.broadcast_to(1, count), **size))
                continue
            own = self.lengths[self._members(np.arange(count), group)]
            place = np.sort(np.searchsorted(self._ranges, own))[::-1]
            whole = self.widths is not None
            found.append(cut(self._ranges[place], **size, slices=self.slices, whole=whole))
        return found

    def _group(self, place, epoch):
        """The group that comes in some place of an epoch: its rows, and its batches' bounds.

        Returns:
            `rows` `(M,)`, filled up with -1, and `(steps,)` starts and ends, in the order in which
            the batches are fed; all int64.
        """
        import tensorflow as tf

        _, sizes, all_bounds, firsts = self._tables
        group = _permutation(len(self._sizes), self.seed, -1 - epoch)[place]
        epoch = epoch + 2**20 * group  # draws of its own for each group
        rows = self._members(_permutation(sizes[group], self.seed, epoch), group)
        rows = tf.gather(rows, tf.argsort(self._sort_keys(rows), stable=True))
        bounds = all_bounds[firsts[group] : firsts[group + 1]]
        rows = tf.pad(rows, [[0, bounds[-1] - sizes[group]]], constant_values=-1)
        order = _permutation(tf.size(bounds) - 1, self.seed, epoch, salt=1)
        return rows, tf.gather(bounds[:-1], order), tf.gather(bounds[1:], order)

    @cached_property
    def _tables(self):
        """Lengths, sizes of the groups, their bounds and where these begin, as tensors."""
        import tensorflow as tf

        firsts = np.cumsum([0, *map(len, self._bounds)])
        with tf.init_scope():  # of no graph, so that every graph can use them
            return (
                tf.constant(self.lengths),
                tf.constant(self._sizes, tf.int64),
                tf.constant(np.concatenate(self._bounds)),
                tf.constant(firsts, tf.int64),
            )

    def _sort_keys(self, rows):
        """What permuted features are sorted by, stably, so that ties stay permuted."""
        import tensorflow as tf

        lengths = tf.cast(tf.gather(self._tables[0], rows), tf.int64)
        if self._ranges is not None:
            return -tf.searchsorted(tf.constant(self._ranges, tf.int64), lengths)
        # Sorting by (window, length) is sorting inside each window.
        windows = tf.range(tf.size(rows, tf.int64)) // (self.window * self.batch_size)
        longest = tf.reduce_max(tf.concat([lengths, [0]], 0)) + 1
        return windows * longest + lengths


def _permutation(count, seed, epoch, salt=0):
    """A permutation of 0..count-1 from Philox counters: the same on every device and platform."""
    import tensorflow as tf

    key = tf.stack([tf.cast(seed, tf.int32) * 2 + salt, tf.cast(epoch, tf.int32)])
    draws = tf.random.stateless_uniform(
        [count], key, minval=None, maxval=None, dtype=tf.int64, alg="philox"
    )
    return tf.cast(tf.argsort(draws, stable=True), tf.int64)


def check_batch_size(value):
    """Refuses what is no number of rows.

    Raises:
        UserError: if it is none, or below 1.
    """
    if not isinstance(value, int) or value < 1:
        raise UserError(f"batch_size: must be a number of rows from 1 up; received {value!r}")


def cut(lengths, *, batch_size=None, batch_tokens=None, slices=1, whole=True):
    """Cuts features into batches.

    Args:
        lengths: `(N,)` int array, falling: as many tokens as each feature is padded to.
        batch_size: features per batch; or
        batch_tokens: most tokens per batch, padding included.
        slices: of which a batch's features are a multiple, and its least number.
        whole: whether the last batch is filled up as if there were more features like its own.

    Returns:
        `(steps + 1,)` int64 bounds, as in `Batches`. The last one is N or more: what is beyond N
        is to be filled up.
    """
    count = len(lengths)
    bounds = [0]
    while bounds[-1] < count:
        size = batch_size
        if batch_tokens is not None:
            fitting = batch_tokens // max(1, int(lengths[bounds[-1]])) // slices
            size = max(1, fitting) * slices
        bounds.append(bounds[-1] + size)
    if not whole:
        bounds[-1] = -(-count // slices) * slices
    return np.array(bounds, np.int64)
