"""The shape of the package: imports point one way, and heavy libraries wait."""

import ast
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tfhf"

# From the ground up; a module imports its own layer's folder and what stands below it.
LAYERS = [
    {"errors", "exits", "console", "storage", "custom"},
    {"environment", "data", "models", "learning", "exports", "client"},
    {"tasks"},
    {"recipe"},
    {"run"},
    {"preparation", "pieces", "reporting", "inspection", "diagnosis", "tokenization"},
    {"prediction", "evaluation", "catalogue", "publication"},
    {"exporting", "conversion", "retrieval", "serving"},
    {"training"},
    {"comparison", "forecast"},
    {"cli"},
    {"__main__"},
]
# Within the second layer: who may know whom.
BESIDE = {
    "learning": {"data", "models"},
    "exports": {"learning"},
    "environment": set(),
    "models": set(),
    "data": set(),
}
HEAVY = {"tensorflow", "tf_keras", "keras", "transformers", "datasets", "evaluate", "sklearn",
         "scipy", "matplotlib", "pandas", "huggingface_hub", "h5py", "rich"}  # fmt: skip
# Modules that are nothing but TensorFlow or metrics: whoever imports them wants that.
MAY_BE_HEAVY = {
    "learning.model", "learning.layers", "learning.optimizers", "learning.schedules",
    "learning.scoring", "learning.optimization", "learning.callbacks", "learning.events",
    "learning.compiling",
    "learning.metrics", "exports.saved_model", "learning.retrieval_metrics",
    "learning.entity_metrics", "learning.span_metrics",
    "learning.decoding.beams", "learning.decoding.generation",
    "learning.decoding.loop", "learning.decoding.rules", "learning.decoding.stepping",
    "learning.decoding.stops", "learning.likelihoods", "learning.character_metrics",
    "learning.choice_metrics", "learning.text_metrics", "learning.likelihood_metrics",
    "exports.windows", "exports.images", "exports.lite", "models.head_classes",
    "serving.examples", "serving.inference", "serving.messages", "serving.servables",
}  # fmt: skip
# Folders of which that is true, but for their own `__init__`.
ARE_HEAVY = ("exports.tokenizers.", "exports.answers.")


def parsed():
    """Module name, without `tfhf.`, and syntax tree of every file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
        yield name.removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


MODULES = dict(parsed())


def imports(tree):
    """Modules that a tree imports, each with whether that stands at module level."""
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [
                name if name.removeprefix("tfhf.") in MODULES else node.module for name in names
            ]
        else:
            continue
        yield from ((name, id(node) in top) for name in names)


def layer(name):
    head = name.split(".")[0]
    found = [level for level, members in enumerate(LAYERS) if head in members]
    assert found, f"{name} stands in no layer"
    return found[0]


each_module = pytest.mark.parametrize(
    ("name", "tree"), [pytest.param(name, tree, id=name) for name, tree in MODULES.items()]
)


@each_module
def test_imports_point_one_way(name, tree):
    if name == "__init__":
        return
    head = name.split(".")[0]
    for imported, _ in imports(tree):
        if not imported.startswith("tfhf."):
            continue
        other = imported.removeprefix("tfhf.")
        other_head = other.split(".")[0]
        if other_head == head:
            continue
        if layer(other) == layer(name):
            assert other_head in BESIDE.get(head, {other_head}), f"{name} imports {other}"
        assert layer(other) <= layer(name), f"{name} imports {other}"


def test_no_modules_import_each_other_in_a_circle():
    """Not in functions either: what two modules both need stands in a third."""
    graph = {
        name: {one.removeprefix("tfhf.") for one, _ in imports(tree)}
        for name, tree in MODULES.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


@each_module
def test_heavy_libraries_are_imported_in_functions(name, tree):
    if name in MAY_BE_HEAVY or name.startswith(ARE_HEAVY):
        return
    heavy = [one for one, at_top in imports(tree) if at_top and one.split(".")[0] in HEAVY]
    assert not heavy, f"{name} imports {heavy} at module level"


def run(*command):
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_importing_tfhf_is_light():
    code = "import sys, tfhf; print(sorted(m for m in sys.modules if m.startswith('tfhf')))"
    assert run(sys.executable, "-c", code).stdout == "['tfhf']\n"


HELP = ["train", "evaluate", "predict", "export", "report", "recipes", "check", "serve",
        "inspect", "doctor", "tokenize", "runs", "compare", "models", "push"]  # fmt: skip


def test_every_help_is_there_and_light():
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from tfhf.cli import main\n"
        "assert sorted(main.commands) == sorted(sys.argv[1:]), sorted(main.commands)\n"
        "for name in [None, *sys.argv[1:]]:\n"
        "    found = CliRunner().invoke(main, [name, '--help'] if name else ['--help'])\n"
        "    assert found.exit_code == 0 and 'Usage' in found.output, found.output\n"
        "print(sorted(m for m in sys.modules if m.startswith('tfhf')))\n"
        f"print(sorted({HEAVY | {'numpy', 'pydantic', 'yaml'}!r} & set(sys.modules)))\n"
    )
    found = run(sys.executable, "-c", code, *HELP)
    assert found.stdout == "['tfhf', 'tfhf.cli', 'tfhf.errors', 'tfhf.exits']\n[]\n", found.stderr


def test_no_public_name_is_a_module():
    """Importing a module `tfhf.export` would put it in the place of the function `tfhf.export`."""
    import tfhf

    modules = {path.stem for path in PACKAGE.iterdir()}
    assert not modules & set(tfhf.__all__)
