"""The optimizer of a training, by its name: our AdamW, or one of tf-keras'."""

import tf_keras

from tfhf.learning.optimizers import AdamW, undecayed
from tfhf.learning.pacing import paced


def make_optimizer(
    name,
    backbone,
    rate,
    *,
    weight_decay=0.01,
    global_clipnorm=1.0,
    ema=None,
    paces=(),
    **arguments,
):
    """Makes an optimizer for a model.

    Args:
        name: one of `arguments.OPTIMIZERS`.
        backbone: the built transformers model that it trains.
        rate: a float, or a schedule (`tfhf.learning.schedules`).
        weight_decay: decoupled decay per unit of learning rate, with every optimizer alike; biases
            and normalisation layers are spared.
        global_clipnorm: longest gradient, over all variables, or None.
        ema: share of the running average of the weights that an update leaves, in (0, 1); None for
            no average.
        paces: weights with a learning rate of their own, a list of `pacing.Pace`.
        **arguments: the optimizer's own, under tf-keras' names.

    Returns:
        A `tf_keras.optimizers.Optimizer`.
    """
    spared = undecayed(backbone)
    kind = AdamW if name == "AdamW" else getattr(tf_keras.optimizers, name)
    kind = paced(kind) if paces else kind
    arguments |= {"global_clipnorm": global_clipnorm}
    if ema is not None:
        # Some of Keras' classes would put the average into the weights every hundred updates.
        arguments |= {"use_ema": True, "ema_momentum": ema, "ema_overwrite_frequency": None}
    if name == "AdamW":
        made = kind(rate, weight_decay=weight_decay, exclude=spared, **arguments)
    else:
        # A decay of 0 would still cost a pass over all weights.
        made = kind(rate, weight_decay=weight_decay or None, **arguments)
        made.exclude_from_weight_decay(var_list=spared)
    if paces:
        made.set_paces(paces)
    return made
