"""The input pipeline alone: rows/s against `to_tf_dataset`, real tokens, memory against rows.

    python benchmarks/input_pipeline.py DATA [--rounds 5] [--rows 20000 2000000]

DATA is a folder of public data sets (`sst2`, `dialogsum`, `e_care`); the tokenizers are those of
`minilm` and, for dialogsum, of T5 (`--t5 FOLDER`). Prints three tables.

- Rows/s: batches of 32 of sst2 are made and thrown away, nothing else running in the process.
  tfhf: `batches.training_dataset` over a token store. stock: `datasets.Dataset.to_tf_dataset` of
  the same token ids with `DataCollatorWithPadding`, shuffled. They take turns; the ratio is the
  median of the rounds'. Tokenizing is in neither; its CPU seconds stand above, without and with
  the cache.
- Real tokens among all tokens fed, every ragged column counted, first epoch: batches of rows, of
  tokens, and of few widths.
- Memory: a training of a small BERT on so many rows, in a process of its own; anonymous memory
  (RssAnon) after 60 steps. The rows are sst2's, numbered, so that no two are the same.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

BATCH_SIZE = 32
BATCH_TOKENS = 1024
SHAPES = 8
STEPS = 60
EPOCHS = 3  # of tfhf per round; stock takes one


def read(file):
    return [json.loads(line) for line in Path(file).read_text("utf-8").splitlines()]


def sst2(data):
    """The rows of sst2, and the task for them."""
    import datasets

    from tfhf import models, tasks

    kind = tasks.get("text_classification")
    rows = datasets.Dataset.from_list(read(data / "sst2" / "train.jsonl"))
    rows = rows.cast_column("label", datasets.ClassLabel(names=["negative", "positive"]))
    tokenizer = kind.load_processor(models.resolve("minilm"))
    return rows, kind(tokenizer, rows.features, max_length=64)


def dialogsum(data, t5):
    import datasets

    from tfhf import tasks

    kind = tasks.get("summarization")
    rows = datasets.Dataset.from_list(
        [
            {"source": row["dialogue"], "target": [row["summary"]]}
            for row in read(data / "dialogsum" / "train.jsonl")
        ]
    )
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(t5)
    return rows, kind(tokenizer, None, max_length=512, prefix="summarize: ")


def e_care(data):
    import datasets

    from tfhf import models, tasks

    kind = tasks.get("multiple_choice")
    names = ("premise", "question", "choices", "label")
    rows = [{name: row[name] for name in names} for row in read(data / "e_care" / "train.jsonl")]
    rows = datasets.Dataset.from_list(rows)
    return rows, kind(kind.load_processor(models.resolve("minilm")), rows.features)


# === Rows per second ===


def stock(rows, task):
    """The same ids through `datasets.Dataset.to_tf_dataset` and a padding collator."""
    from transformers import DataCollatorWithPadding

    tokens = rows.map(
        lambda batch: task.processor(batch["text"], truncation=True, max_length=task.max_length),
        batched=True,
        remove_columns=["text"],
    )
    return tokens.to_tf_dataset(
        columns=["input_ids", "attention_mask", "token_type_ids"],
        label_cols="label",
        batch_size=BATCH_SIZE,
        shuffle=True,
        collate_fn=DataCollatorWithPadding(task.processor, return_tensors="np"),
    )


def rows_per_second(dataset, rows):
    """Of a dataset that is read to its end: by the clock, and by the processor's time."""
    clock, processor = time.perf_counter(), time.process_time()
    for _ in dataset.as_numpy_iterator():
        pass
    return rows / (time.perf_counter() - clock), rows / (time.process_time() - processor)


def compare_speed(data, rounds):
    from tfhf.data import batches, cache, orders

    rows, task = sst2(data)
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for name in ("made", "found"):
            start = time.process_time()
            store, known = cache.token_store(rows, task, Path(folder) / name)
            seconds.append(f"{time.process_time() - start:.2f} s ({'cache' if known else 'made'})")
        print("tokenizing, CPU time:", ", then ".join(seconds))
        plan = orders.plan(store, task, seed=1, batch_size=BATCH_SIZE)
        mine = batches.training_dataset(store, task, plan, epochs=EPOCHS)
        theirs = stock(rows, task)
        found = {"tfhf": [], "stock": []}
        for _ in range(rounds + 1):  # the first warms up
            found["tfhf"].append(rows_per_second(mine, EPOCHS * len(rows)))
            found["stock"].append(rows_per_second(theirs, len(rows)))
    found = {name: rates[1:] for name, rates in found.items()}
    for name, rates in found.items():
        clock, processor = ([rate[way] for rate in rates] for way in (0, 1))
        print(
            f"{name:<6} {statistics.median(clock):10,.0f} rows/s ({min(clock):,.0f} to "
            f"{max(clock):,.0f}); {statistics.median(processor):,.0f} per CPU second"
        )
    for way, name in enumerate(("clock", "CPU time")):
        pairs = zip(found["tfhf"], found["stock"], strict=True)
        ratios = [a[way] / b[way] for a, b in pairs]
        print(
            f"ratio by {name}: median {statistics.median(ratios):.1f} "
            f"({min(ratios):.1f} to {max(ratios):.1f})"
        )


