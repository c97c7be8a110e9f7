"""The folders and files of a served model, as TensorFlow Serving reads them."""

import re
from pathlib import Path, PurePosixPath

from tfhf.errors import UserError

_VARIABLE_OPS = {"VarHandleOp", "VariableV2", "Variable"}


def number(name):
    """The version that a folder's name is to TensorFlow Serving, or None if it is ignored.

    Leading zeros count for nothing: `00000123` is version 123.
    """
    return int(name) if re.fullmatch(r"\s*\+?[0-9]{1,19}\s*", name, re.ASCII) else None


def numbered(folder):
    """Version → its folder, in ascending order, of those in the folder of all versions.

    Args:
        folder: what TensorFlow Serving is given as `base_path`.
    """
    found = {}
    for path in sorted(Path(folder).iterdir()):
        if path.is_dir() and number(path.name) is not None:
            found[number(path.name)] = path
    return dict(sorted(found.items()))


def holds_model(folder):
    """Whether a folder is a version itself, by what stands in it."""
    names = ("saved_model.pb", "saved_model.pbtxt", "variables")
    return any(Path(folder, name).exists() for name in names)


def layout(folder):
    """What TensorFlow Serving would serve out of the folder of all versions.

    Args:
        folder: what it is given as `base_path`.

    Returns:
        (lines for a person to read, the folder of the version it serves).

    Raises:
        UserError: if there is no version.
    """
    found = numbered(folder)
    if not found:
        raise UserError(
            f"{folder} holds no SavedModel, and no folder whose name is a number such as 1"
        )
    served = max(found)
    lines = [f"{folder}: version {served} is served, the largest of {', '.join(map(str, found))}"]
    aside = sorted(path.name for path in Path(folder).iterdir() if path not in found.values())
    if aside:
        lines.append(f"  ignored    {', '.join(aside)}")
    return lines, found[served]


def missing(folder, graph):
    """Finds files that a SavedModel names and that are not there.

    Args:
        folder: a version folder.
        graph: its `MetaGraphDef`, or None if it has none to be served.

    Returns:
        list of problems, each one line.
    """
    if graph is None:
        return []
    problems = []
    definition = graph.graph_def
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    if any(node.op in _VARIABLE_OPS for node in nodes):
        problems += _missing_variables(Path(folder, "variables"))
    for asset in graph.asset_file_def:
        parts = PurePosixPath(asset.filename).parts
        if asset.filename.startswith("/") or ".." in parts:
            problems.append(f"asset {asset.filename!r} lies outside of the folder")
        elif not Path(folder, "assets", asset.filename).is_file():
            problems.append(f"assets/{asset.filename} is missing")
    return problems


def _missing_variables(folder):
    """The index of the variables and every part of their values must be there."""
    if not (folder / "variables.index").is_file():
        return ["variables/variables.index is missing: the graph has variables"]
    parts = [path.name for path in folder.glob("variables.data-*-of-*")]
    counts = {name.rpartition("-of-")[2] for name in parts}
    whole = any(
        count.isdecimal() and sum(name.endswith(f"-of-{count}") for name in parts) == int(count)
        for count in counts
    )
    return [] if whole else [f"variables/variables.data-* is not whole: found {sorted(parts)}"]
