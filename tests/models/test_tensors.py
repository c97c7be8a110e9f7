"""safetensors files: read as the format's own library reads them, refused when damaged."""

import json

import numpy as np
import pytest
import safetensors.numpy

from tfhf.errors import UserError
from tfhf.models import tensors


def write_raw(path, header, values=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + values)
    return path


def refusal(path):
    with pytest.raises(UserError) as caught:
        tensors.read_header(path)
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "uint8", "bool"])
def test_reads_what_the_library_wrote(tmp_path, dtype):
    path = tmp_path / "x.safetensors"
    values = {"b": np.arange(6).reshape(2, 3).astype(dtype), "a": np.ones((), dtype)}
    safetensors.numpy.save_file(values, path, metadata={"format": "pt"})
    entries, metadata = tensors.read_header(path)
    assert metadata == {"format": "pt"}
    for name, value in values.items():
        found = tensors.read(path, entries[name])
        assert found.dtype == value.dtype
        np.testing.assert_array_equal(found, value)


def test_reads_bfloat16_as_float32(tmp_path):
    import ml_dtypes

    exact = np.array([1.0, -2.5, 3e38, 1e-40], ml_dtypes.bfloat16)
    header = {"w": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}}
    path = write_raw(tmp_path / "x.safetensors", header, exact.tobytes())
    found = tensors.read(path, tensors.read_header(path)[0]["w"])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, exact.astype(np.float32))


def test_the_library_reads_what_is_written(tmp_path):
    path = tmp_path / "x.safetensors"
    values = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.ones(5, np.float32)}
    tensors.write(path, {name: (v.shape, lambda v=v: v) for name, v in values.items()})
    found = safetensors.numpy.load_file(path)
    assert found.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(found[name], value)
    with safetensors.safe_open(path, framework="np") as file:
        assert file.metadata() == {"format": "pt"}


def test_truncated_file(tmp_path):
    path = tmp_path / "x.safetensors"
    tensors.write(path, {"w": ((10,), lambda: np.zeros(10))})
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    assert refusal(path) == f"{path} is truncated (want {len(whole)} bytes, have {len(whole) - 4})"
    path.write_bytes(whole[:20])
    length = int.from_bytes(whole[:8], "little")
    assert refusal(path) == f"{path} is truncated (want at least {8 + length} bytes, have 20)"
    path.write_bytes(whole + b"extra")
    assert refusal(path) == (
        f"{path} is longer than its header says (want {len(whole)} bytes, have {len(whole) + 5})"
    )


def test_not_safetensors_at_all(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert refusal(path) == f"{path} only points to the weights: run `git lfs pull` in its folder"
    path.write_bytes(b"")
    assert refusal(path) == f"{path} is not a safetensors file (header of 0 bytes)"
    path.write_bytes(b"\xff" * 20)
    assert refusal(path) == f"{path} is not a safetensors file (header of {2**64 - 1} bytes)"


@pytest.mark.parametrize(
    "header",
    [
        b"not json",
        b"[1, 2]",
        {"w": {"dtype": "F32", "shape": [2]}},
        {"w": {"dtype": "F128", "shape": [2], "data_offsets": [0, 8]}},
        {"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}},
        {"w": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}},
        {"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}},
        {
            "v": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        },
    ],
)
def test_damaged_header(tmp_path, header):
    path = write_raw(tmp_path / "x.safetensors", header, bytes(8))
    assert refusal(path) == f"{path} is not a safetensors file: its header is damaged"


def test_writes_tables_of_integers_aligned(tmp_path):
    path = tmp_path / "x.safetensors"
    values = {"a": np.ones(3, np.float32), "b": np.arange(6).reshape(2, 3), "c": np.array(0)}
    kinds = {"a": "F32", "b": "I64", "c": "I64"}
    tensors.write(path, {k: (v.shape, lambda v=v: v, kinds[k]) for k, v in values.items()})
    found = safetensors.numpy.load_file(path)
    assert {name: found[name].dtype for name in found} == {k: v.dtype for k, v in values.items()}
    for name, value in values.items():
        np.testing.assert_array_equal(found[name], value)
    entries, _ = tensors.read_header(path)
    first = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    assert all(
        (entry.start - first) % np.dtype(found[n].dtype).itemsize == 0
        for n, entry in entries.items()
    )
