"""Made-up run folders of every kind, and their reports."""

import json
import math
import random

import pytest
import yaml

from tests.reporting.task_runs import RUNS, write_task_run
from tfhf.reporting import write_card, write_report

KINDS = ("two", "many", "multi_label", "regression", "stopped")
HOSTILE = '<script>alert(1)</script> & "quotes" | `ticks`'
WORDS = ["card", "transfer", "refund", "never", "arrived", "twice", "charged", "abroad", "pending"]
WORDS += ["limit", "the", "my", "is", "not"]
EMOTIONS = ["admiration", "anger", "caring", "confusion", "curiosity", "desire", "disapproval"]
EMOTIONS += ["fear", "gratitude", "grief", "joy", "love", "pride", "relief", "sadness", "surprise"]
CLASSES = {
    "two": ["negative", "positive"],
    "many": [f"{a}_{b}_not_working" for a in WORDS[:11] for b in WORDS[4:11]],
    "multi_label": EMOTIONS,
}


def write_run(folder, kind, seed=7):
    """Writes a run folder as a training would leave it.

    Args:
        folder: where to write.
        kind: `"two"` or `"many"` classes, `"multi_label"`, `"regression"`;
            `"stopped"` is a run killed in its second epoch.
        seed: of the made-up figures.
    """
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    labels = CLASSES.get(kind)
    recipe = _recipe(kind)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    monitor = {"regression": "pearson", "multi_label": "f1_micro"}.get(kind, "accuracy")
    _write_rows(folder / "log.jsonl", _log(rng, monitor, epochs=1 if kind == "stopped" else 3))
    _write(folder / "data.json", _data(rng, labels))
    if kind == "stopped":
        with (folder / "log.jsonl").open("a") as log:
            log.write('{"step": 410, "epo')
        return folder
    _write(folder / "environment.json", _environment())
    metrics = {"monitor": monitor, "best_epoch": 2}
    for split, rows in (("validation", 300), ("test", 900)):
        if (kind, split) == ("multi_label", "test"):
            continue
        predictions = [_prediction(rng, kind, labels) for _ in range(rows)]
        _write_rows(folder / "predictions" / f"{split}.jsonl", predictions)
        metrics[split] = _figures(kind, labels, predictions)
    _write(folder / "metrics.json", metrics)
    (folder / "export").mkdir()
    _write(folder / "model" / "config.json", {"architectures": ["TFBertForSequenceClassification"]})
    return folder


def _recipe(kind):
    problem = {"multi_label": "multi_label", "regression": "regression"}.get(kind)
    pair = {"text_pair": "sentence2"} if kind == "regression" else {}
    return {
        "task": "text_classification",
        "model": "minilm",
        "data": {
            "path": "nyu-mll/glue" if kind == "two" else None,
            "name": "sst2" if kind == "two" else None,
            "train": None if kind == "two" else f"data/{kind}/train.csv",
            "columns": {"text": "sentence", **pair, "label": "label"},
        },
        "options": {"max_length": 64, "problem": problem},
        "train": {
            "epochs": 3,
            "batch_size": 32,
            "learning_rate": 5e-5,
            "schedule": "linear",
            "seed": 42,
        },
    }


def _log(rng, monitor, epochs, steps=400):
    rows = []
    for step in range(10, epochs * steps + 1, 10):
        loss = 0.15 + 0.6 * math.exp(-step / 250) + rng.gauss(0, 0.04)
        rate = 5e-5 * min(step / 120, 1 - step / (epochs * steps + 1))
        row = {"step": step, "epoch": step / steps, "loss": abs(loss), "learning_rate": rate}
        speed = {"tokens_per_second": rng.gauss(1500, 90), "real_tokens": 0.96, "seconds": step / 3}
        rows.append(row | speed)
        if step % steps == 0:
            epoch = step // steps
            figures = {
                "loss": 0.36 - 0.04 * epoch * (3.4 - epoch),
                monitor: 0.84 + 0.02 * epoch % 0.05,
            }
            rows.append({"step": step, "epoch": epoch, "validation": figures})
    return rows


