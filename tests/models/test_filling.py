"""Which of a model's weights a checkpoint has, and what is said of the others."""

import numpy as np
import pytest

from tests.models.folders import load, write
from tfhf.errors import UserError
from tfhf.models import LoadReport


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
