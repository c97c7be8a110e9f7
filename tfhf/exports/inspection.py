"""`tfhf export --check`: what TensorFlow Serving would make of a SavedModel, said line by line.

The graph is read as data first. It is loaded, in a process of its own, only where nothing in it
reaches outside: a foreign SavedModel is a program.
"""

from dataclasses import dataclass, field
from pathlib import Path

from tfhf.errors import UserError
from tfhf.exports import graphs, ops, rehearsal, signature_checks, versions, warmup

MOST_PLACES = 3  # named of one op
_HARMLESS = {"print"}  # may be loaded all the same


@dataclass
class Inspection:
    """What is known about one SavedModel.

    Attributes:
        folder: the version folder.
        written_by: the TensorFlow that wrote it, such as `"2.21.0"`; empty where it does not say.
        signatures: name → its inputs and outputs in one line.
        loads_from: first TensorFlow Serving that knows all its ops and attributes; None if an op
            is known to none.
        newest: what needs `loads_from`; empty where that is the oldest version recorded.
        outside: what its ops can do besides computing, a line each.
        limits: what works in some ways of asking only, a line each.
        fails: what TensorFlow Serving could not load or answer, a line each.
        notes: what was tried, a line each.
    """

    folder: Path
    written_by: str = ""
    signatures: dict = field(default_factory=dict)
    loads_from: str | None = None
    newest: list = field(default_factory=list)
    outside: list = field(default_factory=list)
    limits: list = field(default_factory=list)
    fails: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def lines(self):
        """The inspection as a person reads it; names out of the file cannot forge a line."""
        return [_printable(line) for line in self._said()]

    def _said(self):
        by = f", written by TensorFlow {self.written_by}" if self.written_by else ""
        yield f"{self.folder}: a SavedModel{by}"
        for name, text in self.signatures.items():
            yield f"  signature  {name}: {text}"
        if self.loads_from:
            yield f"  loads      from TensorFlow Serving {self.loads_from} on{self._because()}"
        yield from (f"  outside    {line}" for line in self.outside or ["nothing"])
        yield from (f"  limit      {line}" for line in self.limits)
        yield from (f"  tried      {line}" for line in self.notes)
        yield from (f"  FAILS      {line}" for line in self.fails)
        if not self.fails:
            yield "  nothing was found that fails in TensorFlow Serving"

    def _because(self):
        if self.newest:
            return f", for {', '.join(self.newest)}"
        return ", the oldest one this check knows"


def inspect(folder, *, trial=True):
    """Looks at a version folder, and then tries it where that is safe.

    Args:
        folder: a version folder, whatever its name.
        trial: whether to load it and replay its warm-up requests, in a process of its own.

    Returns:
        Inspection.

    Raises:
        UserError: if there is no SavedModel in the folder, or it cannot be decoded.
    """
    saved = graphs.read(folder)
    found = Inspection(Path(folder))
    graph = graphs.serving_graph(saved)
    found.fails += versions.missing(folder, graph)
    if graph is None:
        tags = [sorted(one.meta_info_def.tags) for one in saved.meta_graphs]
        found.fails.append(f"no graph has the tag `serve` alone; tags found: {tags}")
        return found
    found.written_by = graph.meta_info_def.tensorflow_version
    named = signature_checks.of(graph)
    found.signatures = {name: signature_checks.text(one) for name, one in named.items()}
    asked = signature_checks.examine(graph)
    found.fails += asked.fails
    found.limits += asked.limits
    risky = _examine_ops(graph, found)
    if trial:
        _try(folder, found, risky, graph)
    return found


def check(folder):
    """Finds what would keep plain TensorFlow Serving from loading or safely running an export.

    Args:
        folder: a version folder.

    Returns:
        list of problems, each one line; empty if there are none. What only limits the ways of
        asking is no problem.

    Raises:
        UserError: as `inspect`.
    """
    found = inspect(folder, trial=False)
    return found.fails + found.outside


def operations(folder):
    """Names of all ops in a version folder's graph, its functions included, sorted."""
    graph = graphs.serving_graph(graphs.read(folder))
    return sorted(graphs.by_op(graphs.places(graph))) if graph is not None else []


def oldest_serving(folder):
    """First TensorFlow Serving that knows every op of a version folder, such as `"2.18"`."""
    return inspect(folder, trial=False).loads_from


