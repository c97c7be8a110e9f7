"""Embeddings held against sentence-transformers: losses, STS correlation, and a training.

Runs in either environment, tfhf's or one with torch and sentence-transformers; `--engine` says
which library does the work. The last line on stdout is one JSON object.

    python benchmarks/embedding.py record tests/tasks/facts/embedding_losses.json
    python benchmarks/embedding.py sts DATA/stsb --engine tfhf
    python benchmarks/embedding.py train DATA/squad_retrieval --engine sentence-transformers

`record` writes sentence-transformers' losses of fixed embeddings, which the tests compare with.
`sts` correlates the cosines of test pairs with their scores, without training. `train` fine-tunes
with in-batch negatives on the train queries and measures retrieval on the test queries.
"""

import argparse
import csv
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import environments
import numpy as np
import retrieval

ENGINES = ("tfhf", "sentence-transformers")
SETTINGS = {"learning_rate": 5e-5, "weight_decay": 0.01, "clip": 1.0, "batch_size": 32}
ROWS, WIDTH = 6, 8  # of the fixed embeddings


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=["record", "sts", "train"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--engine", choices=ENGINES, default="tfhf")
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=42)
    chosen = parser.parse_args()
    print(json.dumps({"record": record, "sts": sts, "train": train}[chosen.verb](chosen)))


# === Losses ===


def record(chosen):
    """Writes the losses that sentence-transformers gives fixed embeddings."""
    import sentence_transformers
    import torch
    from sentence_transformers.sentence_transformer import losses

    draw = np.random.default_rng(0)
    names = ("anchor", "positive", "negative", "second_negative")
    fixed = {name: draw.normal(size=(ROWS, WIDTH)).round(3) for name in names}
    scores = [0.0, 0.2, 0.2, 0.6, 0.8, 1.0]
    tensors = [torch.tensor(fixed[name]) for name in names]

    def loss(kind, embeddings, labels=None, **settings):
        made = getattr(losses, kind)(torch.nn.Identity(), **settings)
        labels = None if labels is None else torch.tensor(labels, dtype=torch.float64)
        return float(made.compute_loss_from_embeddings(embeddings, labels))

    ranking, pair = "MultipleNegativesRankingLoss", tensors[:2]
    facts = {
        "made_with": f"sentence-transformers {sentence_transformers.__version__}",
        "embeddings": {name: values.tolist() for name, values in fixed.items()},
        "scores": scores,
        "losses": {
            "multiple_negatives": loss(ranking, pair),
            "multiple_negatives, scale 5": loss(ranking, pair, scale=5.0),
            "multiple_negatives, two negatives": loss(ranking, tensors),
            "cosine": loss("CosineSimilarityLoss", pair, scores),
            "cosent": loss("CoSENTLoss", pair, scores),
            "triplet": loss("TripletLoss", tensors[:3]),
            "triplet, margin 1": loss("TripletLoss", tensors[:3], triplet_margin=1.0),
        },
    }
    chosen.path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return facts["losses"]


# === Similarity of sentences ===


def sts(chosen):
    """Spearman's and Pearson's correlation of cosine and score on the test pairs."""
    from scipy import stats

    with open(chosen.path / "test.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    embed = retrieval.embedder(chosen.engine, chosen.model)
    first, second = (embed([row[name] for row in rows]) for name in ("sentence1", "sentence2"))
    cosines = (first * second).sum(1)
    scores = [float(row["score"]) for row in rows]
    return {
        "engine": chosen.engine,
        "spearman": float(stats.spearmanr(scores, cosines)[0]),
        "pearson": float(stats.pearsonr(scores, cosines)[0]),
    }


# === Training with in-batch negatives ===


def train(chosen):
    """Trains on (query, its passage) and measures retrieval before and after."""
    pairs = read_pairs(chosen.path, "train")
    fit = fit_tfhf if chosen.engine == "tfhf" else fit_sentence_transformers
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        fit(pairs, Path(folder) / "model", chosen)
        seconds = time.perf_counter() - start
        after = retrieval.measure(
            chosen.path, "test", retrieval.embedder(chosen.engine, str(Path(folder) / "model"))
        )
    about = {"engine": chosen.engine, "epochs": chosen.epochs, "seed": chosen.seed}
    return about | {"seconds": round(seconds), "test": after}


def read_pairs(folder, split):
    """(query, relevant passage) of every judgement of a split."""
    passages, queries, relevant = retrieval.read(folder, split)
    return [(queries[query], passages[one]) for query, ones in relevant.items() for one in ones]


def fit_sentence_transformers(pairs, folder, chosen):
    """The loop of a recipe: AdamW, no decay of biases and norms, clipping, linear decay."""
    import torch
    from pytorch_loop import update
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import losses

    torch.manual_seed(chosen.seed)
    order = random.Random(chosen.seed)
    model = SentenceTransformer(environments.find_model(chosen.model), device="cpu")
    loss_of = losses.MultipleNegativesRankingLoss(model)
    undecayed = ("bias", "LayerNorm.weight")
    groups = [
        {"params": [p for n, p in model.named_parameters() if not n.endswith(undecayed)]},
        {"params": [p for n, p in model.named_parameters() if n.endswith(undecayed)]},
    ]
    groups[0]["weight_decay"], groups[1]["weight_decay"] = SETTINGS["weight_decay"], 0.0
    optimizer = torch.optim.AdamW(groups, lr=SETTINGS["learning_rate"])
    size = SETTINGS["batch_size"]
    steps = -(-len(pairs) // size) * chosen.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    model.train()
    for _ in range(chosen.epochs):
        shuffled = order.sample(pairs, len(pairs))
        for start in range(0, len(pairs), size):
            columns = zip(*shuffled[start : start + size], strict=True)
            loss = loss_of([model.tokenize(list(texts)) for texts in columns], None)
            update(model, loss, optimizer, schedule, SETTINGS["clip"])
            if start // size % 10 == 0:
                print(start // size, float(loss), file=sys.stderr, flush=True)
    model.save(str(folder))


def fit_tfhf(pairs, folder, chosen):
    """The same with tfhf's pieces."""
    import datasets
    import tf_keras

    import tfhf

    tf_keras.utils.set_random_seed(chosen.seed)
    model = tfhf.load_model(chosen.model, "embedding")
    columns = dict(zip(("anchor", "positive"), zip(*pairs, strict=True), strict=True))
    rows = datasets.Dataset.from_dict({name: list(texts) for name, texts in columns.items()})
    size = SETTINGS["batch_size"]
    train_set = tfhf.to_tf_dataset(rows, model, batch_size=size, shuffle=True, seed=chosen.seed)
    rate = tfhf.warmup_schedule(
        "linear", peak=SETTINGS["learning_rate"], steps=len(train_set) * chosen.epochs
    )
    optimizer = tfhf.AdamW(
        rate, weight_decay=SETTINGS["weight_decay"], global_clipnorm=SETTINGS["clip"]
    )
    model.compile(optimizer)
    model.fit(train_set, epochs=chosen.epochs, verbose=2)
    model.save_pretrained(folder)


if __name__ == "__main__":
    main()
