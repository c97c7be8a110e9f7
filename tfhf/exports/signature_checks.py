"""The signatures of a SavedModel: what each takes and gives, and where TensorFlow Serving balks."""

from dataclasses import dataclass, field

_INTERNAL = "__saved_model"  # prefix of signatures that loading uses itself
_NOT_IN_JSON = {"float16", "bfloat16", "complex64", "complex128", "resource", "variant"}


@dataclass
class Findings:
    """What an inspection found to say.

    Attributes:
        fails: lines about what TensorFlow Serving could not load or answer.
        limits: lines about what works in some ways of asking only.
    """

    fails: list = field(default_factory=list)
    limits: list = field(default_factory=list)


def of(graph):
    """The signatures that can be asked for, by name.

    Args:
        graph: a `MetaGraphDef`.

    Returns:
        dict from name to `SignatureDef`, in alphabetical order, `serving_default` first.
    """
    return named(graph.signature_def)


def named(signatures):
    """Those of a graph's signatures that are its own, and not a note of the loader's."""
    names = [name for name in signatures if not name.startswith(_INTERNAL)]
    names.sort(key=lambda name: (name != "serving_default", name))
    return {name: signatures[name] for name in names}


def tensor_text(name, tensor):
    """Name, type and shape of an input or output, such as `text string (?)`."""
    dimensions = shape(tensor)
    if dimensions is None:
        return f"{name} {dtype(tensor)} of any shape"
    shown = ", ".join("?" if size is None else str(size) for size in dimensions)
    return f"{name} {dtype(tensor)} ({shown})"


def text(signature):
    """Inputs and outputs of a signature in one line."""
    inputs = [tensor_text(name, signature.inputs[name]) for name in sorted(signature.inputs)]
    outputs = [tensor_text(name, signature.outputs[name]) for name in sorted(signature.outputs)]
    return f"{', '.join(inputs) or 'nothing'} → {', '.join(outputs) or 'nothing'}"


def dtype(tensor):
    """TensorFlow's name of a type, such as `float32`."""
    import tensorflow as tf

    try:
        return tf.dtypes.as_dtype(tensor.dtype).name
    except TypeError:
        return "unknown"


def shape(tensor):
    """Sizes, None where they vary; None itself where even their number does."""
    if tensor.tensor_shape.unknown_rank:
        return None
    return [size.size if size.size >= 0 else None for size in tensor.tensor_shape.dim]


def examine(graph):
    """Finds what TensorFlow Serving could not answer, or only in some ways.

    Args:
        graph: a `MetaGraphDef`.

    Returns:
        Findings.
    """
    found, signatures = Findings(), of(graph)
    if not signatures:
        found.fails.append("no signature: there is nothing to ask for")
    elif "serving_default" not in signatures:
        found.limits.append(
            "no signature serving_default: every request must name one of "
            f"{', '.join(signatures)} as signature_name"
        )
    nodes = {node.name for node in graph.graph_def.node}
    for name, signature in signatures.items():
        tensors = {**signature.inputs, **signature.outputs}
        lost = [key for key, tensor in tensors.items() if _lost(tensor, nodes)]
        if lost:
            found.fails.append(f"{name}: {', '.join(sorted(lost))} is no tensor of the graph")
        _examine_types(name, tensors, found)
        _examine_batch(name, signature, found)
        _examine_method(name, signature, found)
    return found


def _lost(tensor, nodes):
    """Whether TensorFlow Serving could not feed or fetch a tensor by its name."""
    return tensor.WhichOneof("encoding") != "name" or tensor.name.split(":")[0] not in nodes


def _examine_types(name, tensors, found):
    wrong = {key: dtype(tensor) for key, tensor in tensors.items() if dtype(tensor) in _NOT_IN_JSON}
    if wrong:
        shown = ", ".join(f"{key} is {kind}" for key, kind in sorted(wrong.items()))
        found.fails.append(f"{name}: {shown}, which REST cannot carry; cast it to float32")


def _examine_batch(name, signature, found):
    """Row format and batching need the batch as first dimension of everything."""
    inputs, outputs = _shapes(signature.inputs), _shapes(signature.outputs)
    for key, sizes in inputs.items():
        if not sizes:
            found.limits.append(f"{name}: input {key} has no batch dimension; no batching")
        elif sizes[0] is not None:
            found.limits.append(f"{name}: input {key} takes batches of {sizes[0]} only")
    for key, sizes in outputs.items():
        if not sizes:
            found.limits.append(
                f"{name}: output {key} is a single value: REST answers in columns only "
                "('inputs', not 'instances')"
            )
    first = {sizes[0] for sizes in outputs.values() if sizes and sizes[0] is not None}
    if len(first) > 1:
        found.limits.append(
            f"{name}: outputs differ in their first dimension: REST answers in columns only "
            "('inputs', not 'instances')"
        )
    varying = [key for key, sizes in inputs.items() if sizes and None in sizes[1:]]
    if varying:
        found.limits.append(
            f"{name}: {', '.join(sorted(varying))} may vary in length: with batching on, requests "
            "of different lengths that meet in one batch are refused"
        )


def _shapes(tensors):
    """Name → sizes, of those tensors whose number of dimensions is known."""
    sizes = {name: shape(tensor) for name, tensor in tensors.items()}
    return {name: size for name, size in sorted(sizes.items()) if size is not None}


def _examine_method(name, signature, found):
    """The methods classify and regress know one input and outputs of fixed names."""
    method = signature.method_name.rpartition("/")[2]
    outputs = {"classify": {"classes", "scores"}, "regress": {"outputs"}}.get(method)
    if outputs is None:
        return
    if set(signature.inputs) != {"inputs"} or not set(signature.outputs) <= outputs:
        found.fails.append(
            f"{name}: the method {method} takes `inputs` and gives {' or '.join(sorted(outputs))}; "
            f"received {text(signature)}"
        )
