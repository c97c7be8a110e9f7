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


def test_config_makes_the_same_schedule():
    schedule = warmup_schedule("cosine", peak=1.0, steps=9, warmup_steps=3)
    assert WarmupSchedule.from_config(schedule.get_config()).get_config() == schedule.get_config()


@pytest.mark.parametrize("wrong", [{"schedule": "stepwise"}, {"warmup_steps": 10}, {"steps": 0}])
def test_numbers_that_do_not_fit_are_refused(wrong):
    arguments = {"schedule": "linear", "peak": 1.0, "steps": 10} | wrong
    with pytest.raises(ValueError, match="Received"):
        warmup_schedule(**arguments)
