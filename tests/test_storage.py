"""Files are whole or not there, and the system's refusal is one line."""

import errno
import os

import pytest

from tfhf import storage
from tfhf.errors import StorageError


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_text_is_utf_8_in_a_folder_that_is_made(tmp_path):
    storage.write(tmp_path / "new" / "a.txt", "Straße\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "Straße\n".encode()


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    storage.write(path, "old")
    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(StorageError) as caught:
        storage.write(path, "new")
    assert str(caught.value) == f"cannot write {path}: No space left on device"
    assert caught.value.exit_code == 4
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_a_file_written_piece_by_piece_appears_at_the_end(tmp_path):
    path = tmp_path / "a.txt"
    with storage.writing(path) as append:
        append("eins\n")
        append(b"zwei\n")
        assert not path.exists()
    assert path.read_text() == "eins\nzwei\n"
    with pytest.raises(KeyError), storage.writing(path) as append:
        append("half")
        raise KeyError
    assert path.read_text() == "eins\nzwei\n"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_path_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        storage.write_json(tmp_path / "file" / "new" / "a.json", {})
    assert str(caught.value) == f"cannot write {tmp_path}/file/new/a.json: Not a directory"


def test_json_comes_back_and_undefined_numbers_are_null(tmp_path):
    path = tmp_path / "a.json"
    storage.write_json(path, {"label": "größe", "pearson": float("nan"), "rows": [1, float("inf")]})
    assert storage.read_json(path) == {"label": "größe", "pearson": None, "rows": [1, None]}
    assert "größe" in path.read_text(encoding="utf-8")


def test_a_missing_json_file_is_empty(tmp_path):
    assert storage.read_json(tmp_path / "none.json") == {}


def test_no_access_token_is_written(tmp_path):
    storage.write(tmp_path / "a.txt", "token: hf_" + "Secret" * 6)
    assert (tmp_path / "a.txt").read_text() == "token: hf_(removed)"
