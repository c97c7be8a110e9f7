"""token_classification: tags of words from rows to answers, windows, and transformers' pipeline."""

import copy
import functools
import json
from pathlib import Path

import datasets
import numpy as np
import pytest
from transformers import PretrainedConfig

import tfhf
from tests.models.formula import weight
from tests.tasks.check import check_task
from tests.toys import token_classification as toy
from tfhf import tasks
from tfhf.errors import UserError
from tfhf.models import tensors
from tfhf.models.prefix_space import lacks_prefix_space, with_prefix_space
from tfhf.tasks.token_classification import TokenClassification

FACTS = json.loads(
    (Path(__file__).parent / "facts" / "token_classification.json").read_text(encoding="utf-8")
)
BIO = ["O", "B-thing", "I-thing"]


def task_of(labels=BIO, tokenizer=None, max_length=16, **options):
    features = TokenClassification.features_for(labels)
    return TokenClassification(tokenizer, features, max_length=max_length, **options)


# === From rows to answers ===


def test_from_words_to_entities(tiny_bert_folder, tmp_path):
    recipe = {"model": str(tiny_bert_folder), "options": {"max_length": 8}}
    rows = toy.rows(count=12)
    model, dataset, results = check_task("token_classification", recipe, rows, tmp_path)
    task = model.task
    assert (task.labels, task.monitor, task.joins_windows) == (BIO, "f1", True)
    assert results["label"].shape == (12, 8)  # words have one sub-token each, at most 8
    assert task.expected(dataset) == [row["tags"] for row in rows]
    for index, row in enumerate(dataset):
        assert len(task.decode(results, index, row)["tags"]) == len(row["tokens"])
    (record, *_) = task.records(dataset, results)
    assert list(record) == ["tokens", "expected", "entities", "tags"]
    check_texts(model)


def check_texts(model):
    """A text is answered as its words are, and answers are spans of it, over windows too."""
    task, ask = copy.copy(model.task), tfhf.prediction.Pipeline(model)
    task.marks_entities = False  # so little training finds no entity: look at all words
    text = "I would see a warm and funny story again , a dull bad film"
    told = tfhf.data.from_rows([{"tokens": text.split()}], task.inputs)
    asked = tfhf.data.from_rows([text, ""], task.inputs)
    by_words = task.decode(ask.results(told), 0, told[0])
    by_text, empty = (
        task.decode(ask.results(asked), index, row) for index, row in enumerate(asked)
    )
    assert by_text["entities"] == by_words["entities"]
    assert [entity["word"] for entity in by_text["entities"]] == text.split()
    for entity in by_text["entities"]:
        assert text[entity["start"] : entity["end"]] == entity["word"]
    assert empty == {"entities": []}


def test_from_words_to_parts_of_speech(tiny_bert_folder, tmp_path):
    options = {"max_length": 16, "aggregation": "average", "label_all_tokens": True}
    recipe = {"model": str(tiny_bert_folder), "options": options}
    rows = toy.rows("token_classification/universal_pos", count=12)
    rows[0]["tokens"][1] = "warmful"  # several sub-tokens
    model, dataset, results = check_task("token_classification", recipe, rows, tmp_path)
    assert model.task.monitor == "accuracy"
    assert results["probabilities"].shape == (12, results["word"].shape[1], 9)
    answer = model.task.decode(results, 0, dataset[0])
    assert [one["entity_group"] for one in answer["entities"]] == answer["tags"]
    assert [one["word"] for one in answer["entities"]] == rows[0]["tokens"]


# === transformers' pipeline ===


@pytest.fixture(scope="module", params=FACTS["models"])
def recorded(request, tmp_path_factory):
    """A recorded model's pipeline, and its facts."""
    fact, path = FACTS["models"][request.param], tmp_path_factory.mktemp("tokens")
    for file, content in fact["files"].items():
        (path / file).write_text(json.dumps(content), encoding="utf-8")
    values = {
        place: (tuple(shape), functools.partial(weight, place, shape))
        for place, shape in fact["weights"].items()
    }
    tensors.write(path / "model.safetensors", values)
    return tfhf.pipeline("ner", path), fact


