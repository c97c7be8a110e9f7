"""Memory and time against rows, length and layers; a table each, and one plot of all.

    python benchmarks/size.py                   # everything
    python benchmarks/size.py rows plot         # or length, layers

- rows: 20,000 to 2,000,000 generated sentences, a small BERT: what loading, tokenizing and batches
  cost. Training takes a few steps only, whatever the number of rows.
- length: 32 to 512 tokens, MiniLM, 8 rows a step.
- layers: 2 to 12 of MiniLM's width, 16 rows of 64 tokens a step.

Every point is a process of its own with an empty cache, watched from outside (Linux). Points are
kept in `.bench/size.json`, so that the plot, `benchmarks/size.png`, can be drawn of all of them.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import environments
import measuring

HERE = Path(__file__).parent
KEPT = environments.PLACE / "size.json"
PLOT = HERE / "size.png"
SIZES = {
    "rows": [20_000, 200_000, 2_000_000],
    "length": [32, 64, 128, 256, 512],
    "layers": [2, 4, 6, 8, 12],
}
MINILM_LAYER = {
    "model_type": "bert",
    "hidden_size": 384,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
}
SMALL = {
    "model_type": "bert",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}
# One token each in MiniLM's vocabulary.
WORDS = """
time year people way day man thing woman life child world school state family student group country
problem hand part place case week company system program question work government number night point
home water room mother area money story fact month lot right study book eye job word business issue
"""


# === What is trained ===


def recipe(kind, size, folder):
    """The recipe of a point; its files are written into `folder`."""
    rows, words = {
        "rows": (size, range(6, 30)),
        "length": (256, [size - 2]),  # and the two special tokens
        "layers": (512, [62]),
    }[kind]
    draw, known = random.Random(0), WORDS.split()
    for name, count in (("train", rows), ("validation", 8)):
        with (folder / f"{name}.jsonl").open("w") as file:
            for _ in range(count):
                text = " ".join(draw.choices(known, k=draw.choice(words)))
                file.write(f'{{"text": "{text}", "label": {draw.randrange(10)}}}\n')
    model = {
        "rows": SMALL,
        "length": MINILM_LAYER | {"num_hidden_layers": 6},
        "layers": MINILM_LAYER | {"num_hidden_layers": size},
    }[kind]
    return {
        "task": "text_classification",
        "model": model,
        "data": {split: str(folder / f"{split}.jsonl") for split in ("train", "validation")},
        "options": {"max_length": size if kind == "length" else 64},
        "train": {"batch_size": {"rows": 32, "length": 8, "layers": 16}[kind]},
    }


# === In the process that is watched ===


def measure(wanted, steps):
    """Loads, tokenizes and trains a recipe; tells each phase's seconds as a line of JSON."""
    import tfhf
    from tfhf import models, pieces
    from tfhf.console import Phases, load_tensorflow
    from tfhf.preparation import prepare
    from tfhf.recipe import Recipe

    start = time.perf_counter()

    def tell(phase, seconds=None):
        nonlocal start
        seconds = time.perf_counter() - start if seconds is None else seconds
        print(json.dumps([phase, seconds]), flush=True)
        sys.stdin.readline()  # until the memory of the next phase is watched
        start = time.perf_counter()

    minilm = models.resolve("minilm").folder
    prepared = prepare(Recipe.load(wanted | {"tokenizer": str(minilm)}), Phases())
    tell("loading")
    load_tensorflow()
    model = pieces.trained(prepared.source, prepared.task)
    tell("model")
    batch_size = wanted["train"]["batch_size"]
    rows = prepared.splits["train"]
    dataset = tfhf.to_tf_dataset(rows, model, batch_size=batch_size, shuffle=True)
    tell("tokenizing")
    next(iter(dataset))
    tell("first batch")
    tell("step", train(model, dataset, steps))


