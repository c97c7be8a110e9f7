"""Rows and their answers as files."""

import csv
import json
from types import SimpleNamespace

from tfhf.errors import UserError


def beside(rows, answers):
    """Rows with their answers; of two parts with one name, the answer's is called `predicted_…`.

    Args:
        rows: a `datasets.Dataset`, or a list of dictionaries.
        answers: a dictionary per row.

    Returns:
        A list of dictionaries.

    Raises:
        UserError: if the other name is taken, too.
    """
    columns = set(rows[0]) if len(rows) else set()
    # In CSV a part of several values becomes columns such as `probabilities.positive`.
    taken = columns | {name.partition(".")[0] for name in columns}
    named = {name: f"predicted_{name}" for answer in answers for name in answer if name in taken}
    for new in named.values():
        if new in taken:
            raise UserError(f"--file: the answers need the name {new!r}; rename that column")
    return [
        row | {named.get(name, name): value for name, value in answer.items()}
        for row, answer in zip(rows, answers, strict=True)
    ]


def as_lines(append):
    """JSON, a line for each row; an image is the name of its file.

    Args:
        append: called with text to write.

    Returns:
        A function that takes some rows after others.
    """

    def add(rows):
        lines = (json.dumps(row, ensure_ascii=False, default=_named_image) for row in rows)
        append("".join(f"{line}\n" for line in lines))

    return add


def _named_image(value):
    return getattr(value, "filename", None) or "<image>"


def as_csv(append):
    """CSV with one column per value; dictionaries are spread, lists become JSON.

    Args:
        append: called with text to write, the header first.

    Returns:
        A function that takes some rows after others.
    """
    writer = None

    def add(rows):
        nonlocal writer
        for row in map(_flat, rows):
            if writer is None:
                file = SimpleNamespace(write=append)
                writer = csv.DictWriter(file, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)

    return add


def _flat(row):
    flat = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            flat[name] = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
    return flat
