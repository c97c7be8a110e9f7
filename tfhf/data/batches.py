"""Batches of like lengths, in an order that is a pure function of (seed, epoch).

Rows are permuted, cut into windows of some batches, sorted by length inside each window, cut into
batches, and the batches are permuted: at a window of 50 batches about 95 % of the tokens fed are
real, against about half in batches drawn at random, which are a window of 1. Every operation is
stateless, so any worker can compute any epoch alone, and skipping to step k costs nothing.
"""

WINDOW = 50  # batches sorted together; larger pads less and mixes lengths less


def window(task):
    """How many batches of a task are sorted together; 1 leaves every batch as it is drawn.

    Rows of like lengths are often of one source (questions to one passage), and a loss that
    compares the rows of a batch would take them for each other's negatives.
    """
    return 1 if task.compares_rows(**task.settings()) else WINDOW


def order(lengths, *, batch_size, seed, epoch, window=WINDOW):
    """Which features make which batch of an epoch.

    Args:
        lengths: `(N,)` int tensor or array, tokens of each feature.
        batch_size: features per batch.
        seed: recipe seed.
        epoch: number of the epoch, from 0; may be a scalar tensor.
        window: batches sorted by length together, 1 or more; see `window`.

    Returns:
        `(steps, batch_size)` int64 tensor of feature numbers, each of 0..N-1 once. The last batch
        to be cut is filled up with -1, which stands for no feature.
    """
    import tensorflow as tf

    lengths = tf.cast(lengths, tf.int64)
    count = tf.size(lengths, tf.int64)
    steps = -(-count // batch_size)
    rows = _permutation(count, seed, epoch, salt=0)
    # Sorting by (window, length) is sorting inside each window; stable, so ties stay permuted.
    windows = tf.range(count, dtype=tf.int64) // (window * batch_size)
    longest = tf.reduce_max(tf.concat([lengths, [0]], 0)) + 1
    rows = tf.gather(rows, tf.argsort(windows * longest + tf.gather(lengths, rows), stable=True))
    filled = tf.pad(rows, [[0, steps * batch_size - count]], constant_values=-1)
    batches = tf.reshape(filled, [steps, batch_size])
    return tf.gather(batches, _permutation(steps, seed, epoch, salt=1))


def _permutation(count, seed, epoch, salt):
    """A permutation of 0..count-1 from Philox counters: the same on every device and platform."""
    import tensorflow as tf

    key = tf.stack([tf.cast(seed, tf.int32) * 2 + salt, tf.cast(epoch, tf.int32)])
    draws = tf.random.stateless_uniform(
        [count], key, minval=None, maxval=None, dtype=tf.int64, alg="philox"
    )
    return tf.argsort(draws, stable=True)


def by_length(lengths, *, batch_size):
    """Batches for evaluation: longest first, so that too little memory shows at once.

    Returns:
        `(steps, batch_size)` int64 array of feature numbers, filled up with -1.
    """
    import numpy as np

    return _cut(np.argsort(-np.asarray(lengths), kind="stable"), batch_size)


def in_order(count, *, batch_size):
    """Batches in the order of the rows, filled up with -1: `(steps, batch_size)` int64 array."""
    import numpy as np

    return _cut(np.arange(count), batch_size)


def _cut(rows, batch_size):
    import numpy as np

    filled = np.full(-(-len(rows) // batch_size) * batch_size, -1, np.int64)
    filled[: len(rows)] = rows
    return filled.reshape(-1, batch_size)


def training_dataset(store, task, *, batch_size, seed, epochs, first_epoch=0):
    """Every batch of a training, epoch after epoch, as a `tf.data.Dataset`.

    Args:
        store: a TokenStore.
        task: the Task that made it.
        batch_size: features per update, over all replicas.
        seed: recipe seed; with the epoch it fixes the order and what `prepare` draws.
        epochs: number of epochs, or None for no end.
        first_epoch: the epoch to begin with; a scalar tensor may be given.

    Returns:
        A dataset of `(inputs, targets, weights)`, see `assembler`.
    """
    import tensorflow as tf

    lengths = tf.constant(store.lengths)
    assemble = assembler(store, task, "train", seed=seed)
    plan = {"batch_size": batch_size, "seed": seed, "window": window(task)}

    def batches_of(epoch):
        rows = order(lengths, epoch=epoch, **plan)
        numbers = tf.data.Dataset.from_tensor_slices(tf.ensure_shape(rows, [None, batch_size]))
        return numbers.map(lambda rows: (rows, epoch))

    first = tf.cast(first_epoch, tf.int64)
    last = tf.int64.max if epochs is None else first + epochs
    numbers = tf.data.Dataset.range(first, last).flat_map(batches_of)
    return numbers.map(assemble, tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)


def shuffled_dataset(store, task, *, batch_size, seed):
    """One epoch per pass: the n-th iteration of the dataset gives epoch n, counted from 0.

    Args:
        store, task, batch_size, seed: as for `training_dataset`.

    Returns:
        A dataset of `(inputs, targets, weights)` of known cardinality.
    """
    import tensorflow as tf

    passes = tf.Variable(-1, dtype=tf.int64, trainable=False)
    assemble = assembler(store, task, "train", seed=seed)
    lengths = tf.constant(store.lengths)
    plan = {"batch_size": batch_size, "seed": seed, "window": window(task)}

    def one_epoch(_):
        epoch = passes.assign_add(1)
        rows = order(lengths, epoch=epoch, **plan)
        return tf.data.Dataset.from_tensor_slices(rows).map(lambda rows: (rows, epoch))

    numbers = tf.data.Dataset.range(1).flat_map(one_epoch)
    found = numbers.map(assemble, tf.data.AUTOTUNE, deterministic=True)
    steps = -(-store.features // batch_size)
    found = found.apply(tf.data.experimental.assert_cardinality(steps))
    return found.prefetch(tf.data.AUTOTUNE)


def evaluation_dataset(store, task, rows, phase="evaluate"):
    """The batches of `by_length` or `in_order` as a `tf.data.Dataset`, see `assembler`."""
    import tensorflow as tf

    assemble = assembler(store, task, phase)

    def batch(numbers):
        # Batches of every size have one signature, so that a model is traced once.
        return assemble(tf.raw_ops.PlaceholderWithDefault(input=numbers, shape=[None]), 0)

    numbers = tf.data.Dataset.from_tensor_slices(rows)
    return numbers.map(batch, tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)


def real_share(lengths, rows):
    """Tokens that are not padding, per batch.

    Args:
        lengths: `(N,)` int array, tokens of each feature.
        rows: `(steps, batch_size)` int array of feature numbers, -1 for none.

    Returns:
        Two `(steps,)` int64 arrays: real tokens, and all tokens fed.
    """
    import numpy as np

    rows = np.asarray(rows)
    tokens = np.where(rows >= 0, np.asarray(lengths)[rows], 0)
    return tokens.sum(1), tokens.max(1) * rows.shape[1]


def assembler(store, task, phase, *, seed=0):
    """Makes the function that turns feature numbers into a batch.

    Args:
        store: a TokenStore.
        task: its `prepare`, `padding` and `targets` are used.
        phase: `train`, `evaluate`, or `predict`, which knows no targets and prepares nothing.
        seed: recipe seed, for `prepare`.

    Returns:
        `assemble(rows, epoch)`: `(B,)` int64 feature numbers → `(inputs, targets, weights)` as
        Keras takes them. Inputs hold the ragged columns padded to the batch's longest, their
        masks, and `feature`, the numbers themselves; weights are 0 where the number is -1 (such a
        place repeats a feature of the batch, so that no layer meets an empty row).
    """
    import tensorflow as tf

    tensors = {name: store.tensor(name) for name in store.arrays}

    def assemble(rows, epoch):
        weights = tf.cast(rows >= 0, tf.float32)
        feature, rows = rows, tf.where(rows >= 0, rows, tf.reduce_max(rows))
        columns = {}
        for name in store.names:
            if name in store.padding:
                columns[name], mask = _padded(tensors, name, rows, store.padding[name])
                if name.endswith("input_ids"):
                    columns[name.removesuffix("input_ids") + "attention_mask"] = mask
            else:
                columns[name] = tf.gather(tensors[name], rows)
        key = tf.constant(seed, tf.int32) + 1_000_003 * tf.cast(epoch, tf.int32)
        keys = tf.stack([tf.fill(tf.shape(rows), key), tf.cast(rows, tf.int32)], 1)
        if phase != "predict":
            columns = task.prepare(columns, keys, training=phase == "train")
        targets = {name: columns.pop(name) for name in task.targets if name in columns}
        targets = {} if phase == "predict" else targets
        return columns | {"feature": feature}, _only(targets), weights

    return assemble


def _padded(tensors, name, rows, fill):
    """`(B, T)` int32 ids of some rows, and the `(B, T)` int32 mask of the real ones."""
    import tensorflow as tf

    offsets = tensors[f"{name}.offsets"]
    starts = tf.gather(offsets, rows)
    lengths = tf.gather(offsets, rows + 1) - starts
    positions = tf.range(tf.reduce_max(lengths))[None, :]
    real = positions < lengths[:, None]
    ids = tf.gather(tensors[name], tf.where(real, starts[:, None] + positions, 0))
    return tf.where(real, tf.cast(ids, tf.int32), fill), tf.cast(real, tf.int32)


def _only(targets):
    """Keras passes a single target as itself."""
    return next(iter(targets.values())) if len(targets) == 1 else targets
