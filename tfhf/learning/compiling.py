"""What a Keras user gives `compile` and `fit`: losses, metrics, callbacks; what cannot be right.

The model gives logits. A Keras loss or metric that takes them for probabilities would give a number
all the same, a wrong one; so would whatever comes from Keras 3, which is installed beside tf-keras.
"""

import inspect

import tensorflow as tf
import tf_keras

from tfhf.errors import UserError

# Keras picks one of several metrics for these names, by the shape of the targets.
BY_SHAPE = {"accuracy": "accuracy", "acc": "accuracy", "crossentropy": "loss", "ce": "loss"}


def check_keras(things, what):
    """Refuses what belongs to Keras 3.

    Args:
        things: losses, metrics, optimizers or callbacks.
        what: their name in `compile` or `fit`.

    Raises:
        UserError: if one does.
    """
    for thing in things:
        kinds = type(thing).__mro__
        if any(kind.__module__.partition(".")[0] == "keras" for kind in kinds):
            raise UserError(
                f"{what}: {type(thing).__name__} is of Keras 3, and tfhf.Model of tf-keras; take "
                "it from tf_keras"
            )


def check_fit(given):
    """Refuses keywords of `fit` that would fail, in the midst of a training even.

    Args:
        given: the keywords.

    Raises:
        UserError: if there are weights of classes, or a callback that is of Keras 3 or writes the
            model in Keras' own format.
    """
    if given.get("class_weight") is not None:
        raise UserError(
            "class_weight: is an option of the model, which knows tags and sets of classes, too: "
            f"load_model(..., class_weights={{label: weight}}); received {given['class_weight']!r}"
        )
    callbacks = given.get("callbacks") or ()
    if not isinstance(callbacks, list | tuple):
        callbacks = [callbacks]
    check_keras(callbacks, "callbacks")
    for callback in callbacks:
        whole = isinstance(callback, tf_keras.callbacks.ModelCheckpoint)
        if whole and not callback.save_weights_only:
            raise UserError(
                "callbacks: ModelCheckpoint would write a model that Keras cannot open again; say "
                "save_weights_only=True, and save_pretrained after the training"
            )


def metrics_of(given, problem):
    """Checks what `compile` was given as `metrics` or `weighted_metrics`.

    Args:
        given: a metric or a list of them, by name, as functions or as objects; or None.
        problem: the task's `problem`.

    Returns:
        The list.

    Raises:
        UserError: if a metric is none that compares targets with logits.
    """
    if isinstance(given, dict):
        raise UserError(
            "metrics: must be a list, because the model has one output; received a dictionary of "
            f"{', '.join(map(repr, given))}"
        )
    if given is None:
        return []
    found = list(given) if isinstance(given, list | tuple) else [given]
    check_keras(found, "metrics")
    for metric in found:
        kind = BY_SHAPE.get(metric) if isinstance(metric, str) else None
        if kind == "loss":
            raise UserError(f"metrics: the loss stands in the results anyway; received {metric!r}")
        if kind and problem == "multi_label":
            raise UserError(
                f"metrics: {metric!r} compares one class per row, and rows have any number of them "
                "here; take tf_keras.metrics.BinaryAccuracy(threshold=0.0)"
            )
        if kind and problem == "regression":
            raise UserError(
                f"metrics: {metric!r} compares classes, and the labels are numbers; take 'mae' or "
                "'mse'"
            )
        if kind is None and problem != "regression":
            _check_logits(metric, tf_keras.metrics, "metrics")
    return found


def loss_of(given):
    """A Keras loss as a task's: unreduced, and per example the sum of its labels' losses.

    Args:
        given: a loss by name, a function or an object; it gets targets and logits.

    Returns:
        `loss(targets, outputs)`, as `Task.loss`.

    Raises:
        UserError: if it is one of probabilities, or of Keras 3; when called, if it gives no loss
            per example.
    """
    check_keras([given], "loss")
    _check_logits(given, tf_keras.losses, "loss")
    loss = tf_keras.losses.get(given)
    values = loss.call if isinstance(loss, tf_keras.losses.Loss) else loss

    def sums(targets, outputs):
        targets, real = weighed(targets, None)
        logits = logits_of(outputs)
        if targets.shape.rank == 1 and logits.shape.rank == 2 and logits.shape[1] == 1:
            targets = targets[:, None]  # or (B,) and (B, 1) would make (B, B)
        losses = tf.cast(values(targets, logits), tf.float32)
        if losses.shape.rank == 0:
            raise UserError(
                "loss: must give the losses of the examples, not their mean, because batches are "
                f"filled up with rows that do not count; received a number from {given!r}"
            )
        real = tf.ones_like(losses) if real is None else real
        tokens = list(range(1, losses.shape.rank))
        return tf.reduce_sum(losses * real, tokens), tf.reduce_sum(real, tokens)

    return sums


def logits_of(outputs):
    """What Keras' losses and metrics compare with the targets.

    Args:
        outputs: what the task's `forward` gave.

    Raises:
        UserError: if there are no logits among it.
    """
    if "logits" not in outputs:
        raise UserError(
            "loss, metrics: Keras' compare targets with logits, and this task gives "
            f"{', '.join(outputs)}; leave them out for the task's own loss"
        )
    return outputs["logits"]


def weighed(targets, weights):
    """Targets and weights as Keras takes them, to which a number below 0 is a label like others.

    Args:
        targets: `(B,)` or `(B, T)`; integers below 0 stand for no label.
        weights: `(B,)` float32, or None.

    Returns:
        The targets, none below 0, and the weight of each; both as they were where the targets are
        no integers.
    """
    if isinstance(targets, dict) or not targets.dtype.is_integer:
        return targets, weights
    real = tf.cast(targets >= 0, tf.float32)
    if weights is not None:
        real *= tf.reshape(weights, [-1] + [1] * (targets.shape.rank - 1))
    return tf.maximum(targets, 0), real


def _check_logits(given, module, what):
    """Refuses a loss or metric of tf-keras that would take logits for probabilities."""
    found = module.get(given)
    one = hasattr(found, "get_config")
    kind = type(found) if one else found
    settings = found.get_config() if one else _defaults(found)
    if not getattr(kind, "__module__", "").startswith("tf_keras.") or not _compares(settings):
        return
    mend = "give thresholds of logits, where 0.0 is a probability of 0.5"
    if "from_logits" in settings:
        mend = "give it as an object, with from_logits=True"
    raise UserError(f"{what}: {kind.__name__} takes probabilities, and it gets logits; {mend}")


def _compares(settings):
    """Whether a loss or metric with these settings compares probabilities with something."""
    if "from_logits" in settings:
        return not settings["from_logits"]
    if "num_thresholds" in settings:
        return True
    if "thresholds" in settings:
        return settings["thresholds"] is None and settings.get("top_k") is None
    return 0 < (settings.get("threshold") or 0) < 1


def _defaults(function):
    """A function's parameters that have a default, with it."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some of C's functions tell nothing
        return {}
    empty = inspect.Parameter.empty
    return {name: one.default for name, one in parameters.items() if one.default is not empty}
