"""Tokenizers in the graph against the Rust ones' Python call: milliseconds for 64 real texts.

    python benchmarks/graph_tokenizers.py SHARED

SHARED holds `checkpoints/tokenizers/{bert-base-uncased,gpt2,t5}` and
`data/{sst2,dialogsum,squad2_small}`. The two take turns batch by batch, on the same texts in their
given order, special tokens, padding and lists of ids included. Prints a line for each tokenizer and
set: the medians, and the median of the ratios (ours : Rust).
"""

import json
import statistics
import sys
import time
from pathlib import Path

import tensorflow as tf
from transformers import AutoTokenizer

from tfhf.exports.tokenizers import in_graph

BATCH, MOST, LONGEST = 64, 1600, 512
SETS = {"sst2": "text", "dialogsum": "dialogue", "squad2_small": "context"}


def texts_of(folder, column):
    rows = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()[:MOST]
    return [json.loads(row)[column] for row in rows]


def timed(function, texts):
    start = time.perf_counter()
    function(texts)
    return 1000 * (time.perf_counter() - start)


def main(shared):
    for name in ("bert-base-uncased", "gpt2", "t5"):
        tokenizer = AutoTokenizer.from_pretrained(shared / "checkpoints" / "tokenizers" / name)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        graph = in_graph(tokenizer)
        traced = tf.function(
            lambda texts, graph=graph: graph(texts, max_length=LONGEST),
            input_signature=[tf.TensorSpec([None], tf.string)],
        )

        def ours(texts, traced=traced):
            return {name: ids.numpy() for name, ids in traced(tf.constant(texts)).items()}

        def rust(texts, tokenizer=tokenizer):
            return tokenizer(
                texts, truncation=True, padding=True, max_length=LONGEST, return_tensors="np"
            )

        for folder, column in SETS.items():
            texts = texts_of(shared / "data" / folder, column)
            parts = [texts[start : start + BATCH] for start in range(0, len(texts) - BATCH, BATCH)]
            for part in parts[:3]:
                ours(part), rust(part)
            pairs = [(timed(ours, part), timed(rust, part)) for part in parts]
            line = {"tokenizer": name, "set": folder, "batches": len(pairs)}
            for which, values in zip(
                ("graph_ms", "rust_ms"), zip(*pairs, strict=True), strict=True
            ):
                line[which] = round(statistics.median(values), 2)
            line["ratio"] = round(statistics.median(a / b for a, b in pairs), 2)
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
