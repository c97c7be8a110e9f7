"""A small Hub with models and datasets, and `tfhf` run against it with an empty cache."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import toy_rows
from tests.hub.server import Hub

TOKEN = "hf_" + "secret" * 6

# Several commands in one process; `tfhf.cli.main` is what the `tfhf` script calls.
COMMANDS = """
import json, sys
from click.testing import CliRunner
from tfhf.cli import main
for command in json.loads(sys.argv[1]):
    found = CliRunner().invoke(main, command)
    print(json.dumps([found.exit_code, found.output.splitlines()]))
"""


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="session")
def repositories(tiny_bert_folder, tmp_path_factory):
    """The folder a Hub serves."""
    import pandas

    folder = tmp_path_factory.mktemp("repositories")
    bert = shutil.copytree(tiny_bert_folder, folder / "models/acme/bert")
    for stranger in ("pytorch_model.bin", "modeling_acme.py", "tf_model.h5", "README.md"):
        (bert / stranger).write_bytes(b"not to be fetched")
    for name in ("gated", "broken"):
        shutil.copytree(tiny_bert_folder, folder / "models/acme" / name)
    (folder / "models/acme/pickled").mkdir()
    (folder / "models/acme/pickled/pytorch_model.bin").write_bytes(b"a pickle")

    rows = toy_rows(48)
    reviews = folder / "datasets/acme/reviews"
    write_rows(reviews / "train.jsonl", rows[:40])
    write_rows(reviews / "test.jsonl", rows[40:])
    (reviews / "script.py").write_bytes(b"not to be fetched")
    tables = folder / "datasets/acme/tables"
    for name, part in (("short", rows[:8]), ("long", rows)):
        (tables / name).mkdir(parents=True)
        pandas.DataFrame(part).to_parquet(tables / name / "train-00000-of-00001.parquet")
    (tables / "README.md").write_text(
        "---\nconfigs:\n"
        "- config_name: short\n  data_files: short/*.parquet\n"
        "- config_name: long\n  data_files: long/*.parquet\n---\n"
    )
    for name in ("gated", "broken"):
        write_rows(folder / f"datasets/acme/{name}/train.jsonl", rows)
    parts = folder / "datasets/acme/parts"
    for name, part in (("train-0", rows[:20]), ("train-1", rows[20:]), ("validation", rows[:8])):
        write_rows(parts / f"{name}.jsonl", part)
    (parts / "README.md").write_text(
        "---\ndataset_info:\n  splits:\n  - name: train\n    num_examples: 48\n---\n"
    )
    return folder


@pytest.fixture
def hub(repositories):
    """A Hub that is up."""
    server = Hub(repositories, gated=("acme/gated",), broken=("acme/broken",), token=TOKEN)
    yield server
    server.close()


@pytest.fixture
def client(hub, tmp_path):
    """The Hub's user: `run`, `python` and `refusals` work in an empty folder with an empty cache.

    Every one of them fails if the token is anywhere in what was printed.
    """
    work = tmp_path / "work"
    work.mkdir()
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(tmp_path / "home"),
        "HF_TOKEN": TOKEN,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1",
    }

    def run(*command, **changes):
        found = subprocess.run(
            [sys.executable, *command],
            cwd=work,
            env=environment | changes,
            capture_output=True,
            text=True,
        )
        assert TOKEN not in found.stdout + found.stderr
        return found

    def python(code, *arguments, **changes):
        """What a program prints, one JSON value per line."""
        found = run("-c", code, *arguments, **changes)
        assert found.returncode == 0, found.stderr
        return [json.loads(line) for line in found.stdout.splitlines()]

    def refusals(commands, **changes):
        """The one line with which each command fails, exit code 2."""
        lines = []
        for code, printed in python(COMMANDS, json.dumps(commands), **changes):
            assert code == 2, printed
            *phases, line = printed
            assert all(not phase or phase.startswith("  ") for phase in phases), printed
            lines.append(line)
        return lines

    return SimpleNamespace(run=run, python=python, refusals=refusals, folder=work, hub=hub)
