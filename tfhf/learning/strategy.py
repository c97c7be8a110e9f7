"""Where a training runs: one device, or every GPU of the machine."""


def choose():
    """Picks a `tf.distribute` strategy for the devices TensorFlow sees.

    Returns:
        MirroredStrategy on two GPUs or more, else TensorFlow's default strategy. Any other strategy
        is passed to `tfhf.train(..., strategy=...)` by who knows their cluster.
    """
    import tensorflow as tf

    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def compiles(strategy):
    """Whether TensorFlow compiles a step for every shape that it meets: on TPUs, and by XLA."""
    import tensorflow as tf

    return isinstance(strategy, tf.distribute.TPUStrategy) or bool(tf.config.optimizer.get_jit())


def describe(strategy):
    """A strategy and its devices in one line, such as `MirroredStrategy on 2 × GPU`."""
    import tensorflow as tf

    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return f"{type(strategy).__name__.lstrip('_')} on {strategy.num_replicas_in_sync} × {kind}"


def on_cpu():
    """Whether TensorFlow sees neither GPU nor TPU."""
    import tensorflow as tf

    return not any(tf.config.list_logical_devices(kind) for kind in ("GPU", "TPU"))


def summed(value):
    """The sum of a scalar over all replicas that take part in the step."""
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)
