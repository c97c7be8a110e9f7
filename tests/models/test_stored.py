"""Every kind of file that holds a checkpoint's weights."""

import json

import numpy as np
import pytest

from tests.models.folders import load, same_weights, stored, write, write_pickled
from tfhf.errors import UserError


def write_pickled_into(folder, values, name):
    write_pickled(folder / name, values)


@pytest.mark.parametrize(
    ("kind", "writes"),
    [("model{}.safetensors", write), ("pytorch_model{}.bin", write_pickled_into)],
)
def test_shards_and_pickles_equal_one_file(bert, kind, writes):
    whole, _ = load(bert)
    values = stored(bert)
    halves = [dict(sorted(values.items())[:10]), dict(sorted(values.items())[10:])]
    index = {}
    for number, half in enumerate(halves, start=1):
        shard = kind.format(f"-0000{number}-of-00002")
        writes(bert, half, shard)
        index |= {name: shard for name in half}
    whole_file = kind.format("")
    (bert / f"{whole_file}.index.json").write_text(json.dumps({"weight_map": index}))
    (bert / "model.safetensors").unlink()
    assert same_weights(load(bert)[0], whole)
    (bert / f"{whole_file}.index.json").unlink()
    writes(bert, values, whole_file)
    assert same_weights(load(bert)[0], whole)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_widened(bert, dtype):
    import ml_dtypes
    from safetensors.numpy import save_file

    whole, _ = load(bert)
    values = {k: v.astype(getattr(ml_dtypes, dtype, dtype)) for k, v in stored(bert).items()}
    save_file(values, bert / "model.safetensors", metadata={"format": "pt"})
    backbone, _ = load(bert)
    assert {v.dtype.name for v in backbone.weights} == {"float32"}
    assert backbone.config.dtype == "float32"
    for half, full in zip(backbone.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(half, full.astype(values["classifier.bias"].dtype))


def test_quantized_weights_are_refused(bert):
    from safetensors.numpy import save_file

    values = {name: v.astype(np.int8) for name, v in stored(bert).items()}
    save_file(values, bert / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="is stored as integers: quantized checkpoints cannot be"):
        load(bert)


def test_unused_weights_of_a_tensorflow_file(bert, tmp_path):
    load(bert)[0].save_pretrained(tmp_path / "tf", safe_serialization=True)
    _, report = load(tmp_path / "tf", "TFAutoModelForTokenClassification")
    assert report.line() == "loaded 23 of 23 weights (2,907 parameters); unused: pooler (2)"


@pytest.mark.parametrize(
    "family, head",
    [
        ("bert", "AutoModelForMaskedLM"),
        ("gpt2", "AutoModelForCausalLM"),
        ("t5 1.1", "AutoModelForSeq2SeqLM"),
        ("bart", "AutoModelForSeq2SeqLM"),
    ],
)
@pytest.mark.parametrize("safetensors", [True, False])
def test_what_tensorflow_saved_itself(family, head, safetensors, names, write_folder, tmp_path):
    fact = names[family][head]
    write_folder(tmp_path / "pt", fact["config"], fact["weights"])
    backbone, _ = load(tmp_path / "pt", f"TF{head}")
    backbone.save_pretrained(tmp_path / "tf", safe_serialization=safetensors)
    again, report = load(tmp_path / "tf", f"TF{head}")
    assert (report.new, report.reshaped, report.unused) == ([], [], [])
    assert same_weights(again, backbone)


def test_names_and_buffers_of_old_files(bert):
    whole, _ = load(bert)
    values = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): v
        for name, v in stored(bert).items()
    }
    write(bert, {**values, "bert.embeddings.position_ids": np.zeros((1, 20), np.float32)})
    backbone, report = load(bert)
    assert report.line() == "loaded 25 of 25 weights (3,179 parameters)"
    assert same_weights(backbone, whole)


def test_tables_of_indices_may_be_in_the_file(names, write_folder, tmp_path):
    from safetensors.numpy import save_file

    fact = names["swin"]["AutoModel"]
    write_folder(tmp_path, fact["config"], fact["weights"])
    tables = {name: np.array(values) for name, values in fact["tables"].items()}
    save_file(stored(tmp_path) | tables, tmp_path / "model.safetensors", metadata={"format": "pt"})
    report = load(tmp_path, "TFAutoModel")[1]
    assert (report.new, report.unused) == ([], [])
