"""zero_shot_classification: answers as transformers' own pipeline gives them, and by embeddings."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest

import tfhf
from tests.models.formula import weight
from tests.tasks.check import check_task
from tests.toys import zero_shot_classification as toy
from tfhf import tasks
from tfhf.errors import UserError
from tfhf.models import tensors
from tfhf.tasks.text_classification import TextClassification
from tfhf.tasks.zero_shot_classification import ZeroShotClassification

FACTS = json.loads(
    (Path(__file__).parent / "facts" / "zero_shot_classification.json").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """`folder(name)`: writes a recorded model and gives its folder."""

    def write(name):
        fact, path = FACTS["models"][name], tmp_path_factory.mktemp("zero-shot")
        for file, content in fact["files"].items():
            (path / file).write_text(json.dumps(content), encoding="utf-8")
        values = {
            place: (tuple(shape), functools.partial(weight, place, shape))
            for place, shape in fact["weights"].items()
        }
        tensors.write(path / "model.safetensors", values)
        return path

    return write


@pytest.mark.parametrize("name", FACTS["models"])
def test_answers_are_those_of_transformers(name, folder):
    ask, fact = tfhf.pipeline("zero-shot-classification", folder(name)), FACTS["models"][name]
    for choices, expected in zip(FACTS["calls"], fact["answers"], strict=True):
        for found, right in zip(ask(FACTS["texts"], **choices), expected, strict=True):
            assert list(found) == ["sequence", "labels", "scores"]
            assert (found["sequence"], found["labels"]) == (right["sequence"], right["labels"])
            np.testing.assert_allclose(found["scores"], right["scores"], atol=1e-5)
    one = ask(FACTS["texts"][0], **FACTS["calls"][0])
    assert one["labels"] == fact["one"]["labels"]


def test_from_pairs_to_answers(tiny_bert_folder, tmp_path):
    options = {"max_length": 24, "candidate_labels": ["warm", "cold"], "multi_label": True}
    options["hypothesis_template"] = "a {} story"
    recipe = {"model": str(tiny_bert_folder), "options": options}
    model, dataset, results = check_task(
        "zero_shot_classification", recipe, toy.rows(count=12), tmp_path
    )
    task = model.task
    assert (task.method, task.candidate_labels) == ("entailment", ["warm", "cold"])
    assert task.labels == ["contradiction", "entailment", "neutral"]
    assert set(results) == {"scores"}
    assert results["scores"].shape == (12, 2)
    answer = task.decode(results, 0, dataset[0])
    assert answer["scores"] == sorted(results["scores"][0].tolist(), reverse=True)
    assert not np.allclose(results["scores"].sum(1), 1.0)


# === By embeddings ===


@pytest.fixture(scope="module")
def embedder(tiny_bert_folder):
    return tfhf.pipeline("zero-shot-classification", tiny_bert_folder, max_length=32)


def test_a_model_without_classes_embeds(embedder):
    assert embedder.task.method == "embedding"
    text = "a warm and funny story"
    labels = ["great film", text, "a cold story"]
    embedder = functools.partial(embedder, hypothesis_template="{}")
    answer = embedder(text, candidate_labels=labels)
    assert answer["labels"][0] == text  # nothing is nearer to a text than itself
    assert sum(answer["scores"]) == pytest.approx(1.0, abs=1e-6)
    cosines = embedder(text, candidate_labels=labels, multi_label=True)
    assert cosines["labels"] == answer["labels"]
    assert cosines["scores"][0] == pytest.approx(1.0, abs=1e-6)
    powers = np.exp(np.array(cosines["scores"]) / 0.05)
    np.testing.assert_allclose(answer["scores"], powers / powers.sum(), rtol=1e-3)
    softer = embedder(text, candidate_labels=labels, temperature=1.0)
    assert softer["scores"][0] < answer["scores"][0]


def test_answers_do_not_depend_on_their_company(embedder, monkeypatch):
    texts = ["dull", "a cold and tired story", "I would see it again", "great film"]
    labels = ["warm", "a funny story"]
    together = embedder(texts, candidate_labels=labels)
    # Encoded two at a time, the labels are encoded again with each two.
    monkeypatch.setattr(ZeroShotClassification, "rows_at_once", 2)
    again = embedder(texts, candidate_labels=labels)
    alone = [embedder(text, candidate_labels=labels) for text in texts]
    for one, two, three in zip(together, again, alone, strict=True):
        assert one["labels"] == two["labels"] == three["labels"]
        np.testing.assert_allclose(one["scores"], two["scores"], atol=1e-5)
        np.testing.assert_allclose(one["scores"], three["scores"], atol=1e-5)


def test_pairs_teach_an_embedding_nothing(embedder):
    with pytest.raises(UserError) as caught:
        embedder.task.encode({"text": ["dull"], "text_pair": ["bad"], "label": [0]})
    assert str(caught.value) == (
        "options.method: embedding learns nothing from pairs with classes; train with task: "
        "embedding, and name the model here afterwards"
    )


# === Labels, templates, mistakes ===


def task_of(tokenizer=None, labels=("contradiction", "entailment"), **options):
    features = ZeroShotClassification.features_for(labels, ["text", "text_pair"])
    return ZeroShotClassification(tokenizer, features, **options)


def test_every_text_meets_every_hypothesis(tiny_tokenizer):
    task, rest = task_of(tiny_tokenizer, max_length=12).configured(
        candidate_labels="warm, cold ,", hypothesis_template="a {} film", other=1
    )
    assert (task.candidate_labels, rest) == (["warm", "cold"], {"other": 1})
    encoded = task.encode({"text": ["dull", "a funny story and it is a film again"]})
    assert [tiny_tokenizer.decode(ids) for ids in encoded["input_ids"]][:2] == [
        "[CLS] dull [SEP] a warm film [SEP]",
        "[CLS] dull [SEP] a cold film [SEP]",
    ]
    # The text is cut, the hypothesis is not.
    assert tiny_tokenizer.decode(encoded["input_ids"][3]).endswith("[SEP] a cold film [SEP]")
    assert [len(ids) for ids in encoded["input_ids"]] == [7, 7, 12, 12]
    assert encoded["row"] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            {},
            "candidate_labels: name the labels to choose from, such as [sport, politics]",
        ),
        (
            {"candidate_labels": " , "},
            "candidate_labels: expected one or more texts, received []",
        ),
        (
            {"candidate_labels": ["warm", 3]},
            "candidate_labels: expected one or more texts, received ['warm', 3]",
        ),
        (
            {"candidate_labels": "warm", "hypothesis_template": "It is."},
            "hypothesis_template: must hold {} where the label goes; received 'It is.'",
        ),
        (
            {"candidate_labels": ["a warm and funny story"], "hypothesis_template": "{}"},
            "candidate_labels: 'a warm and funny story' in its template has 5 tokens, too many for "
            "max_length 8; shorten it",
        ),
    ],
)
def test_mistakes_are_one_line(choices, message, tiny_tokenizer):
    with pytest.raises(UserError) as caught:
        task_of(tiny_tokenizer, max_length=8).configured(**choices)[0].encode({"text": ["dull"]})
    assert str(caught.value) == message


def test_a_model_that_knows_no_entailment_is_refused():
    with pytest.raises(UserError) as caught:
        task_of(labels=["negative", "positive"])
    assert str(caught.value) == (
        "options.method: entailment needs a model, or data, with a class whose name begins with "
        "'entail'; the classes are negative, positive"
    )


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["entailment", "neutral", "contradiction"], [30.0, 10.0]),
        (["neutral", "contradiction", "entailment"], [20.0, 30.0]),
        (["ENTAILMENT", "NOT_ENTAILMENT", "OTHER"], [30.0, 10.0]),
        (["no", "entails", "perhaps"], [10.0, 20.0]),
    ],
)
def test_contradiction_is_found_by_name_or_place(labels, expected):
    logits = np.array([[10.0, 20.0, 30.0]], np.float32)
    outputs = task_of(labels=labels).outputs({"logits": logits}, {}, None)
    assert outputs["evidence"].numpy().tolist() == [expected]


def test_the_task_is_found_by_its_names(tiny_tokenizer):
    assert tasks.by_pipeline("zero-shot-classification") is ZeroShotClassification
    from transformers import PretrainedConfig

    config = PretrainedConfig(architectures=["BertForSequenceClassification"])
    assert tasks.by_config(config) is TextClassification
    task = task_of(tiny_tokenizer, max_length=16, candidate_labels="a,b", multi_label=True)
    config = PretrainedConfig(**task.model_config())
    assert tasks.by_config(config) is ZeroShotClassification
    again = ZeroShotClassification.from_config(tiny_tokenizer, config)
    assert again.settings() == task.settings()