def check_same(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert list(ours) == list(theirs)
        assert ours == theirs | {"score": pytest.approx(theirs["score"], abs=1e-5)}


@pytest.mark.parametrize(
    "number", range(len(FACTS["calls"])), ids=lambda number: str(FACTS["calls"][number])
)
def test_answers_are_those_of_transformers(number, recorded):
    ask, fact = recorded
    choices = FACTS["calls"][number]
    for found, expected in zip(ask(FACTS["texts"], **choices), fact["texts"][number], strict=True):
        check_same(found, expected)
    rows = [{"tokens": words} for words in FACTS["words"]]
    for found, expected in zip(ask(rows, **choices), fact["words"][number], strict=True):
        check_same(found, expected)


def test_windows_with_a_stride_are_those_of_transformers(recorded):
    ask, fact = recorded
    for choices, expected in zip(FACTS["strides"], fact["long"], strict=True):
        check_same(ask(FACTS["long"], **choices), expected)


def test_without_a_stride_nothing_is_cut_off(recorded):
    ask, _ = recorded
    found = ask(FACTS["long"], ignore_labels=[])
    assert FACTS["long"][found[-1]["start"] : found[-1]["end"]].strip(" .") == ""
    assert [one["index"] for one in found] == list(range(1, len(found) + 1))


def test_choices_that_do_not_fit_are_refused(recorded):
    ask, _ = recorded
    with pytest.raises(UserError) as caught:
        ask("Berlin", aggregation_strategy="frist")
    assert str(caught.value) == (
        "aggregation_strategy: one of none, simple, first, average, max; received 'frist'; "
        "did you mean 'first'?"
    )
    with pytest.raises(UserError) as caught:
        ask("Berlin", stride=6)
    assert str(caught.value) == "stride: it needs an aggregation_strategy other than none"
    most = ask.task.processor.model_max_length - 2
    with pytest.raises(UserError, match=f"must share less than {most}; received {most}"):
        ask("Berlin", stride=most, aggregation_strategy="simple")


def test_a_row_needs_a_text_or_words(recorded):
    with pytest.raises(UserError) as caught:
        recorded[0]([{"txt": "Berlin"}])
    assert str(caught.value) == (
        "row 1: this model takes text or tokens; received {'txt': 'Berlin'}"
    )


# === Encoding ===


def test_the_first_sub_token_of_each_word_learns_its_tag(tiny_tokenizer):
    tokens = ["great", "warmful", "\u200b", "bad film", "\x07", "."]
    rows = {"tokens": [tokens], "tags": [[0, 1, 2, 1, 0, 2]]}
    encoded = task_of(tokenizer=tiny_tokenizer).encode(rows)
    assert " ".join(tiny_tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])) == (
        "[CLS] great warm ##f ##u ##l bad film . [SEP]"
    )
    assert encoded["word"] == [[0, 1, 2, 2, 2, 2, 4, 4, 6, 0]]
    assert encoded["tags"] == [[-100, 0, 1, -100, -100, -100, 1, -100, 2, -100]]
    assert encoded["start"] == [[0, 0, 6, 10, 11, 12, 16, 20, 27, 0]]
    assert encoded["end"] == [[0, 5, 10, 11, 12, 13, 19, 24, 28, 0]]
    every = task_of(tokenizer=tiny_tokenizer, label_all_tokens=True).encode(rows)
    assert every["tags"] == [[-100, 0, 1, 2, 2, 2, 1, 2, 2, -100]]


def test_words_without_sub_tokens_are_outside_and_shift_nothing(tiny_tokenizer):
    row = {"tokens": ["great", "\u200b", "film"]}
    task = task_of(tokenizer=tiny_tokenizer)
    word = np.array(task.encode({name: [value] for name, value in row.items()})["word"])
    results = {name: np.zeros_like(word) for name in ("position", "start", "end")}
    results |= {"word": word, "label": word % 3, "score": np.full(word.shape, 0.5, np.float32)}
    answer = task.decode(task.gather(results, np.array([0])), 0, row)
    assert answer["tags"] == ["B-thing", "O", "O"]
    speech = task_of(["A", "B", "C"])
    assert speech.decode(task.gather(results, np.array([0])), 0, row)["tags"] == ["B", None, "A"]


def test_a_long_row_learns_every_word_once(tiny_tokenizer):
    tokens = ["great", "warmful", "dull", "bad", "film", "story", "again"] * 3
    tags = [number % 3 for number in range(len(tokens))]
    task = task_of(tokenizer=tiny_tokenizer, max_length=9, stride=3)
    encoded = task.encode({"tokens": [["film"], tokens], "tags": [[1], tags]})
    assert encoded["row"] == [0] + [1] * (len(encoded["row"]) - 1)
    assert max(map(len, encoded["input_ids"])) == 9
    assert encoded["full_length"] == [len(ids) for ids in encoded["input_ids"]]
    learned = [
        (word, tag)
        for words, targets in zip(encoded["word"][1:], encoded["tags"][1:], strict=True)
        for word, tag in zip(words, targets, strict=True)
        if tag >= 0
    ]
    assert learned == list(enumerate(tags, 1))


