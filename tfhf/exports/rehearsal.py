"""Loads a SavedModel as TensorFlow Serving does, in a process of its own, and uses it.

Run as a program, this file imports TensorFlow and nothing else outside the standard library
(tensorflow_text where the graph has its ops), so that what it meets is what a server would meet.
"""

import base64
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BATCH = 32  # rows per question
BATCHES = (1, 8, 64)  # rows per question whose time is taken
MOST_CALLS, FEWEST_CALLS, SECONDS = 200, 5, 2.0  # per size of batch, whichever ends first
LONGEST = 600  # seconds a rehearsal may take


def rehearse(folder, *, rows=None, warmup=(), text_ops=False, python=sys.executable):
    """Loads a version, replays its warm-up requests, asks it rows and measures how long it takes.

    Args:
        folder: a version folder.
        rows: input of `serving_default` → its values, one for each row: strings, bytes, integers,
            or lists of strings, which are filled up with "". What the signature does not take is
            left out. None: nothing is asked.
        warmup: what `warmup.read` gave.
        text_ops: whether the graph has ops of tensorflow-text.
        python: the interpreter to run it with; another one may have another TensorFlow.

    Returns:
        dict with `load_seconds`; `warmup`: a list with, for each request, a dict from output to
        its shape, or the error's line; and, if there are rows, `answers`, see `ask`, and
        `latency`, see `latency`.

    Raises:
        RuntimeError: if the version cannot be loaded, or `serving_default` not asked; the message
            is TensorFlow's own line.
    """
    from tfhf.exports.warmup import rectangular

    asked = {
        "folder": str(folder),
        "rows": rows and {name: rectangular(values) for name, values in rows.items()},
        "text_ops": text_ops,
        "warmup": [
            [name, {key: _as_base64(tensor.SerializeToString()) for key, tensor in inputs.items()}]
            for name, inputs in warmup
        ],
    }
    with tempfile.TemporaryDirectory() as scratch:
        question, answer = Path(scratch, "question.json"), Path(scratch, "answer.json")
        question.write_text(json.dumps(asked, default=_as_base64), encoding="utf-8")
        # -P: this file's folder is no place to import from.
        command = [python, "-P", __file__, str(question), str(answer)]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=LONGEST
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"no answer within {LONGEST} s") from error
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"]
            raise RuntimeError(lines[-1])
        found = json.loads(answer.read_text(encoding="utf-8"))
    if "answers" in found:
        found["answers"] = {name: _array(values) for name, values in found["answers"].items()}
    return found


def ask(call, rows, batch=BATCH):
    """Asks rows batch by batch.

    Args:
        call: takes a dict of lists, gives a dict of arrays.
        rows: input → its values, one for each row.
        batch: rows per call.

    Returns:
        Output → array with an entry for each row; unused places hold 0 and b"". Strings are bytes.
    """
    import numpy as np

    count, parts = len(next(iter(rows.values()))), {}
    for start in range(0, count, batch):
        answers = call({name: values[start : start + batch] for name, values in rows.items()})
        for name, values in answers.items():
            parts.setdefault(name, []).append(np.asarray(values))
    widths = {name: np.max([one.shape[1:] for one in found], 0) for name, found in parts.items()}
    return {
        name: np.concatenate([_filled_up(one, widths[name]) for one in found])
        for name, found in parts.items()
    }


def _filled_up(array, width):
    import numpy as np

    missing = [(0, 0)]
    missing += [(0, int(full - has)) for full, has in zip(width, array.shape[1:], strict=True)]
    return np.pad(array, missing, constant_values=b"" if array.dtype == object else 0)


