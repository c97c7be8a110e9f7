"""Fine-tunes a multiple choice model in PyTorch: the figure a tfhf recipe is held against.

Runs in an environment of its own (torch, transformers); tfhf is not imported. The flags have the
names and defaults of a recipe's `train:` and `options:` keys, and the loop is the recipe's: AdamW
without decay on biases and layer norms, clipping, linear decay, a new order every epoch, and the
weights of the best validation epoch at the end. The files are JSONL with `premise`, `choices`,
`label` and, if there is one, `question`, which stands before each choice.

    python benchmarks/multiple_choice.py --train train.jsonl --validation validation.jsonl \
        --test test.jsonl --epochs 1 --batch-size 16 --seed 42

The last line on stdout is one JSON object: accuracy per split, seconds and settings.
"""

import argparse
import copy
import json
import random
import sys
import time
from pathlib import Path

import torch
import transformers
from pytorch_trainer import build_optimizer, find_model
from transformers import AutoModelForMultipleChoice, AutoTokenizer


def parse_arguments():
    """The command line, with a recipe's defaults."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--model", default="minilm", help="folder, Hub id, or minilm")
    for split in ("train", "validation", "test"):
        add(f"--{split}", required=True, help="JSONL file")
    add("--epochs", type=int, default=3)
    add("--batch-size", type=int, default=32)
    add("--learning-rate", type=float, default=5e-5)
    add("--warmup-ratio", type=float, default=0.0)
    add("--weight-decay", type=float, default=0.01)
    add("--global-clipnorm", type=float, default=1.0)
    add("--max-length", type=int, default=128)
    add("--seed", type=int, default=42)
    add("--threads", type=int, default=2)
    return parser.parse_args()


def read_rows(path):
    """The rows of one file."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def collate(rows, tokenizer, max_length):
    """A batch `(B, C, T)` of rows with equally many choices, padded to its longest choice."""
    premises = [row["premise"] for row in rows for _ in row["choices"]]
    choices = [
        f"{row['question']} {choice}" if row.get("question") else choice
        for row in rows
        for choice in row["choices"]
    ]
    tokens = tokenizer(
        premises,
        choices,
        truncation=True,
        max_length=max_length,
        padding=True,
        return_tensors="pt",
    )
    shape = (len(rows), len(rows[0]["choices"]), -1)
    batch = {name: value.reshape(shape) for name, value in tokens.items()}
    return {**batch, "labels": torch.tensor([row["label"] for row in rows])}


def train_epoch(model, rows, tokenizer, optimizer, schedule, args):
    """One pass over the rows in a new random order; returns the mean loss."""
    model.train()
    order = torch.randperm(len(rows)).tolist()
    losses = []
    for start in range(0, len(order), args.batch_size):
        batch = [rows[i] for i in order[start : start + args.batch_size]]
        loss = model(**collate(batch, tokenizer, args.max_length)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), args.global_clipnorm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@torch.no_grad()
def accuracy(model, rows, tokenizer, args, batch_size=32):
    """The share of rows whose right choice has the highest score."""
    model.eval()
    rows = sorted(rows, key=lambda row: len(row["premise"]) + sum(map(len, row["choices"])))
    hits = 0
    for start in range(0, len(rows), batch_size):
        batch = collate(rows[start : start + batch_size], tokenizer, args.max_length)
        labels = batch.pop("labels")
        hits += int((model(**batch).logits.argmax(-1) == labels).sum())
    return hits / len(rows)


def main():
    """Trains, keeps the best epoch by validation, and prints the figures."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    random.seed(args.seed)
    torch.manual_seed(args.seed)
    rows = {split: read_rows(getattr(args, split)) for split in ("train", "validation", "test")}
    folder = find_model(args.model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForMultipleChoice.from_pretrained(folder)
    steps = args.epochs * -(-len(rows["train"]) // args.batch_size)
    optimizer, schedule = build_optimizer(model, args, steps)
    history, best, seconds = [], None, 0.0
    for epoch in range(1, args.epochs + 1):
        start = time.perf_counter()
        loss = train_epoch(model, rows["train"], tokenizer, optimizer, schedule, args)
        seconds += time.perf_counter() - start
        history.append(accuracy(model, rows["validation"], tokenizer, args))
        print(f"epoch {epoch}: loss {loss:.4f}, validation {history[-1]:.4f}", file=sys.stderr)
        if best is None or history[-1] > history[best[0] - 1]:
            best = epoch, copy.deepcopy(model.state_dict())
    model.load_state_dict(best[1])
    result = {
        "best_epoch": best[0],
        "validation": history[best[0] - 1],
        "test": accuracy(model, rows["test"], tokenizer, args),
        "training_seconds": round(seconds, 1),
        "rows_per_second": round(len(rows["train"]) * args.epochs / seconds, 1),
        "settings": vars(args),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
