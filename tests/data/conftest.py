"""Fixtures of the data tests: files in an empty folder, and a cache that is thrown away."""

import json
from pathlib import Path

import pytest

from tfhf.data import load, read_rows
from tfhf.data.columns import Label, Text
from tfhf.errors import UserError

KINDS = {"text": Text(), "text_pair": Text(optional=True), "label": Label()}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty working folder, so that messages name files without their folder."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def write(folder):
    """write(name, content) → name; content is text, bytes, or a list of rows for JSON lines."""

    def write(name, content):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return write


@pytest.fixture
def kinds():
    return KINDS


@pytest.fixture
def load_files():
    """load_files("a.csv", ..., validation="b.csv", problem=None, **options) → `Loaded`."""

    def load_files(*train, validation=None, test=None, problem=None, **options):
        files = {"train": list(train), "validation": validation, "test": test}
        return load({**KINDS, "label": Label(problem)}, files=files, **options)

    return load_files


@pytest.fixture
def error_of(load_files):
    """error_of("a.csv", ...) → the one line that loading the files fails with."""

    def error_of(*train, **options):
        with pytest.raises(UserError) as caught:
            load_files(*train, **options)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return error_of


@pytest.fixture
def read():
    """read("a.csv", ...) → the rows to predict on."""

    def read(name, columns=None, **options):
        return read_rows(Path(name), KINDS, columns, **options)

    return read
