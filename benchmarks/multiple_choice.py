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

import json

import environments
import pytorch_loop
import torch
from transformers import AutoModelForMultipleChoice, AutoTokenizer


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


def accuracy(model, rows, tokenizer, args, batch_size=32):
    """The share of rows whose right choice has the highest score."""
    rows = sorted(rows, key=lambda row: len(row["premise"]) + sum(map(len, row["choices"])))
    hits = 0
    for start in range(0, len(rows), batch_size):
        batch = collate(rows[start : start + batch_size], tokenizer, args.max_length)
        labels = batch.pop("labels")
        hits += int((model(**batch).logits.argmax(-1) == labels).sum())
    return hits / len(rows)


def main():
    """Trains, keeps the best epoch by validation, and prints the figures."""
    args = pytorch_loop.parser(__doc__.splitlines()[0], "JSONL file").parse_args()
    pytorch_loop.begin(args)
    rows = pytorch_loop.read_lines(args)
    folder = environments.find_model(args.model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForMultipleChoice.from_pretrained(folder)

    def loss_of(numbers):
        chosen = [rows["train"][number] for number in numbers]
        return model(**collate(chosen, tokenizer, args.max_length)).loss

    def measure(split="validation"):
        return {"accuracy": accuracy(model, rows[split], tokenizer, args)}

    result = pytorch_loop.fine_tune(model, len(rows["train"]), loss_of, measure, args, "accuracy")
    print(json.dumps(result | {"test": pytorch_loop.measured(model, measure, "test")}))


if __name__ == "__main__":
    main()
