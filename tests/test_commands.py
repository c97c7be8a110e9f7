"""Every command that README, the other pages and the recipes show runs, word for word.

The working folder holds the runs and files that the pages name; `minilm` and the models of the Hub
are tiny ones, its data sets are a recipe's toy rows. A line that names anything else fails here
until there is a stand-in for it.
"""

import contextlib
import json
import re
import runpy
import shutil
import sys
import urllib.request
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import datasets
import numpy as np
import pytest
from click.testing import CliRunner

from tests import pages, toys
from tests.conftest import prove_here, toy_rows
from tests.pages import GUIDES, ROOT
from tests.toys.files import write
from tfhf import pieces, recipe
from tfhf.cli import main
from tfhf.data import hub as data_hub
from tfhf.models import hub, sources
from tfhf.models.sources import MINILM, Source
from tfhf.recipe import Recipe
from tfhf.run import Run
from tfhf.serving import installed, server
from tfhf.serving.configuration import ModelConfig

COMMANDS = pages.commands(GUIDES)
POSITIONS = 1024  # of the stand-ins: recipes read texts of 512 tokens

# === Stand-ins ===


def lengthened(folder, made):
    """A copy of a checkpoint that reads as much as a real one."""
    from safetensors.numpy import load_file, save_file

    shutil.copytree(folder, made)
    weights = load_file(made / "model.safetensors")
    for place, table in weights.items():
        if re.search(r"(position_embeddings|embed_positions|wpe)\.weight$", place):
            rows = len(table) % 32 + POSITIONS  # BART has two more than positions
            weights[place] = np.resize(table, (rows, table.shape[1]))
    save_file(weights, made / "model.safetensors", metadata={"format": "pt"})
    for name in ("config.json", "tokenizer_config.json"):
        values = json.loads((made / name).read_text())
        keys = {"max_position_embeddings", "n_positions", "model_max_length"} & values.keys()
        (made / name).write_text(json.dumps(values | dict.fromkeys(keys, POSITIONS)))
    return made


@pytest.fixture(scope="session")
def checkpoint(tiny_bert_folder, tmp_path_factory):
    """checkpoint(task) → folder of a tiny model for it, made when it is first asked for."""
    made = {}

    def checkpoint(task):
        model = toys.of(task).model
        if model not in made:
            folder = tmp_path_factory.mktemp(task)
            found = model(tiny_bert_folder, folder / "short")
            of_images = task == "image_classification"
            made[model] = found if of_images else lengthened(found, folder / "model")
        return made[model]

    return checkpoint


@pytest.fixture(scope="session")
def recipe_of():
    """(path, name) of a data set on the Hub → the recipe that learns from it."""
    loaded = {name: Recipe.load(name).data for name in recipe.shipped()}
    return {(one.path, one.name): name for name, one in loaded.items()}


@pytest.fixture
def task_of_the_hub(checkpoint, recipe_of, monkeypatch):
    """task_of_the_hub(task): from then on the models of the Hub are for it."""
    chosen = ["text_classification"]

    def fetch(name, *_, **__):
        return checkpoint("causal_lm" if name.endswith("/gpt2") else chosen[-1])

    def rows(path, name):
        found = datasets.Dataset.from_list(toys.rows(recipe_of[path, name]))
        if found.features.get("label") == datasets.Value("string"):
            found = found.class_encode_column("label")  # as the Hub has classes
        return datasets.DatasetDict(dict.fromkeys(("train", "validation", "test"), found))

    def streamed(path, name, _):
        found = {split: one.to_iterable_dataset() for split, one in rows(path, name).items()}
        for one in found.values():  # as cards tell it
            counted = datasets.SplitInfo(str(one.split), num_examples=18)
            one.info.splits = datasets.SplitDict({counted.name: counted})
        return found

    monkeypatch.setattr(hub, "fetch", fetch)
    bert = checkpoint("text_classification")
    monkeypatch.setattr(sources, "_minilm", lambda *_: Source(bert, MINILM))
    monkeypatch.setattr(data_hub, "_load", lambda path, name, _: (rows(path, name), []))
    monkeypatch.setattr(data_hub, "_open", streamed)
    return chosen.append


# === The pages ===


