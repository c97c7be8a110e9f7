"""Learning rates by update, in NumPy as in TensorFlow: a dry run shows what training will do."""

import math


def learning_rate(step, schedule, *, peak, steps, warmup_steps, xp):
    """The learning rate of an update, as `transformers.get_scheduler` defines it.

    Args:
        step: float tensor or array, updates done before.
        schedule: `linear`, `cosine` or `constant`: what follows the warm-up.
        peak: highest learning rate.
        steps: updates in all.
        warmup_steps: updates in which the rate climbs linearly from 0; less than `steps`.
        xp: the namespace of its operations, `numpy` or `tensorflow`.

    Returns:
        A tensor or array like `step`.

    Example:
        >>> import numpy
        >>> settings = {"peak": 1.0, "steps": 10, "warmup_steps": 2, "xp": numpy}
        >>> learning_rate(numpy.array([0.0, 1.0, 2.0, 6.0, 10.0]), "linear", **settings).tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    done = (step - warmup_steps) / float(steps - warmup_steps)
    done = xp.minimum(xp.maximum(done, 0.0), 1.0)
    after = {
        "linear": lambda: 1.0 - done,
        "cosine": lambda: 0.5 * (1.0 + xp.cos(math.pi * done)),
        "constant": lambda: xp.ones_like(done),
    }[schedule]()
    climb = step / float(max(warmup_steps, 1))
    return peak * xp.where(step < warmup_steps, climb, after)
