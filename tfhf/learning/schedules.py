"""Learning-rate schedules: a warm-up, then one of several ways down."""

import tensorflow as tf
import tf_keras

from tfhf.learning.arguments import SCHEDULES
from tfhf.learning.rates import learning_rate


def warmup_schedule(schedule, *, peak, steps, warmup_steps=0, **arguments):
    """Learning rate by update, as `transformers.get_scheduler` defines it.

    Args:
        schedule: what follows the warm-up: `linear`, `cosine` or `constant`; `polynomial`,
            `cosine_with_restarts`, `inverse_sqrt` or `warmup_stable_decay`.
        peak: highest learning rate, more than 0.
        steps: updates in all, 1 or more.
        warmup_steps: updates in which the rate climbs linearly from 0; less than `steps`.
        **arguments: the schedule's own, such as `power`; see `docs/training.md`.

    Returns:
        A `tf_keras.optimizers.schedules.LearningRateSchedule`.

    Raises:
        ValueError: if the name is unknown or the numbers do not fit.

    Example:
        >>> rate = warmup_schedule("linear", peak=1.0, steps=10, warmup_steps=2)
        >>> [round(float(rate(step)), 3) for step in (0, 1, 2, 6, 10)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    return WarmupSchedule(schedule, peak, steps, warmup_steps, **arguments)


class WarmupSchedule(tf_keras.optimizers.schedules.LearningRateSchedule):
    """See `warmup_schedule`."""

    def __init__(self, schedule, peak, steps, warmup_steps=0, **arguments):
        if schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {sorted(SCHEDULES)}. Received: {schedule!r}")
        unknown = set(arguments) - set(SCHEDULES[schedule])
        if unknown:
            raise ValueError(f"{schedule} takes {sorted(SCHEDULES[schedule])}. Received: {unknown}")
        if not 0 <= warmup_steps < steps:
            raise ValueError(f"0 <= warmup_steps < steps. Received: {warmup_steps} and {steps}")
        self.schedule = schedule
        self.peak = peak
        self.steps = steps
        self.warmup_steps = warmup_steps
        defaults = {name: default for name, (_, default) in SCHEDULES[schedule].items()}
        self.arguments = defaults | arguments

    def __call__(self, step):
        return learning_rate(tf.cast(step, tf.float32), xp=tf, **self.get_config())

    def get_config(self):
        return {
            "schedule": self.schedule,
            "peak": self.peak,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
        } | self.arguments
