"""The checks that look at every row's text and label, in rows per second of processor time.

    python benchmarks/data_checks.py

Two million generated rows in Arrow, as they lie once a file is read; the best of three rounds. A
text is checked for its type, for being there, for characters that are none, and for being empty; a
label for its type and for being there, and becomes a class or a number.
"""

import time

import datasets
import numpy as np
import pyarrow as pa

from tfhf.data.checks import check_texts
from tfhf.data.columns import Label, Text
from tfhf.data.labels import decide, encode
from tfhf.data.rows import Rows
from tfhf.data.tables import Table

COUNT, AT_ONCE = 2_000_000, 100_000
WORDS = ["a", "lovely", "film", "that", "one", "would", "see", "again", "dull", "story"]


def texts(generator):
    """Texts of 3 to 19 words."""
    made = [" ".join(generator.choice(WORDS, size)) for size in generator.integers(3, 20, 20_000)]
    return pa.array(made).take(pa.array(generator.integers(0, len(made), COUNT)))


def lists(generator):
    """One to three different classes for each row."""
    lengths = generator.integers(1, 4, COUNT)
    ends = np.cumsum(lengths)
    within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
    values = np.repeat(generator.integers(0, 5, COUNT), lengths) + within
    return pa.ListArray.from_arrays(np.r_[0, ends].astype(np.int32), pa.array(values))


def arabic(numbers):
    """Numbers as text, the last one as only Python reads it: all are read once more then."""
    return pa.array([*map(str, numbers[:-1]), "\u0661"])


def rows_of(columns, untyped, roles=None):
    table = pa.table(columns)
    parts = [table.slice(start, AT_ONCE).combine_chunks() for start in range(0, COUNT, AT_ONCE)]
    dataset = datasets.Dataset(pa.concat_tables(parts))
    read = Table("rows", dataset, lambda row: f"row {row + 1}", untyped=untyped)
    return Rows("data.train", [read], {"text": Text(), "label": Label()}, roles)


def seconds(check):
    """Processor time of the fastest of three rounds."""
    spent = []
    for _ in range(3):
        start = time.process_time()
        check()
        spent.append(time.process_time() - start)
    return min(spent)


def main():
    generator = np.random.default_rng(0)
    text, classes = texts(generator), generator.integers(0, 5, COUNT)
    fractions = generator.random(COUNT)
    missing = generator.random(COUNT) < 0.01
    marks = {name: pa.array(generator.integers(0, 2, COUNT)) for name in "abcde"}
    found = {}
    for name, untyped in (("texts", False), ("texts of CSV", True)):
        rows = rows_of({"text": text, "label": pa.array(classes)}, untyped)
        found[name] = seconds(lambda rows=rows: check_texts(rows, "text"))
    for name, values, untyped, problem in (
        ("classes as integers", pa.array(classes), False, None),
        ("classes as integers, 1 % missing", pa.array(classes, mask=missing), False, None),
        ("classes as strings", pa.array(np.array(WORDS)[classes]), False, None),
        ("classes as numbers in CSV", pa.array(classes.astype(str)), True, None),
        ("lists of classes", lists(generator), False, None),
        ("five columns of 0 and 1", marks, False, None),
        ("numbers to predict", pa.array(fractions), False, "regression"),
        ("numbers to predict, in CSV", pa.array(fractions.astype(str)), True, "regression"),
        ("numbers to predict, one in Arabic digits", arabic(fractions), True, "regression"),
    ):
        columns = values if isinstance(values, dict) else {"label": values}
        roles = {"label": list(values)} if isinstance(values, dict) else None
        rows = rows_of({"text": text} | columns, untyped, roles)

        def check(rows=rows, problem=problem):
            column = rows.matched["label"]
            learned, _ = decide(rows, column, problem)
            encode(rows, column, learned)

        found[name] = seconds(check)
    for name, spent in found.items():
        print(f"{name:<40} {COUNT / spent / 1e6:6.1f} million rows/s")


if __name__ == "__main__":
    main()
