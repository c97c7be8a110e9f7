"""Toy rows as files, in every format that a recipe's header names."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np


def write(path, rows):
    """Rows in the format that the file's name says."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    writers = {
        ".jsonl": lambda: "".join(json.dumps(row) + "\n" for row in rows),
        ".csv": lambda: csv_text(rows),
        ".txt": lambda: "".join(f"{row['text']}\n" for row in rows),
        ".json": lambda: squad_text(rows),
        ".conll": lambda: "\n".join(map(conll_text, rows)),
        ".conllu": lambda: "\n".join(map(conllu_text, rows)),
    }
    if path.suffix == ".npz":
        pixels = np.zeros((len(rows), 28, 28), np.uint8)
        np.savez(path, images=pixels, labels=np.arange(len(rows)) % 2)
    elif not path.suffix:
        write_images(path, rows)
    else:
        path.write_text(writers[path.suffix](), encoding="utf-8")


def csv_text(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def squad_text(rows):
    paragraphs = [
        {"context": row["context"], "qas": [question(row, str(n))]} for n, row in enumerate(rows)
    ]
    return json.dumps({"data": [{"paragraphs": paragraphs}]})


def question(row, number):
    texts, starts = row["answers"]["text"], row["answers"]["answer_start"]
    answers = [{"text": t, "answer_start": s} for t, s in zip(texts, starts, strict=True)]
    return {"id": number, "question": row["question"], "answers": answers}


def conll_text(row):
    return "".join(f"{one} {tag}\n" for one, tag in zip(row["tokens"], row["tags"], strict=True))


def conllu_text(row):
    tags = row.get("upos") or row["xpos"]
    lines = enumerate(zip(row["tokens"], tags, strict=True), 1)
    return "".join(f"{n}\t{one}\t_\t{tag}\t{tag}" + "\t_" * 5 + "\n" for n, (one, tag) in lines)


def write_images(folder, rows):
    for number, row in enumerate(rows):
        place = folder / "train" / row["label"]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(row["image"], place / f"{number}.png")
