"""Retrieval held against sentence-transformers: nDCG@10, MRR@10 and recall of one model.

Runs in either environment, tfhf's or one with torch and sentence-transformers:

    python benchmarks/retrieval.py DATA/squad_retrieval --engine tfhf
    python benchmarks/retrieval.py DATA/squad_retrieval --engine sentence-transformers

DATA/squad_retrieval has BEIR's files: corpus.jsonl, queries.<split>.jsonl, qrels.<split>.tsv. The
metrics are sentence-transformers' own with its engine and tfhf's with ours, so that both the
embeddings and the metrics are compared. The last line on stdout is one JSON object.
"""

import argparse
import csv
import json
import time
from pathlib import Path

import environments
import numpy as np

ENGINES = ("tfhf", "sentence-transformers")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", choices=ENGINES, default="tfhf")
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--split", default="test")
    chosen = parser.parse_args()
    start = time.perf_counter()
    measured = {"tfhf": measure_with_tfhf, "sentence-transformers": measure_with_theirs}
    values = measured[chosen.engine](chosen.folder, chosen.split, chosen.model)
    seconds = round(time.perf_counter() - start, 1)
    print(json.dumps({"engine": chosen.engine, "seconds": seconds} | values))


def read(folder, split):
    """Passages and queries by id, and the ids of the passages relevant to each query."""
    passages, queries = (
        read_texts(folder / "corpus.jsonl"),
        read_texts(folder / f"queries.{split}.jsonl"),
    )
    relevant = {}
    with open(folder / f"qrels.{split}.tsv", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if int(row["score"]) > 0:
                relevant.setdefault(row["query-id"], set()).add(row["corpus-id"])
    return passages, queries, relevant


def read_texts(file):
    """Texts by id, of a JSONL file."""
    rows = map(json.loads, file.read_text(encoding="utf-8").strip().split("\n"))
    return {row["_id"]: row["text"] for row in rows}


def embedder(engine, model):
    """A function from texts to unit vectors `(N, D)`."""
    if engine == "tfhf":
        from tfhf.retrieval import Embedder

        return Embedder(model)
    from sentence_transformers import SentenceTransformer

    loaded = SentenceTransformer(environments.find_model(model), device="cpu")
    return lambda texts: loaded.encode(texts, normalize_embeddings=True, batch_size=32)


def measure(folder, split, embed):
    """The four metrics of either engine's embeddings, counted by hand: one relevant or more."""
    passages, queries, relevant = read(folder, split)
    names = np.array(list(passages))
    found = embed([queries[query] for query in relevant]) @ embed(list(passages.values())).T
    ranked = names[np.argsort(-found, axis=1, kind="stable")[:, :10]]
    totals = np.zeros(4)
    for row, wanted in zip(ranked, relevant.values(), strict=True):
        hits = np.array([one in wanted for one in row])
        gains = 1 / np.log2(np.arange(2, 12))
        first = np.argmax(hits) if hits.any() else None
        totals += [
            (hits * gains).sum() / gains[: len(wanted)].sum(),
            0.0 if first is None else 1 / (1 + first),
            hits[:1].sum() / len(wanted),
            hits.sum() / len(wanted),
        ]
    names = ("ndcg_at_10", "mrr_at_10", "recall_at_1", "recall_at_10")
    return dict(zip(names, (totals / len(relevant)).round(5).tolist(), strict=True))


def measure_with_tfhf(folder, split, model):
    from tfhf import retrieval

    return retrieval.evaluate(folder, retrieval.Embedder(model), split=split)


def measure_with_theirs(folder, split, model):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    passages, queries, relevant = read(folder, split)
    loaded = SentenceTransformer(environments.find_model(model), device="cpu")
    found = InformationRetrievalEvaluator(queries, passages, relevant, batch_size=32)(loaded)
    names = {"ndcg@10": "ndcg_at_10", "mrr@10": "mrr_at_10"}
    names |= {f"recall@{k}": f"recall_at_{k}" for k in (1, 5, 10)}
    return {ours: float(found[f"cosine_{theirs}"]) for theirs, ours in names.items()}


if __name__ == "__main__":
    main()