def examine(folder):
    """Examines what `tfhf export --check` is given: a version, or the folder of all versions.

    Args:
        folder: a version folder, or one that holds versions, as TensorFlow Serving is given it.

    Returns:
        (lines for a person to read, number of things that would fail).

    Raises:
        UserError: if there is no SavedModel, or it cannot be decoded.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"export --check: no such folder: {folder}")
    if versions.holds_model(folder):
        found = inspect(folder)
        if versions.number(folder.resolve().name) is None:
            found.fails.append(
                f"the folder's name {folder.resolve().name!r} is not a number: TensorFlow Serving "
                "looks for versions such as 1 or 20 in the folder it is given"
            )
        return found.lines(), len(found.fails)
    lines, served = versions.layout(folder)
    found = inspect(served)
    return lines + found.lines(), len(found.fails)


def _examine_ops(graph, found):
    """Adds what ops need and reach; returns whether loading the graph could do harm."""
    everything = graphs.places(graph)
    own = graphs.only_for_checkpoints(graph)
    known, reaching = [], {}
    for op, places in graphs.by_op(everything).items():
        if op.startswith("Xla"):
            found.fails.append(f"{op} needs XLA, which TensorFlow Serving is built without")
        elif ops.is_known(op) or ops.is_text_op(op):
            known += places
        else:
            found.fails.append(f"{op} is not an op of TensorFlow: {_where(places)}")
        for place in places:
            stores = op in ops.CHECKPOINT_OPS and (place.node, place.function) in own
            can = None if stores else ops.reach(place)
            if can:
                reaching.setdefault((op, can), []).append(place)
    for (op, can), places in reaching.items():
        lines = found.fails if can == "run Python" else found.outside
        lines.append(f"{op} can {can}: {_where(places)}")
    found.fails += [f"{name} must be compiled by XLA" for name in _compiled(graph)]
    if len(known) == len(everything):
        _date(known, found)
    return any(can not in _HARMLESS for _, can in reaching)


def _date(places, found):
    """Adds from which version on the ops are known, and what is the newest of them."""
    first = {}
    for place in places:
        first.setdefault(ops.first_version(place), set()).add(place.op)
    found.loads_from = max(first, key=ops.version_key)
    if found.loads_from != ops.oldest_recorded():
        found.newest = sorted(first[found.loads_from])


def _where(places):
    """The first few places of an op."""
    shown = ", ".join(str(place) for place in places[:MOST_PLACES])
    left = len(places) - MOST_PLACES
    return shown + (f" and {left} more" if left > 0 else "")


def _compiled(graph):
    """Names of nodes and functions that only XLA can run."""
    library = graph.graph_def.library.function
    nodes = [*graph.graph_def.node, *(node for body in library for node in body.node_def)]
    names = [node.name for node in nodes if node.attr["_XlaMustCompile"].b]
    return names + [body.signature.name for body in library if body.attr["_XlaMustCompile"].b]


def _printable(line):
    """A line without characters that move or hide others."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _try(folder, found, risky, graph):
    """Loads the version and replays its warm-up requests, if that is safe, and says how it went."""
    if risky or found.fails:
        why = "what it can do besides computing" if risky else "what fails already"
        found.notes.append(f"not loaded, because of {why}")
        return
    try:
        requests = warmup.read(folder)
    except UserError as error:
        found.fails.append(str(error))
        return
    text_ops = any(ops.is_text_op(place.op) for place in graphs.places(graph))
    try:
        done = rehearsal.rehearse(folder, warmup=requests, text_ops=text_ops)
    except RuntimeError as error:
        found.fails.append(f"it cannot be loaded: {error}")
        return
    found.notes.append(f"loaded in {done['load_seconds']:.1f} s")
    _read_replays(requests, done["warmup"], found)


def _read_replays(requests, answers, found):
    """Adds which warm-up requests failed, and outputs that have no row for each row asked."""
    wrong = [
        f"warm-up request {number} ({name}) fails, and with it the loading: {answer}"
        for number, ((name, _), answer) in enumerate(zip(requests, answers, strict=True))
        if isinstance(answer, str)
    ]
    found.fails += wrong
    if requests and not wrong:
        found.notes.append(f"{len(requests)} warm-up requests answered")
    uneven = set()
    for (name, inputs), shapes in zip(requests, answers, strict=True):
        rows = {tensor.tensor_shape.dim[0].size for tensor in inputs.values()}
        if not isinstance(shapes, str):
            uneven |= {(name, key) for key, sizes in shapes.items() if sizes and {sizes[0]} != rows}
    found.limits += [
        f"{name}: output {key} has not one entry for each row asked: REST answers in columns only "
        "('inputs', not 'instances')"
        for name, key in sorted(uneven)
    ]
