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

import json

import environments
import pytorch_loop
import torch
from seqeval.metrics import f1_score
from transformers import AutoModelForTokenClassification, AutoTokenizer


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


def entity_f1(model, rows, tokenizer, names, args, batch_size=32):
    """Micro F1 of entities; words beyond `max_length` count as predicted O."""
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
    args = pytorch_loop.parser(__doc__.splitlines()[0], "JSONL file").parse_args()
    pytorch_loop.begin(args)
    rows = pytorch_loop.read_lines(args)
    names = sorted({tag for row in rows["train"] for tag in row["tags"]})
    folder = environments.find_model(args.model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=len(names))

    def loss_of(numbers):
        chosen = [rows["train"][number] for number in numbers]
        return model(**collate(chosen, tokenizer, names, args.max_length)[0]).loss

    def measure(split="validation"):
        return {"f1": entity_f1(model, rows[split], tokenizer, names, args)}

    result = pytorch_loop.fine_tune(model, len(rows["train"]), loss_of, measure, args, "f1")
    print(json.dumps(result | {"test": pytorch_loop.measured(model, measure, "test")}))


if __name__ == "__main__":
    main()
