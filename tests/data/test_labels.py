import pytest
from datasets import ClassLabel, List, Value

from tfhf.data.labels import Labels


@pytest.fixture
def train(write, load_files):
    """train(values, ...) → the loaded train split of rows with these labels, and notes."""

    def train(values, problem=None, **options):
        rows = [{"text": f"text {i}", "label": label} for i, label in enumerate(values)]
        name = write("a.jsonl", rows)
        loaded = load_files(name, validation=name, problem=problem, **options)
        return loaded.splits["train"], loaded.notes

    return train


@pytest.fixture
def fails(write, error_of):
    """fails(values, ...) → the error line for rows with these labels."""

    def fails(values, **options):
        rows = [{"text": f"text {i}", "label": label} for i, label in enumerate(values)]
        return error_of(write("a.jsonl", rows), **options)

    return fails


def csv(*labels):
    return "text,label\n" + "".join(f"text {i} x,{label}\n" for i, label in enumerate(labels))


@pytest.mark.parametrize(
    "labels, given, names, ids",
    [
        ([1, 0, 1], None, ["0", "1"], [1, 0, 1]),
        (["b", "a"], None, ["a", "b"], [1, 0]),  # row 30
        (["b", "a"], ["b", "a"], ["b", "a"], [0, 1]),
        ([1, 0], ["neg", "pos"], ["neg", "pos"], [1, 0]),
        ([5, 1], [1, 5], ["1", "5"], [1, 0]),
        ([5, 1], ["1", "5"], ["1", "5"], [1, 0]),
        ([1, -1, 0], [-1, 0, 1], ["-1", "0", "1"], [2, 0, 1]),
        ([1.0, 0.0], None, ["0", "1"], [1, 0]),  # row 31
        ([True, False], None, ["False", "True"], [1, 0]),  # row 32
        ([True, False], [True, False], ["True", "False"], [0, 1]),
        (["10", "9"], None, ["10", "9"], [0, 1]),  # typed text stays text
    ],
)
def test_classes(train, labels, given, names, ids):
    rows, notes = train(labels, labels=given)
    assert rows.features["label"] == ClassLabel(names=names)
    assert rows["label"][:] == ids
    assert notes == []


@pytest.mark.parametrize(
    "labels, names, ids",
    [
        (["1", "0", " 1"], ["0", "1"], [1, 0, 1]),
        (["1.0", "0.0"], ["0", "1"], [1, 0]),
        (["10", "9", *map(str, range(9))], [str(i) for i in range(11)], [10, 9, *range(9)]),
        (["007", "012"], ["007", "012"], [0, 1]),
        (["NA", "null"], ["NA", "null"], [0, 1]),
        (["True", "False"], ["False", "True"], [1, 0]),
    ],
)
def test_classes_of_csv(write, load_files, labels, names, ids):
    name = write("a.csv", csv(*labels))
    rows = load_files(name, validation=name).splits["train"]
    assert rows.features["label"] == ClassLabel(names=names)
    assert rows["label"][:] == ids


def test_labels_by_position_may_be_names_too(write, load_files):
    write("t.csv", csv(0, 1))
    write("v.csv", csv("pos", "neg"))
    loaded = load_files("t.csv", validation="v.csv", labels=["neg", "pos"])
    assert loaded.splits["validation"]["label"][:] == [1, 0]


@pytest.mark.parametrize(
    "feature, ids",
    [
        (Value("float32"), None),
        (ClassLabel(names=["neg", "pos"]), {"0": 0, "1": 1, "neg": 0, "pos": 1}),
        (List(ClassLabel(names=["1", "2"])), {"1": 0, "2": 1}),
    ],
)
def test_labels_of_a_feature(feature, ids):
    labels = Labels.of(feature)
    assert labels.feature() == feature
    assert labels.ids == ids


def test_lists_are_multi_label(train):
    rows, notes = train([["b", "a"], [], ["b"]])
    assert rows.features["label"] == List(ClassLabel(names=["a", "b"]))
    assert rows["label"][:] == [[1, 0], [], [1]]
    rows, _ = train([[2], [0, 1]])
    assert rows["label"][:] == [[2], [0, 1]]
    assert notes == []


@pytest.mark.parametrize("on, off", [("1", "0"), ("True", "False"), ("1.0", "0.0")])
def test_several_columns_are_multi_label(write, load_files, on, off):
    name = write("a.csv", f"text,y,x\na,{on},{on}\nb,{off},{off}\nc,{off},{on}\n")
    loaded = load_files(name, validation=name, columns={"label": ["y", "x"]})
    rows = loaded.splits["train"]
    assert rows.features["label"] == List(ClassLabel(names=["y", "x"]))
    assert rows["label"][:] == [[0, 1], [], [1]]
    loaded = load_files(name, validation=name, columns={"label": ["y", "x"]}, labels=["x", "y"])
    assert loaded.splits["train"]["label"][:] == [[1, 0], [], [0]]


