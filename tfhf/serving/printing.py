"""Writes JSON as TensorFlow Serving does: its numbers, its four spaces."""

import base64
import io
import json
import math
from itertools import chain

LONGEST = 2_000  # characters of a value shown in an error
INDENT = "    "
PART = 8192  # numbers written together
_END = object()


def error(message):
    """The body of a reply that says what went wrong.

    Args:
        message: text.

    Returns:
        bytes.
    """
    # A message may quote what was sent; this much of it, at least, has to be valid.
    text = message.encode("utf-8", "replace").decode("utf-8")
    return f'{{\n{INDENT}"error": {quoted(text)}\n}}'.encode()


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def pretty(value):
    """A JSON value as an error shows it: indented, and cut where it is long.

    Args:
        value: what `documents.parse` gave, of any depth.
    """
    written, containers = io.StringIO(), []
    while written.tell() <= LONGEST:
        if isinstance(value, dict | list) and value:
            is_object = isinstance(value, dict)
            members = iter(value.items() if is_object else value)
            written.write("{" if is_object else "[")
            containers.append([members, "}" if is_object else "]", "\n"])
        else:
            written.write(_scalar(value))
        value = _next_value(containers, written)
        if value is _END:
            break
    text = written.getvalue()
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def _next_value(containers, written):
    """Closes what is at its end and writes what stands before the next value, if there is one."""
    while containers:
        members, closing, separator = containers[-1]
        member = next(members, _END)
        if member is not _END:
            written.write(separator + INDENT * len(containers))
            containers[-1][2] = ",\n"
            if closing == "]":
                return member
            name, value = member
            written.write(f"{quoted(name)}: ")
            return value
        containers.pop()
        written.write("\n" + INDENT * len(containers) + closing)
    return _END


def _scalar(value):
    if isinstance(value, float):
        return _WORDS.get(repr(value)) or repr(value).replace("e+", "e")
    if isinstance(value, str):
        return quoted(value)
    return json.dumps(value)


def numbers(values, single):
    """Decimal numbers in the shortest of two forms that reads back equal.

    Args:
        values: array of float32 or float64, one dimension.
        single: whether they are float32: `%.6g`, or where that loses something `%.9g`;
            otherwise `%.17g`.

    Returns:
        list of str; whole numbers end with `.0`, and what is none is NaN, Infinity or -Infinity.
    """
    # In parts: the strings of millions of numbers are many times as large as the numbers.
    parts = range(0, len(values), PART)
    return list(chain.from_iterable(_part(values[at : at + PART], single) for at in parts))


def _part(values, single):
    import numpy as np

    exact = values.tolist()
    texts = ("%.6g " * len(exact) % tuple(exact)).split()
    with np.errstate(over="ignore"):
        lost = np.array(texts, np.float64).astype(values.dtype) != values
    for place in np.flatnonzero(lost):  # NaN too, which equals nothing
        texts[place] = f"{exact[place]:.{9 if single else 17}g}"
    return [_with_point(text) for text in texts]


_WORDS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _with_point(text):
    if "." in text or "e" in text:
        return text
    return _WORDS.get(text) or f"{text}.0"


def strings(values, as_bytes):
    """Strings as JSON; those of an output named `*_bytes` as `{"b64": …}`.

    Args:
        values: list of bytes. What is no UTF-8 stays as it is, as in TensorFlow Serving.
        as_bytes: whether they are bytes rather than text.

    Returns:
        list of str, to be encoded with `surrogateescape`.
    """
    if as_bytes:
        return [f'{{"b64": "{base64.b64encode(value).decode()}"}}' for value in values]
    return [quoted(value.decode("utf-8", "surrogateescape")) for value in values]


def nested(leaves, shape, depth=None):
    """Nested JSON arrays.

    Args:
        leaves: list of str, the values in row-major order.
        shape: sizes of the arrays, outermost first; none for one value.
        depth: None writes an array in one line; a number gives each value a line of its own,
            indented that far.

    Returns:
        str.
    """
    for axis in reversed(range(len(shape))):
        size = shape[axis]
        if depth is None:
            start, separator, end = "[", ", ", "]"
        else:
            indent = "\n" + INDENT * (depth + axis)
            start, separator, end = f"[{indent}{INDENT}", f",{indent}{INDENT}", f"{indent}]"
        groups = [
            leaves[group * size : (group + 1) * size] for group in range(math.prod(shape[:axis]))
        ]
        leaves = [start + separator.join(group) + end if group else "[]" for group in groups]
    return leaves[0]


def rows(leaves, shape):
    """As `nested`, in one line each, for every row: the values of `shape[1:]`.

    Returns:
        list of str, one per row.
    """
    if len(shape) == 1:
        return leaves
    size = math.prod(shape[1:])
    return [nested(leaves[row * size : (row + 1) * size], shape[1:]) for row in range(shape[0])]