@pytest.fixture(scope="session")
def answering_run(checkpoint, tmp_path_factory):
    """A run of question_answering that has learned nothing."""
    folder = checkpoint("question_answering")
    model = pieces.load_model(str(folder), "question_answering", max_length=24, stride=6)
    asked = {"task": "question_answering", "model": str(folder), "data": {"train": "a.json"}}
    run = Run.create(tmp_path_factory.mktemp("runs") / "squad", Recipe.load(asked))
    model.save_pretrained(run.folder / "model")
    return run


@pytest.fixture
def place(toy_run, answering_run, task_of_the_hub, tmp_path, monkeypatch):
    """The working folder of who reads the pages."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    shutil.copytree(toy_run.folder, "runs/quickstart")
    shutil.move("runs/quickstart/export/toy", "runs/quickstart/export/quickstart")
    shutil.copytree(answering_run.folder, "runs/squad")
    shutil.copytree("runs/quickstart/export/quickstart/1", "some/saved_model/1")
    write("mine.csv", [{"review": row["text"], "stars": row["label"]} for row in toy_rows()])
    write("messages.csv", toy_rows())
    listed = [
        f'config {{ name: "{name}" base_path: "{tmp_path}/runs/quickstart/export/quickstart" }}'
        for name in ("first", "second")
    ]
    Path("models.config").write_text(f"model_config_list {{ {' '.join(listed)} }}")
    return tmp_path


@contextlib.contextmanager
def running(configs, options=None):
    """asked(path, body): what a server answers, on a port that is free."""
    found = server.Server(
        configs, replace(options or server.Options(), rest_port=0, grpc_port=None)
    )
    found.start()

    def asked(path, body=None):
        address = f"http://127.0.0.1:{found.rest_port}/v1/models/{path}"
        with urllib.request.urlopen(address, body and body.encode()) as answer:
            return json.load(answer)

    try:
        yield asked
    finally:
        found.stop()


# What each verb prints, where it does what the line says; with an option where that differs.
SAID = {
    "train": r"^report: runs/\w+/report.html\nmodel:  runs/\w+/model$",
    "train --dry-run": r"^steps +\d+ \(\d+ per epoch\)$",
    "train --measure": r"^measured    .*s a step",
    "predict": r"^\S.{10,}$",
    "predict --output": r"^$",
    "export --lite": r"^runs/quickstart/export/quickstart/lite/\w+/model.tflite$",
    "export --check": r"^  nothing was found that fails in TensorFlow Serving$",
    "evaluate": r'"accuracy": \d',
    "report": r"^runs/quickstart/report.html$",
    "recipes": r"^text_classification/sst2 +Sentiment",
    "check": r"^task: text_classification$",
    "inspect": r"^tokenizer +WordPiece",
    "tokenize": r"parcel|p +##a",
    "doctor": r"^\w+ +packages ",
    "runs": r"^quickstart .* \d",
    "push --dry-run": r"model.safetensors",
    "models": r"^checkpoint +for +family",  # the guide: `tests/hub` asks a Hub
    "compare": r"^distilbert/distilbert-base-uncased .*\d",
}
# They train, convert, or start TensorFlow afresh.
SLOW = {"train", "train --measure", "export --lite", "export --check", "compare", "doctor"}
STATUS = {"doctor": (0, 2)}  # what it finds here is no matter


def kind_of(command):
    """The key of `SAID` for a command: its verb, and the last option that has a line there."""
    options = [f"{command[0]} {word}" for word in command if word.startswith("--")]
    return next((one for one in reversed(options) if one in SAID), command[0])


def ran(command):
    found = CliRunner().invoke(main, command)
    assert found.exit_code in STATUS.get(command[0], (0,)), found.output
    return found.stdout


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(one, id=" ".join(one), marks=pytest.mark.slow if kind_of(one) in SLOW else [])
        for one in COMMANDS
        if one[0] != "serve"
    ],
)
def test_command_of_the_pages(command, place, monkeypatch):
    if "--lite" in command:
        pytest.importorskip("ai_edge_litert")
    if command[0] in ("train", "compare"):
        prove_here(monkeypatch)
    assert re.search(SAID[kind_of(command)], ran(command), flags=re.MULTILINE)
    if "--output" in command:
        assert len(Path("answers.csv").read_text(encoding="utf-8").splitlines()) == 49


@pytest.mark.parametrize("command", [one for one in COMMANDS if one[0] == "serve"], ids=" ".join)
def test_what_is_served(command, place, monkeypatch):
    """Until the models are there: `tests/serving/test_server.py` serves on, and stops."""
    served = []
    monkeypatch.setattr(server, "serve", lambda *asked: served.append(asked))
    monkeypatch.setattr(installed, "find", lambda: None)
    ran(command)
    ((configs, options),) = served
    with running(configs, options) as asked:
        found = [asked(config.name)["model_version_status"][0]["state"] for config in configs]
    assert found == ["AVAILABLE"] * (2 if "--config" in command else 1)


WORDS = {"RUN": "runs/quickstart", "RECIPE": "quickstart"}
VERBS = {command[0] for command in COMMANDS}
BARE = [line for line in pages.SYNOPSES if line.split()[1] not in VERBS]


@pytest.mark.parametrize("line", BARE)
def test_command_of_which_only_the_synopsis_is_shown(line, place):
    """Without what is optional, and on a run where it takes that or something else."""
    words = re.sub(r"\[[^]]*\]", "", line).split()[1:]
    command = [WORDS.get(word.partition("|")[0], word) for word in words]
    assert re.search(SAID[command[0]], ran(command), flags=re.MULTILINE)


@pytest.fixture(scope="module")
def asked(toy_run):
    """What answers the pages' requests: `tfhf serve runs/quickstart`."""
    with running([ModelConfig("quickstart", toy_run.exports)]) as asked:
        yield asked


