"""Fine-tunes a token classifier in PyTorch: the figure a tfhf recipe is held against.

Runs in an environment of its own (torch, transformers, seqeval); tfhf is not imported. The flags
have the names and defaults of a recipe's `train:` and `options:` keys, and the loop is the
recipe's: AdamW without decay on biases and layer norms, clipping, linear decay, a new order every
epoch, and the weights of the best validation epoch at the end. The files are JSONL with `tokens`
and `tags`; the first sub-token of each word carries its tag.

    python benchmarks/token_classification.py --train train.jsonl --validation validation.jsonl \
        --test test.jsonl --epochs 3 --batch-size 16 --learning-rate 5e-5 --seed 42

The last line on stdout is one JSON object: entity F1 per split, seconds and settings.
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
from seqeval.metrics import f1_score
from transformers import AutoModelForTokenClassification, AutoTokenizer


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


def first_of_words(word_ids):
    """Positions of the first sub-token of each word, and the words' numbers."""
    previous, found = None, []
    for position, word in enumerate(word_ids):
        if word is not None and word != previous:
            found.append((position, word))
        previous = word
    return found


def collate(rows, tokenizer, names, max_length):
    """A batch padded to its longest row, and for each row its labelled positions and words."""
    tokens = tokenizer(
        [row["tokens"] for row in rows],
        is_split_into_words=True,
        truncation=True,
        max_length=max_length,
        padding=True,
        return_tensors="pt",
    )
    firsts = [first_of_words(tokens.word_ids(index)) for index in range(len(rows))]
    labels = torch.full(tokens["input_ids"].shape, -100)
    for index, row in enumerate(rows):
        for position, word in firsts[index]:
            labels[index, position] = names.index(row["tags"][word])
    return {**tokens, "labels": labels}, firsts


def train_epoch(model, rows, tokenizer, names, optimizer, schedule, args):
    """One pass over the rows in a new random order; returns the mean loss of its batches."""
    model.train()
    order = torch.randperm(len(rows)).tolist()
    losses = []
    for start in range(0, len(order), args.batch_size):
        chosen = [rows[i] for i in order[start : start + args.batch_size]]
        batch, _ = collate(chosen, tokenizer, names, args.max_length)
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), args.global_clipnorm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@torch.no_grad()
def entity_f1(model, rows, tokenizer, names, args, batch_size=32):
    """Micro F1 of entities; words beyond `max_length` count as predicted O."""
    model.eval()
    rows = sorted(rows, key=lambda row: len(row["tokens"]))
    predicted = []
    for start in range(0, len(rows), batch_size):
        chosen = rows[start : start + batch_size]
        batch, firsts = collate(chosen, tokenizer, names, args.max_length)
        batch.pop("labels")
        best = model(**batch).logits.argmax(-1).tolist()
        for row, classes, words in zip(chosen, best, firsts, strict=True):
            tags = ["O"] * len(row["tokens"])
            for position, word in words:
                tags[word] = names[classes[position]]
            predicted.append(tags)
    return float(f1_score([row["tags"] for row in rows], predicted))


def main():
    """Trains, keeps the best epoch by validation, and prints the figures."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    random.seed(args.seed)
    torch.manual_seed(args.seed)
    rows = {split: read_rows(getattr(args, split)) for split in ("train", "validation", "test")}
    names = sorted({tag for row in rows["train"] for tag in row["tags"]})
    folder = find_model(args.model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=len(names))
    steps = args.epochs * -(-len(rows["train"]) // args.batch_size)
    optimizer, schedule = build_optimizer(model, args, steps)
    history, best, seconds = [], None, 0.0
    for epoch in range(1, args.epochs + 1):
        start = time.perf_counter()
        loss = train_epoch(model, rows["train"], tokenizer, names, optimizer, schedule, args)
        seconds += time.perf_counter() - start
        history.append(entity_f1(model, rows["validation"], tokenizer, names, args))
        print(f"epoch {epoch}: loss {loss:.4f}, validation {history[-1]:.4f}", file=sys.stderr)
        if best is None or history[-1] > history[best[0] - 1]:
            best = epoch, copy.deepcopy(model.state_dict())
    model.load_state_dict(best[1])
    result = {
        "best_epoch": best[0],
        "validation": history[best[0] - 1],
        "test": entity_f1(model, rows["test"], tokenizer, names, args),
        "training_seconds": round(seconds, 1),
        "rows_per_second": round(len(rows["train"]) * args.epochs / seconds, 1),
        "settings": vars(args),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
