"""Batches as TensorFlow reads them: `tf.data` over a token store, in the order of a plan.

Every operation is TensorFlow's own, so any worker can run them; `orders` says which features make
which batch.
"""

import numpy as np

from tfhf.data.orders import Batches, cut
from tfhf.data.widths import of_columns


def training_dataset(store, task, plan, *, epochs, first_epoch=0):
    """Every batch of a training, epoch after epoch, as a `tf.data.Dataset`.

    Args:
        store: a TokenStore.
        task: the Task that made it.
        plan: an `orders.Plan`; with the epoch its seed fixes the order and what `prepare` draws.
        epochs: number of epochs, or None for no end.
        first_epoch: the epoch to begin with; a scalar tensor may be given.

    Returns:
        A dataset of `(inputs, targets, weights)`, see `assembler`.
    """
    import tensorflow as tf

    assemble = assembler(store, task, "train", seed=plan.seed, widths=plan.widths)
    first = tf.cast(first_epoch, tf.int64)
    last = tf.int64.max if epochs is None else first + epochs
    return made_ahead(tf.data.Dataset.range(first, last).flat_map(_epochs_of(plan)), assemble)


def shuffled_dataset(store, task, plan):
    """One epoch per pass: the n-th iteration of the dataset gives epoch n, counted from 0.

    Args:
        store, task, plan: as for `training_dataset`.

    Returns:
        A dataset of `(inputs, targets, weights)` of known cardinality.
    """
    import tensorflow as tf

    passes = tf.Variable(-1, dtype=tf.int64, trainable=False)
    assemble = assembler(store, task, "train", seed=plan.seed, widths=plan.widths)
    of_epoch = _epochs_of(plan)

    def one_epoch(_):
        # Read now: another iteration may be begun before this one ends.
        return of_epoch(tf.identity(passes.assign_add(1)))

    plain = tf.autograph.experimental.do_not_convert
    found = made_ahead(tf.data.Dataset.range(1).flat_map(plain(one_epoch)), assemble)
    return found.apply(tf.data.experimental.assert_cardinality(plan.steps))


def _epochs_of(plan):
    """Makes the function from an epoch to a dataset of its batches: feature numbers and epoch."""
    import tensorflow as tf

    plain = tf.autograph.experimental.do_not_convert
    return plain(lambda epoch: plan.batches(epoch).map(plain(lambda rows: (rows, epoch))))


def by_length(lengths, *, batch_size=None, batch_tokens=None, slices=1):
    """Batches for evaluation: longest first, so that too little memory shows at once.

    Args:
        lengths, batch_size, batch_tokens, slices: as for `Plan`; a feature with more tokens than
            `batch_tokens` gets a batch of its own.

    Returns:
        Batches.
    """
    lengths = np.asarray(lengths)
    rows = np.argsort(-lengths, kind="stable")
    size = {"batch_size": batch_size, "batch_tokens": batch_tokens}
    return _filled(rows, cut(lengths[rows], **size, slices=slices, whole=False))


def in_order(count, *, batch_size):
    """Batches in the order of the rows."""
    return _filled(np.arange(count), cut(np.ones(count), batch_size=batch_size))


def _filled(rows, bounds):
    return Batches(np.pad(rows, (0, bounds[-1] - len(rows)), constant_values=-1), bounds)


def evaluation_dataset(store, task, order, phase="evaluate", first=0):
    """The batches of `by_length` or `in_order` as a `tf.data.Dataset`, see `assembler`."""
    import tensorflow as tf

    assemble = assembler(store, task, phase, first=first)
    # Batches of every size have one signature, so that a model is traced once.
    rows = tf.constant(order.rows, tf.int64)
    bounds = tf.data.Dataset.from_tensor_slices((order.bounds[:-1], order.bounds[1:]))
    return made_ahead(
        bounds, tf.autograph.experimental.do_not_convert(lambda a, b: assemble(rows[a:b], 0))
    )


def made_ahead(numbers, assemble):
    """Batches that are made several at a time, beside the model and ahead of it, in their order.

    Args:
        numbers: a `tf.data.Dataset` of what each batch is made of.
        assemble: makes a batch of an element.

    Returns:
        A dataset of batches.
    """
    import tensorflow as tf

    options = tf.data.Options()
    # To rewrite the pipeline TensorFlow copies every tensor in it, here the whole store, and there
    # is nothing to win: all that can run beside something else is told to.
    options.experimental_optimization.apply_default_optimizations = False
    found = numbers.map(assemble, tf.data.AUTOTUNE, deterministic=True)
    return found.prefetch(tf.data.AUTOTUNE).with_options(options)


