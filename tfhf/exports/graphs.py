"""Reads the graph of a SavedModel as data: nothing of it is run, whatever it holds."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tfhf.errors import UserError

MOST_BYTES = 2**31 - 1  # a protocol buffer has no more


@dataclass(frozen=True)
class Place:
    """Where an op stands.

    Attributes:
        op: the op's name, such as `MatMul`.
        node: the node's name.
        function: name of the function that holds the node; empty for the graph itself.
        attributes: the node's attributes by name, as protocol buffers.
    """

    op: str
    node: str
    function: str
    attributes: dict

    def __str__(self):
        return self.node + (f" in {self.function}" if self.function else "")


def read(folder):
    """Reads the description of a SavedModel.

    Args:
        folder: a version folder, with `saved_model.pb` or `saved_model.pbtxt`.

    Returns:
        A `SavedModel` protocol buffer.

    Raises:
        UserError: if there is none, or it cannot be read.
    """
    from google.protobuf import message, text_format
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    binary, text = Path(folder, "saved_model.pb"), Path(folder, "saved_model.pbtxt")
    path = binary if binary.is_file() or not text.is_file() else text
    if not path.is_file():
        raise UserError(f"{folder} holds no SavedModel: saved_model.pb is missing")
    saved = SavedModel()
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path} is larger than the 2 GiB of a protocol buffer")
        if path is binary:
            saved.ParseFromString(path.read_bytes())
        else:
            text_format.Parse(path.read_text(encoding="utf-8"), saved)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except (message.DecodeError, text_format.ParseError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is no SavedModel: it cannot be decoded") from error
    if not saved.meta_graphs:
        raise UserError(f"{path} is no SavedModel: it holds no graph")
    return saved


def serving_graph(saved):
    """The graph that TensorFlow Serving loads: the one with the tag `serve` and no other.

    Returns:
        A `MetaGraphDef`, or None if there is no such graph.
    """
    for graph in saved.meta_graphs:
        if set(graph.meta_info_def.tags) == {"serve"}:
            return graph
    return None


def places(graph):
    """Every node of a `MetaGraphDef`, those inside functions included, as a list of `Place`."""
    definition = graph.graph_def
    bodies = [("", definition.node)]
    bodies += [(f.signature.name, f.node_def) for f in definition.library.function]
    functions = {name for name, _ in bodies}
    return [
        Place(node.op, node.name, name, dict(node.attr))
        for name, nodes in bodies
        for node in nodes
        if node.op not in functions
    ]


def only_for_checkpoints(graph):
    """What a graph holds to save and restore variables, and no signature uses.

    Returns:
        (node, function) pairs, as in `Place`.
    """
    saver = graph.saver_def
    answering = [
        tensor.name
        for name, signature in graph.signature_def.items()
        for tensor in [*signature.inputs.values(), *signature.outputs.values()]
    ]
    starting = [
        name
        for key in ("saved_model_main_op", "legacy_init_op", "main_op")
        if key in graph.collection_def
        for name in graph.collection_def[key].node_list.value
    ]
    storing = [saver.save_tensor_name, saver.restore_op_name, saver.filename_tensor_name]
    return _reached(graph, storing) - _reached(graph, answering + starting)


def _reached(graph, names):
    """(node, function) pairs that are run to compute some tensors of the graph."""
    nodes = {node.name: node for node in graph.graph_def.node}
    bodies = {f.signature.name: f.node_def for f in graph.graph_def.library.function}
    found, called, waiting = set(), set(), [_node_name(name) for name in names if name]
    waiting_functions = []
    while waiting or waiting_functions:
        if waiting:
            name = waiting.pop()
            if name not in nodes or (name, "") in found:
                continue
            found.add((name, ""))
            waiting.extend(_node_name(other) for other in nodes[name].input)
            waiting_functions.extend(_functions(nodes[name]))
            continue
        function = waiting_functions.pop()
        if function not in bodies or function in called:
            continue
        called.add(function)
        for node in bodies[function]:
            found.add((node.name, function))
            waiting_functions.extend(_functions(node))
    return found


def _node_name(tensor):
    """`name` of `name:0`, `^name` and `name:output:0`."""
    return tensor.removeprefix("^").split(":")[0]


def _functions(node):
    """Names of the functions that a node calls."""
    named = [node.op]
    for value in node.attr.values():
        named.extend([value.func.name, *(one.name for one in value.list.func)])
    return [name for name in named if name]


def by_op(found):
    """Places grouped by their op, the ops sorted by name."""
    grouped = defaultdict(list)
    for place in found:
        grouped[place.op].append(place)
    return dict(sorted(grouped.items()))
