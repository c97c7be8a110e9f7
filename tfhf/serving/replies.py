"""Answers as JSON, by TensorFlow Serving's rules."""

import numpy as np

from tfhf.serving import printing
from tfhf.serving.statuses import invalid


def to_rows(outputs):
    """The reply to a request in rows.

    Args:
        outputs: output → array; at least one.

    Returns:
        bytes.

    Raises:
        RequestError: if they are not all of as many rows, or of a type that JSON has no form for.
    """
    count = None
    for name, array in sorted(outputs.items()):
        if not array.ndim:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if count not in (None, len(array)):
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {count}"
            )
        count = len(array)
    columns = {
        name: printing.rows(_leaves(name, array), array.shape)
        for name, array in sorted(outputs.items())
    }
    if len(columns) == 1:
        rows = next(iter(columns.values()))
    else:
        names = [printing.quoted(name) for name in columns]
        rows = [_members(names, row, 2) for row in zip(*columns.values(), strict=True)]
    text = ", ".join(rows)
    return _encoded(f'{{\n    "predictions": [{text}\n    ]\n}}')


def to_columns(outputs):
    """The reply to a request in columns; arguments and errors as `to_rows`, but any shapes."""
    texts = {
        name: printing.nested(_leaves(name, array), array.shape, depth=1 + (len(outputs) > 1))
        for name, array in sorted(outputs.items())
    }
    if len(texts) == 1:
        text = next(iter(texts.values()))
    else:
        text = _members([printing.quoted(name) for name in texts], texts.values(), 1)
    return _encoded(f'{{\n    "outputs": {text}\n}}')


def _members(names, values, depth):
    """A JSON object, a line for each member."""
    indent = "\n" + printing.INDENT * depth
    members = (f"{name}: {value}" for name, value in zip(names, values, strict=True))
    inner = indent + printing.INDENT
    return "{" + inner + f",{inner}".join(members) + indent + "}"


def _leaves(name, array):
    """The values of an array as JSON, in row-major order."""
    flat = array.reshape(-1)
    if array.dtype in (np.float32, np.float64):
        return printing.numbers(flat, single=array.dtype == np.float32)
    if array.dtype.kind in "iu":
        return list(map(str, flat.tolist()))
    if array.dtype == np.bool_:
        return ["true" if value else "false" for value in flat.tolist()]
    if array.dtype == object:
        return printing.strings(flat.tolist(), as_bytes=name.endswith("_bytes"))
    kind = {"float16": "half"}.get(array.dtype.name, array.dtype.name)
    raise invalid(f"Failed to write JSON value for tensor type: {kind}")


def _encoded(text):
    return text.encode("utf-8", "surrogateescape")


def classes(results):
    """The reply to a classification.

    Args:
        results: per example a list of (label, score).
    """
    texts = iter(_float32([score for example in results for _, score in example]))
    rows = [
        ", ".join(f"[{printing.quoted(label)}, {next(texts)}]" for label, _ in example)
        for example in results
    ]
    return _encoded(_results([f"[{row}]" for row in rows]))


def values(results):
    """The reply to a regression.

    Args:
        results: per example a number.
    """
    return _encoded(_results(_float32(results)))


def _float32(values):
    return printing.numbers(np.array(values, np.float32), single=True)


def _results(texts):
    return f'{{\n    "results": [{", ".join(texts)}\n    ]\n}}'
