"""Runs as a training leaves them, made without one."""

import pytest

from tfhf.recipe import Recipe
from tfhf.run import Run

ROWS = 100


def write_run(folder, recipe, accuracy=None, *, seconds=60.0, parameters=1_000_000):
    """Writes a run; without an accuracy it is one that was stopped."""
    run = Run.create(folder, Recipe.load(recipe), overwrite=True)
    run.update("environment.json", {"started": "2026-01-02T03:04:05+00:00", "seconds": seconds})
    run.write("data.json", {"parameters": parameters, "splits": {}})
    for step, speed in ((10, 900.0), (20, 1000.0), (30, 1100.0)):
        run.log({"step": step, "epoch": 1, "loss": 1 / step, "tokens_per_second": speed})
    if accuracy is None:
        return run
    figures = {"loss": 1 - accuracy, "accuracy": accuracy}
    run.write("metrics.json", {"monitor": "accuracy", "best_epoch": 1, "validation": figures})
    right = round(accuracy * ROWS)
    rows = [
        {"text": "a", "expected": "no", "label": label, "score": 0.9, "probabilities": {}}
        for label in ["no"] * right + ["yes"] * (ROWS - right)
    ]
    run.write_predictions("validation", rows)
    (run.folder / "model").mkdir(exist_ok=True)
    (run.folder / "model" / "model.safetensors").write_bytes(b"0" * 2_000_000)
    return run


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "rows.csv").write_text("text,label\na,no\nb,yes\n")
    return {
        "task": "text_classification",
        "data": {"train": str(tmp_path / "rows.csv")},
        "train": {"epochs": 1},
    }
