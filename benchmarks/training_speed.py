"""Training speed against the naive Keras loop: samples per second, A B A B in one run.

    python benchmarks/training_speed.py [--train FILE] [--rounds 9] [--steps 30]

Both sides fine-tune `minilm` on the same file with batches of 32, texts cut at 64 tokens, AdamW and
clipping at norm 1, each in a process of its own; they take turns, a block of steps each, so that
both see the same moods of the machine. The ratio is the median of the rounds' ratios. The first 10
steps (tracing, warm-up) are not counted.

- tfhf: `tfhf.to_tf_dataset` (batches of like lengths) and `tfhf.AdamW` in `tfhf.Model`.
- naive: `datasets.Dataset.to_tf_dataset` with a padding collator, tf-keras' AdamW, and
  `TFBertForSequenceClassification.fit`, as transformers' TensorFlow examples did it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

WARM_UP = 10
BATCH_SIZE = 32
MAX_LENGTH = 64
RATE = 5e-5


def load(file):
    """Rows with the columns text and label (0 or 1)."""
    import datasets

    if file is None:
        from tfhf.data import supportdesk

        rows = supportdesk.messages()["train"]
        names = sorted({intent for _, intent in rows})
        return datasets.Dataset.from_list(
            [{"text": text, "label": names.index(intent)} for text, intent in rows]
        )
    kind = "csv" if file.endswith(".csv") else "json"
    return datasets.load_dataset(kind, data_files=file, split="train")


def tfhf_side(rows, classes):
    import tfhf

    model = tfhf.load_model("minilm", labels=list(range(classes)), max_length=MAX_LENGTH)
    dataset = tfhf.to_tf_dataset(rows, model, batch_size=BATCH_SIZE, shuffle=True)
    model.compile(tfhf.AdamW(RATE))
    return model, dataset


def naive_side(rows, classes):
    import tf_keras
    from transformers import DataCollatorWithPadding, TFBertForSequenceClassification

    import tfhf
    from tfhf import models

    tfhf.repair()
    source = models.resolve("minilm")
    tokenizer = models.load_tokenizer(source)
    model = TFBertForSequenceClassification.from_pretrained(source.folder, num_labels=classes)
    tokens = rows.map(
        lambda batch: tokenizer(batch["text"], truncation=True, max_length=MAX_LENGTH),
        batched=True,
        remove_columns=["text"],
    )
    dataset = tokens.to_tf_dataset(
        columns=["input_ids", "attention_mask", "token_type_ids"],
        label_cols="label",
        batch_size=BATCH_SIZE,
        shuffle=True,
        collate_fn=DataCollatorWithPadding(tokenizer, return_tensors="np"),
    )
    optimizer = tf_keras.optimizers.AdamW(RATE, weight_decay=0.01, global_clipnorm=1.0)
    model.compile(optimizer)
    return model, dataset


def work(side, file, steps, rounds):
    """One side's process: a block of steps for each line on stdin, its seconds on stdout."""
    import tf_keras

    rows = load(file)
    started = time.perf_counter()
    model, dataset = {"tfhf": tfhf_side, "naive": naive_side}[side](rows, len(set(rows["label"])))

    class Blocks(tf_keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 0:
                print(json.dumps(time.perf_counter() - started), flush=True)
            if batch + 1 >= WARM_UP and (batch + 1 - WARM_UP) % steps == 0:
                if batch + 1 > WARM_UP:
                    print(json.dumps([time.perf_counter() - self.start, logs["loss"]]), flush=True)
                sys.stdin.readline()
                self.start = time.perf_counter()

    total = WARM_UP + steps * rounds
    model.fit(dataset.repeat(), steps_per_epoch=total, verbose=0, callbacks=[Blocks()])


class Side:
    """A process of one side, warmed up, that runs a block of steps when told to."""

    def __init__(self, name, arguments):
        command = [sys.executable, __file__, "--side", name, "--steps", str(arguments.steps)]
        command += ["--rounds", str(arguments.rounds)]
        command += ["--train", arguments.train] if arguments.train else []
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.first_step = json.loads(self.process.stdout.readline())
        self.samples = arguments.steps * BATCH_SIZE

    def block(self):
        """Samples per second of one block, and the loss so far."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        seconds, loss = json.loads(self.process.stdout.readline())
        return self.samples / seconds, loss


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", help="JSONL or CSV with text and label; default: support desk")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=30, help="steps per block")
    parser.add_argument("--side", choices=["tfhf", "naive"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        work(arguments.side, arguments.train, arguments.steps, arguments.rounds)
        return
    sides = {name: Side(name, arguments) for name in ("tfhf", "naive")}
    speeds = {name: [] for name in sides}
    for number in range(1, arguments.rounds + 1):
        for name, side in sides.items():
            speed, loss = side.block()
            speeds[name].append(speed)
            print(f"round {number}  {name:<6} {speed:6.1f} samples/s  loss {loss:.4f}", flush=True)
    for side in sides.values():
        side.process.stdin.close()
        side.process.wait()
    for name, values in speeds.items():
        print(
            f"{name:<6} median {statistics.median(values):6.1f} samples/s"
            f"  ({min(values):.1f} to {max(values):.1f}), first step {sides[name].first_step:.1f} s"
        )
    ratios = [a / b for a, b in zip(speeds["tfhf"], speeds["naive"], strict=True)]
    print(
        f"ratio  median of {len(ratios)} rounds {statistics.median(ratios):.2f}"
        f"  ({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