def train(model, dataset, steps):
    """Seconds of a step, median; the first ones are not counted."""
    import tf_keras

    from tfhf import AdamW
    from tfhf.learning.optimizers import undecayed

    times = []

    class Steps(tf_keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            times.append(time.perf_counter())

    model.compile(AdamW(exclude=undecayed(model.backbone)))
    model.fit(dataset.repeat(), steps_per_epoch=steps + 3, callbacks=[Steps()], verbose=0)
    return statistics.median(b - a for a, b in zip(times[2:], times[3:], strict=False))


# === In the process that watches ===


def point(kind, size, steps):
    """Phase → seconds and the most anonymous memory during it, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = recipe(kind, size, Path(folder))
        home = {"HF_HOME": f"{folder}/home", "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, __file__, "--measure", json.dumps(wanted), str(steps)]
        child = subprocess.Popen(
            command,
            env=os.environ | home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        memory, found = measuring.Memory(child.pid), {}
        for line in child.stdout:
            phase, seconds = json.loads(line)
            found[phase] = [seconds, memory.anonymous]
            memory.restart()
            child.stdin.write("\n")
            child.stdin.flush()
        memory.close()
        if child.wait():
            raise SystemExit(f"{kind} {size}: the process ended with {child.returncode}")
        found["file"] = [0.0, os.path.getsize(wanted["data"]["train"]) / 2**20]
        return found


def rows_table(points):
    header = ["rows", "file, MiB", "loading, s", "tokenizing, s", "first batch, s", "step, ms"]
    header += [f"memory while {phase}, MiB" for phase in ("loading", "tokenizing", "training")]
    rows = []
    for size, found in points.items():
        seconds = [f"{found[phase][0]:.1f}" for phase in ("loading", "tokenizing", "first batch")]
        memory = [f"{found[phase][1]:.0f}" for phase in ("loading", "tokenizing", "step")]
        step = f"{found['step'][0] * 1e3:.1f}"
        rows.append([f"{int(size):,}", f"{found['file'][1]:.0f}", *seconds, step, *memory])
    return measuring.table(header, rows)


def model_table(kind, points):
    """Time and memory of a step, and both for each unit of size."""
    header = [kind, "step, ms", f"ms / {kind}", "memory, MiB"]
    rows = []
    for size, found in points.items():
        seconds, memory = found["step"]
        step = seconds * 1e3
        rows.append([size, f"{step:.0f}", f"{step / int(size):.2f}", f"{memory:.0f}"])
    return measuring.table(header, rows)


def plot(kept):
    """Draws time above and memory below, against rows, length and layers."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(2, 3, figsize=(10, 5.4), layout="constrained")
    for (above, below), (kind, points) in zip(grid.T, kept.items(), strict=False):
        sizes = [int(size) for size in points]
        shown = ["loading", "tokenizing", "first batch"] if kind == "rows" else ["step"]
        for phase in shown:
            above.plot(sizes, [found[phase][0] for found in points.values()], "o-", label=phase)
        shown = ["loading", "tokenizing", "step"] if kind == "rows" else ["step"]
        for phase in shown:
            below.plot(sizes, [found[phase][1] for found in points.values()], "o-", label=phase)
        for axes, what in ((above, "seconds"), (below, "anonymous memory, MiB")):
            axes.set_xlabel(kind)
            axes.set_ylabel(what)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False)
            if kind == "rows":
                axes.set_xscale("log")
            if kind == "rows" and axes is above:
                axes.set_yscale("log")
            else:
                axes.set_ylim(bottom=0)
    figure.savefig(PLOT, dpi=80)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help=f"{', '.join(SIZES)} or plot; default: all")
    parser.add_argument("--steps", type=int, default=10, help="timed steps of a point; default: 10")
    parser.add_argument("--largest", type=int, help="leave out sizes above this")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(json.loads(arguments.measure[0]), int(arguments.measure[1]))
        return
    print(measuring.conditions({"tfhf": sys.executable}))
    kept = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    for kind, sizes in SIZES.items():
        if arguments.what and kind not in arguments.what:
            continue
        sizes = [size for size in sizes if size <= (arguments.largest or size)]
        kept[kind] = {str(size): point(kind, size, arguments.steps) for size in sizes}
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(json.dumps(kept))
        made = rows_table(kept[kind]) if kind == "rows" else model_table(kind, kept[kind])
        print(f"\n{made}", flush=True)
    if not arguments.what or "plot" in arguments.what:
        plot(kept)
        print(f"\n{PLOT}")


if __name__ == "__main__":
    main()