def test_column_that_is_not_0_or_1(write, error_of):
    name = write("a.csv", "text,x,y\na,1,0\nb,0,2\n")
    assert error_of(name, columns={"label": ["x", "y"]}) == (
        "a.csv row 2: label column 'y' is 2; several label columns hold 0 or 1 each"
    )


def test_regression(write, train, load_files):
    rows, notes = train([1, 2.5, -3], problem="regression")
    assert rows.features["label"] == Value("float32")
    assert rows["label"][:] == [1.0, 2.5, -3.0]
    name = write("a.csv", csv("1", " 2.5", "+1e-3"))
    rows = load_files(name, validation=name, problem="regression").splits["train"]
    assert rows["label"][:] == pytest.approx([1.0, 2.5, 1e-3])


@pytest.mark.parametrize(
    "labels, expected",
    [
        (
            ["nan", "1"],
            "a.csv row 1: label nan is no finite float32 number (1 of 2 rows); remove such rows",
        ),
        (
            ["1", "-inf"],
            "a.csv row 2: label -inf is no finite float32 number (1 of 2 rows); remove such rows",
        ),
        (
            ["1", "1e39"],
            "a.csv row 2: label 1e+39 is no finite float32 number (1 of 2 rows); remove such rows",
        ),
        (
            ["1", "x"],
            "a.csv row 2: label 'x' is no number, which options.problem: regression needs",
        ),
        (
            ["1", "1_0"],
            "a.csv row 2: label '1_0' is no number, which options.problem: regression needs",
        ),
        (
            ["1", ""],
            "data.train: 1 of 2 rows has no label (first: a.csv row 2); label them, or set "
            "data.on_unlabeled: drop",
        ),
    ],
)
def test_values_that_regression_refuses(write, error_of, labels, expected):
    assert error_of(write("a.csv", csv(*labels)), problem="regression") == expected


def test_labels_that_differ_in_capitals_or_blanks_alone(train):
    _, notes = train(["yes", "no", " Yes"])
    assert notes == [
        "data.train: the labels ' Yes' and 'yes' differ in capitals or blanks alone; if they are "
        "one, write it in one way"
    ]


def test_columns_that_regression_refuses(fails):
    assert fails(["1.5", "2"], problem="regression") == (
        "a.jsonl:1: label column 'label' has type text, but options.problem: regression needs "
        "numbers; received '1.5'"
    )
    assert fails([1], problem="regression", labels=["a"]) == (
        "data.labels: regression has no classes; leave data.labels out"
    )
    assert fails([1], problem="regression", columns={"label": ["label", "text"]}) == (
        "data.columns: column 'text' cannot be text and label at once"
    )


def test_fractions_ask_for_regression(fails, write, error_of):  # row 31
    expected = "label 0.5 is no class number; to predict numbers set options.problem: regression"
    assert fails([1.0, 0.5]) == f"a.jsonl:2: {expected}"
    assert error_of(write("a.csv", csv("1.0", "0.5"))) == f"a.csv row 2: {expected}"


def test_problem_against_shape(fails):  # row 33
    assert fails([["a"]], problem="single_label") == (
        "data.columns: 'label' holds a list per row (a.jsonl:1), but options.problem: single_label "
        "needs one label; set options.problem: multi_label"
    )
    assert fails(["a"], problem="multi_label") == (
        "data.columns: 'label' holds one label per row (a.jsonl:1), but options.problem: "
        "multi_label needs a list per row, or several 0/1 columns as a list"
    )


def test_row_of_zeros_and_ones(fails):
    assert fails([[2, 1], [0, 1, 0]]) == (
        "a.jsonl:2: label 0 is listed twice; list each label of a row once (a 0 or 1 per class "
        "belongs in columns of its own)"
    )


def test_objects_are_no_labels(fails):
    assert fails([{"a": 1}]) == (
        "a.jsonl:1: label column 'label' has type object; a label is a number or a text, or a list "
        "of them"
    )


def test_unlabeled_rows(fails, train):  # row 24
    labels = [0, 1] * 4 + [None, float("nan")]
    assert fails(labels) == (
        "data.train: 2 of 10 rows have no label (first: a.jsonl:9); label them, or set "
        "data.on_unlabeled: drop"
    )
    rows, notes = train(labels, on_unlabeled="drop")
    assert len(rows) == 8
    assert notes[0] == "data.train: 2 of 10 rows have no label (first: a.jsonl:9); left out"
    rows, _ = train([["a"], None, [None, "a"], []], on_unlabeled="drop")
    assert rows["label"][:] == [[0], []]


def test_empty_string_is_no_label(write, error_of):
    assert error_of(write("a.csv", csv("pos", " ", "neg"))) == (
        "data.train: 1 of 3 rows has no label (first: a.csv row 2); label them, or set "
        "data.on_unlabeled: drop"
    )


