import json

import pyarrow as pa
import pytest

from tfhf.data import streams
from tfhf.data.json_rows import MIXED, JsonRows
from tfhf.errors import UserError

ROWS = [{"text": "a", "label": 1}, {"text": "b", "label": 0}]


def read(name, **options):
    return pa.Table.from_batches(JsonRows(name, **options).batches())


def line(name, **options):
    with pytest.raises(UserError) as caught:
        read(name, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_lines_and_lists(write):  # row 8
    assert read(write("a.jsonl", ROWS)).to_pylist() == ROWS
    assert read(write("a.json", ROWS)).to_pylist() == ROWS
    assert read(write("b.json", json.dumps(ROWS))).to_pylist() == ROWS
    assert read(write("c.json", json.dumps(ROWS, indent=2))).to_pylist() == ROWS
    assert read(write("d.json", json.dumps(ROWS[0], indent=2))).to_pylist() == ROWS[:1]


@pytest.mark.parametrize("indent", [None, 1])
def test_nested_rows(write, indent):  # row 8
    name = write("a.json", json.dumps({"version": 1, "data": ROWS}, indent=indent))
    assert line(name) == (
        "a.json: one object whose field 'data' holds the rows; set data.field: data"
    )
    assert read(name, field="data").to_pylist() == ROWS
    assert line(name, field="rows") == (
        "data.field: a.json has no list of rows called 'rows'; found ['data']"
    )


def test_field_of_a_list(write):
    assert line(write("a.json", json.dumps(ROWS)), field="data") == (
        "data.field: a.json has no list of rows called 'data'; found []"
    )


def test_field_of_lines(write):
    assert line(write("a.jsonl", ROWS), field="data") == (
        "data.field: a.jsonl has one object per line and no field 'data' around them; leave "
        "data.field out"
    )


def test_broken_line(write):  # row 7
    name = write("a.jsonl", '{"text": "a"}\n\n{"text": "b",\n{"text": "c"}\n')
    assert line(name) == (
        "a.jsonl:3: not valid JSON: Expecting property name enclosed in double quotes"
    )
    assert line(write("b.jsonl", '{"text":\n"a"}\n')) == (
        "b.jsonl:1: not valid JSON: Expecting value"
    )
    assert line(write("c.json", '[{"text": "a"},\n{"text": }]')) == (
        "c.json:2: not valid JSON: Expecting value"
    )
    assert line(write("d.jsonl", '{"text": "a", "text": "b"}\n')) == (
        "d.jsonl:1: not valid JSON: 'text' comes twice in one object"
    )


def test_broken_line_in_a_later_piece(write, monkeypatch):
    monkeypatch.setattr(streams, "PIECE", 40)
    name = write("a.jsonl", ROWS * 4 + [3])
    assert line(name) == "a.jsonl:9: expected an object with named values, received 3"


def test_rows_that_are_no_objects(write):
    assert line(write("a.json", "[1, 2]")) == (
        "a.json row 1: expected an object with named values, received 1"
    )
    assert line(write("a.jsonl", "{}\n{}\n")) == ("a.jsonl: the rows have no named values, only {}")
    assert line(write("b.json", "[]")) == "b.json has no rows"


@pytest.mark.parametrize("number", [1, 2])
def test_a_row_of_null(write, number):  # Arrow takes it for a row of nulls, or ends the process
    rows = ['{"n": 1}', '{"n": 2}', ""]
    rows[number - 1] = " null"
    assert line(write("a.jsonl", "\n".join(rows))) == (
        f"a.jsonl:{number}: expected an object with named values, received null"
    )
    rows[number - 1] = 'null{"n": 1}'
    assert line(write("a.jsonl", "\n".join(rows))) == (
        f"a.jsonl:{number}: not valid JSON: Extra data"
    )


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ('{"n": 1', "not valid JSON: Expecting ',' delimiter"),
        ('{"n": 1, "m": 1, "m": 2}', "not valid JSON: 'm' comes twice in one object"),
    ],
)
def test_a_broken_line_where_types_are_mixed(write, last, expected):
    assert line(write("a.jsonl", f'{{"n": 1}}\n{{"n": "x"}}\n{last}\n')) == f"a.jsonl:3: {expected}"


def test_endless_nesting(write):
    deep = "[" * 200_000
    assert line(write("a.json", deep)) == "a.json: lists or objects are nested too deeply"
    assert line(write("a.jsonl", f'{{"n": 1}}\n{{"n": {deep}\n')) == (
        "a.jsonl:2: lists or objects are nested too deeply"
    )


@pytest.mark.parametrize(
    ("value", "levels"),
    [("[" * 99 + "]" * 99, 99), ("[[[]], " * 30 + "[]" + "]" * 30, 32), ('"' + "[" * 500 + '"', 0)],
)
def test_nesting_that_is_read(write, value, levels):
    depth, kind = 0, read(write("a.jsonl", f'{{"n": {value}}}\n')).schema.field("n").type
    while pa.types.is_list(kind):
        depth, kind = depth + 1, kind.value_type
    assert depth == levels


@pytest.mark.parametrize("value", ["[" * 100 + "]" * 100, "[[], " * 60_000 + "1" + "]" * 60_000])
def test_nesting_that_arrow_would_not_survive(write, value):
    assert line(write("a.jsonl", f'{{"n": 1}}\n{{"n": {value}}}\n')) == (
        "a.jsonl:2: lists or objects are nested too deeply"
    )


def test_lone_surrogate(write):  # row 40
    half = '{"text": "\\ud800"}'
    assert line(write("a.jsonl", '{"text": "a"}\n' + half)) == (
        "a.jsonl:2: half a surrogate pair, which is no character; remove the \\ud800-\\udfff escape"
    )
    assert line(write("a.json", f'[{{"text": "a"}}, {half}]')).startswith(
        "a.json row 2: half a surrogate pair"
    )


@pytest.mark.parametrize("piece", [2**20, 30])
def test_mixed_types_become_json_text(write, monkeypatch, piece):  # row 12
    monkeypatch.setattr(streams, "PIECE", piece)
    name = write("a.jsonl", [{"id": 1, "text": "a"}, {"id": None, "text": "b"}, {"id": "x"}])
    table = read(name)
    assert table["id"].to_pylist() == ["1", None, '"x"']
    assert json.loads(table.schema.metadata[MIXED]) == {"id": "number on line 1, text on line 3"}


def test_types_meet_over_all_pieces(write, monkeypatch):
    monkeypatch.setattr(streams, "PIECE", 20)
    rows = [{"a": None}, {"a": 1}, {"a": 2.5}, {"b": []}, {"b": [1]}, {"b": ["2020-01-01"][:0]}]
    table = read(write("a.jsonl", rows))
    assert table.schema.types == [pa.float64(), pa.list_(pa.int64())]
    assert table.to_pylist()[1] == {"a": 1.0, "b": None}


def test_dates_stay_text(write):
    rows = [{"text": "2020-01-01", "tags": ["2020-01-01"], "of": {"day": "2020-01-01"}}]
    assert read(write("a.jsonl", rows)).to_pylist() == rows


def test_places_count_blank_lines(write):
    name = write("a.jsonl", '\n{"a": 1}\n\n\n{"a": 2}')
    assert JsonRows(name).where(1) == "a.jsonl:5"
    assert JsonRows(write("a.json", '[{"a": 1}, {"a": 2}]')).where(1) == "a.json row 2"
