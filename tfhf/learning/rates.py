"""Learning rates by update, in NumPy as in TensorFlow: a dry run shows what training will do."""

import math


def learning_rate(step, schedule, *, peak, steps, warmup_steps, xp, **arguments):
    """The learning rate of an update, as `transformers.get_scheduler` defines it.

    A warm-up begins at 0 (theirs of `warmup_stable_decay` begins at `min_ratio`).

    Args:
        step: float tensor or array, updates done before.
        schedule: what follows the warm-up: `linear`, `cosine` or `constant`; `polynomial`,
            `cosine_with_restarts`, `inverse_sqrt` or `warmup_stable_decay`.
        peak: highest learning rate.
        steps: updates in all.
        warmup_steps: updates in which the rate climbs linearly from 0; less than `steps`.
        xp: the namespace of its operations, `numpy` or `tensorflow`.
        **arguments: the schedule's own, all of them; see `arguments.SCHEDULES`.

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
        "cosine": lambda: _half_cosine(done, xp),
        "constant": lambda: xp.ones_like(done),
        "polynomial": lambda: _polynomial(done, **arguments),
        "cosine_with_restarts": lambda: _restarts(done, xp, **arguments),
        "inverse_sqrt": lambda: _inverse_sqrt(step, warmup_steps, xp, **arguments),
        "warmup_stable_decay": lambda: _stable(step, steps, warmup_steps, xp, **arguments),
    }[schedule]()
    climb = step / float(max(warmup_steps, 1))
    return peak * xp.where(step < warmup_steps, climb, after)


def _half_cosine(done, xp):
    """From 1 to 0 as `done` goes from 0 to 1."""
    return 0.5 * (1.0 + xp.cos(math.pi * done))


def _polynomial(done, power, min_ratio):
    return min_ratio + (1.0 - min_ratio) * (1.0 - done) ** power


def _restarts(done, xp, cycles):
    """Half cosines one after the other, each from the peak; nothing after the last."""
    return xp.where(done < 1.0, _half_cosine((cycles * done) % 1.0, xp), xp.zeros_like(done))


def _inverse_sqrt(step, warmup_steps, xp, timescale):
    """1 at the end of the warm-up, half of that `3 · timescale` updates later."""
    timescale = timescale or warmup_steps or 10_000
    return xp.sqrt(timescale / (xp.maximum(step - warmup_steps, 0.0) + timescale))


def _stable(step, steps, warmup_steps, xp, decay_ratio, decay, min_ratio):
    """The peak, until the last `decay_ratio` of all updates lead down to `min_ratio` of it."""
    decay_steps = min(max(1, int(steps * decay_ratio)), steps - warmup_steps)
    done = xp.minimum(xp.maximum(step - (steps - decay_steps), 0.0) / float(decay_steps), 1.0)
    left = {
        "linear": lambda: 1.0 - done,
        "cosine": lambda: _half_cosine(done, xp),
        "1-sqrt": lambda: 1.0 - xp.sqrt(done),
    }[decay]()
    return min_ratio + (1.0 - min_ratio) * left
