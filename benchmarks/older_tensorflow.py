"""Whether exports load and answer equally under older TensorFlows.

    python benchmarks/older_tensorflow.py VERSION_FOLDER … --python OLD/bin/python --python …

Each interpreter has a TensorFlow of its own. Every version folder is loaded by each of them, in a
process that imports nothing else; its warm-up requests are replayed, and their texts asked again.
Prints a line for each pair: the requests answered, whether all strings are equal to those of this
environment's TensorFlow, and the largest difference of a number (relative above 1).
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from tfhf.exports import rehearsal, warmup


def rows_of(folder):
    """The rows of a version's warm-up requests to `serving_default`, as one batch of lists."""
    import tensorflow as tf

    rows = {}
    for name, inputs in warmup.read(folder):
        if name == "serving_default":
            for role, tensor in inputs.items():
                values = tf.make_ndarray(tensor).tolist()
                rows.setdefault(role, []).extend(map(_text, values))
    return rows


def _text(value):
    if isinstance(value, list):
        return [_text(one) for one in value]
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value  # an image


def compare(found, expected):
    """Whether strings are equal, and the largest difference of numbers."""
    equal, largest = found.keys() == expected.keys(), 0.0
    for name in found.keys() & expected.keys():
        one, other = found[name], expected[name]
        if one.shape != other.shape:
            equal = False
        elif one.dtype == object:
            equal &= bool((one == other).all())
        elif one.size:
            distance = np.abs(one.astype(float) - other) / np.maximum(1.0, np.abs(other))
            largest = max(largest, float(distance.max()))
    return equal, largest


def version_of(python):
    """The version of an interpreter's TensorFlow."""
    code = (
        "import importlib.metadata as m; "
        "print([d.version for d in m.distributions() if d.name in ('tensorflow', 'tensorflow-cpu', "
        "'tensorflow_cpu')][0])"
    )
    return subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--python", action="append", default=[], dest="pythons")
    chosen = parser.parse_args()
    for folder in chosen.folders:
        requests, rows = warmup.read(folder), rows_of(folder)
        here = rehearsal.rehearse(folder, rows=rows)["answers"]
        for python in [sys.executable, *chosen.pythons]:
            line = {"export": str(folder), "tensorflow": version_of(python)}
            try:
                found = rehearsal.rehearse(folder, rows=rows, warmup=requests, python=python)
            except RuntimeError as error:
                print(json.dumps(line | {"error": str(error)}), flush=True)
                continue
            equal, largest = compare(found["answers"], here)
            failed = sum(isinstance(answer, str) for answer in found["warmup"])
            line |= {
                "requests": len(requests),
                "failed": failed,
                "rows": len(rows[next(iter(rows))]),
            }
            print(json.dumps(line | {"strings_equal": equal, "largest": largest}), flush=True)


if __name__ == "__main__":
    main()