# === Real tokens ===


def real_tokens(store, task, **size):
    """Share of real tokens in what an epoch feeds, and the shapes of its batches.

    Counted where the model reads: ids and labels, and for multiple choice every choice padded to
    the longest of its batch.
    """
    import numpy as np

    from tfhf.data import batches, orders

    plan, real, fed, shapes = orders.plan(store, task, seed=1, **size), 0, 0, set()
    for inputs, targets, weights in batches.training_dataset(store, task, plan, epochs=1):
        whole = weights.numpy() > 0
        if "choice_length" in inputs:
            lengths = inputs["choice_length"].numpy()
            real += lengths[whole].sum()
            fed += lengths.size * lengths.max()
        else:
            mask = inputs["attention_mask"].numpy()
            real += mask[whole].sum()
            fed += mask.size
            if targets.shape.rank == 2:
                labels = np.asarray(targets)
                real += (labels[whole] != -100).sum()
                fed += labels.size
        shapes.add(inputs["input_ids"].shape)
    return real / fed, plan.steps, len(shapes)


def count_tokens(data, t5):
    from tfhf.data import cache

    cases = {
        "sst2": sst2(data),
        "dialogsum": dialogsum(data, t5),
        "e_care": e_care(data),
    }
    kinds = {
        "rows": {"batch_size": BATCH_SIZE},
        "tokens": {"batch_tokens": 8 * BATCH_TOKENS},
        "shapes": {"batch_size": BATCH_SIZE, "shapes": SHAPES},
    }
    for name, (rows, task) in cases.items():
        if hasattr(task, "start"):
            task.start = 0  # what the decoder begins with, which a model would say
        with tempfile.TemporaryDirectory() as folder:
            store, _ = cache.token_store(rows, task, Path(folder) / "store")
            for kind, size in kinds.items():
                if name == "e_care" and kind != "rows":
                    continue  # whose batches are of rows, and shapes not fixed
                share, steps, shapes = real_tokens(store, task, **size)
                print(f"{name:<10} {kind:<7} {share:6.1%} real  {steps:5} steps  {shapes} shapes")


# === Memory ===

SMALL = {
    "model_type": "bert",
    "hidden_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 128,
}


def train(data, count, out):
    """A process that trains on so many rows, and says how much anonymous memory it has."""
    import tf_keras

    import tfhf
    from tfhf import exporting, reporting, training

    exporting.obstacles = lambda task: ["not measured here"]
    reporting.report = lambda run: None
    texts, folder = read(data / "sst2" / "train.jsonl"), Path(out)
    with (folder / "train.jsonl").open("w", encoding="utf-8") as file:
        for number in range(count):
            row = texts[number % len(texts)]
            line = {"text": f"{number} {row['text']}", "label": row["label"]}
            file.write(json.dumps(line) + "\n")

    class Measure(tf_keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch + 1 == STEPS:
                status = Path("/proc/self/status").read_text()
                (line,) = (line for line in status.splitlines() if line.startswith("RssAnon"))
                used = resource.getrusage(resource.RUSAGE_SELF)
                print(json.dumps([int(line.split()[1]) / 1024, used.ru_utime + used.ru_stime]))
                sys.stdout.flush()
                os._exit(0)

    # Beside the progress that a training has anyway.
    fit = tfhf.Model.fit
    tfhf.Model.fit = lambda self, *arguments, callbacks=(), **keywords: fit(
        self, *arguments, callbacks=[*callbacks, Measure()], **keywords
    )
    recipe = {
        "task": "text_classification",
        "model": SMALL,
        "tokenizer": "minilm",
        "data": {
            "train": str(folder / "train.jsonl"),
            "validation": str(data / "sst2" / "validation.jsonl"),
        },
        "options": {"max_length": 64},
        "train": {"epochs": 1, "log_every": 20},
    }
    training.train(recipe, out=folder / "run")


def compare_memory(data, counts):
    found = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | {"HF_HOME": folder}
            command = [sys.executable, __file__, str(data), "--train", str(count), folder]
            ran = subprocess.run(
                command, stdout=subprocess.PIPE, text=True, env=environment, check=True
            )
            memory, seconds = json.loads(ran.stdout.splitlines()[-1])
        found[count] = memory
        print(f"{count:10,} rows  {memory:7.0f} MiB anonymous, {seconds:.0f} s of CPU", flush=True)
    more = max(found.values()) - min(found.values())
    print(f"difference {more:.0f} MiB = {more * 1.048576:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--t5", help="folder of T5's tokenizer; t5-small of the Hub by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, nargs="*", default=[20_000, 2_000_000])
    parser.add_argument("--train", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.train:
        train(chosen.data, int(chosen.train[0]), chosen.train[1])
        return
    compare_speed(chosen.data, chosen.rounds)
    count_tokens(chosen.data, chosen.t5 or "google-t5/t5-small")
    compare_memory(chosen.data, chosen.rows)


if __name__ == "__main__":
    main()
