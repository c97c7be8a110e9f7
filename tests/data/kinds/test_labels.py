import pytest
from datasets import Value

from tfhf.data.columns import Choice, Label, Number, Text, Texts

PAIR = {"text": Text(), "score": Number()}
CHOICES = {"choices": Texts(), "label": Choice()}


def scored(*scores):
    return [{"text": "a", "score": score} for score in scores]


def chosen(*labels):
    return [{"choices": ["a", "b", "c"][: 2 + i % 2], "label": one} for i, one in enumerate(labels)]


def test_numbers(loaded):
    found = loaded(PAIR, scored(1, 2.5)).splits["train"]
    assert found.features["score"] == Value("float32")
    assert found["score"][:] == [1.0, 2.5]
    found = loaded(PAIR, "text,score\na b,1\nc, 2.5e0 \n").splits["train"]
    assert found["score"][:] == [1.0, 2.5]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", "a.csv row 2: score 'x' is no number, which the role score needs"),
        (
            "inf",
            "a.csv row 2: score inf is no finite float32 number (1 of 2 rows); remove such rows",
        ),
        (
            "",
            "data.train: 1 of 2 rows has no number (first: a.csv row 2); label them, or set "
            "data.on_unlabeled: drop",
        ),
    ],
)
def test_values_that_are_no_numbers(fails, value, expected):
    assert fails(PAIR, f"text,score\na b,1\nc,{value}\n") == expected


def test_columns_that_hold_no_numbers(fails):
    assert fails(PAIR, scored("1", "2")) == (
        "a.jsonl:1: score column 'score' has type text, but the role score needs numbers; received "
        "'1'"
    )


def test_rows_without_a_number_may_be_dropped(loaded):
    found = loaded(PAIR, scored(1, None), on_unlabeled="drop")
    assert found.splits["train"]["score"][:] == [1.0]
    assert found.notes[0] == "data.train: 1 of 2 rows has no number (first: a.jsonl:2); left out"


def test_optional_labels_and_numbers(train):
    kinds = {"text": Text(), "label": Label(optional=True), "score": Number(optional=True)}
    assert train(kinds, [{"text": "a"}]) == [{"text": "a"}]
    assert train(kinds, [{"text": "a", "labels": "x"}]) == [{"text": "a", "label": 0}]


def test_classes_of_a_task_without_any(fails):
    assert fails(PAIR, scored(1), labels=["a"]) == (
        "data.labels: this task has no classes; leave data.labels out"
    )


def test_choices(loaded):
    found = loaded(CHOICES, chosen(1, 2, 0)).splits["train"]
    assert found.features["label"] == Value("int64")
    assert found["label"][:] == [1, 2, 0]


def test_choices_in_columns_of_their_own(train, fails):
    columns = {"choices": ["a", "b", "c"]}
    rows = [{"a": "x", "b": "y", "c": None, "label": 1}, {"a": "x", "b": "y", "c": "z", "label": 2}]
    found = train(CHOICES, rows, columns=columns)
    assert [(row["choices"], row["label"]) for row in found] == [
        (["x", "y"], 1),
        (["x", "y", "z"], 2),
    ]
    rows[0] |= {"b": None, "c": "z"}
    assert fails(CHOICES, rows, columns=columns) == (
        "a.jsonl:1: column 'b' (choices) is empty, but one behind it is not; only the last ones may"
        " be empty, because they are numbered"
    )


def test_choices_as_text(train):
    table = 'choices,label\n"[""a"", ""b""]",1\n"[""a"", ""b""]",0\n'
    assert [row["label"] for row in train(CHOICES, table)] == [1, 0]
    assert [row["label"] for row in train(CHOICES, chosen("1", "2"))] == [1, 2]


def test_choices_of_a_class_label(folder):
    from datasets import ClassLabel, Dataset, Features, List

    from tfhf.data import load

    names = ClassLabel(names=["choice1", "choice2"])
    features = Features({"choices": List(Value("string")), "label": names})
    rows = Dataset.from_dict({"choices": [["a", "b"]] * 2, "label": [1, 0]}, features=features)
    rows.to_parquet("a.parquet")
    found = load(CHOICES, files={"train": "a.parquet", "validation": "a.parquet"})
    assert found.splits["train"]["label"][:] == [1, 0]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (2, "a.jsonl:3: label 2 is outside 0..1; the row has 2 choices, counted from 0"),
        (-2, "a.jsonl:3: label -2 is outside 0..1; the row has 2 choices, counted from 0"),
        (2**40, "a.jsonl:3: 1099511627776 is no choice; write its number, counted from 0"),
        (0.5, "a.jsonl:3: 0.5 is no choice; write its number, counted from 0"),
        (
            -1,
            "a.jsonl:3: label -1 means unlabeled test data (1 of 3 rows); use a labeled file, or "
            "set data.on_unlabeled: drop",
        ),
        (
            None,
            "data.train: 1 of 3 rows has no choice (first: a.jsonl:3); label them, or set "
            "data.on_unlabeled: drop",
        ),
    ],
)
def test_choices_that_cannot_be(fails, label, expected):
    assert fails(CHOICES, chosen(0, 2, label)) == expected


def test_letters_and_lists_are_no_choices(fails):
    assert fails(CHOICES, chosen("0", "A")) == (
        "a.jsonl:2: 'A' is no choice; write its number, counted from 0"
    )
    assert fails(CHOICES, chosen([0], [1])) == (
        "data.columns: 'label' (label) holds a list per row (a.jsonl:1); a choice is the number of "
        "one of the choices, counted from 0"
    )


def test_rows_without_a_choice_may_be_dropped(loaded):
    found = loaded(CHOICES, chosen(0, -1, 1, None), on_unlabeled="drop")
    assert found.splits["train"]["label"][:] == [0, 1]
    assert found.notes[0].startswith("data.train: 2 of 4 rows have no choice (first: a.jsonl:2)")


def test_validation_of_choices_is_set_aside_at_random(write):
    from tfhf.data import load

    found = load(CHOICES, files={"train": write("a.jsonl", chosen(*[0, 1] * 10))})
    assert found.notes == ["data.validation: 2 of 20 training rows set aside at random, seed 42"]
