"""text_classification: its kinds of problem from rows to served answers, and its details."""

import copy
import json

import numpy as np
import pytest
from transformers import BertConfig, MobileBertConfig, PretrainedConfig

from tests.conftest import toy_rows
from tests.tasks.check import check_task
from tfhf import prediction, tasks
from tfhf.errors import UserError
from tfhf.models import Source
from tfhf.tasks.text_classification import TextClassification

TOPICS = ["Größe", "été", "sport", "日本", "a b"]


def one_text(index, row):
    return row


def pair(index, row):
    return row | {"text_pair": "a lovely story" if index % 3 else "dull"}


def many_classes(index, row):
    return row | {"label": TOPICS[index % 5]}


def label_sets(index, row):
    return row | {"label": [topic for bit, topic in enumerate(TOPICS) if index * 7 >> bit & 1]}


def numbers(index, row):
    return row | {"label": index / 4 - 1}


@pytest.mark.parametrize(
    ("problem", "changed", "roles", "labels"),
    [
        ("single_label", one_text, ["text"], ["negative", "positive"]),
        ("single_label", pair, ["text", "text_pair"], ["negative", "positive"]),
        pytest.param(
            "single_label", many_classes, ["text"], sorted(TOPICS), marks=pytest.mark.slow
        ),
        ("multi_label", label_sets, ["text"], sorted(TOPICS)),
        ("regression", numbers, ["text"], None),
    ],
    ids=["one text", "pair", "many classes", "label sets", "regression"],
)
def test_from_rows_to_served_answers(problem, changed, roles, labels, tiny_bert_folder, tmp_path):
    rows = [changed(index, row) for index, row in enumerate(toy_rows(16))]
    recipe = {"model": str(tiny_bert_folder), "options": {"max_length": 16}}
    if problem == "regression":
        recipe["options"]["problem"] = problem
    model, dataset, results = check_task("text_classification", recipe, rows, tmp_path)
    task = model.task
    assert (task.problem, task.labels, task.max_length) == (problem, labels, 16)
    assert list(task.serving_inputs) == roles
    expected = [row["label"] for row in rows]
    if problem == "multi_label":
        expected = [sorted(topics) for topics in expected]
    assert task.expected(dataset) == expected
    if labels is None:
        assert set(results) == {"score"}
    else:
        assert results["probabilities"].shape == (16, len(labels))
        total = results["probabilities"].sum(1)
        assert problem == "multi_label" or total == pytest.approx(np.ones(16), abs=1e-5)


def task_of(labels, tokenizer=None, problem=None, roles=("text",), **options):
    features = TextClassification.features_for(labels, roles, problem)
    return TextClassification(tokenizer, features, **options)


@pytest.fixture
def logits():
    """Results of two rows with three classes."""
    return {"logits": np.array([[2.0, 0.0, 1.0], [-1.0, -2.0, 3.0]], np.float32)}


# === Encoding ===


def test_the_longer_text_of_a_pair_is_cut_first(tiny_tokenizer):
    task = task_of(["no", "yes"], tiny_tokenizer, roles=("text", "text_pair"), max_length=9)
    rows = {"text": ["a warm story"], "text_pair": ["dull bad film a cold tired story"]}
    encoded = task.encode(rows)
    (ids,) = encoded["input_ids"]
    assert tiny_tokenizer.decode(ids) == "[CLS] a warm story [SEP] dull bad film [SEP]"
    assert encoded["token_type_ids"] == [[0] * 5 + [1] * 4]
    assert encoded["full_length"] == [13]
    assert "label" not in encoded


def test_only_texts_that_were_cut_are_longer_than_what_is_fed(tiny_tokenizer):
    task = task_of(["no", "yes"], tiny_tokenizer, max_length=4)
    encoded = task.encode({"text": ["dull", "", "a warm and funny story"], "label": [0, 1, 1]})
    assert [len(ids) for ids in encoded["input_ids"]] == [3, 2, 4]
    assert encoded["full_length"] == [3, 2, 7]
    assert encoded["label"] == [0, 1, 1]


def test_label_sets_become_vectors(tiny_tokenizer):
    task = task_of(["a", "b", "c"], tiny_tokenizer, "multi_label", max_length=8)
    encoded = task.encode({"text": ["x", "y"], "label": [[2, 0], []]})
    assert encoded["label"] == [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]


def test_a_length_the_model_cannot_read_is_refused(tiny_tokenizer):
    with pytest.raises(UserError) as caught:
        task_of(["a", "b"], tiny_tokenizer, max_length=33)
    assert str(caught.value) == (
        "options.max_length: the model reads at most 32 tokens; received 33"
    )


