"""JSON values as arrays, by TensorFlow Serving's rules.

A type is called as TensorFlow calls it in messages: `float`, `double`, `int32`, `string`, `half`.
Whether a request is right is found out on whole columns at once; only a wrong one is gone through
value by value, in TensorFlow Serving's order, to say what it says.
"""

import base64
import binascii
import math
from itertools import chain

import numpy as np

from tfhf.serving import printing
from tfhf.serving.statuses import RequestError, invalid

MOST_DIMENSIONS = 254  # of TensorFlow's tensors
PART = 1024  # values that are looked at together for the one that is wrong
_INT32 = (-(2**31), 2**31 - 1)
# What a JSON integer may be; of the narrower types the low bits are kept.
_INTEGERS = {
    "int8": _INT32, "uint8": _INT32, "int16": _INT32, "uint16": _INT32, "int32": _INT32,
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}  # fmt: skip
_DECIMALS = {"float": np.float32, "double": np.float64}


def type_name(number):
    """The name of a `DataType` of TensorFlow's protocol buffers, such as `float` of 1."""
    from tensorflow.core.framework.types_pb2 import DataType

    return DataType.Name(number).removeprefix("DT_").lower()


# === Requests ===


def from_rows(instances, types):
    """The list of a request's `instances` as one array per input.

    Args:
        instances: non-empty list: a value or nested list per row, or an object with one for each
            input.
        types: input → name of its type; at least one.

    Returns:
        dict of arrays; the first dimension is the row.

    Raises:
        RequestError: if they are not all of one shape, or not of the input's type.
    """
    if not isinstance(instances[0], dict) and len(types) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    arrays = _rows_as_arrays(instances, types)
    if arrays is None:
        _explain_rows(instances, types)
    return arrays


def _rows_as_arrays(rows, types):
    """An array per input; None if a row is not as the first one, or not of the input's type."""
    if _is_object(rows[0]):
        names = types.keys()
        if not all(_is_object(row) and row.keys() == names for row in rows):
            return None
        columns = {name: [row[name] for row in rows] for name in types}
    elif dict in set(map(type, rows)) and any(map(_is_object, rows)):
        return None
    else:
        columns = {min(types): rows}
    arrays = {name: _as_array(column, types[name]) for name, column in columns.items()}
    return None if any(array is None for array in arrays.values()) else arrays


def from_columns(inputs, types):
    """The value of a request's `inputs` as one array per input.

    Args:
        inputs: a value or nested list for a signature of one input, or an object with one for
            each; what else the object holds is ignored.
        types: input → name of its type; at least one.

    Returns:
        dict of arrays.

    Raises:
        RequestError: as `from_rows`.
    """
    if not _is_object(inputs):
        if len(types) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        inputs = {min(types): inputs}
    arrays = {}
    for name in sorted(types):
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        arrays[name] = _as_array(inputs[name], types[name])
        if arrays[name] is None:
            _explain(inputs[name], _shape(inputs[name]), types[name])
    return arrays


