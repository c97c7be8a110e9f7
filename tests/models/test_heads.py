"""Heads that tfhf adds: new over a body, saved, opened again; PyTorch's own are in test_loading."""

import json

import numpy as np
import pytest

from tests.models.folders import load, same_weights
from tfhf.errors import UserError
from tfhf.models import decoder_inputs, heads, save_backbone

ROWS = np.array([[5, 16, 27, 8, 19, 3], [9, 20, 11, 22, 13, 3]], np.int32)  # 3 ends a text
HEAD_WEIGHTS = {
    "TokenClassification": ["classifier.bias", "classifier.weight"],
    "QuestionAnswering": ["qa_outputs.bias", "qa_outputs.weight"],
}
CLASSES = {
    False: ["score.weight"],
    True: [
        f"classification_head.{n}.{w}" for n in ("dense", "out_proj") for w in ("bias", "weight")
    ],
}
ALONE = [(family, kind) for kind, (_, alone) in heads.HEADS.items() for family in alone]
# One of each kind of body and head; the others are their like.
QUICK = [
    ("ctrl", "TokenClassification"),
    ("layoutlm", "QuestionAnswering"),
    ("xglm", "SequenceClassification"),
    ("pegasus", "SequenceClassification"),
]
CASES = [
    pytest.param(*case, marks=[] if case in QUICK else [pytest.mark.slow]) for case in sorted(ALONE)
]


def asked(ids):
    return {"input_ids": ids, "attention_mask": (ids != 1).astype(np.int32)}


def answers(backbone, ids):
    found = backbone(asked(ids), training=False)
    names = [name for name in ("logits", "start_logits", "end_logits") if name in found]
    return [found[name].numpy()[:, : ROWS.shape[1]] for name in names]


@pytest.mark.parametrize(("family", "kind"), CASES)
def test_over_a_body_and_back(family, kind, names, write_folder, tokenizer, tmp_path):
    fact = names[family]["AutoModel"]
    body = write_folder(tmp_path / "body", fact["config"], fact["weights"])
    labels = 2 if kind == "QuestionAnswering" else 3
    backbone, report = load(body, f"TFAutoModelFor{kind}", num_labels=labels, eos_token_id=3)
    expected = HEAD_WEIGHTS.get(kind) or CLASSES[backbone.config.is_encoder_decoder]
    assert sorted(report.new) == expected
    # What stands behind a text changes nothing; in front of it, a decoder's last token is the same.
    alone = answers(backbone, ROWS)
    padded = answers(backbone, np.pad(ROWS, [(0, 0), (0, 5)], constant_values=1))
    for one, other in zip(alone, padded, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert np.abs(alone[0][0] - alone[0][1]).max() > 1e-4

    save_backbone(backbone, tokenizer, tmp_path / "saved")
    config = json.loads((tmp_path / "saved" / "config.json").read_text())
    assert config["architectures"] == [type(backbone).__name__.removeprefix("TF")]
    assert not heads.in_pytorch(config)
    again, report = load(tmp_path / "saved", f"TFAutoModelFor{kind}")
    assert (report.new, report.reshaped, report.unused) == ([], [], [])
    assert same_weights(again, backbone)


def test_a_decoder_padded_in_front(names, write_folder, tmp_path):
    fact = names["opt"]["AutoModelForSequenceClassification"]
    write_folder(tmp_path, fact["config"], fact["weights"])
    backbone, _ = load(tmp_path)
    (alone,) = answers(backbone, ROWS)
    (padded,) = answers(backbone, np.pad(ROWS, [(0, 0), (4, 0)], constant_values=1))
    np.testing.assert_allclose(padded, alone, atol=1e-5)
    # Without a mask, the padding token tells where a text ends.
    unmasked = backbone({"input_ids": np.pad(ROWS, [(0, 0), (0, 4)], constant_values=1)}).logits
    np.testing.assert_allclose(unmasked, alone, atol=1e-5)


def test_what_a_decoder_reads(names):
    import transformers

    ids = np.array([[5, 6, 3, 1], [7, 8, 9, 3]])
    bart = transformers.BartConfig(decoder_start_token_id=2, pad_token_id=1)
    found = decoder_inputs(bart, ids)
    assert found["decoder_input_ids"].numpy().tolist() == [[2, 5, 6, 3], [2, 7, 8, 9]]
    assert found["decoder_attention_mask"].numpy().all()
    mbart = transformers.MBartConfig(pad_token_id=1)  # its last token names the language
    found = decoder_inputs(mbart, ids)["decoder_input_ids"].numpy().tolist()
    assert found == [[3, 5, 6, 3], [3, 7, 8, 9]]
    with pytest.raises(UserError) as caught:
        decoder_inputs(transformers.T5Config(), ids)
    assert str(caught.value) == (
        "model: a t5 reads a text from its decoder_start_token_id on; set it in config.json"
    )


def test_a_body_out_of_a_classifier(names, write_folder, tmp_path):
    fact = names["t5"]["AutoModelForSequenceClassification"]
    write_folder(tmp_path, fact["config"], fact["weights"])
    _, report = load(tmp_path, "TFAutoModelForTextEncoding")
    assert (report.new, report.reshaped) == ([], [])


@pytest.mark.parametrize("how", ["mean", "max", "cls", "last"])
def test_vectors_of_tokens_become_one(how):
    import tensorflow as tf

    from tfhf.learning.towers import pooled

    states = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    real = [states[0], states[1, :3]]
    expected = {
        "mean": [one.mean(0) for one in real],
        "max": [one.max(0) for one in real],
        "cls": [one[0] for one in real],
        "last": [one[-1] for one in real],
    }[how]
    np.testing.assert_allclose(pooled(tf.constant(states), mask, how), expected, rtol=1e-5)
