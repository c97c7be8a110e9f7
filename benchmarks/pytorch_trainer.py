"""Fine-tunes a text classifier in PyTorch: the figure a tfhf recipe is held against.

Runs in an environment of its own (torch, transformers, pandas, scikit-learn, scipy); tfhf is not
imported. The flags have the names and defaults of a recipe's `train:` and `options:` keys, and the
loop is the recipe's: AdamW without decay on biases and layer norms, clipping, linear decay after
the warm-up, a new order every epoch, and the weights of the best validation epoch at the end.

    python benchmarks/pytorch_trainer.py --train train.csv --validation validation.csv \
        --test test.csv --label intent --epochs 3 --learning-rate 5e-5 --max-length 64

The last line on stdout is one JSON object: metrics per split, seconds, settings and versions.
"""

import json

import environments
import numpy as np
import pandas as pd
import pytorch_loop
import torch
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
    parser = pytorch_loop.parser(__doc__.splitlines()[0], "CSV or JSONL file")
    add = parser.add_argument
    add("--text", default="text", help="column of the text")
    add("--text-pair", help="column of a second text")
    add("--label", default="label", help="column of the label (a list per row for multi_label)")
    add("--problem", choices=list(MONITOR), default="single_label")
    add("--threshold", type=float, default=0.5, help="probability that counts, for multi_label")
    return parser.parse_args()


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


def score(model, examples, tokenizer, problem, threshold, batch_size=64):
    """Metrics of one split. Rows are sorted by length, which changes the time and nothing else."""
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
    pytorch_loop.begin(args)
    frames = {one: read_rows(getattr(args, one)) for one in ("train", "validation", "test")}
    names = label_names(frames["train"][args.label], args.problem)
    folder = environments.find_model(args.model)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    data = {split: encode(rows, tokenizer, names, args) for split, rows in frames.items()}
    model = AutoModelForSequenceClassification.from_pretrained(
        folder,
        num_labels=max(1, len(names)),
        problem_type=PROBLEM_TYPES[args.problem],
    )

    def loss_of(numbers):
        chosen = [data["train"][number] for number in numbers]
        return model(**collate(chosen, tokenizer, args.problem)).loss

    def measure(split="validation"):
        return score(model, data[split], tokenizer, args.problem, args.threshold)

    monitor = MONITOR[args.problem]
    result = pytorch_loop.fine_tune(model, len(data["train"]), loss_of, measure, args, monitor)
    print(json.dumps(result | {"test": pytorch_loop.measured(model, measure, "test")}))


if __name__ == "__main__":
    main()