def _is_object(value):
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value):
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _shape(value):
    """The shape that the first values suggest."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    if len(shape) > MOST_DIMENSIONS:
        raise invalid(
            f"a list is nested {len(shape)} deep; a tensor has at most {MOST_DIMENSIONS} dimensions"
        )
    return shape


def _as_array(value, kind):
    """A nested list as an array; None if a value of it has another type or place."""
    try:
        shape, leaves = _shape(value), [value]
        for size in shape:
            if any(not isinstance(part, list) or len(part) != size for part in leaves):
                return None
            leaves = list(chain.from_iterable(leaves))
        array = _flat_array(leaves, kind)
    except RequestError:  # `_explain` says it where it belongs
        return None
    return None if array is None else array.reshape(shape)


def _flat_array(leaves, kind):
    """Values as an array; None if one of them has another type."""
    found = set(map(type, leaves))
    if kind in _DECIMALS and found <= {int, float}:
        return _decimals(leaves, _DECIMALS[kind])
    if kind in _INTEGERS and found <= {int} and _all_within(leaves, _INTEGERS[kind]):
        wide = np.uint64 if kind == "uint64" else np.int64
        return np.array(leaves, wide).astype(kind)
    if kind == "bool" and found <= {bool}:
        return np.array(leaves, np.bool_)
    if kind == "string" and found <= {str, dict} and all(map(is_text, leaves)):
        array = np.empty(len(leaves), object)
        array[:] = [text_bytes(leaf) for leaf in leaves]
        return array
    return None


def _decimals(leaves, dtype):
    """Numbers too large for the type become infinite, as a conversion in C++ has it."""
    try:
        with np.errstate(over="ignore"):
            return np.array(leaves, np.float64).astype(dtype)
    except OverflowError as error:
        raise invalid("JSON Parse error: Number too big to be stored in double.") from error


def _all_within(leaves, bounds):
    return not leaves or (bounds[0] <= min(leaves) and max(leaves) <= bounds[1])


def is_text(value):
    """Whether a JSON value is a string, or an object that holds one in base64."""
    return isinstance(value, str) or _is_base64(value)


def text_bytes(value):
    """The bytes of what `is_text`.

    Raises:
        RequestError: INVALID_ARGUMENT if it is no base64, or half a character.
    """
    if isinstance(value, str):
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from error
    text = "".join(value["b64"].split()).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("Unable to base64 decode") from error


# === What is wrong with a request ===


def _explain_rows(instances, types):
    """Raises what TensorFlow Serving says of rows that are not right."""
    are_objects, shapes = _is_object(instances[0]), {}
    for place, row in _suspects(instances, types):
        if not are_objects:
            if _is_object(row):
                raise invalid(f"Expecting value/list but got object at item {place} of input list")
            _explain_row({min(types): row}, types, shapes, f"{place} of 'instances'")
            continue
        if not _is_object(row):
            raise invalid(f"Expecting object but got list at item {place} of input list")
        for name, value in row.items():
            _explain_row({name: value}, types, shapes, f"{place} key: {name} of 'instances'")
        if row.keys() != types.keys():
            raise invalid(
                f"Failed to process element: {place} of 'instances' list. JSON object: "
                f"{printing.pretty(row)} keys must be equal to: {','.join(sorted(types))}"
            )
    raise AssertionError("rows that are right were taken for wrong")


def _suspects(instances, types):
    """The first row, which the others are held against, and those of the first wrong part."""
    yield 0, instances[0]
    for start in range(1, len(instances), PART):
        part = instances[start : start + PART]
        if _rows_as_arrays([instances[0], *part], types) is None:
            yield from enumerate(part, start)


def _explain_row(row, types, shapes, where):
    ((name, value),) = row.items()
    try:
        if name not in types:
            raise invalid(f"JSON object: does not have named input: {name}")
        shape = _shape(value)
        _explain(value, shape, types[name])
        expected = shapes.setdefault(name, shape)
        if math.prod(expected) != math.prod(shape):
            raise invalid(
                f"Expecting tensor size: {math.prod(expected)} but got: {math.prod(shape)}"
            )
        if expected != shape:
            raise invalid(f"Expecting shape {_sizes(expected)} but got: {_sizes(shape)}")
    except RequestError as error:
        raise invalid(f"Failed to process element: {where} list. Error: {error}") from error


def _sizes(shape):
    return f"[{','.join(map(str, shape))}]"


def _explain(value, shape, kind, level=0):
    """Raises what TensorFlow Serving says of a value, if it does not fit the shape and type."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {printing.pretty(value)} found at incorrect level: {level + 1} in "
                f"the JSON DOM. Expected at level: {len(shape)}"
            )
        _explain_leaf(value, kind)
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    for start in range(0, len(value), PART):
        part = value[start : start + PART]
        array = _as_array(part, kind)
        if array is None or list(array.shape[1:]) != shape[level + 1 :]:
            for one in part:
                _explain(one, shape, kind, level + 1)


def _explain_leaf(value, kind):
    if kind not in _DECIMALS and kind not in _INTEGERS and kind not in ("bool", "string"):
        raise RequestError(
            "UNIMPLEMENTED",
            f"Conversion of JSON Value: {printing.pretty(value)} to type: {kind}",
        )
    if kind == "string" and isinstance(value, dict) and not _is_base64(value):
        raise invalid(
            f"JSON Value: {printing.pretty(value)} not formatted correctly for base64 data"
        )
    if _flat_array([value], kind) is None:
        raise invalid(
            f"JSON Value: {printing.pretty(value)} Type: {json_type(value)} "
            f"is not of expected type: {kind}"
        )


def json_type(value):
    """What RapidJSON calls the type of a value."""
    if isinstance(value, bool):
        return str(value)
    names = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}
    return names.get(type(value), "Null")
