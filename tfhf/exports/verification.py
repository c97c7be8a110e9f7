"""Looks at a SavedModel as a stranger would: which ops it needs, and what it answers.

Run as a program, this file imports TensorFlow and nothing else outside the standard library, so
that what it sees is what any TensorFlow Serving image would see.
"""

import fnmatch
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

BATCH = 32

# Ops of TensorFlow that a served model has no business with: files, Python, printing, aborting.
_UNWANTED = (
    "*PyFunc*", "*Dataset*", "*FileSystem*", "*Reader*", "LMDB*", "ReadFile", "WriteFile",
    "MatchingFiles", "Print*", "Abort", "DebugIdentity*",
)  # fmt: skip


def operations(folder):
    """Names of all ops in a SavedModel, its functions included.

    Args:
        folder: a version folder, with `saved_model.pb`.

    Returns:
        Sorted list of names.
    """
    graph, nodes = _graph(folder)
    functions = {function.signature.name for function in graph.library.function}
    return sorted({node.op for node in nodes} - functions)


def check(folder):
    """Finds what would keep plain TensorFlow Serving from loading or safely running an export.

    Args:
        folder: a version folder.

    Returns:
        list of problems, each one line; empty if there are none.
    """
    import tensorflow as tf

    problems = []
    for op in operations(folder):
        if not hasattr(tf.raw_ops, op):  # what TensorFlow was built with, whatever is loaded now
            problems.append(f"{op} is not an op of TensorFlow")
        elif any(fnmatch.fnmatchcase(op, pattern) for pattern in _UNWANTED):
            problems.append(f"{op} reaches outside the graph")
    graph, nodes = _graph(folder)
    compiled = [node.name for node in nodes if node.attr["_XlaMustCompile"].b]
    compiled += [f.signature.name for f in graph.library.function if f.attr["_XlaMustCompile"].b]
    return problems + [f"{name} must be compiled by XLA" for name in compiled]


def verify(folder, rows, expected, *, tolerance=1e-5):
    """Compares the answers of an export, in a fresh process on the CPU, with the model's.

    Args:
        folder: a version folder.
        rows: dict from input name of `serving_default` to a list of strings.
        expected, tolerance: as for `compare`.

    Returns:
        The largest difference found, 0.0 or more.

    Raises:
        ExportError: if the process fails or any answer differs.
    """
    from tfhf.exports import ExportError

    with tempfile.TemporaryDirectory() as scratch:
        question, answer = Path(scratch, "rows.json"), Path(scratch, "answers.json")
        question.write_text(json.dumps(rows), encoding="utf-8")
        # -P: this file's folder is no place to import from.
        command = [sys.executable, "-P", __file__, str(folder), str(question), str(answer)]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ExportError(f"a fresh process cannot use the export: {reason}")
        found = json.loads(answer.read_text(encoding="utf-8"))
    return compare(found, expected, tolerance)


def compare(found, expected, tolerance=1e-5):
    """Compares answers output by output.

    Args:
        found: dict from output name to a list, one entry per row.
        expected: the same, of lists or arrays.
        tolerance: largest difference allowed, relative to the expected value where that is
            above 1. Strings must be equal; but `label` may differ where the two largest
            probabilities are closer than twice the tolerance.

    Returns:
        The largest difference found, 0.0 or more.

    Raises:
        ExportError: if any answer differs.
    """
    import numpy as np

    from tfhf.exports import ExportError

    if found.keys() != expected.keys():
        raise ExportError(f"the export gives {sorted(found)}, the model {sorted(expected)}")
    largest = 0.0
    for name, wanted in expected.items():
        given, wanted = _array(found[name]), _array(wanted)
        if given.shape != wanted.shape:
            raise ExportError(f"the export gives {name} of shape {given.shape}, not {wanted.shape}")
        if wanted.dtype.kind == "U":
            wrong = given != wanted
            if name == "label" and "probabilities" in expected:
                second, first = np.sort(expected["probabilities"], axis=-1)[:, -2:].T
                wrong &= first - second >= 2 * tolerance
        else:
            difference = np.abs(given - wanted) / np.maximum(1.0, np.abs(wanted))
            wrong = ~(difference <= tolerance)  # true for a NaN as well
            largest = max(largest, difference.max(initial=0.0))
        if wrong.any():
            row = np.argwhere(wrong)[0][0]
            raise ExportError(
                f"the export differs from the model in {name} of row {row}: "
                f"{given[row].tolist()} instead of {wanted[row].tolist()}"
            )
    return float(largest)


def _array(values):
    """Numbers as float64; bytes, as TensorFlow has strings, as str."""
    import numpy as np

    array = np.asarray(values)
    if array.dtype.kind in "OS":
        array = np.vectorize(_text, otypes=[str])(array)
    return array if array.dtype.kind == "U" else array.astype(np.float64)


def _text(value):
    """A string tensor's entry as str."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _graph(folder):
    """The graph of a SavedModel and all nodes, those inside functions included."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel()
    saved.ParseFromString(Path(folder, "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    return graph, [*graph.node, *(n for f in graph.library.function for n in f.node_def)]


def _answer(folder, question, answer):
    """What `serving_default` answers to the rows of one file, written to another."""
    import tensorflow as tf

    serve = tf.saved_model.load(folder).signatures["serving_default"]
    rows = json.loads(Path(question).read_text(encoding="utf-8"))
    count = len(next(iter(rows.values())))
    results = {}
    for start in range(0, count, BATCH):
        part = {name: tf.constant(rows[name][start : start + BATCH]) for name in rows}
        for name, value in serve(**part).items():
            results.setdefault(name, []).extend(value.numpy().tolist())
    text = json.dumps(results, default=_text)
    Path(answer).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _answer(*sys.argv[1:])
