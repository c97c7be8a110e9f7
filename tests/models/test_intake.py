"""The intake check: hostile and broken folders are refused in one line, without TensorFlow."""

import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from tfhf.errors import UserError
from tfhf.models.intake import check_folder, tensorflow_model_types


def refusal(folder):
    with pytest.raises(UserError) as caught:
        check_folder(folder)
    line = str(caught.value)
    assert "\n" not in line
    return line


def edit(path, **changes):
    settings = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**settings, **changes}))


def test_a_sound_folder_passes_without_tensorflow(bert):
    check_folder(bert)
    code = (
        "import sys; from tfhf.models import resolve; resolve(sys.argv[1]);"
        "assert not {'tensorflow', 'tf_keras', 'torch'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, str(bert)], check=True)


def test_missing_folder(tmp_path):
    assert refusal(tmp_path / "gone") == f"model: no such folder: {tmp_path / 'gone'}"


def test_folder_without_config(tmp_path):
    assert refusal(tmp_path) == f"model: no config.json in {tmp_path}"


def test_config_that_is_not_json(bert):
    (bert / "config.json").write_text("{'model_type': 'bert'}")
    assert refusal(bert) == (
        f"{bert / 'config.json'} is not JSON: Expecting property name enclosed in double quotes:"
        " line 1 column 2 (char 1)"
    )


def test_config_that_is_too_large(bert):
    edit(bert / "config.json", padding="x" * 1_000_000)
    size = (bert / "config.json").stat().st_size
    assert refusal(bert) == (f"{bert / 'config.json'} is too large ({size} bytes, at most 1000000)")


def test_family_without_a_tensorflow_class(bert):
    edit(bert / "config.json", model_type="llama")
    others = len(tensorflow_model_types()) - 8
    assert refusal(bert) == (
        "model: llama has no TensorFlow class in transformers 4.57; supported: bart, bert,"
        f" deberta-v2, distilbert, electra, gpt2, roberta, t5 and {others} more"
        f" ({bert / 'config.json'})"
    )


def test_config_without_a_family(bert):
    edit(bert / "config.json", model_type=None)
    assert refusal(bert) == f'{bert / "config.json"} has no model_type (such as "bert")'


@pytest.mark.parametrize(
    "changes, key",
    [
        ({"auto_map": {"AutoModel": "evil.py"}}, "auto_map"),
        ({"trust_remote_code": False}, "trust_remote_code"),
        ({"encoder": {"deep": [{"trust_remote_code": True}]}}, "trust_remote_code"),
        ({"_attn_implementation_internal": "x/y"}, "_attn_implementation_internal"),
    ],
)
def test_config_that_leads_to_code(bert, changes, key):
    edit(bert / "config.json", **changes)
    assert refusal(bert) == (
        f"{bert / 'config.json'} asks for {key}: tfhf runs no code from checkpoints"
    )


@pytest.mark.parametrize("place", ["/etc", "../up", "https://x.y/z"])
def test_nested_config_that_leads_elsewhere(bert, place):
    edit(bert / "config.json", encoder={"_name_or_path": place})
    assert refusal(bert) == (
        f"{bert / 'config.json'} points at {place!r} in a nested _name_or_path: remove it"
    )


def test_the_outer_name_is_only_a_note(bert):
    edit(
        bert / "config.json",
        _name_or_path="/where/it/was/trained",
        encoder={"_name_or_path": "a/b"},
    )
    check_folder(bert)


@pytest.mark.parametrize(
    "key, value, limit",
    [
        ("vocab_size", 10**9, "20,000,000"),
        ("num_hidden_layers", 10**6, "2,000"),
        ("num_attention_heads", -5, "2,000"),
        ("hidden_size", "16", "1,000,000"),
    ],
)
def test_sizes_beyond_reason(bert, key, value, limit):
    edit(bert / "config.json", **{key: value})
    assert refusal(bert) == (
        f"{bert / 'config.json'}: {key} is {value!r} (want a whole number up to {limit})"
    )


@pytest.mark.parametrize(
    "settings, line",
    [
        ({"auto_map": ["evil.T", None]}, " asks for auto_map: tfhf runs no code from checkpoints"),
        (
            {"init_inputs": ["/etc/passwd"]},
            " holds init_inputs, which may name any file: remove the key",
        ),
        (
            {"chat_template": [{"name": "../../escaped", "template": "x"}]},
            ": '../../escaped' cannot be the name of a chat template",
        ),
        (
            {"vocab_file": "/etc/passwd"},
            ": vocab_file names a file ('/etc/passwd'): remove the key",
        ),
    ],
)
def test_hostile_tokenizer_config(bert, settings, line):
    edit(bert / "tokenizer_config.json", **settings)
    assert refusal(bert) == f"{bert / 'tokenizer_config.json'}{line}"


def test_link_out_of_the_folder(bert, tmp_path):
    (tmp_path / "secret").write_text("x")
    (bert / "vocab.txt").symlink_to(tmp_path / "secret")
    assert refusal(bert) == (
        f"model: {bert / 'vocab.txt'} links out of its folder, to {tmp_path / 'secret'}: copy it in"
    )


def test_links_of_the_hub_cache_are_fine(bert, tmp_path):
    blobs, snapshot = tmp_path / "repo" / "blobs", tmp_path / "repo" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for file in bert.iterdir():
        file.rename(blobs / file.name)
        (snapshot / file.name).symlink_to(f"../../blobs/{file.name}")
    check_folder(snapshot)


def test_file_that_is_none(bert):
    os.mkfifo(bert / "vocab.txt")
    assert refusal(bert) == f"model: {bert / 'vocab.txt'} is not a regular file"


def test_pickles_of_pytorch_are_checked(bert):
    (bert / "model.safetensors").rename(bert / "pytorch_model.bin")
    assert refusal(bert) == (
        f"{bert / 'pytorch_model.bin'} is damaged, or torch.save did not write it: it begins as no"
        " such file does"
    )


def test_no_weights(bert):
    (bert / "model.safetensors").unlink()
    assert refusal(bert) == (
        f"model: no weights in {bert} (want model.safetensors, tf_model.h5 or pytorch_model.bin)"
    )


def test_shard_that_is_missing(bert):
    (bert / "model.safetensors").unlink()
    index = bert / "model.safetensors.index.json"
    edit(index, weight_map={"a": "model-00001-of-00002.safetensors"})
    assert refusal(bert) == (
        f"model: {index} names 'model-00001-of-00002.safetensors', which is not there"
    )


def test_shard_outside_the_folder(bert):
    (bert / "model.safetensors").rename(bert.parent / "model.safetensors")
    index = bert / "model.safetensors.index.json"
    edit(index, weight_map={"a": "../model.safetensors"})
    assert refusal(bert) == f"model: {index} names '../model.safetensors', which is not there"


def test_truncated_hdf5(bert):
    path = bert / "tf_model.h5"
    with h5py.File(path, "w") as file:
        file["w"] = np.ones(1000)
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[:3000])
    (bert / "model.safetensors").unlink()
    assert refusal(bert) == f"{path} is truncated (want {whole} bytes, have 3000)"
    path.write_text("version https://git-lfs.github.com/spec/v1")
    assert refusal(bert) == f"{path} is not an HDF5 file"


