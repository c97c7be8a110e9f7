"""Answers of exports against the model's own, for tasks that no run here was trained for.

    .venv/bin/python benchmarks/export_answers.py DATA FOLDER [CASE …]

Each case is `minilm`, with a new head where its task needs one, exported over 200 rows of DATA:
export and comparison are those of `tfhf export`, in a fresh process, and its line is printed. The
exports lie in FOLDER afterwards.
"""

import json
import sys
from pathlib import Path

import tf_keras

import tfhf

ROWS = 200
CANDIDATES = ["praise", "complaint", "story"]


def cases(data):
    """Name → the arguments of `tfhf.load_model` after the checkpoint, and the rows."""
    texts = [row["text"] for row in lines(data / "sst2" / "test.jsonl")]
    asked = [{"text": text, "candidate_labels": CANDIDATES} for text in texts]
    masked = [f"{text.partition(' ')[0]} [MASK] {text}" for text in texts]
    roles = ("premise", "question", "choices")
    chosen = [{role: row[role] for role in roles} for row in lines(data / "e_care" / "test.jsonl")]
    entailment = {"labels": ["entailment", "neutral", "contradiction"]}
    return {
        "embedding": ("embedding", {}, texts),
        "zero_shot": ("zero_shot_classification", entailment, asked),
        "zero_shot_embedding": ("zero_shot_classification", {"method": "embedding"}, asked),
        "multiple_choice": ("multiple_choice", {"labels": ["0", "1"], "roles": roles}, chosen),
        "masked_lm": ("masked_lm", {"labels": []}, masked),
    }


def lines(path):
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for _, line in zip(range(ROWS), file, strict=False)]


def main(data, folder, *names):
    every = cases(Path(data))
    for name in names or every:
        task, arguments, rows = every[name]
        tf_keras.utils.set_random_seed(42)
        model = tfhf.load_model("minilm", task, max_length=64, **arguments)
        print(f"{name}: {len(rows)} rows")
        tfhf.export(model, to=Path(folder) / name, rows=rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