def test_a_problem_the_labels_contradict_is_refused():
    with pytest.raises(UserError) as caught:
        TextClassification(
            None, TextClassification.features_for(["a", "b"], ["text"]), problem="multi_label"
        )
    assert str(caught.value) == (
        "options.problem: the labels make it single_label; got 'multi_label'"
    )


# === Loss ===


def test_losses_are_those_of_the_definitions(logits):
    x = logits["logits"].astype(np.float64)
    losses, counts = task_of(["a", "b", "c"]).loss(np.array([0, 1]), logits)
    softmax = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    np.testing.assert_allclose(losses, -np.log([softmax[0, 0], softmax[1, 1]]), rtol=1e-6)
    assert counts.numpy().tolist() == [1.0, 1.0]

    targets = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    losses, _ = task_of(["a", "b", "c"], problem="multi_label").loss(targets, logits)
    sigmoid = 1 / (1 + np.exp(-x))
    entropy = -(targets * np.log(sigmoid) + (1 - targets) * np.log(1 - sigmoid))
    np.testing.assert_allclose(losses, entropy.mean(1), rtol=1e-6)

    losses, _ = task_of(None, problem="regression").loss(np.array([1.5, 0.0]), logits)
    np.testing.assert_allclose(losses, [0.25, 1.0], rtol=1e-6)


def test_what_changes_the_loss_is_kept(tiny_tokenizer):
    rows = {"label": [0, 0, 0, 1]}
    options = {"class_weights": "balanced", "focal_gamma": 2.0, "max_length": 12}
    task = task_of(["a", "b", "c"], tiny_tokenizer, **options)
    task.weigh(rows)
    weights = {"a": pytest.approx(4 / 9), "b": pytest.approx(4 / 3)}  # no row has the third
    config = PretrainedConfig(**task.model_config())
    again = TextClassification.from_config(tiny_tokenizer, config)
    assert again.settings() == task.settings()
    assert again.class_loss.class_weights == weights
    # A recipe that measures the model says `balanced` once more, and knows no training rows.
    later = task_of(["a", "b", "c"], tiny_tokenizer, **options)
    with pytest.raises(UserError) as caught:
        later.loss(np.array([0]), {"logits": np.zeros((1, 3), np.float32)})
    assert str(caught.value) == (
        "options.class_weights: balanced needs to know the training rows: call "
        "model.task.weigh(rows) before fit"
    )
    later.adopt(TextClassification.saved(config))
    assert later.class_loss.class_weights == weights


@pytest.mark.parametrize(
    ("problem", "options", "line"),
    [
        (
            None,
            {"class_weights": {"spm": 2.0}},
            "options.class_weights: the data have no label 'spm'; did you mean 'spam'?",
        ),
        (
            None,
            {"focal_gamma": 2.0, "label_smoothing": 0.1},
            "options.focal_gamma and options.label_smoothing exclude each other; received 2 and "
            "0.1",
        ),
        (
            None,
            {"threshold": "tuned"},
            "options.threshold: tuned is for sets of classes; the labels make it single_label",
        ),
        (
            "regression",
            {"label_smoothing": 0.1},
            "options: class_weights, label_smoothing and focal_gamma are for classes; the labels "
            "are numbers",
        ),
    ],
)
def test_options_that_do_not_fit_the_labels(problem, options, line):
    with pytest.raises(UserError) as caught:
        task_of(["ham", "spam"], problem=problem, **options)
    assert str(caught.value) == line


# === Answers ===


def test_thresholds_are_tuned_saved_and_served(logits, tiny_tokenizer):
    options = {"threshold": "tuned", "max_length": 12}
    task = task_of(["a", "b", "c"], tiny_tokenizer, "multi_label", **options)
    results = {name: value.numpy() for name, value in task.outputs(logits, {}, None).items()}
    rows = {"label": [[0], [1]]}
    before = task.score(rows, results)
    assert task.decode(results, 0, {})["label"] == ["a", "b", "c"]  # 0.5 until then
    task.tune(rows, results)
    after = task.score(rows, results)
    assert after["f1_macro"] > before["f1_macro"]
    again = TextClassification.from_config(tiny_tokenizer, PretrainedConfig(**task.model_config()))
    assert again.threshold == task.threshold and len(task.threshold) == 3
    asked_again = task_of(["a", "b", "c"], tiny_tokenizer, "multi_label", **options)
    asked_again.adopt(TextClassification.saved(PretrainedConfig(**task.model_config())))
    assert asked_again.threshold == task.threshold
    served = again.answers_in_graph(again.outputs(logits, {}, None), {}, {}, None)
    served = {name: value.numpy() for name, value in served.items()}
    for index in range(2):
        expected = task.decode(results, index, {})
        assert again.read_served(served, index, {}) == expected
        assert [name.decode() for name in served["present"][index] if name] == expected["label"]


