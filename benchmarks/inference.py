"""Texts per second of `tfhf.pipeline` against transformers' pipeline on PyTorch, mixed lengths.

    python benchmarks/inference.py DATA --pytorch PYTORCH/bin/python [--rounds 3] [--texts 160]

DATA is a folder of public data sets. The texts are sentences of sst2 and dialogues of dialogsum,
three to one, shuffled; the model is a `minilm` classifier, saved once, that both sides open, each
in a process of its own with two threads. They take turns at each batch size, and at what each does
when none is named (tfhf: 2,048 tokens; transformers: one text at a time).

Prints for each batch size the texts per second, their ratio by the clock and by the processes' CPU
time (medians and range over the rounds), and in how many texts the labels agree.
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

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SIZES = (1, 8, 64, None)


def texts_of(data, count):
    """Three sentences to each dialogue, in an order that a seed fixes."""
    parts = []
    for name, column, share in (("sst2", "text", 3), ("dialogsum", "dialogue", 1)):
        lines = (data / name / "test.jsonl").read_text("utf-8").splitlines()
        parts += [json.loads(line)[column] for line in lines[: count * share // 4]]
    random.Random(0).shuffle(parts)
    return parts


def tfhf_worker(folder):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(2)
    import tfhf

    made = {size: tfhf.pipeline("text-classification", folder, batch_size=size) for size in SIZES}
    return lambda texts, size: [answer["label"] for answer in made[size](texts)]


def pytorch_worker(folder):
    import torch
    from transformers import pipeline

    torch.set_num_threads(2)
    classify = pipeline("text-classification", model=folder)

    def answer(texts, size):
        chosen = {} if size is None else {"batch_size": size}
        return [found["label"] for found in classify(texts, truncation=True, **chosen)]

    return answer


def work(kind, folder, file):
    """A process that answers all texts for each batch size it reads: seconds, CPU time, labels."""
    texts = json.loads(Path(file).read_text("utf-8"))
    answer = {"tfhf": tfhf_worker, "pytorch": pytorch_worker}[kind](folder)
    for size in SIZES:
        answer(texts[:8], size)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        clock, processor = time.perf_counter(), time.process_time()
        labels = answer(texts, json.loads(line))
        spent = [time.perf_counter() - clock, time.process_time() - processor]
        print(json.dumps([*spent, labels]), flush=True)


class Worker:
    """One side, in its own process."""

    def __init__(self, python, *arguments):
        self.process = subprocess.Popen(
            [python, __file__, "--work", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.read()

    def read(self):
        while line := self.process.stdout.readline():
            if line.startswith(("[", '"')):
                return json.loads(line)
        raise RuntimeError(f"{self.process.args} ended")

    def run(self, size):
        self.process.stdin.write(json.dumps(size) + "\n")
        self.process.stdin.flush()
        return self.read()


def show(name, values):
    return f"{name} {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--pytorch", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=160)
    chosen = parser.parse_args()
    import tfhf

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.json"
        texts = texts_of(chosen.data, chosen.texts)
        file.write_text(json.dumps(texts), encoding="utf-8")
        model = tfhf.load_model("minilm", labels=["negative", "positive"], max_length=512)
        model.save_pretrained(f"{folder}/model")
        workers = {
            "tfhf": Worker(sys.executable, "tfhf", f"{folder}/model", file),
            "pytorch": Worker(chosen.pytorch, "pytorch", f"{folder}/model", file),
        }
        for size in SIZES:
            found = {kind: [] for kind in workers}
            for _ in range(chosen.rounds):
                for kind, worker in workers.items():
                    found[kind].append(worker.run(size))
            rates = {
                kind: [len(texts) / seconds for seconds, _, _ in runs]
                for kind, runs in found.items()
            }
            pairs = list(zip(found["pytorch"], found["tfhf"], strict=True))
            agree = sum(a == b for a, b in zip(*(part[2] for part in pairs[0]), strict=True))
            print(f"batch size {size or 'as it comes'}: {agree} of {len(texts)} labels agree")
            print("  texts/s:", ", ".join(show(kind, values) for kind, values in rates.items()))
            for way, name in enumerate(("clock", "CPU time")):
                ratios = [theirs[way] / mine[way] for theirs, mine in pairs]
                print("  ratio by", show(name, ratios), flush=True)
        for worker in workers.values():
            worker.process.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(*sys.argv[2:])
    else:
        main()
