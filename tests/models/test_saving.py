"""Saving: whole files or none, and one line when the system refuses. (Names: test_loading.)"""

import json
import os

import pytest

from tfhf.errors import StorageError
from tfhf.models import load_backbone, load_tokenizer, resolve, save_backbone, tensors


@pytest.fixture
def backbone(bert):
    return load_backbone(resolve(bert), "TFAutoModelForSequenceClassification")[0]


def test_a_saved_folder_is_complete(backbone, bert, tokenizer, tmp_path):
    folder = tmp_path / "new" / "model"
    save_backbone(backbone, tokenizer, folder)
    assert sorted(os.listdir(folder)) == [
        "config.json",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert tensors.read_header(folder / "model.safetensors")[1] == {"format": "pt"}
    assert str(bert) not in (folder / "config.json").read_text()
    source = resolve(folder)
    assert load_tokenizer(source)("good film").input_ids == [2, 4]


def test_saving_leaves_the_model_as_it_was(backbone, tokenizer, tmp_path):
    before = backbone.config.to_json_string()
    save_backbone(backbone, tokenizer, tmp_path / "a")
    assert backbone.config.to_json_string() == before


def test_no_room_keeps_the_previous_files(backbone, tokenizer, tmp_path, monkeypatch):
    save_backbone(backbone, tokenizer, tmp_path / "m")
    before = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}

    def full(path, weights):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensors, "write", full)
    backbone.config.id2label = {0: "other", 1: "labels", 2: "now"}
    with pytest.raises(StorageError) as caught:
        save_backbone(backbone, tokenizer, tmp_path / "m")
    assert str(caught.value) == f"cannot write {tmp_path / 'm'}: No space left on device"
    assert {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()} == before


def test_a_folder_that_is_a_file(backbone, tokenizer, tmp_path):
    (tmp_path / "m").write_text("in the way")
    with pytest.raises(StorageError) as caught:
        save_backbone(backbone, tokenizer, tmp_path / "m")
    assert str(caught.value) == f"cannot write {tmp_path / 'm'}: Not a directory"


def test_labels_come_back(bert, tokenizer, tmp_path):
    names = {0: "no", 1: "yes"}
    backbone, _ = load_backbone(
        resolve(bert), "TFAutoModelForSequenceClassification", num_labels=2, id2label=names
    )
    save_backbone(backbone, tokenizer, tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    assert config["id2label"] == {"0": "no", "1": "yes"}


def test_what_another_model_left_is_removed(backbone, tokenizer, tmp_path):
    folder = tmp_path / "m"
    save_backbone(backbone, tokenizer, folder)
    stale = ["generation_config.json", "vocab.txt", "merges.txt", "spiece.model", "modules.json"]
    kept = ["notes.txt", "README.md", "tf_model.h5"]
    for name in [*stale, *kept]:
        (folder / name).write_text("{}")
    (folder / "1_Pooling").mkdir()
    before = {"config.json", "model.safetensors", "special_tokens_map.json", "tokenizer.json"}
    save_backbone(backbone, tokenizer, folder)
    assert set(os.listdir(folder)) == {*before, "tokenizer_config.json", *kept, "1_Pooling"}


def test_a_folder_that_held_no_model_keeps_its_files(backbone, tokenizer, tmp_path):
    (tmp_path / "vocab.txt").write_text("mine")
    save_backbone(backbone, tokenizer, tmp_path)
    assert (tmp_path / "vocab.txt").read_text() == "mine"
