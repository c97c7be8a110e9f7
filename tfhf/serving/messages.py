"""Tensors of protocol buffers as arrays and back."""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

from tfhf.errors import reason
from tfhf.serving.statuses import invalid
from tfhf.serving.tensors import MOST_DIMENSIONS

# The field that holds values of a type, where it is not called as the type.
_FIELDS = {
    "float32": "float_val", "float64": "double_val", "int64": "int64_val", "bool": "bool_val",
    "uint32": "uint32_val", "uint64": "uint64_val", "object": "string_val",
    "complex64": "scomplex_val", "complex128": "dcomplex_val",
}  # fmt: skip


def from_tensor(proto, most_values):
    """A `TensorProto` as an array.

    Args:
        proto: with its values in a field of their type or as `tensor_content`.
        most_values: a tensor of more is refused: one value may stand for any number of equal ones.

    Returns:
        Array.

    Raises:
        RequestError: INVALID_ARGUMENT if shape, type and values do not belong together.
    """
    sizes = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or min(sizes, default=0) < 0 or len(sizes) > MOST_DIMENSIONS:
        raise invalid("tensor parsing error: its shape is no shape of a tensor")
    if math.prod(sizes) > most_values:
        raise invalid(f"tensor parsing error: more than {most_values} values")
    try:
        array = tf.make_ndarray(proto)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise invalid(f"tensor parsing error: {reason(error)}") from error
    return array


def to_tensor(array):
    """An array as a `TensorProto`, its values in the field of their type as clients expect them."""
    proto = TensorProto(dtype=tf.as_dtype(array.dtype).as_datatype_enum)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    flat = array.reshape(-1)
    if array.dtype.name in ("float16", "bfloat16"):
        proto.half_val.extend(flat.view(np.uint16).tolist())
    elif array.dtype.kind == "c":
        getattr(proto, _FIELDS[array.dtype.name]).extend(
            flat.view(np.float32 if array.dtype.itemsize == 8 else np.float64).tolist()
        )
    else:
        getattr(proto, _FIELDS.get(array.dtype.name, "int_val")).extend(flat.tolist())
    return proto
