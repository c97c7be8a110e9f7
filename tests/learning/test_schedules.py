"""Schedules against the formulas of transformers.get_scheduler."""

import math

import pytest

from tfhf.learning.schedules import WarmupSchedule, warmup_schedule


@pytest.mark.parametrize("warmup", [0, 4])
@pytest.mark.parametrize("kind", ["linear", "cosine", "constant"])
def test_every_step_equals_the_definition(kind, warmup):
    schedule = warmup_schedule(kind, peak=2.0, steps=20, warmup_steps=warmup)
    for step in range(21):
        done = (step - warmup) / (20 - warmup)
        after = {
            "linear": 1 - done,
            "cosine": 0.5 * (1 + math.cos(math.pi * done)),
            "constant": 1.0,
        }[kind]
        expected = 2.0 * (step / warmup if step < warmup else after)
        assert float(schedule(step)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("warmup", [0, 4])
def test_schedules_with_arguments_equal_their_definitions(warmup):
    """The formulas of transformers' get_…_schedule, whose curves these equal."""
    timescale, floor = warmup or 10_000, 0.1

    def polynomial(step):
        return floor + (1 - floor) * (1 - (step - warmup) / (20 - warmup)) ** 3

    def restarts(step):
        done = 3 * (step - warmup) / (20 - warmup)
        return 0.0 if done >= 3 else 0.5 * (1 + math.cos(math.pi * (done - math.floor(done))))

    def inverse_sqrt(step):
        return 1 / math.sqrt((step - warmup + timescale) / timescale)

    def stable(step):
        return floor + (1 - floor) * (1 - math.sqrt(max(0, step - 15) / 5))

    cases = [
        (polynomial, "polynomial", {"power": 3.0, "min_ratio": floor}),
        (restarts, "cosine_with_restarts", {"cycles": 3}),
        (inverse_sqrt, "inverse_sqrt", {}),
        (stable, "warmup_stable_decay", {"decay_ratio": 0.25, "decay": "1-sqrt", "min_ratio": 0.1}),
    ]
    for expected, name, arguments in cases:
        schedule = warmup_schedule(name, peak=2.0, steps=20, warmup_steps=warmup, **arguments)
        found = schedule(range(21)).numpy()
        after = [step / warmup if step < warmup else expected(step) for step in range(21)]
        assert found == pytest.approx([2.0 * one for one in after], abs=1e-6), name
        again = WarmupSchedule.from_config(schedule.get_config())
        assert again.get_config() == schedule.get_config()


def test_config_makes_the_same_schedule():
    schedule = warmup_schedule("cosine", peak=1.0, steps=9, warmup_steps=3)
    assert WarmupSchedule.from_config(schedule.get_config()).get_config() == schedule.get_config()


@pytest.mark.parametrize(
    "wrong", [{"schedule": "stepwise"}, {"warmup_steps": 10}, {"steps": 0}, {"power": 2.0}]
)
def test_numbers_that_do_not_fit_are_refused(wrong):
    arguments = {"schedule": "linear", "peak": 1.0, "steps": 10} | wrong
    with pytest.raises(ValueError, match="Received"):
        warmup_schedule(**arguments)
