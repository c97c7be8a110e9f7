"""Training speed against the naive Keras loop: samples per second, A B A B in one run.

    python benchmarks/training_speed.py [--train FILE] [--rounds 3] [--steps 100]

Both sides fine-tune `minilm` on the same file with batches of 32, texts cut at 64 tokens, AdamW and
clipping at norm 1, each round in a process of its own. The first 10 steps (tracing, warm-up) are
not counted.

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


def measure(side, file, steps):
    """Runs one side; prints its samples per second, first-step seconds and final loss."""
    import tf_keras

    rows = load(file)
    started = time.perf_counter()
    model, dataset = {"tfhf": tfhf_side, "naive": naive_side}[side](rows, len(set(rows["label"])))

    class Clock(tf_keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 0:
                self.first = time.perf_counter() - started
            if batch == WARM_UP - 1:
                self.start = time.perf_counter()

    clock = Clock()
    history = model.fit(dataset.repeat().take(WARM_UP + steps), verbose=0, callbacks=[clock])
    seconds = time.perf_counter() - clock.start
    print(
        json.dumps(
            {
                "samples_per_second": steps * BATCH_SIZE / seconds,
                "first_step_seconds": clock.first,
                "loss": history.history["loss"][-1],
            }
        )
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", help="JSONL or CSV with text and label; default: support desk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--side", choices=["tfhf", "naive"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        measure(arguments.side, arguments.train, arguments.steps)
        return
    found = {"tfhf": [], "naive": []}
    for number in range(arguments.rounds):
        for side in found:
            command = [sys.executable, __file__, "--side", side, "--steps", str(arguments.steps)]
            command += ["--train", arguments.train] if arguments.train else []
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            found[side].append(json.loads(done.stdout.splitlines()[-1]))
            print(number + 1, side, found[side][-1], flush=True)
    speed = {side: [r["samples_per_second"] for r in rounds] for side, rounds in found.items()}
    for side, values in speed.items():
        middle = statistics.median(values)
        print(f"{side:<6} {middle:6.1f} samples/s  ({min(values):.1f} to {max(values):.1f})")
    ratio = statistics.median(speed["tfhf"]) / statistics.median(speed["naive"])
    print(f"ratio  {ratio:.2f}")


if __name__ == "__main__":
    main()