def test_labels_come_back_as_unicode(logits):
    task = task_of(TOPICS[:3])
    outputs = task.outputs(logits, {}, None)
    results = {name: value.numpy() for name, value in outputs.items()}
    answers = [task.decode(results, index, {}) for index in range(2)]
    assert [answer["label"] for answer in answers] == ["Größe", "sport"]
    assert list(answers[0]["probabilities"]) == TOPICS[:3]
    assert answers[0]["score"] == answers[0]["probabilities"]["Größe"]


def test_the_threshold_decides_which_labels_of_a_set_count(logits):
    for threshold, expected in ((0.5, [["a", "b", "c"], ["c"]]), (0.7, [["a", "c"], ["c"]])):
        task = task_of(["a", "b", "c"], problem="multi_label", threshold=threshold)
        outputs = task.outputs(logits, {}, None)
        results = {name: value.numpy() for name, value in outputs.items()}
        assert [task.decode(results, index, {})["label"] for index in range(2)] == expected
        scores = task.score({"label": [[0, 1, 2], [2]]}, results)
        assert scores["exact_match"] == (1.0 if threshold == 0.5 else 0.5)


def test_top_k_and_threshold_choose_what_is_presented(logits):
    task = task_of(["a", "b", "c"])
    assert [answer["label"] for answer in task.present(logits, 0, {}, top_k=2)] == ["a", "c"]
    assert [answer["label"] for answer in task.present(logits, 0, {}, top_k=None)] == [*"acb"]
    assert task.present(logits, 0, {}) == [{"label": "a", "score": pytest.approx(0.665241)}]
    kept = task.present(logits, 0, {}, top_k=None, threshold=0.2)
    assert [answer["label"] for answer in kept] == ["a", "c"]


@pytest.mark.parametrize(
    ("problem", "function", "scores"),
    [
        (None, None, [0.665241, 0.244728, 0.090031]),
        (None, "sigmoid", [0.880797, 0.731059, 0.5]),
        (None, "none", [2.0, 1.0, 0.0]),
        ("multi_label", None, [0.880797, 0.731059, 0.5]),
        ("multi_label", "softmax", [0.665241, 0.244728, 0.090031]),
    ],
)
def test_scores_on_demand(logits, problem, function, scores):
    task = task_of(["a", "b", "c"], problem=problem)
    found = task.present(logits, 0, {}, top_k=None, function_to_apply=function)
    assert [answer["score"] for answer in found] == pytest.approx(scores, abs=1e-6)


def test_a_number_is_presented_as_it_is():
    task = task_of(None, problem="regression")
    results = {"logits": np.array([[-2.5]], np.float32), "score": np.array([-2.5], np.float32)}
    assert task.present(results, 0, {}) == [{"label": "score", "score": -2.5}]
    assert task.decode(results, 0, {}) == {"score": -2.5}


def test_an_unknown_function_is_refused(logits):
    with pytest.raises(UserError) as caught:
        task_of(["a", "b", "c"]).present(logits, 0, {}, function_to_apply="relu")
    assert str(caught.value) == (
        "function_to_apply: must be softmax, sigmoid or none; received 'relu'"
    )


# === Which task and which labels a model has ===


def test_a_config_of_another_tool_is_understood(tiny_tokenizer):
    config = PretrainedConfig(id2label={0: "NEGATIVE", 1: "POSITIVE"})
    task = TextClassification.from_config(tiny_tokenizer, config)
    assert (task.problem, task.labels) == ("single_label", ["NEGATIVE", "POSITIVE"])
    assert task.max_length == 32  # as much as the model reads
    single = TextClassification.from_config(tiny_tokenizer, PretrainedConfig(num_labels=1))
    assert single.problem == "regression"


@pytest.fixture(scope="module")
def cross_encoder(tiny_bert_folder, tmp_path_factory):
    """A model of one class, as sentence-transformers trains and saves it."""
    import tf_keras
    from transformers import AutoTokenizer, BertConfig, TFBertForSequenceClassification

    from tfhf import models

    tf_keras.utils.set_random_seed(0)
    config = BertConfig.from_pretrained(tiny_bert_folder, num_labels=1)
    backbone = TFBertForSequenceClassification(config)
    backbone.build_in_name_scope()
    folder = tmp_path_factory.mktemp("cross-encoder")
    models.save_backbone(backbone, AutoTokenizer.from_pretrained(tiny_bert_folder), folder)
    return folder


