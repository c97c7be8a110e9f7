"""Weights that are shared, or held fixed, as PyTorch shares and holds them."""

import numpy as np
import pytest

from tests.models.folders import CLASSIFIER, load, same_weights, stored, write
from tfhf.errors import UserError
from tfhf.models import save_backbone


def causal(family, names, folder, write_folder):
    fact = names[family]["AutoModelForCausalLM"]
    return write_folder(folder, fact["config"], fact["weights"])


def test_tied_weights_under_either_name(names, write_folder, tmp_path):
    fact = names["bart"]["AutoModelForSeq2SeqLM"]
    write_folder(tmp_path, fact["config"], fact["weights"])
    whole, _ = load(tmp_path, "TFAutoModelForSeq2SeqLM")
    values = stored(tmp_path)
    shared = values.pop("model.shared.weight")
    write(
        tmp_path, {**values, "model.encoder.embed_tokens.weight": shared, "lm_head.weight": shared}
    )
    backbone, report = load(tmp_path, "TFAutoModelForSeq2SeqLM")
    assert (report.new, report.unused) == ([], [])
    assert same_weights(backbone, whole)
    write(tmp_path, {**values, "model.shared.weight": shared, "lm_head.weight": shared + 1})
    with pytest.raises(UserError) as caught:
        load(tmp_path, "TFAutoModelForSeq2SeqLM")
    assert str(caught.value) == (
        f"model: lm_head.weight of {tmp_path} differs from the embeddings, but"
        " TFBartForConditionalGeneration uses the embeddings in its place; take a checkpoint with"
        " tied embeddings"
    )
    # Where nothing speaks, an output layer is merely unused.
    unused = load(tmp_path, "TFAutoModel")[1].unused
    assert unused == ["final_logits_bias", "lm_head.weight"]


def test_an_output_layer_of_its_own_where_tensorflow_has_one(names, write_folder, tmp_path):
    folder = causal("xglm", names, tmp_path, write_folder)
    values = stored(folder)
    words = values["model.embed_tokens.weight"]
    write(folder, {**values, "lm_head.weight": words + 1})
    backbone, report = load(folder, "TFAutoModelForCausalLM")
    assert (report.new, report.unused) == ([], [])
    assert backbone.config.tie_word_embeddings is False
    np.testing.assert_array_equal(backbone.lm_head.kernel, words.T + 1)
    write(folder, {**values, "lm_head.weight": words})
    backbone, report = load(folder, "TFAutoModelForCausalLM")
    assert backbone.config.tie_word_embeddings is True
    assert (report.new, report.unused) == ([], [])


def test_an_output_layer_that_gpt2_cannot_have(names, write_folder, tmp_path):
    folder = causal("gpt2", names, tmp_path, write_folder)
    values = stored(folder)
    words = values["transformer.wte.weight"]
    write(folder, {**values, "lm_head.weight": words + 1})
    with pytest.raises(UserError, match="lm_head.weight of .* differs from the embeddings, but"):
        load(folder, "TFAutoModelForCausalLM")
    assert load(folder, CLASSIFIER)[1].unused == ["lm_head.weight"]


@pytest.mark.parametrize(
    "family, head", [("xglm", "AutoModelForCausalLM"), ("mobilebert", "AutoModelForMaskedLM")]
)
def test_tied_embeddings_stay_tied_in_training(
    family, head, names, formula, write_folder, tokenizer, tmp_path
):
    import tensorflow as tf

    fact = names[family][head]
    write_folder(tmp_path, fact["config"], fact["weights"])
    backbone, _ = load(tmp_path, f"TF{head}")
    inputs = formula.inputs(head, backbone.config)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(backbone(inputs, training=False).logits ** 2)
    variables = backbone.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        if gradient is not None:
            variable.assign_sub(0.01 * tf.convert_to_tensor(gradient))
    after = backbone(inputs, training=False).logits
    save_backbone(backbone, tokenizer, tmp_path / "trained")
    again, report = load(tmp_path / "trained", f"TF{head}")
    assert (report.new, report.unused) == ([], [])
    np.testing.assert_allclose(again(inputs, training=False).logits, after, atol=1e-5)


def test_computed_positions_are_not_trained(names, write_folder, tmp_path):
    fact = names["marian"]["AutoModelForSeq2SeqLM"]
    write_folder(tmp_path, fact["config"], fact["weights"])
    backbone, _ = load(tmp_path, "TFAutoModelForSeq2SeqLM")
    trained = [variable.name for variable in backbone.trainable_variables]
    assert not [name for name in trained if "embed_positions" in name]