SERVED = "http://localhost:8501/v1/models/"


@pytest.mark.parametrize("line", pages.lines_of("curl ", GUIDES))
def test_request_by_curl(line, asked):
    _, *words = pages.words(line)
    (address,) = [word for word in words if word.startswith(SERVED)]
    words.remove(address)
    option, body = words or ("-d", None)
    assert option == "-d"
    answer = asked(address.removeprefix(SERVED), body)
    keys = {"instances": "predictions", "inputs": "outputs", "examples": "results"}
    expected = {keys[key] for key in (json.loads(body) if body else ()) if key in keys}
    assert expected <= set(answer) and "error" not in answer


# What no test runs, and what is checked of it instead.
NOT_RUN = {
    "make": "it trains, tests and builds; `test_readme.py` knows its targets",
    "pip": "it asks a package index; the extra is looked for below",
    "docker": "there may be none; `tests/exports/test_kit.py` reads what it is given",
}
RUN = ("tfhf", "curl", "python", "cd")


def test_what_is_not_run_is_known():
    lines = [part for line in pages.shell_lines(GUIDES) for part in line.split("&&")]
    programs = {words[0] for words in map(pages.words, lines) if words}
    assert programs <= {*RUN, *NOT_RUN}


@pytest.mark.parametrize("line", pages.lines_of("pip ", GUIDES))
def test_extra_is_there(line):
    extra = re.fullmatch(r"tfhf\[(\w+)\]", pages.words(line)[-1])[1]
    assert extra in metadata.metadata("tfhf").get_all("Provides-Extra")


@pytest.mark.parametrize("line", pages.lines_of("python ", GUIDES))
def test_script_explains_itself(line, monkeypatch, capsys):
    _, script, option = pages.words(line)
    assert option == "--help"
    monkeypatch.setattr(sys, "argv", [script, option])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / script), run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ")


# === The recipes' headers ===


@pytest.mark.parametrize("name", recipe.shipped())
def test_commands_of_a_recipes_header(name, task_of_the_hub, tmp_path, monkeypatch):
    """All but the training: `test_recipes.py` trains each recipe two steps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    found = list(pages.commands_of_header(recipe.find(name).read_text(encoding="utf-8")))
    assert found
    for command in found:
        assert command[:2] == ["train", name]
        asked = Recipe.load(name, command[2:])
        task_of_the_hub(asked.task)
        for files in asked.data.files.values():
            for file in files:
                write(file, toys.rows(name, asked.data.columns))
        if asked.data.path == "leaves":
            write("leaves", toys.rows(name, {}))
        ran([*command, "--dry-run"])