def test_byte_level_tokenizers_put_a_blank_before_each_word(recorded):
    tokenizer = recorded[0].task.processor
    assert with_prefix_space(with_prefix_space(tokenizer)).backend_tokenizer.to_str() == (
        with_prefix_space(tokenizer).backend_tokenizer.to_str()
    )
    if not lacks_prefix_space(tokenizer):
        assert with_prefix_space(tokenizer) is tokenizer
        return
    (ids,) = task_of(tokenizer=tokenizer).encode({"tokens": [["New", "York"]]})["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == " New York"


def test_a_base_model_gets_a_tokenizer_for_words(recorded, tmp_path):
    """A model that was trained for this task keeps its own."""
    tokenizer, source = recorded[0].task.processor, tfhf.models.Source(tmp_path, "here")
    tokenizer.save_pretrained(tmp_path)
    config = recorded[0].model.backbone.config.to_dict()
    for architecture, lacks in (("RobertaModel", False), ("XForTokenClassification", True)):
        changed = json.dumps(config | {"architectures": [architecture]})
        (tmp_path / "config.json").write_text(changed, encoding="utf-8")
        found = TokenClassification.load_processor(source)
        assert lacks_prefix_space(found) == (lacks and lacks_prefix_space(tokenizer))


# === Loss ===


def test_the_loss_counts_tags_and_nothing_else():
    logits = np.random.default_rng(0).normal(size=(2, 3, 3)).astype(np.float32)
    targets = np.array([[-100, 2, 0], [-100, -100, -100]], np.int32)
    losses, counts = task_of().loss(targets, {"logits": logits})
    log = logits.astype(np.float64) - np.log(np.exp(logits.astype(np.float64)).sum(-1))[..., None]
    np.testing.assert_allclose(losses, [-log[0, 1, 2] - log[0, 2, 0], 0.0], rtol=1e-5)
    assert counts.numpy().tolist() == [2.0, 0.0]


def test_the_loss_is_that_of_pytorch(recorded):
    ask, fact = recorded
    rows = {"tokens": FACTS["words"], "tags": FACTS["tags"]}
    rows = datasets.Dataset.from_dict(rows, features=ask.task.features)
    ask.model.compile("sgd")
    loss = [
        ask.model.evaluate(tfhf.to_tf_dataset(rows, ask.model, batch_size=size), verbose=0)
        for size in (1, 2)
    ]
    assert loss == pytest.approx([fact["loss"]] * 2, rel=1e-5)


# === Options and configs ===


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 33}, "options.max_length: the model reads at most 32 tokens; received 33"),
        (
            {"max_length": 10, "stride": 8},
            "options.stride: windows of 10 tokens, 2 of them special, must share less than 8; "
            "received 8",
        ),
    ],
)
def test_lengths_that_do_not_fit_are_refused(options, message, tiny_tokenizer):
    with pytest.raises(UserError) as caught:
        task_of(tokenizer=tiny_tokenizer, **options)
    assert str(caught.value) == message


def test_a_config_of_ours_gives_the_task_back(tiny_tokenizer):
    task = task_of(tokenizer=tiny_tokenizer, max_length=12, stride=2, aggregation="max")
    config = PretrainedConfig(**task.model_config())
    again = TokenClassification.from_config(tiny_tokenizer, config)
    assert again.model_config() == task.model_config()
    assert (again.stride, again.aggregation, again.labels) == (2, "max", BIO)
    assert tasks.by_config(config) is TokenClassification


def test_a_config_of_another_tool_is_understood(tiny_tokenizer):
    config = PretrainedConfig(
        id2label={0: "NOUN", 1: "VERB"}, architectures=["BertForTokenClassification"]
    )
    assert tasks.by_config(config) is TokenClassification
    task = TokenClassification.from_config(tiny_tokenizer, config)
    assert (task.labels, task.monitor, task.max_length) == (["NOUN", "VERB"], "accuracy", 32)
    assert tasks.by_pipeline("ner") is TokenClassification


def test_whether_tags_mark_entities_can_be_said():
    letters = ["N", "O", "V"]  # a set of parts of speech in which O is a pronoun
    assert (task_of(letters).monitor, task_of(letters, entities=False).monitor) == (
        "f1",
        "accuracy",
    )


def test_entities_are_marked_in_the_line():
    task, text = task_of(), "A dull film"
    entity = {"entity_group": "thing", "word": "film", "start": 7, "end": 11}
    assert task.line({"text": text}, {"entities": [entity]}) == "A dull [thing film]"
    assert task.line({"tokens": text.split()}, {"entities": []}) == text


def test_weights_of_tags_pass_over_sub_tokens_without_one():
    task = task_of(class_weights="balanced")
    task.weigh({"tags": [[0, 0, 1], [0]]})
    assert task.class_loss.class_weights == {BIO[0]: 4 / (len(BIO) * 3), BIO[1]: 4 / len(BIO)}
    logits = np.zeros((1, 3, len(BIO)), np.float32)
    losses, counts = task.loss(np.array([[0, -100, 1]], np.int32), {"logits": logits})
    weights = list(task.class_loss.class_weights.values())
    np.testing.assert_allclose(losses, [sum(weights) * np.log(len(BIO))], rtol=1e-6)
    assert counts.numpy().tolist() == [2.0]
    assert task_of().settings()["class_weights"] is None
