"""Rows in memory: texts to predict on, and datasets a Keras user brings along."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from datasets import Image as ImageFeature

from tfhf.data.columns import Image, Label, Messages, Number, Tags, Text, Texts, Words
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


def test_kinds_say_what_a_row_holds():
    rows = [{"question": "q", "context": "c", "id": 1}]
    found = from_rows(rows, {"question": Text(), "context": Text()})
    assert found.to_list() == [{"question": "q", "context": "c"}]
    assert from_rows([["New York", "x"]], {"tokens": Words()})[0] == {"tokens": ["New York", "x"]}
    kinds = {"premise": Text(), "choices": Texts(least=2), "question": Text(optional=True)}
    found = from_rows([{"premise": "p", "choices": ("a", "b")}], kinds)
    assert found.to_list() == [{"premise": "p", "choices": ["a", "b"]}]
    assert from_rows(["a", ["b"]], {"text": Texts(single=True)})["text"][:] == [["a"], ["b"]]
    assert from_rows([1, 2.5], {"score": Number()})["score"][:] == [1, 2.5]


def test_a_conversation_to_answer_ends_with_the_user():
    chat = [{"role": "user", "content": "Hello?"}]
    assert from_rows([chat], {"messages": Messages()})[0] == {"messages": chat}


def test_optional_roles_are_in_all_rows_or_in_none():
    kinds = {"text": Text(), "text_pair": Text(optional=True)}
    assert from_rows(["a", {"text": "b", "text_pair": None}], kinds).column_names == ["text"]
    with pytest.raises(UserError) as caught:
        from_rows([{"text": "a", "text_pair": "b"}, "c"], kinds)
    assert str(caught.value) == (
        "row 2: this model takes text and text_pair, each a text; received 'c'"
    )
    assert from_rows([], kinds).column_names == ["text"]


def test_a_dataset_may_lack_optional_roles():
    kinds = {"text": Text(), "text_pair": Text(optional=True)}
    assert from_rows(Dataset.from_dict({"text": ["a"]}), kinds).column_names == ["text"]
    both = Dataset.from_dict({"text_pair": ["b"], "text": ["a"]})
    assert from_rows(both, kinds).column_names == ["text", "text_pair"]


def test_images_may_be_pictures_paths_bytes_and_arrays(write):
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    picture = PIL.Image.fromarray(array)
    picture.save("a.png")
    given = [picture, "a.png", Path("a.png"), Path("a.png").read_bytes(), array, {"image": picture}]
    found = from_rows(given, {"image": Image()})
    assert found.features["image"] == ImageFeature()
    assert all(np.array_equal(np.asarray(row["image"]), array) for row in found)


def test_a_picture_is_stored_as_it_is_now(write):
    PIL.Image.new("RGB", (4, 4)).save("a.jpg")
    picture = PIL.Image.open("a.jpg")
    picture.paste((1, 2, 3), (0, 0, 4, 4))
    stored = from_rows([picture], {"image": Image()})[0]["image"]
    assert np.asarray(stored)[0, 0].tolist() == [1, 2, 3]


MIXED = {"premise": Text(), "choices": Texts(least=2)}


@pytest.mark.parametrize(
    ("row", "kinds", "line"),
    [
        (
            "p",
            MIXED,
            "row 1: this model takes premise (a text) and choices (a list of texts); received 'p'",
        ),
        (
            {"premise": "p", "choices": ["a"]},
            MIXED,
            "row 1: column 'choices' (choices) holds 1 text, expected at least 2",
        ),
        (
            "a b",
            {"tokens": Words()},
            "row 1: this model takes tokens, each a list of words; received 'a b'",
        ),
        (
            ["a", ""],
            {"tokens": Words()},
            "row 1: word 2 of column 'tokens' (tokens) is empty; remove it, and its tag",
        ),
        (7, {"image": Image()}, "row 1: this model takes image, each an image; received 7"),
        ("none.png", {"image": Image()}, "row 1: no such file: {folder}/none.png"),
        (
            b"x",
            {"image": Image()},
            "row 1: no image, or one that is cut short, damaged or of an unknown format",
        ),
        (
            "a\ud800",
            {"text": Text()},
            "row 1: half a surrogate pair, which is no character; received 'a\\ud800'",
        ),
        (True, {"score": Number()}, "row 1: this model takes score, each a number; received True"),
        (
            [{"role": "human", "content": "a"}],
            {"messages": Messages()},
            "row 1: unknown role 'human' in column 'messages'; the roles are system, user, "
            "assistant, tool",
        ),
        (
            [{"content": "a"}],
            {"messages": Messages()},
            "row 1: this model takes messages, each a list of messages; received "
            "[{{'content': 'a'}}]",
        ),
    ],
)
def test_rows_that_do_not_fit(folder, row, kinds, line):
    with pytest.raises(UserError) as caught:
        from_rows([row], kinds)
    assert str(caught.value) == line.format(folder=folder)


def test_long_rows_are_cut_in_messages():
    with pytest.raises(UserError) as caught:
        from_rows([["a" * 1000]], {"text": Text()})
    assert str(caught.value).endswith("…") and len(str(caught.value)) < 300


def test_conform_takes_the_rows_of_a_dataset_in_their_order():
    rows = Dataset.from_dict({"text": ["a", "b", "c", "d"], "label": ["no", "yes", "no", "yes"]})
    found = conform(rows.select([3, 0]), KINDS, None, FEATURES)
    assert found[:] == {"text": ["d", "a"], "label": [1, 0]}


def test_conform_of_other_kinds():
    tags = List(ClassLabel(names=["O", "B"]))
    features = Features({"tokens": List(Value("string")), "tags": tags})
    rows = Dataset.from_dict({"words": [["a", "b"]], "tags": [["B", "O"]]})
    kinds = {"tokens": Words(), "tags": Tags(), "absent": Text(optional=True)}
    found = conform(rows, kinds, {"tokens": "words"}, features)
    assert found.features == features
    assert found["tags"][:] == [[1, 0]]
