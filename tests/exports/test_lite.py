"""Conversion to LiteRT: lengths that must be fixed, families it cannot run, differences."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import transformers

from tests.models.families import settings
from tfhf.errors import UserError
from tfhf.exports import lite
from tfhf.tasks.text_classification import TextClassification

pytest.importorskip("ai_edge_litert")
BATCHES = [["lovely"], ["a warm and funny story", "dull"], ["I would see it again", "bad", "?"]]


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer):
    found = copy.deepcopy(tiny_tokenizer)
    found.model_input_names = ["input_ids", "attention_mask"]
    return found


def classifier(family, tokenizer):
    """An untrained classifier of two classes; of a `tfhf.Model` what a conversion asks."""
    tf_keras.utils.set_random_seed(3)
    model_type, values = settings(family, "AutoModelForSequenceClassification")
    changes = {"vocab_size": len(tokenizer), "pad_token_id": 0, "initializer_range": 0.2}
    config = transformers.AutoConfig.for_model(model_type, **{**values, **changes, "num_labels": 2})
    backbone = transformers.TFAutoModelForSequenceClassification.from_config(config)
    backbone.build_in_name_scope()
    features = TextClassification.features_for(["bad", "good"], ["text"])
    task = TextClassification(tokenizer, features, max_length=12)
    return SimpleNamespace(backbone=backbone, task=task)


def inputs():
    names = ("input_ids", "attention_mask")
    return {name: tf.TensorSpec([None, None], tf.int32) for name in names}


def test_a_length_that_must_be_fixed(tokenizer):
    """MPNet sorts distances into buckets by logarithms that LiteRT lacks for any length."""
    model = classifier("mpnet", tokenizer)
    file = lite.convert(model, inputs(), ["float32"])["float32"]
    assert file.length == 12
    assert file.fills == {"input_ids": 0, "attention_mask": 0}
    answer = lite.original(model, file)
    for texts in BATCHES:
        encoded = tokenizer(texts, padding=True, return_tensors="np")
        tokens = {name: ids.astype(np.int32) for name, ids in encoded.items()}
        np.testing.assert_allclose(file(tokens)["logits"], answer(tokens)["logits"], atol=1e-5)


def test_what_has_a_place_for_each_token_is_cut_again():
    specs = {"input_ids": tf.TensorSpec([None, None], tf.int32)}
    outputs = {"logits": tf.TensorSpec([None, None, 1]), "mean": tf.TensorSpec([None, 1])}

    def forward(input_ids):
        values = tf.cast(input_ids, tf.float32)[:, :, None]
        return {"logits": values, "mean": tf.reduce_mean(values, 1)}

    fixed = tf.TensorSpec([None, 4], tf.int32, "input_ids")
    graph = tf.function(forward).get_concrete_function(input_ids=fixed)
    contents, _ = lite._contents(SimpleNamespace(variables=[]), graph, ["float32"])
    file = lite.Converted(contents["float32"], 4, {"input_ids": 6}, specs, outputs)
    found = file({"input_ids": np.array([[1, 3]], np.int32)})
    assert found["logits"].tolist() == [[[1.0], [3.0]]]
    assert found["mean"].tolist() == [[4.0]]


def test_a_family_that_litert_cannot_run(tokenizer):
    with pytest.raises(UserError) as caught:
        lite.convert(classifier("ctrl", tokenizer), inputs(), ["int8"])
    assert str(caught.value) == (
        "--lite: LiteRT cannot run a ctrl model of text_classification: it lacks GatherV2"
    )


def test_difference():
    expected = [{"a": np.array([3.0, 4.0])}, {"a": np.array([0.0])}]
    assert lite.difference(expected, expected) == 0.0
    assert lite.difference([{"a": np.array([3.0, 4.0])}, {"a": np.array([0.5])}], expected) == 0.1
    for wrong in (np.array([np.nan]), np.array([0.0, 0.0])):
        assert lite.difference([expected[0], {"a": wrong}], expected) == np.inf
    whole = [{"n": np.array([1, 2])}]
    assert lite.difference(whole, whole) == 0.0
    assert lite.difference([{"n": np.array([1, 3])}], whole) == np.inf
