"""Texts per second of an exported model against PyTorch, the same model and rows.

    python benchmarks/served_inference.py RUN ROWS.jsonl --pytorch PYTORCH/bin/python

RUN is a run of text_classification with an export; ROWS has a `text` in each line. Three ways take
turns, each in a process of its own with two threads, over the same rows in their given order:

- tfhf: the SavedModel, strings in and labels out, 32 rows a call;
- pytorch: the Hugging Face tokenizer, then the PyTorch model, 32 rows a call;
- pipeline: `transformers.pipeline("text-classification")` as it comes: one row at a time.

Prints a JSON line: texts per second (median and range over the rounds), the ratios' medians, and in
how many rows the labels agree.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

BATCH = 32


def batches(texts):
    return [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]


def tfhf_worker(folder):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(2)
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], folder)
        signature = loaded.signature_def["serving_default"]
        call = session.make_callable(
            signature.outputs["label"].name, [signature.inputs["text"].name]
        )
    return lambda texts: [label.decode() for part in batches(texts) for label in call(part)]


def pytorch_worker(folder):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.set_num_threads(2)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()

    def answer(texts):
        found = []
        with torch.inference_mode():
            for part in batches(texts):
                inputs = tokenizer(part, padding=True, truncation=True, return_tensors="pt")
                best = model(**inputs).logits.argmax(-1).tolist()
                found += [model.config.id2label[index] for index in best]
        return found

    return answer


def pipeline_worker(folder):
    import torch
    from transformers import pipeline

    torch.set_num_threads(2)
    classify = pipeline("text-classification", model=folder)
    return lambda texts: [answer["label"] for answer in classify(texts)]


WORKERS = {"tfhf": tfhf_worker, "pytorch": pytorch_worker, "pipeline": pipeline_worker}


def work(kind, folder, rows):
    """A process that answers all rows each time it gets a line, and tells seconds and labels."""
    texts = [json.loads(line)["text"] for line in Path(rows).read_text("utf-8").splitlines()]
    answer = WORKERS[kind](folder)
    answer(texts[: 2 * BATCH])
    print(json.dumps("ready"), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        labels = answer(texts)
        print(json.dumps([time.perf_counter() - start, labels]), flush=True)


class Worker:
    """One of the three, in its own process."""

    def __init__(self, python, kind, folder, rows):
        command = [python, __file__, "--work", kind, str(folder), str(rows)]
        self.process = subprocess.Popen(
            command,
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

    def run(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--pytorch", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    (versions,) = [path for path in (chosen.run / "export").iterdir() if path.is_dir()]
    newest = max(
        (path for path in versions.iterdir() if path.name.isdecimal()), key=lambda p: int(p.name)
    )
    places = {
        "tfhf": (sys.executable, newest),
        "pytorch": (chosen.pytorch, chosen.run / "model"),
        "pipeline": (chosen.pytorch, chosen.run / "model"),
    }
    workers = {
        kind: Worker(python, kind, folder, chosen.rows) for kind, (python, folder) in places.items()
    }
    rates, labels = {kind: [] for kind in workers}, {}
    for _ in range(chosen.rounds):
        for kind, worker in workers.items():
            seconds, labels[kind] = worker.run()
            rates[kind].append(len(labels[kind]) / seconds)
    for worker in workers.values():
        worker.process.kill()
    ratios = {
        kind: statistics.median(a / b for a, b in zip(rates["tfhf"], rates[kind], strict=True))
        for kind in ("pytorch", "pipeline")
    }
    agree = sum(a == b for a, b in zip(labels["tfhf"], labels["pytorch"], strict=True))
    print(
        json.dumps(
            {
                "texts_per_second": {
                    kind: [
                        round(statistics.median(found), 1),
                        round(min(found), 1),
                        round(max(found), 1),
                    ]
                    for kind, found in rates.items()
                },
                "ratio": {kind: round(ratio, 2) for kind, ratio in ratios.items()},
                "labels_agree": [agree, len(labels["tfhf"])],
            }
        )
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(*sys.argv[2:])
    else:
        main()