def external(file):
    file.create_dataset("w", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def linked(file):
    file["w"] = h5py.ExternalLink("other.h5", "/w")


def soft(file):
    file.create_group("g")["w"] = h5py.SoftLink("/elsewhere")


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "w", (4,))
    file.create_virtual_dataset("w", layout)


@pytest.mark.parametrize(
    "make, line",
    [
        (external, "/w lies in another file: weights must lie in this file"),
        (virtual, "/w lies in another file: weights must lie in this file"),
        (linked, "/w is a link: weights must lie in this file"),
        (soft, "/g/w is a link: weights must lie in this file"),
    ],
)
def test_hdf5_that_reads_other_files(bert, make, line):
    (bert / "model.safetensors").unlink()
    with h5py.File(bert / "tf_model.h5", "w") as file:
        make(file)
    assert refusal(bert) == f"{bert / 'tf_model.h5'}: {line}"


def test_hdf5_that_declares_more_than_it_holds(bert):
    (bert / "model.safetensors").unlink()
    with h5py.File(bert / "tf_model.h5", "w") as file:
        file.create_dataset("w", (10**6, 10**6), "f4", chunks=(10, 10))
    assert refusal(bert) == (
        f"{bert / 'tf_model.h5'} declares 4000000000000 bytes of weights, far more than it holds"
    )