def _data(rng, labels):
    def split(rows):
        counts = [0] * 24
        for _ in range(rows):
            counts[min(23, int(rng.lognormvariate(2.6, 0.5) // 4))] += 1
        lengths = {
            "percentiles": {"50": 13, "90": 28, "95": 34, "99": 47, "100": 96},
            "histogram": {"edges": list(range(0, 100, 4)), "counts": counts},
            "truncated": 0.031,
        }
        known = {"labels": dict.fromkeys(labels, rows // len(labels))} if labels else {}
        return {"rows": rows, "lengths": lengths, **known}

    return {
        "splits": {"train": split(12345), "validation": split(300), "test": split(900)},
        "notes": ["train.csv: 12 rows appear twice", f"row 7 reads {HOSTILE}"],
        "max_length": 64,
        "parameters": 22713216,
        "load_line": "minilm: 101 of 103 weights loaded; new: classifier/kernel, classifier/bias",
    }


def _environment():
    return {
        "python": "3.11.7",
        "platform": "Linux-6.1-x86_64",
        "processor": "x86_64",
        "cores": 2,
        "memory_gib": 7.8,
        "versions": {"tensorflow": "2.21.0", "transformers": "4.57.6", "datasets": "4.4.1"},
        "devices": ["/physical_device:CPU:0"],
        "strategy": "one device",
        "tfhf": "0.1.0",
        "started": "2025-11-22T04:11:00+00:00",
        "seconds": 431.7,
        "phases": {"loading": 1.21, "checking": 0.42, "tokenizing": 2.3, "training": 402.9},
    }


def _prediction(rng, kind, labels):
    text = " ".join(rng.choices(WORDS, k=rng.randint(3, 25)))
    if kind == "regression":
        expected = rng.uniform(0, 5)
        answer = min(5.2, max(0, expected + rng.gauss(0, 0.6)))
        pair = {"text": text, "text_pair": "a man is playing a guitar"}
        return pair | {"expected": expected, "label": answer, "score": answer}
    if kind == "multi_label":
        expected = rng.sample(labels, rng.choice([1, 1, 1, 2]))
        given = {name: rng.uniform(0, 0.4) for name in labels}
        given |= {name: rng.betavariate(4, 1.5) for name in expected}
        given[rng.choice(labels)] = rng.uniform(0.2, 0.8)
        chosen = [name for name, p in given.items() if p > 0.5]
        return {"text": text, "expected": expected, "label": chosen, "probabilities": given}
    expected = rng.choice(labels)
    score = 1 - 0.5 * rng.betavariate(1, 4)
    near = labels[(labels.index(expected) + rng.choice([1, 1, 1, 2])) % len(labels)]
    label = expected if rng.random() < score - 0.06 else near
    given = {name: (1 - score) / (len(labels) - 1) for name in labels} | {label: score}
    row = {"text": text, "expected": expected, "label": label}
    return row | {"score": score, "probabilities": given}


def _figures(kind, labels, predictions):
    if kind == "regression":
        return {"loss": 0.36, "mse": 0.3611, "pearson": 0.9248, "spearman": 0.9201}
    per_class = {name: _class_figures(name, predictions) for name in labels}
    if kind == "multi_label":
        return {"loss": 0.1, "f1_micro": 0.58, "f1_macro": 0.46, "per_class": per_class}
    right = sum(row["expected"] == row["label"] for row in predictions) / len(predictions)
    return {"loss": 0.31, "accuracy": right, "f1_macro": right - 0.01, "per_class": per_class}


def _class_figures(name, predictions):
    """Precision, recall, F1 and support; a label name is looked for in a name or a list of them."""
    expected = [name in _listed(row["expected"]) for row in predictions]
    given = [name in _listed(row["label"]) for row in predictions]
    both = sum(a and b for a, b in zip(expected, given, strict=True))
    precision, recall = both / (sum(given) or 1), both / (sum(expected) or 1)
    f1 = 2 * precision * recall / (precision + recall or 1)
    return {"precision": precision, "recall": recall, "f1": f1, "support": sum(expected)}


def _listed(label):
    return label if isinstance(label, list) else [label]


def _write(path, values):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(values))


def _write_rows(path, rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """kind → run folder with its report and card written, once for all tests."""
    folder = tmp_path_factory.mktemp("runs")
    written = {kind: write_run(folder / kind, kind) for kind in KINDS}
    for kind in ("many", "multi_label", "regression"):  # their curves would be those of "two"
        (written[kind] / "log.jsonl").unlink()
    for run in written.values():
        write_report(run)
        write_card(run)
    return written


@pytest.fixture
def bare_run(tmp_path):
    """Makes a run of one kind without log and data, so that there is little to draw."""

    def make(kind):
        run = write_run(tmp_path / "run", kind)
        (run / "log.jsonl").unlink()
        (run / "data.json").unlink()
        return run

    return make


@pytest.fixture(scope="session")
def task_runs(tmp_path_factory):
    """name → run folder of a task with its report and card written, once for all tests."""
    folder = tmp_path_factory.mktemp("task_runs")
    written = {name: write_task_run(folder / name, name) for name in RUNS}
    for name, run in written.items():
        if name != "causal_lm":  # the other curves would look like its own
            (run / "log.jsonl").unlink()
        write_report(run)
        write_card(run)
    return written
