"""Padding on the left, for heads that read the last place of a row."""

from types import SimpleNamespace

import numpy as np
import tensorflow as tf
from transformers import TFXLNetForMultipleChoice, TFXLNetForSequenceClassification, XLNetConfig

from tfhf.learning import padding
from tfhf.tasks.multiple_choice import MultipleChoice
from tfhf.tasks.text_classification import TextClassification

IDS = [[5, 6, 7, 8, 4, 3], [9, 10, 4, 3]]  # the last token is the classifier's


def config():
    found = XLNetConfig(
        vocab_size=20, d_model=8, n_layer=1, n_head=2, d_inner=16, initializer_range=0.5
    )
    found.num_labels = 2
    return found


def padded(width, left=False):
    ids, mask = np.zeros((2, 2, width), np.int32)
    for row, tokens in enumerate(IDS):
        part = slice(width - len(tokens), None) if left else slice(len(tokens))
        ids[row, part], mask[row, part] = tokens, 1
    columns = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    return {name: tf.constant(values) for name, values in columns.items()}


def test_rows_are_shifted_to_the_right():
    moved = padding.on_the_left(padded(8))
    for name, values in padded(8, left=True).items():
        np.testing.assert_array_equal(moved[name], values)
        np.testing.assert_array_equal(padding.on_the_left(padded(8, left=True))[name], values)


def test_classes_do_not_depend_on_padding():
    backbone = TFXLNetForSequenceClassification(config())
    expected = backbone(padded(6, left=True)).logits
    task = TextClassification(None, TextClassification.features_for(["a", "b"], ["text"]))
    for width in (6, 13):
        found = task.forward(backbone, padded(width), False)["logits"]
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(expected[0] - expected[1]).max() > 0.01


def test_choices_do_not_depend_on_padding():
    backbone = TFXLNetForMultipleChoice(config())
    tokenizer = SimpleNamespace(
        pad_token_id=0,
        pad_token_type_id=0,
        model_input_names=["input_ids", "token_type_ids"],
        model_max_length=20,
    )
    task = MultipleChoice(
        tokenizer, MultipleChoice.features_for(None, ["premise", "choices"]), max_length=20
    )
    flat = np.array([[*IDS[0], *IDS[1]]], np.int32)
    inputs = {"input_ids": flat, "attention_mask": np.ones_like(flat)}
    inputs |= {"token_type_ids": np.zeros_like(flat), "choice_length": np.array([[6, 4]], np.int32)}
    inputs = {name: tf.constant(values) for name, values in inputs.items()}
    found = task.forward(backbone, inputs, False)["logits"]
    together = {name: values[None] for name, values in padded(6, left=True).items()}
    np.testing.assert_allclose(found, backbone(together).logits, atol=1e-5)