def _array(values):
    """Lists as an array; strings as bytes, as TensorFlow gives them."""
    import numpy as np

    array = np.array(values)
    if array.dtype.kind == "U":
        whole = np.array(values, dtype=object)  # the other type drops characters U+0000 at the end
        return np.vectorize(lambda text: text.encode(), otypes=[object])(whole)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def latency(call, rows):
    """Measures how long a signature takes to answer, for batches of 1, 8 and 64 rows.

    Args:
        call: takes a dict from input to a list of values.
        rows: input → its values, one for each row; used in turn.

    Returns:
        Batch size as text → dict of `p50_ms`, `p99_ms` (milliseconds per call) and `calls`.
    """
    found = {}
    for size in BATCHES:
        parts = _batches(rows, size)
        for _ in range(2):  # what is done once only: memory, and the graph's own preparations
            call(next(parts))
        times, start = [], time.perf_counter()
        while len(times) < MOST_CALLS:
            if len(times) >= FEWEST_CALLS and time.perf_counter() - start > SECONDS:
                break
            part = next(parts)
            before = time.perf_counter()
            call(part)
            times.append(1000 * (time.perf_counter() - before))
        times.sort()
        found[str(size)] = {
            "p50_ms": round(_percentile(times, 50), 3),
            "p99_ms": round(_percentile(times, 99), 3),
            "calls": len(times),
        }
    return found


def _batches(rows, size):
    """Batches of rows without end, each going on where the last one stopped."""
    count, start = len(next(iter(rows.values()))), 0
    while True:
        places = [(start + offset) % count for offset in range(size)]
        yield {name: [values[place] for place in places] for name, values in rows.items()}
        start = (start + size) % count


def _percentile(ordered, rank):
    """The smallest value that `rank` per cent of the values do not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * rank / 100) - 1)]


def _as_base64(content):
    return {"b64": base64.b64encode(content).decode("ascii")}


def _from_base64(value):
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def _perform(asked):
    """The rehearsal itself, in the process of its own."""
    import tensorflow as tf

    if asked["text_ops"]:
        import tensorflow_text  # noqa: F401
    start = time.perf_counter()
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], asked["folder"])
        found = {"load_seconds": round(time.perf_counter() - start, 2)}
        found["warmup"] = [
            _replay(session, graph.signature_def, name, inputs) for name, inputs in asked["warmup"]
        ]
        if asked["rows"]:
            signature = graph.signature_def["serving_default"]
            rows = {
                name: [_from_base64(value) for value in values]
                for name, values in asked["rows"].items()
                if name in signature.inputs
            }
            call = _caller(session, signature)
            answers = ask(call, rows)
            found["answers"] = {name: values.tolist() for name, values in answers.items()}
            found["latency"] = latency(call, rows)
    return found


def _caller(session, signature):
    """A signature as a function of a dict of inputs."""
    names = sorted(signature.inputs)
    run = session.make_callable(
        {name: tensor.name for name, tensor in signature.outputs.items()},
        [signature.inputs[name].name for name in names],
    )
    return lambda inputs: run(*(inputs[name] for name in names))


def _replay(session, signatures, name, inputs):
    """Shapes of what one warm-up request is answered with, or the line of its error."""
    import tensorflow as tf
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    if name not in signatures:
        return f"no signature {name!r}"
    wanted = set(signatures[name].inputs)
    if set(inputs) != wanted:
        return f"gives the inputs {sorted(inputs)}, and {name} takes {sorted(wanted)}"
    arrays = {
        key: tf.make_ndarray(TensorProto.FromString(_from_base64(content)))
        for key, content in inputs.items()
    }
    try:
        answers = _caller(session, signatures[name])(arrays)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        return _reason(error)
    return {key: list(value.shape) for key, value in answers.items()}


def _reason(error):
    """The line of an error of TensorFlow's that says what was wrong."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and line != "Graph execution error:"]
    return next((line for line in said if not line.startswith("Detected at")), repr(error))


if __name__ == "__main__":
    question, answer = sys.argv[1:]
    performed = _perform(json.loads(Path(question).read_text(encoding="utf-8")))
    text = json.dumps(performed, default=lambda value: value.decode("utf-8", "replace"))
    Path(answer).write_text(text, encoding="utf-8")