def assembler(store, task, phase, *, seed=0, widths=None, first=0):
    """Makes the function that turns feature numbers into a batch.

    Args:
        store: a TokenStore.
        task: its `prepare`, `padding` and `targets` are used.
        phase: `train`, `evaluate`, or `predict`, which knows no targets and prepares nothing.
        seed: recipe seed, for `prepare`.
        widths: `(K,)` int array of the widths that batches may have; None for those of their
            longest features.
        first: the number of the first feature, where the store holds a part of others.

    Returns:
        `assemble(rows, epoch)`: `(B,)` int64 feature numbers → `(inputs, targets, weights)` as
        Keras takes them. Inputs hold the ragged columns padded to the batch's longest, their
        masks, and `feature`, the numbers themselves; weights are 0 where the number is -1 (such a
        place repeats a feature of the batch, so that no layer meets an empty row).
    """
    import tensorflow as tf

    tensors = {name: store.tensor(name) for name in store.arrays}
    width_of = _widths_of(store, widths)
    finish = finisher(task, phase, seed)

    def assemble(rows, epoch):
        weights = tf.cast(rows >= 0, tf.float32)
        feature = tf.where(rows >= 0, first + rows, -1)
        rows = tf.where(rows >= 0, rows, tf.reduce_max(rows))
        columns = {}
        for name in store.names:
            if name in store.padding:
                width = width_of(name, rows)
                columns[name], mask = _padded(tensors, name, rows, store.padding[name], width)
                if name.endswith("input_ids"):
                    columns[name.removesuffix("input_ids") + "attention_mask"] = mask
            else:
                columns[name] = tf.gather(tensors[name], rows)
        return finish(columns, rows, feature, weights, epoch)

    # No Python branches on tensors, so traced faster.
    return tf.autograph.experimental.do_not_convert(assemble)


def finisher(task, phase, seed):
    """Makes the function that turns the padded columns of a batch into what Keras takes.

    Args:
        task, phase, seed: as for `assembler`.

    Returns:
        `finish(columns, rows, feature, weights, epoch)`: the columns, the `(B,)` feature numbers
        that the draws of `prepare` follow from, those that the model sees, the weights and the
        epoch → `(inputs, targets, weights)`.
    """
    import tensorflow as tf

    def finish(columns, rows, feature, weights, epoch):
        key = tf.constant(seed, tf.int32) + 1_000_003 * tf.cast(epoch, tf.int32)
        keys = tf.stack([tf.fill(tf.shape(rows), key), tf.cast(rows, tf.int32)], 1)
        if phase != "predict":
            columns = task.prepare(columns, keys, training=phase == "train")
        targets = {name: columns.pop(name) for name in task.targets if name in columns}
        targets = {} if phase == "predict" else targets
        return columns | {"feature": feature}, _only(targets), weights

    return finish


def _widths_of(store, widths):
    """A function that tells how wide a column of a batch is; None for as wide as need be."""
    import tensorflow as tf

    if widths is None:
        return lambda name, rows: None
    lengths, key = tf.constant(store.lengths), tf.constant(widths, tf.int32)
    chosen = {name: tf.constant(own) for name, own in of_columns(store, widths).items()}

    def width_of(name, rows):
        longest = tf.reduce_max(tf.gather(lengths, rows))
        return chosen[name][tf.searchsorted(key, longest[None])[0]]

    return width_of


def _padded(tensors, name, rows, fill, width):
    """`(B, T)` int32 ids of some rows, and the `(B, T)` int32 mask of the real ones."""
    import tensorflow as tf

    offsets = tensors[f"{name}.offsets"]
    starts = tf.gather(offsets, rows)
    lengths = tf.gather(offsets, rows + 1) - starts
    width = tf.reduce_max(lengths) if width is None else tf.cast(width, lengths.dtype)
    positions = tf.range(width)[None, :]
    real = positions < lengths[:, None]
    ids = tf.gather(tensors[name], tf.where(real, starts[:, None] + positions, 0))
    return tf.where(real, tf.cast(ids, tf.int32), fill), tf.cast(real, tf.int32)


def _only(targets):
    """Keras passes a single target as itself."""
    return next(iter(targets.values())) if len(targets) == 1 else targets
