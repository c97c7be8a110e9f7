"""The optimizer of a training, by its name: our AdamW, or one of tf-keras'."""

import tf_keras

from tfhf.learning.optimizers import AdamW, undecayed


def make_optimizer(name, backbone, rate, *, weight_decay=0.01, global_clipnorm=1.0, **arguments):
    """Makes an optimizer for a model.

    Args:
        name: one of `arguments.OPTIMIZERS`.
        backbone: the built transformers model that it trains.
        rate: a float, or a schedule (`tfhf.learning.schedules`).
        weight_decay: decoupled decay per unit of learning rate, with every optimizer alike; biases
            and normalisation layers are spared.
        global_clipnorm: longest gradient, over all variables, or None.
        **arguments: the optimizer's own, under tf-keras' names.

    Returns:
        A `tf_keras.optimizers.Optimizer`.
    """
    spared = undecayed(backbone)
    if name == "AdamW":
        return AdamW(
            rate,
            weight_decay=weight_decay,
            global_clipnorm=global_clipnorm,
            exclude=spared,
            **arguments,
        )
    kind = getattr(tf_keras.optimizers, name)
    # A decay of 0 would still cost a pass over all weights.
    made = kind(
        rate, weight_decay=weight_decay or None, global_clipnorm=global_clipnorm, **arguments
    )
    made.exclude_from_weight_decay(var_list=spared)
    return made
