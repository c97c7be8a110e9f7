import pytest

from tfhf.data.columns import Label, Text
from tfhf.data.matching import match_columns
from tfhf.errors import UserError

KINDS = {"text": Text(), "text_pair": Text(optional=True), "label": Label()}


def line(columns, found):
    with pytest.raises(UserError) as caught:
        match_columns(KINDS, columns, found, "a.csv")
    return str(caught.value)


def test_roles_default_to_columns_of_their_name():
    assert match_columns(KINDS, None, ["label", "id", "text"], "a.csv") == {
        "text": "text",
        "label": "label",
    }


def test_labels_stands_in_for_label():
    matched = match_columns(KINDS, {}, ["text", "labels"], "a.csv")
    assert matched["label"] == "labels"
    matched = match_columns(KINDS, {}, ["text", "labels", "label"], "a.csv")
    assert matched["label"] == "label"


def test_optional_role_is_taken_where_its_column_is():
    found = ["text", "text_pair", "label"]
    assert match_columns(KINDS, {}, found, "a.csv")["text_pair"] == "text_pair"
    assert "text_pair" not in match_columns(KINDS, {"text": "text_pair"}, found, "a.csv")


def test_several_columns_make_one_label():
    matched = match_columns(KINDS, {"label": ["x", "y"]}, ["text", "x", "y"], "a.csv")
    assert matched["label"] == ["x", "y"]


def test_missing_column():  # row 22
    assert line({"text": "sentence"}, ["text", "label"]) == (
        "a.csv: column 'sentence' (text) not found; expected columns ['sentence', 'label'], found "
        "columns ['text', 'label']; set data.columns"
    )
    assert line(None, ["texts", "label"]) == (
        "a.csv: column 'text' not found; expected columns ['text', 'label'], found columns "
        "['texts', 'label']; set data.columns; did you mean 'texts'?"
    )


def test_missing_label_column():  # row 23
    assert line(None, ["text", "target"]) == (
        "a.csv: column 'label' not found; expected columns ['text', 'label'], found columns "
        "['text', 'target']; set data.columns"
    )


def test_named_optional_column_must_be_there():
    assert line({"text_pair": "b"}, ["text", "label"]).startswith(
        "a.csv: column 'b' (text_pair) not found; expected columns ['text', 'b', 'label']"
    )


def test_wrong_separator():  # row 18
    assert line(None, ["text;label"]) == (
        "a.csv: one column 'text;label': wrong separator? set data.separator: \";\""
    )
    assert line(None, ["text\tlabel"]) == (
        "a.csv: one column 'text\\tlabel': wrong separator? set data.separator: \"\\t\""
    )


def test_no_header():  # row 19
    assert line(None, ["a lovely film", "1"]) == (
        "a.csv: column 'text' not found; the first row looks like data, not like column names: "
        "['a lovely film', '1']; add a first line that names the columns"
    )


def test_unknown_role():
    assert line({"txt": "a"}, ["a", "label"]) == (
        "data.columns: unknown role 'txt'; the roles are ['text', 'text_pair', 'label']; did you "
        "mean 'text'?"
    )


@pytest.mark.parametrize(
    "columns, expected",
    [
        ({"text": ["a", "b"]}, "data.columns.text: expected a column name, received ['a', 'b']"),
        (
            {"label": ["a"]},
            "data.columns.label: expected a column name or a list of at least two 0/1 columns, "
            "received ['a']",
        ),
        ({"text": 3}, "data.columns.text: expected a column name, received 3"),
        ({"text": "label"}, "data.columns: column 'label' cannot be text and label at once"),
    ],
)
def test_columns_that_cannot_be(columns, expected):
    assert line(columns, ["text", "label"]) == expected


def test_wide_tables_are_cut():
    found = [f"c{i}" for i in range(500)]
    assert line(None, found).endswith("'c11'] and 488 more; set data.columns")
