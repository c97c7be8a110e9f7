"""Files of `torch.save`: read as PyTorch reads them; of those that hold more, nothing is run."""

import base64
import builtins
import collections
import json
import os
import pickle
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.models.folders import text, whole, write_pickled
from tfhf.errors import UserError
from tfhf.models import torch_files

FACTS = json.loads((Path(__file__).parent / "facts/torch_files.json").read_text())


def place(tmp_path, content):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(content if isinstance(content, bytes) else base64.b64decode(content))
    return path


def archive(tmp_path, program, *, packed=False, storages=()):
    """An archive like PyTorch's around any pickle."""
    path = tmp_path / "pytorch_model.bin"
    how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", how) as file:
        file.writestr("archive/data.pkl", program)
        for key, values in storages:
            file.writestr(f"archive/data/{key}", values)
    return path


def refusal(path):
    with pytest.raises(UserError) as caught:
        torch_files.read_header(path)
    line = str(caught.value)
    assert line.startswith(f"{path} ") and "\n" not in line
    return line.removeprefix(f"{path} ")


def holds(what):
    return (
        f"holds {what}: tfhf reads tensors alone from a pickle, and runs nothing of it; take a"
        " checkpoint in safetensors"
    )


def damaged(why):
    return f"is damaged, or torch.save did not write it: {why}"


@pytest.mark.parametrize("kind", FACTS["files"])
def test_reads_what_pytorch_wrote(tmp_path, kind):
    path = place(tmp_path, FACTS["files"][kind])
    entries = torch_files.read_header(path)
    assert entries.keys() == FACTS["tensors"].keys()
    for name, (dtype, shape, values) in FACTS["tensors"].items():
        found = torch_files.read(path, entries[name])
        assert found.dtype.name == ("float32" if dtype == "bfloat16" else dtype), name
        assert found.shape == tuple(shape), name
        np.testing.assert_array_equal(found, np.array(values).reshape(shape), err_msg=name)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("nested", "'model', which is no tensor"),
        ("a module", "'torch.nn.modules.linear.Linear'"),
        ("a list", "one list, no dictionary of tensors"),
        ("quantized", "'torch._utils._rebuild_qtensor'"),
    ],
)
def test_what_else_pytorch_may_write_is_refused(tmp_path, kind, what):
    assert refusal(place(tmp_path, FACTS["others"][kind])) == holds(what)