@pytest.mark.parametrize("choice", ["error", "drop"])
def test_no_row_has_a_label(fails, choice):  # row 25
    assert fails([None, None], on_unlabeled=choice) == (
        "data.train: all 2 rows have no label in 'label'; name the column of labels in data.columns"
    )
    assert fails([[], []], on_unlabeled=choice) == (
        "data.train: all 2 rows have an empty list of labels in 'label'; name the column of labels "
        "in data.columns"
    )


def test_minus_one(fails, train):  # row 26
    assert fails([0, -1, 1, -1]) == (
        "a.jsonl:2: label -1 means unlabeled test data (2 of 4 rows); use a labeled file, or set "
        "data.on_unlabeled: drop"
    )
    rows, notes = train([0, -1, 1, -1], on_unlabeled="drop")
    assert rows["label"][:] == [0, 1]
    assert notes[0] == "data.train: 2 of 4 rows have no label (first: a.jsonl:2); left out"


def test_minus_hundred(fails):  # row 28
    assert fails([0, -100]) == (
        "a.jsonl:2: label -100 marks what training ignores and is no class; remove these rows"
    )


@pytest.mark.parametrize("number", [-7, 100_000, 2**31, 2**40, 2**70])
def test_no_class_number(fails, number):  # row 29
    assert fails([0, number]) == (
        f"a.jsonl:2: label {number} is no class number, which is 0 to 99999; list the values used "
        "in data.labels"
    )


def test_label_outside(fails, write, load_files, error_of):  # row 27
    assert fails([0, 7], labels=["no", "yes"]) == "a.jsonl:2: label 7 outside 0..1"
    write("t.csv", csv(0, 1))
    write("v.csv", csv(1, 7))
    assert error_of("t.csv", validation="v.csv") == "v.csv row 2: label 7 outside 0..1"


def test_unknown_label(fails, write, error_of):
    assert fails(["pos", "neg"], labels=["pos", "negg"]) == (
        "a.jsonl:2: unknown label 'neg'; the labels are ['pos', 'negg']; did you mean 'negg'?"
    )
    write("t.csv", csv("pos", "neg"))
    write("v.csv", csv("pos", "neutral"))
    assert error_of("t.csv", validation="v.csv") == (
        "v.csv row 2: unknown label 'neutral'; the labels are ['neg', 'pos']"
    )


def test_shape_differs_between_splits(write, error_of):
    write("t.jsonl", [{"text": "a", "label": "x"}])
    write("v.jsonl", [{"text": "a", "label": ["x"]}])
    assert error_of("t.jsonl", validation="v.jsonl") == (
        "data.validation: 'label' holds a list per row, unlike data.train"
    )


def test_label_type_differs_between_files(write, error_of):  # row 11
    write("a.csv", csv(1, 0))
    write("b.csv", csv(1, "x"))
    assert error_of("a.csv", "b.csv") == (
        "b.csv row 2: label 'x' is text, but '1' (a.csv row 1) is a number; write one kind, or "
        "list all labels of 'label' in data.labels"
    )
    write("a.jsonl", [{"text": "a", "label": 1}])
    write("b.jsonl", [{"text": "a", "label": "x"}])
    assert error_of("a.jsonl", "b.jsonl") == (
        "b.jsonl:1: label 'x' is text, but column 'label' is number in a.jsonl; use one type"
    )


def test_mixed_label_names_in_csv_may_be_listed(write, load_files):
    name = write("a.csv", csv("1", "2", "3+"))
    rows = load_files(name, validation=name, labels=[1, 2, "3+"]).splits["train"]
    assert rows["label"][:] == [0, 1, 2]


def test_label_type_mixed_in_one_file(fails):  # row 12
    assert fails([1, "x"]) == (
        "a.jsonl: 'label' is number on line 1, text on line 2; write one type throughout"
    )


@pytest.mark.parametrize(
    "given, expected",
    [
        ("pos", "data.labels: expected a list of names, received 'pos'"),
        ([], "data.labels: expected a list of names, received []"),
        (["a", "a"], "data.labels: 'a' is listed twice"),
    ],
)
def test_label_lists_that_cannot_be(fails, given, expected):
    assert fails(["a"], labels=given) == expected


def test_too_many_labels(fails, monkeypatch):
    monkeypatch.setattr("tfhf.data.labels.MAX_CLASSES", 3)
    assert fails(["a b", "b", "c", "d"]) == (
        "a.jsonl:1: 4 different labels, such as 'a b'; name the column of labels in data.columns"
    )


def test_notes_on_classes(train):  # row 34
    assert train(["pos", "pos"])[1] == [
        "data.train: every row has the label 'pos'; there is nothing to tell apart"
    ]
    assert train([1, 2, 3, 4, 5])[1] == [
        "data.train: no row of class 0; data.labels: [1, 2, 3, 4, 5] leaves it out"
    ]
    assert train(["a", "b"], labels=["a", "b", "c"])[1] == ["data.train: no row has the label 'c'"]