def test_one_class_is_a_probability_as_in_transformers(cross_encoder, tmp_path):
    ask = prediction.pipeline("text-classification", str(cross_encoder))
    ids = ask.task.processor("a film", return_tensors="tf")
    logit = float(ask.model.backbone(ids).logits[0, 0])
    sigmoid = pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)
    assert ask("a film") == [{"label": "LABEL_0", "score": sigmoid}]
    assert prediction.predict(str(cross_encoder), ["a film"]) == [{"score": sigmoid}]
    raw = ask("a film", function_to_apply="none")
    assert raw == [{"label": "LABEL_0", "score": pytest.approx(logit, abs=1e-6)}]
    ask.model.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved.get("problem_type") is None and saved["id2label"] == {"0": "LABEL_0"}
    assert prediction.pipeline("text-classification", str(tmp_path))("a film") == ask("a film")


def test_a_regression_is_a_number(tiny_tokenizer):
    config = PretrainedConfig(num_labels=1, problem_type="regression", id2label={0: "likeness"})
    task = TextClassification.from_config(tiny_tokenizer, config)
    results = {"logits": np.array([[-2.5]], np.float32)}
    assert task.present(results, 0, {}) == [{"label": "likeness", "score": -2.5}]
    assert task.model_config()["problem_type"] == "regression"


def test_a_model_of_another_tool_reads_as_much_as_it_can(tiny_tokenizer):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    for known, longest in ((1024, 1024), (1_000_000, 512)):
        tokenizer.model_max_length = known
        task = TextClassification.from_config(tokenizer, PretrainedConfig())
        assert task.max_length == longest


def test_a_family_that_sees_padding_is_noted(tiny_tokenizer):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.checkpoint = BertConfig()
    assert TextClassification.notes(tokenizer) == []
    tokenizer.checkpoint = MobileBertConfig()
    assert TextClassification.notes(tokenizer) == [
        "model: a mobilebert sees where a text ends and padding begins, in PyTorch as well, so its "
        "numbers change a little with the longest text of a batch"
    ]


def test_a_config_of_ours_gives_the_task_back(tiny_tokenizer):
    task = task_of(
        TOPICS, tiny_tokenizer, "multi_label", ("text", "text_pair"), max_length=12, threshold=0.3
    )
    config = PretrainedConfig(**task.model_config())
    again = TextClassification.from_config(tiny_tokenizer, config)
    assert again.model_config() == task.model_config()
    assert again.threshold == 0.3
    shorter = TextClassification.from_config(tiny_tokenizer, config, max_length=8)
    assert shorter.max_length == 8


def test_the_task_is_found_by_its_names():
    assert tasks.get("text_classification") is TextClassification
    assert tasks.by_pipeline("sentiment-analysis") is TextClassification
    config = PretrainedConfig(architectures=["BertForSequenceClassification"])
    assert tasks.by_config(config) is TextClassification


def test_an_unknown_task_or_pipeline_is_one_line():
    with pytest.raises(UserError) as caught:
        tasks.by_pipeline("text-clasification")
    assert str(caught.value).startswith(
        "no pipeline 'text-clasification'; did you mean 'text-classification'?; "
        "pipelines: feature-extraction, fill-mask, "
    )
    with pytest.raises(UserError) as caught:
        tasks.by_config(PretrainedConfig(architectures=["BertForNextSentencePrediction"]))
    assert str(caught.value).startswith(
        "no task for a model with architecture BertForNextSentencePrediction; "
        "name one with --task: causal_lm, "
    )


def test_learned_labels():
    config = PretrainedConfig(id2label={0: "negative", 1: "positive"}, num_labels=2)
    assert TextClassification.learned_labels(config) == ["negative", "positive"]
    config.problem_type = "regression"
    assert TextClassification.learned_labels(config) is None


def test_a_tokenizer_that_is_python_alone(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "ctrl", "vocab_size": 5}')
    (tmp_path / "vocab.json").write_text('{"<unk>": 0, "a": 1}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    settings = {"tokenizer_class": "CTRLTokenizer", "pad_token": "<unk>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(UserError) as caught:
        TextClassification.load_processor(Source(tmp_path, "x"))
    assert str(caught.value) == (
        "model: x has a CTRLTokenizer and no tokenizer.json, with which only text2text,"
        " summarization and translation can do"
    )