class Runs:
    """Whose pickle runs a function."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("function", [os.system, builtins.eval, builtins.exec, os.mkdir])
def test_nothing_is_run(tmp_path, function, protocol):
    marker = tmp_path / "marker"
    said = {
        os.system: f"touch {marker}",
        builtins.eval: f"__import__('os').mkdir({str(marker)!r})",
        builtins.exec: f"import os; os.mkdir({str(marker)!r})",
        os.mkdir: str(marker),
    }[function]
    pickle.loads(pickle.dumps(Runs(function, said)))
    assert marker.exists()  # it would have worked
    marker.rmdir() if marker.is_dir() else marker.unlink()
    named = {"system": "posix.system", "mkdir": "posix.mkdir"}.get(function.__name__)
    named = named or f"{'builtins' if protocol > 2 else '__builtin__'}.{function.__name__}"
    deep = {"w": [Runs(collections.OrderedDict, [("a", Runs(function, said))])]}
    for hostile in (Runs(function, said), deep):
        program = pickle.dumps(hostile, protocol)
        line = refusal(archive(tmp_path, program))
        assert line == holds(repr(named))
        old = torch_files.BEGINNING + pickle.dumps({"little_endian": True}, 2) + program
        assert refusal(place(tmp_path, old)) == line
    assert not marker.exists()


def tensor(key="0", count=4, first=0, shape=(2, 2), strides=(2, 1), kind=b"ctorch\nFloatStorage\n"):
    """A pickle of one tensor `w`."""
    program = text("w") + b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + kind
    program += text(key) + text("cpu") + whole(count) + b"tQ" + whole(first)
    for numbers in (shape, strides):
        program += b"(" + b"".join(map(whole, numbers)) + b"t"
    return b"\x80\x02}(" + program + b"\x89NtRu."


FOUR = [("0", bytes(16))]
OUTSIDE, CONTRADICTS = (
    "a tensor reaches outside its storage",
    "its pickle is cut off or contradicts itself",
)


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (tensor(first=1), OUTSIDE),
        (tensor(strides=(3, 1)), OUTSIDE),
        (tensor(shape=(2**30, 2**30), strides=(0, 0)), OUTSIDE),  # one value shown 2^60 times
        (tensor(shape=(2**30, 2**30, 0), strides=(1, 1, 1)), OUTSIDE),
        (tensor(shape=(2,)), CONTRADICTS),
        (tensor(shape=(1,) * 40, strides=(1,) * 40), CONTRADICTS),
        (tensor(first=2**31), CONTRADICTS),  # that is below 0
        (tensor(count=5), "storage '0' is missing, or of another size"),
        (tensor(key="../data.pkl"), "storage '../data.pkl' is missing, or of another size"),
        (tensor(kind=text("FloatStorage")), CONTRADICTS),
        (tensor()[:-1], CONTRADICTS),
        (b".", CONTRADICTS),
        (b"", CONTRADICTS),
        (b"]" * 100 + b"u.", CONTRADICTS),
        (b"\x80\x02}(K\x01K\x02u.", CONTRADICTS),  # a key that is no name
        (b"\x80\x05X\xff\xff\xff\xff.", CONTRADICTS),
        (b"\x80\x05\x8d" + b"\xff" * 7 + b"\x3f.", CONTRADICTS),  # a string of 4 EB
        (b"\x80\x02r\xff\xff\xff\xff.", CONTRADICTS),  # place 2^32 of an empty memo
    ],
)
def test_pickles_that_contradict_themselves(tmp_path, program, why):
    assert refusal(archive(tmp_path, program, storages=FOUR)) == damaged(why)


@pytest.mark.parametrize(
    ("program", "what"),
    [
        (b"P1\n.", "the instruction PERSID at byte 0 of a pickle"),
        (b"(ios\nsystem\n.", "'os.system'"),
        (b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
         "'torch._utils._rebuild_tensor_v2.__globals__'"),
        (b"\x8c\x05torch\x8c\x08load\nand\x93.", "'torch.load\\nand'"),
        (b"\x82\x01.", "the instruction EXT1 at byte 0 of a pickle"),
        (b"K\x01.", "one int, no dictionary of tensors"),
        (b"\x80\x02}(" + text("w") + text("a") + b"u.", "'w', which is no tensor"),
    ],
)  # fmt: skip
def test_pickles_that_hold_more(tmp_path, program, what):
    assert refusal(archive(tmp_path, program)) == holds(what)


def test_archives_that_are_no_such(tmp_path, monkeypatch):
    cut_off = damaged("its archive is cut off or packed")
    assert refusal(archive(tmp_path, tensor(), packed=True, storages=FOUR)) == cut_off
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = archive(tmp_path, tensor(), storages=FOUR * 2)
    assert refusal(twice) == cut_off
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as file:
        file.writestr("notes.txt", "no pickle")
    assert refusal(tmp_path / "pytorch_model.bin") == cut_off
    begins = damaged("it begins as no such file does")
    assert refusal(place(tmp_path, b"")) == refusal(place(tmp_path, b"not at all")) == begins
    assert refusal(place(tmp_path, b"version https://git-lfs.github.com/spec/v1")) == (
        "only points to the weights: run `git lfs pull` in its folder"
    )
    monkeypatch.setattr(torch_files, "LARGEST_PICKLE", 50)
    assert refusal(archive(tmp_path, tensor(), storages=FOUR)) == holds(
        "a pickle of more than 50 bytes"
    )


@pytest.mark.parametrize("kind", ["zip", "before 1.6"])
def test_files_that_are_cut_or_changed(tmp_path, kind):
    """Whatever happens to a file, it is read or refused, and no weight lies outside it."""
    content = base64.b64decode(FACTS["files"][kind])
    draws = random.Random(0)
    for length in draws.sample(range(len(content)), 100):
        refusal(place(tmp_path, content[:length]))
    for _ in range(400):
        changed = bytearray(content)
        for _ in range(draws.randint(1, 4)):
            changed[draws.randrange(len(changed))] = draws.randrange(256)
        path = place(tmp_path, bytes(changed))
        try:
            entries = torch_files.read_header(path)
        except UserError as error:
            assert "\n" not in str(error)
            continue
        for entry in entries.values():
            assert torch_files.read(path, entry).shape == entry.shape


def test_a_file_written_by_hand(tmp_path):
    values = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32([1])}
    write_pickled(tmp_path / "x.bin", values)
    entries = torch_files.read_header(tmp_path / "x.bin")
    for name, value in values.items():
        np.testing.assert_array_equal(torch_files.read(tmp_path / "x.bin", entries[name]), value)
