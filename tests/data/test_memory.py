"""Rows in memory: texts to predict on, and datasets a Keras user brings along."""

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from tfhf.data.columns import Label, Text
from tfhf.data.memory import conform, from_rows
from tfhf.errors import UserError

KINDS = {"text": Text(), "text_pair": Text(optional=True), "label": Label()}
FEATURES = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
TEXT_MISSING = (
    "the dataset: 1 of 2 rows has no text in column 'text' (first: row 2 of the dataset); "
    "write a text or remove them"
)
COLUMN_MISSING = (
    "the dataset: column 'text' not found; expected columns ['text', 'label'], "
    "found columns ['words', 'label']; set data.columns"
)


def test_texts_and_dictionaries_are_rows():
    assert from_rows(["a", {"text": "b", "id": 3}], ["text"])["text"][:] == ["a", "b"]


def test_pairs_are_dictionaries():
    found = from_rows([{"text": "a", "text_pair": "b"}], ["text", "text_pair"])
    assert found[0] == {"text": "a", "text_pair": "b"}


def test_no_rows_are_a_dataset_too():
    assert from_rows([], ["text"]).features == Features({"text": Value("string")})


def test_a_dataset_keeps_only_the_roles():
    rows = Dataset.from_dict({"id": [1], "text": ["a"]})
    assert from_rows(rows, ["text"]).column_names == ["text"]
    with pytest.raises(UserError) as caught:
        from_rows(rows, ["text", "text_pair"])
    assert str(caught.value) == "column 'text_pair' not found; the columns are ['id', 'text']"


@pytest.mark.parametrize("row", [None, 7, {"txt": "a"}, {"text": None}, ["a"]])
def test_a_row_that_is_no_text_is_named(row):
    with pytest.raises(UserError) as caught:
        from_rows(["fine", row], ["text"])
    assert str(caught.value) == f"row 2: this model takes text, each a text; received {row!r}"


def test_a_text_is_no_pair():
    with pytest.raises(UserError) as caught:
        from_rows(["a"], ["text", "text_pair"])
    assert str(caught.value) == (
        "row 1: this model takes text and text_pair, each a text; received 'a'"
    )


def test_conform_renames_and_gives_labels_the_tasks_numbers():
    rows = Dataset.from_dict({"sentence": ["a", "b"], "mood": ["yes", "no"], "id": [1, 2]})
    found = conform(rows, KINDS, {"text": "sentence", "label": "mood"}, FEATURES)
    assert found.column_names == ["text", "label"]
    assert found["label"][:] == [1, 0]


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (
            {"text": ["a", "b"], "label": ["yes", "maybe"]},
            "row 2 of the dataset: unknown label 'maybe'; the labels are ['no', 'yes']",
        ),
        ({"text": ["a", None], "label": ["yes", "no"]}, TEXT_MISSING),
        ({"words": ["a"], "label": ["yes"]}, COLUMN_MISSING),
    ],
)
def test_conform_names_the_row(columns, line):
    with pytest.raises(UserError) as caught:
        conform(Dataset.from_dict(columns), KINDS, None, FEATURES)
    assert str(caught.value) == line
