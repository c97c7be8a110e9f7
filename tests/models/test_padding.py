"""What a model says of a row does not depend on the padding behind it, family by family."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
import transformers

from tests.models.families import CONFIGS, HEADS, settings
from tfhf.models.loading import from_config
from tfhf.models.ties import tie
from tfhf.tasks.base import SEE_PADDING
from tfhf.tasks.multiple_choice import MultipleChoice
from tfhf.tasks.text_classification import TextClassification

PAD = 1  # the padding token of every family here
# The last token is the one that ends a text for BART.
ROWS = np.array([[5, 16, 27, 8, 19, 3], [9, 20, 11, 22, 13, 3]], np.int32)


def with_head(head):
    """The families that have a head, but for those that see padding in PyTorch as well."""
    return [
        family
        for family, heads in HEADS.items()
        if head in heads and CONFIGS[family][0] not in SEE_PADDING
    ]


def backbone_of(family, head):
    """A model whose weights are far enough from 0 that every token counts."""
    model_type, values = settings(family, head)
    config = transformers.AutoConfig.for_model(model_type, **values)
    tf_keras.utils.set_random_seed(0)
    backbone = from_config(config, f"TF{head}")
    backbone.build_in_name_scope()
    tie(backbone)  # computed positions stay as they are
    for number, weight in enumerate(backbone.trainable_variables):
        weight.assign_add(0.2 * tf.random.stateless_normal(weight.shape, [number, 0]))
    return backbone


def columns(ids):
    return {"input_ids": tf.constant(ids), "attention_mask": tf.cast(ids != PAD, tf.int32)}


def padded():
    return np.pad(ROWS, [(0, 0), (0, 5)], constant_values=PAD)


@pytest.mark.parametrize("family", with_head("AutoModelForSequenceClassification"))
def test_classes(family):
    backbone = backbone_of(family, "AutoModelForSequenceClassification")
    task = TextClassification(None, TextClassification.features_for(["a", "b", "c"], ["text"]))
    with tf.GradientTape() as tape:
        alone = task.forward(backbone, columns(ROWS), False)["logits"]
    beside = task.forward(backbone, columns(padded()), False)["logits"]
    np.testing.assert_allclose(beside, alone, atol=1e-5)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3
    # It can be trained: what is said depends on nearly all weights (XLNet has some for masks).
    gradients = tape.gradient(alone, backbone.trainable_variables)
    reached = [tf.convert_to_tensor(gradient) for gradient in gradients if gradient is not None]
    assert len(reached) > 0.8 * len(gradients)
    assert all(np.isfinite(gradient).all() for gradient in reached)


@pytest.mark.parametrize("family", with_head("AutoModelForMultipleChoice"))
def test_choices(family):
    backbone = backbone_of(family, "AutoModelForMultipleChoice")
    tokenizer = SimpleNamespace(
        pad_token_id=PAD,
        pad_token_type_id=0,
        model_input_names=["input_ids"],
        model_max_length=20,
    )
    task = MultipleChoice(
        tokenizer, MultipleChoice.features_for(None, ["premise", "choices"]), max_length=20
    )
    short, long = ROWS.reshape(1, -1), np.concatenate([ROWS[0], ROWS[1], ROWS[0]])[None, :]
    alone = task.forward(backbone, columns(short) | choices([[6, 6]]), False)["logits"]
    both = np.concatenate([np.pad(short, [(0, 0), (0, 6)], constant_values=PAD), long])
    beside = task.forward(backbone, columns(both) | choices([[6, 6], [11, 7]]), False)["logits"]
    np.testing.assert_allclose(beside[:1], alone, atol=1e-5)
    assert np.abs(alone[0, 0] - alone[0, 1]) > 1e-3


def choices(lengths):
    return {"choice_length": tf.constant(lengths, tf.int32)}


TOKEN_HEADS = (
    "AutoModelForTokenClassification",
    "AutoModelForQuestionAnswering",
    "AutoModelForMaskedLM",
    "AutoModelForCausalLM",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "family"), [(head, family) for head in TOKEN_HEADS for family in with_head(head)]
)
def test_tokens(head, family):
    backbone = backbone_of(family, head)
    alone, beside = backbone(columns(ROWS)), backbone(columns(padded()))
    names = [name for name in ("logits", "start_logits", "end_logits") if name in alone]
    assert names
    for name in names:
        np.testing.assert_allclose(beside[name][:, : ROWS.shape[1]], alone[name], atol=1e-5)
