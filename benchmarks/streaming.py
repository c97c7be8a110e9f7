"""Memory of a training on a stream, tenth after tenth of one epoch of it.

    python benchmarks/streaming.py                            # 2,000,000 rows of JSON lines
    python benchmarks/streaming.py --rows 200000 --format parquet

Generated sentences in four files, a BERT of one layer, batches of 512 rows. The training is a
process of its own with an empty cache, watched from outside (Linux): of each tenth, the most
anonymous memory and the rows per second of processor time.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measuring
import size

FILES, PARTS, BATCH = 4, 10, 512
LABELS = [str(number) for number in range(10)]
TINY = size.SMALL | {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


def recipe(rows, kind, folder):
    """The recipe; its files are written into `folder`."""
    draw, known = random.Random(0), size.WORDS.split()
    counts = {f"train-{number}": rows // FILES for number in range(FILES)} | {"validation": 100}
    for name, count in counts.items():
        with (folder / f"{name}.jsonl").open("w") as file:
            for _ in range(count):
                text = " ".join(draw.choices(known, k=draw.randrange(3, 12)))
                file.write(f'{{"text": "{text}", "label": "{draw.randrange(10)}"}}\n')
        if kind == "parquet":
            _as_parquet(folder / f"{name}.jsonl")
    return {
        "task": "text_classification",
        "model": TINY,
        "data": {
            "train": str(folder / f"train-*.{kind}"),
            "validation": str(folder / f"validation.{kind}"),
            "labels": LABELS,
            "streaming": True,
            "rows": rows,
        },
        "options": {"max_length": 16},
        "train": {"epochs": 1, "batch_size": BATCH},
    }


def _as_parquet(path):
    from pyarrow import json as lines
    from pyarrow import parquet

    parquet.write_table(lines.read_json(path), path.with_suffix(".parquet"), row_group_size=100_000)
    path.unlink()


def measure(wanted):
    """Trains one epoch; tells rows and processor seconds of each tenth as a line of JSON."""
    from tfhf import models, preparation, training
    from tfhf.console import Phases, load_tensorflow
    from tfhf.recipe import Recipe

    minilm = models.resolve("minilm").folder
    checked = Recipe.load(wanted | {"tokenizer": str(minilm)})
    prepared = preparation.prepare(checked, Phases())
    with tempfile.TemporaryDirectory() as scratch:
        store = preparation.tokenize(prepared, Path(scratch), Phases())["train"]
        load_tensorflow()
        import tensorflow as tf
        import tf_keras

        plan = training.plan_batches(checked.train, prepared, store)
        strategy = tf.distribute.get_strategy()
        model, _ = training.load_compiled(checked.train, prepared, plan.steps, strategy)

        class Tenths(tf_keras.callbacks.Callback):
            started, done = time.process_time(), 0

            def on_train_batch_end(self, batch, logs=None):
                self.done += 1
                if self.done % -(-plan.steps // PARTS) == 0 or self.done == plan.steps:
                    print(json.dumps([self.done, time.process_time() - self.started]), flush=True)
                    self.started = time.process_time()

        batches = training.fed(prepared, store, plan, 1)
        model.fit(batches, steps_per_epoch=plan.steps, callbacks=[Tenths()], verbose=0)


def watch(wanted, folder):
    """Yields updates done, processor seconds and most anonymous memory, MiB, of each tenth."""
    home = {"HF_HOME": f"{folder}/home", "TF_CPP_MIN_LOG_LEVEL": "3"}
    child = subprocess.Popen(
        [sys.executable, __file__, "--measure", json.dumps(wanted)],
        env=os.environ | home,
        stdout=subprocess.PIPE,
        text=True,
    )
    memory = measuring.Memory(child.pid)
    for line in child.stdout:
        yield *json.loads(line), memory.anonymous
        memory.restart()
    memory.close()
    if child.wait():
        raise SystemExit(f"the process ended with {child.returncode}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--format", choices=("jsonl", "parquet"), default="jsonl")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(json.loads(arguments.measure))
        return
    print(measuring.conditions({"tfhf": sys.executable}), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        wanted = recipe(arguments.rows, arguments.format, Path(folder))
        lines, before = [], 0
        for steps, seconds, anonymous in watch(wanted, folder):
            rows = (steps - before) * BATCH
            lines.append([f"{steps * BATCH:,}", f"{anonymous:.0f}", f"{rows / seconds:,.0f}"])
            print(*lines[-1], file=sys.stderr, flush=True)
            before = steps
        header = ["rows trained on", "anonymous memory, MiB", "rows/s of processor time"]
        print(f"\n{measuring.table(header, lines)}")


if __name__ == "__main__":
    main()
