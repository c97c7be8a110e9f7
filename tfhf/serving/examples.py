"""`tf.Example`s, which classification and regression take, out of JSON and protocol buffers."""

import numpy as np
from tensorflow.core.example.example_pb2 import Example
from tensorflow_serving.apis.input_pb2 import Input

from tfhf.serving import tensors
from tfhf.serving.printing import pretty
from tfhf.serving.statuses import invalid

_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def from_json(asked):
    """The `examples` and the `context` of a request.

    Args:
        asked: the request's JSON object.

    Returns:
        An `Input`.

    Raises:
        RequestError: INVALID_ARGUMENT if there are no examples, or a feature is not of one type.
    """
    given = Input()
    if "context" in asked:
        context = _example(asked["context"])
        given.example_list_with_context.context.CopyFrom(context)
        examples = given.example_list_with_context.examples
    else:
        examples = given.example_list.examples
    if "examples" not in asked:
        raise _refused(
            asked, "When method is classify, key 'examples' is expected and was not found"
        )
    if not isinstance(asked["examples"], list):
        raise _refused(asked, "Expecting 'examples' value to be an list/array")
    if not asked["examples"]:
        raise _refused(asked, "'examples' value is an empty array")
    examples.extend(map(_example, asked["examples"]))
    return given


def _refused(asked, reason):
    return invalid(f"JSON Value: {pretty(asked)} {reason}")


def _example(features):
    if not isinstance(features, dict):
        raise invalid(f"Example must be JSON object but got JSON {tensors.json_type(features)}")
    example = Example()
    for name, content in features.items():
        try:
            feature = example.features.feature[name]
        except ValueError as error:
            raise invalid(f"Feature: {pretty(name)} is no UTF-8 text") from error
        for value in content if isinstance(content, list) else [content]:
            kind, value = _typed(value, name)
            present = feature.WhichOneof("kind")
            if present not in (None, kind):
                raise invalid(
                    f"Unexpected element type in feature: {name} expecting type: {_KINDS[present]}"
                )
            getattr(feature, kind).value.append(value)
    return example


def _typed(value, name):
    """The list of a feature that a JSON value belongs into, and the value as that list takes it."""
    if isinstance(value, bool):
        return "int64_list", int(value)
    if tensors.is_text(value):
        return "bytes_list", tensors.text_bytes(value)
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        if value >= 2**63:
            raise invalid(f"Feature: {name} has uint64 element. Only int64_t is supported.")
        return "int64_list", value
    if isinstance(value, int | float):
        with np.errstate(over="ignore"):
            return "float_list", float(np.float64(value).astype(np.float32))
    raise invalid(
        f"Feature: {name} has element with unexpected JSON type: {tensors.json_type(value)}"
    )


def serialized(given):
    """The examples of an `Input` as the one tensor that a graph parses.

    Args:
        given: an `Input`.

    Returns:
        `(B,)` array of serialized `tf.Example`s.

    Raises:
        RequestError: INVALID_ARGUMENT if there are none.
    """
    kind = given.WhichOneof("kind")
    examples = getattr(given, kind).examples if kind else ()
    if not examples:
        raise invalid("Input is empty.")
    # Messages one behind the other are one message: an example may change what the context says.
    context = b""
    if kind == "example_list_with_context":
        context = given.example_list_with_context.context.SerializeToString()
    array = np.empty(len(examples), object)
    array[:] = [context + example.SerializeToString() for example in examples]
    return array
