"""The pieces a Keras user takes alone."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from datasets import Dataset

import tfhf
from tests.conftest import toy_rows
from tfhf import pieces
from tfhf.errors import UserError


@pytest.fixture(scope="module")
def model(tiny_bert_folder):
    return pieces.load_model(str(tiny_bert_folder), labels=["negative", "positive"], max_length=24)


@pytest.fixture
def rows():
    return Dataset.from_list(toy_rows(21))


def test_public_names_are_loaded_on_first_use():
    assert tfhf.load_model is pieces.load_model
    assert tfhf.to_tf_dataset is pieces.to_tf_dataset
    assert set(tfhf.__all__) == set(dir(tfhf))
    with pytest.raises(AttributeError, match="module 'tfhf' has no attribute 'trian'"):
        _ = tfhf.trian


def test_a_head_for_ones_own_labels_is_new(model, tiny_bert_folder):
    assert isinstance(model, tf_keras.Model)
    assert model.task.labels == ["negative", "positive"]
    assert model.task.max_length == 24
    assert model.load_report.new == ["classifier.weight", "classifier.bias"]
    assert model.backbone.config.id2label == {0: "negative", 1: "positive"}


def test_a_trained_model_comes_with_its_labels(toy_run):
    trained = pieces.load_model(str(toy_run.model))
    assert trained.task.labels == ["negative", "positive"]
    assert trained.task.max_length == 24
    assert trained.load_report.new == []


def test_other_problems_and_pairs(tiny_bert_folder):
    options = {"problem": "regression", "max_length": 24}
    loaded = pieces.load_model(
        str(tiny_bert_folder), labels=[], roles=("text", "text_pair"), **options
    )
    assert loaded.task.problem == "regression"
    assert list(loaded.task.serving_inputs) == ["text", "text_pair"]
    assert loaded.backbone.config.num_labels == 1


def test_a_tokenizer_knows_what_the_model_reads(tiny_bert_folder):
    tokenizer = pieces.load_tokenizer(str(tiny_bert_folder))
    assert tokenizer.is_fast
    assert (tokenizer.pad_token, tokenizer.model_max_length) == ("[PAD]", 32)


def test_batches_in_the_order_of_the_rows(model, rows):
    batches = pieces.to_tf_dataset(rows, model, batch_size=8)
    assert int(batches.cardinality()) == 3
    seen, weighed = [], []
    for inputs, targets, weights in batches:
        assert set(inputs) == {"input_ids", "token_type_ids", "attention_mask", "feature"}
        assert inputs["input_ids"].shape == inputs["attention_mask"].shape
        assert inputs["input_ids"].shape[0] == targets.shape[0] == 8
        seen += inputs["feature"].numpy().tolist()
        weighed += weights.numpy().tolist()
    assert seen == [*range(21), -1, -1, -1]
    assert weighed == [1.0] * 21 + [0.0] * 3


def test_ids_are_those_of_the_tokenizer(model, rows):
    (batch,) = pieces.to_tf_dataset(rows, model, batch_size=21)
    expected = model.task.processor(
        rows["text"][:], truncation=True, max_length=24, padding=True, return_tensors="np"
    )
    for name, values in expected.items():
        np.testing.assert_array_equal(batch[0][name], values)
    assert batch[1].numpy().tolist() == [0, 1] * 10 + [0]


def test_each_pass_has_its_own_order_and_can_be_repeated(model, rows):
    def passes():
        batches = pieces.to_tf_dataset(rows, model, batch_size=8, shuffle=True, seed=5)
        assert int(batches.cardinality()) == 3
        return [
            np.concatenate([inputs["feature"] for inputs, _, _ in batches]).tolist()
            for _ in range(2)
        ]

    first, second = passes()
    assert first != second
    assert sorted(first)[3:] == sorted(second)[3:] == list(range(21))
    assert passes() == [first, second]


def test_a_task_will_do_and_columns_may_have_other_names(model):
    rows = Dataset.from_dict({"sentence": ["dull", "lovely"], "mood": ["negative", "positive"]})
    columns = {"text": "sentence", "label": "mood"}
    (batch,) = pieces.to_tf_dataset(rows, model.task, columns=columns)
    assert batch[1].numpy().tolist()[:2] == [0, 1]


@pytest.mark.parametrize("given", [[{"text": "dull"}], {"train": None}])
def test_what_is_no_dataset(model, given):
    with pytest.raises(UserError) as caught:
        pieces.to_tf_dataset(given, model)
    assert str(caught.value) == (
        "to_tf_dataset takes one split, a datasets.Dataset: Dataset.from_list(rows), "
        "Dataset.from_pandas(frame) or load_dataset(...)['train']; received "
        f"{type(given).__name__}"
    )


def test_a_label_that_is_named_must_be_there(model, rows):
    with pytest.raises(UserError, match="column 'mood' .label. not found"):
        pieces.to_tf_dataset(rows.remove_columns("label"), model, columns={"label": "mood"})
    with pytest.raises(UserError, match="column 'label' not found"):
        pieces.to_tf_dataset(rows.remove_columns("label"), model, shuffle=True)


def test_the_files_live_as_long_as_the_dataset(model, rows):
    kept = pieces.to_tf_dataset(rows, model, batch_size=21).map(lambda inputs, *_: inputs)
    (inputs,) = kept
    assert int(tf.reduce_max(inputs["feature"])) == 20


def test_a_label_the_model_does_not_have_names_its_row(model):
    rows = Dataset.from_dict({"text": ["dull", "odd"], "label": ["negative", "neutral"]})
    with pytest.raises(UserError) as caught:
        pieces.to_tf_dataset(rows, model)
    assert str(caught.value) == (
        "row 2 of the dataset: unknown label 'neutral'; the labels are ['negative', 'positive']"
    )


# === Streams ===


def arrays(batches):
    """All numbers of each batch of one pass, by name."""
    found = []
    for inputs, targets, weights in batches:
        values = {**inputs, "targets": targets, "weights": weights}
        found.append({name: value.numpy().tolist() for name, value in values.items()})
    return found


def features(batches):
    """The rows of one pass in their order, without those that fill a batch up."""
    numbers = [number for batch in arrays(batches) for number in batch["feature"]]
    return [number for number in numbers if number >= 0]


def test_a_stream_in_the_order_of_its_rows(model, rows):
    """Three parts and three windows, which end elsewhere: the batches of the rows at hand."""
    streamed = pieces.to_tf_dataset(
        rows.to_iterable_dataset(num_shards=3), model, batch_size=8, shuffle_window=7
    )
    expected = arrays(pieces.to_tf_dataset(rows, model, batch_size=8))
    assert arrays(streamed) == expected
    assert arrays(streamed) == expected


def test_a_stream_no_longer_than_its_window_is_shuffled_as_rows_at_hand(model, rows):
    ordinary, streamed = (
        pieces.to_tf_dataset(one, model, batch_size=8, shuffle=True, seed=5)
        for one in (rows, rows.to_iterable_dataset())
    )
    for _ in range(2):
        iter(streamed)  # begun and not read: no pass
        assert arrays(streamed) == arrays(ordinary)


@pytest.mark.parametrize("size", [{"batch_size": 4}, {"batch_tokens": 60}], ids=str)
def test_each_pass_over_a_stream_has_its_own_order(size, model, rows):
    def passes():
        streamed = rows.to_iterable_dataset(num_shards=3)
        options = {"shuffle": True, "shuffle_window": 8, **size}
        batches = pieces.to_tf_dataset(streamed, model, **options)
        return [features(batches) for _ in range(3)]

    found = passes()
    assert [sorted(one) for one in found] == [list(range(21))] * 3
    # A number is a row's place in its pass, so what tells passes apart is how a window is mixed.
    assert len({tuple(one) for one in found}) == 3
    assert passes() == found


def test_keras_fits_a_stream_as_it_fits_the_rows_at_hand(rows, tiny_bert_folder):
    """Keras finds its end by itself, where nothing is updated, and learns the same."""

    def fitted(given):
        tf_keras.utils.set_random_seed(0)
        labels = ["negative", "positive"]
        model = pieces.load_model(str(tiny_bert_folder), labels=labels, max_length=24)
        model.compile(tfhf.AdamW(1e-2))
        batches = pieces.to_tf_dataset(given, model, batch_size=8, shuffle=True, seed=5)
        losses = model.fit(batches, epochs=3, verbose=0).history["loss"]
        return [*losses, *model.get_weights()], int(model.optimizer.iterations)

    (found, updates), (expected, _) = fitted(rows.to_iterable_dataset()), fitted(rows)
    assert updates == 9
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"shuffle": True, "shapes": 3},
            "shapes: they are chosen from the lengths of all rows, and a stream's are not known; "
            "leave it out; received 3",
        ),
        (
            {"shuffle": True, "batch_tokens": 23},
            "train.batch_tokens: must be 24 or more, the longest example that options.max_length "
            "allows, because a stream may hold one; received 23",
        ),
        (
            {},
            "the dataset part 1 of 1 row 2: unknown label 'neutral'; the labels are ['negative', "
            "'positive']",
        ),
    ],
)
def test_what_a_stream_cannot_be(options, line, model):
    rows = Dataset.from_dict({"text": ["dull", "odd"], "label": ["negative", "neutral"]})
    with pytest.raises(UserError) as caught:
        pieces.to_tf_dataset(rows.to_iterable_dataset(), model, **options)
    assert str(caught.value) == line


def test_a_row_in_the_middle_of_a_stream_is_named(model):
    rows = Dataset.from_list([*toy_rows(10), {"text": "odd", "label": "neutral"}])
    batches = pieces.to_tf_dataset(
        rows.to_iterable_dataset(), model, batch_size=4, shuffle_window=4
    )
    with pytest.raises(tf.errors.OpError, match="part 1 of 1 row 11: unknown label 'neutral'"):
        arrays(batches)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            {"labels": ["a", "b"], "maxlength": 8},
            "load_model: unknown key 'options.maxlength'; did you mean 'max_length'?",
        ),
        (
            {"labels": ["a", "b"], "max_length": "long"},
            "load_model: options.max_length: input should be a valid integer, unable to parse "
            "string as an integer; received 'long'",
        ),
        (
            {"labels": 2},
            "labels: must be a list of the classes' names, in their order; received 2",
        ),
        ({"labels": ["a", "b", "a"]}, "labels: 'a' stands there twice; received ['a', 'b', 'a']"),
    ],
)
def test_what_load_model_does_not_take(given, line):
    with pytest.raises(UserError) as caught:
        pieces.load_model("nowhere", **given)
    assert str(caught.value) == line


@pytest.mark.parametrize("size", [0, -1, 2.5, "8"])
def test_a_batch_has_a_number_of_rows(size, model, rows):
    with pytest.raises(UserError) as caught:
        pieces.to_tf_dataset(rows, model, batch_size=size)
    assert str(caught.value) == (
        f"batch_size: must be a number of rows from 1 up; received {size!r}"
    )


def test_no_rows_at_all(model):
    with pytest.raises(UserError, match="^to_tf_dataset: the dataset has no rows$"):
        pieces.to_tf_dataset(Dataset.from_dict({"text": [], "label": []}), model)
