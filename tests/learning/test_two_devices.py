"""What two devices train is what one trains; two logical CPU devices, in their own process."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import toy_rows
from tfhf.run import Run

START = """
import json, sys
import numpy as np
import tensorflow as tf
import tf_keras
import tfhf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategies = {
    "one": tf.distribute.get_strategy(),
    "two": tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
}
"""

RUNS = (
    START
    + """
from tfhf import exporting
exporting.obstacles = lambda task: ["no export"]  # it is not what is tested here
with strategies["two"].scope():
    model = tfhf.load_model(sys.argv[3], labels=["a", "b"], max_length=24)
    model.compile(tfhf.AdamW())
model.seed, model.accumulate = 0, 3
for part in range(3):
    keys = strategies["two"].run(lambda: model._noise(part).key)
    print(*(int(key[0]) for key in strategies["two"].experimental_local_results(keys)))
for name, recipe in json.loads(sys.argv[1]).items():
    strategy = strategies[name.split(",")[0]]
    tfhf.train(recipe, out=f"{sys.argv[2]}/{name}", strategy=strategy)
"""
)


@pytest.fixture
def recipe(toy_recipe, tmp_path):
    """The toy recipe without dropout: its random numbers differ from replica to replica."""
    folder = shutil.copytree(toy_recipe["model"], tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return toy_recipe | {"model": str(folder)}


def printed(program, *arguments):
    """What a program prints in a process of its own."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def losses(run):
    """Every loss of log.jsonl, the validation's too."""
    rows = map(json.loads, (run.folder / "log.jsonl").read_text().splitlines())
    return [row.get("validation", row)["loss"] for row in rows]


@pytest.mark.slow
def test_runs_are_the_same(recipe, tmp_path):
    # A batch of tokens is cut by replicas × accumulate, so that must be the same.
    sizes = {
        "one": {"batch_size": 8, "accumulate": 2},
        "two": {"batch_size": 8, "accumulate": 2},
        "one, tokens": {"batch_tokens": 160, "accumulate": 4},
        "two, tokens": {"batch_tokens": 160, "accumulate": 2},
    }
    settings = {name: value for name, value in recipe["train"].items() if name != "batch_size"}
    recipes = {name: recipe | {"train": settings | size} for name, size in sizes.items()}
    rows = "".join(json.dumps(row) + "\n" for row in toy_rows(96)[:64])
    (tmp_path / "train.jsonl").write_text(rows, encoding="utf-8")
    stream = {"train": str(tmp_path / "train.jsonl"), "streaming": True, "rows": 64}
    data = recipe["data"] | stream | {"labels": ["negative", "positive"]}
    recipes["two, streamed"] = recipes["two"] | {"data": data}
    found = printed(RUNS, json.dumps(recipes), tmp_path, recipe["model"])
    assert found == "0 3\n1 4\n2 5\n"  # which dropouts each replica draws, slice by slice
    pairs = (("one", "two"), ("one, tokens", "two, tokens"), ("one", "two, streamed"))
    for names in pairs:
        one, two = (Run(tmp_path / name) for name in names)
        assert losses(two) == pytest.approx(losses(one), rel=1e-5)
        assert two.metrics["test"]["loss"] == pytest.approx(one.metrics["test"]["loss"], rel=1e-4)
        assert two.metrics["test"]["accuracy"] == one.metrics["test"]["accuracy"]


UPDATES = (
    START
    + """
import ast
from pathlib import Path
from tfhf import preparation, training
from tfhf.console import Phases
from tfhf.models import names
from tfhf.recipe import Recipe

class Overflow(tf_keras.callbacks.Callback):
    # The third update of a scaled loss overflows; the others have the same scale.
    def on_train_batch_begin(self, batch, logs=None):
        scale = getattr(self.model.optimizer, "_loss_scale", None)
        if scale is not None:
            scale._current_loss_scale.assign(2.0 ** (120 if batch == 2 else 12))

def weights(model):
    return {one.name: one.variable.numpy() for one in names.places(model.backbone)}

def write(name, values):
    np.savez(folder / f"{name}.npz", **values)

recipe, folder = json.loads(sys.argv[1]), Path(sys.argv[3])
prepared = preparation.prepare(Recipe.load(recipe), Phases())
stores = preparation.tokenize(prepared, folder / "tokens", Phases())
for case, settings in ast.literal_eval(sys.argv[2]).items():
    checked = Recipe.load(recipe | {"train": settings}).train
    for name, strategy in strategies.items():
        plan = training.plan_batches(checked, prepared, stores["train"], strategy)
        model, _ = training.load_compiled(checked, prepared, plan.steps, strategy)
        write(f"{case} {name} start", weights(model))
        fed = training.fed(prepared, stores["train"], plan, checked.epochs)
        model.fit(
            fed, steps_per_epoch=plan.steps, epochs=checked.epochs, callbacks=[Overflow()],
            verbose=0,
        )
        write(f"{case} {name} end", weights(model))  # Keras ends with the averages in their place
        print(case, name, int(model.optimizer.iterations.numpy()))
"""
)
PACED = {"layer_decay": 0.5, "unfreeze": {2: ["bert.encoder"]}, "ema": 0.7}
LEARNING = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "schedule": "constant"}
CASES = {  # settings, and how far rounding takes the weights apart
    "AdamW": ({"optimizer": {"name": "AdamW", "epsilon": 1e-3}, "freeze": ["*.bias"]}, 5e-6),
    "float16": (
        {"optimizer": {"name": "AdamW", "epsilon": 1e-3}, "dtype_policy": "mixed_float16"},
        1e-4,
    ),
    "RMSprop of tf-keras": ({"optimizer": {"name": "RMSprop", "epsilon": 1e-3}}, 5e-6),
}


@pytest.mark.slow
def test_paces_averages_and_scaled_losses_are_the_same(recipe, tmp_path):
    """Layer decay, unfreezing and EMA, with frozen weights, and with a scaled loss in float16."""
    cases = {name: LEARNING | PACED | settings for name, (settings, _) in CASES.items()}
    found = printed(UPDATES, json.dumps(recipe), cases, tmp_path)
    # An update that overflows is counted, too.
    assert found.splitlines() == [f"{case} {name} 8" for case in CASES for name in ("one", "two")]
    for case, (_, tolerance) in CASES.items():
        at = {}
        for when in ("start", "end"):
            one, two = (np.load(tmp_path / f"{case} {name} {when}.npz") for name in ("one", "two"))
            assert one.files == two.files
            for name in one.files:
                message = f"{case}, {when}: {name}"
                np.testing.assert_allclose(two[name], one[name], atol=tolerance, err_msg=message)
            at[when] = {name: two[name] for name in two.files}
        for name in ("classifier.weight", "bert.encoder.layer.0.output.dense.weight"):
            assert np.abs(at["end"][name] - at["start"][name]).max() > 10 * tolerance, name
