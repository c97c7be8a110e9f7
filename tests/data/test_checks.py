import numpy as np
import pyarrow as pa
import pytest

from tfhf.data.checks import count_rows


def test_count_rows():
    assert count_rows(np.array([True, False, True])) == "2 of 3 rows have"
    assert count_rows(np.array([True, False, False])) == "1 of 3 rows has"
    assert count_rows(np.array([True, True])) == "all 2 rows have"


def test_empty_texts(write, load_files):  # row 37
    rows = [{"text": text, "label": i % 2} for i, text in enumerate(["a", "", " \u3000\n", "d"])]
    name = write("a.jsonl", rows)
    kept = load_files(name, validation=name)
    assert len(kept.splits["train"]) == 4
    assert kept.notes == [
        f"data.{split}: 2 of 4 rows have an empty text in column 'text' (first: a.jsonl:2); kept; "
        "data.on_empty: drop leaves them out"
        for split in ("train", "validation")
    ]
    dropped = load_files(name, validation=name, on_empty="drop")
    assert dropped.splits["train"].to_dict() == {"text": ["a", "d"], "label": [0, 1]}
    assert dropped.notes[0].endswith("(first: a.jsonl:2); left out")


def test_nothing_left(write, error_of):  # row 35
    name = write("a.csv", 'text,label\n"",1\n"  ",0\n')
    assert error_of(name, on_empty="drop") == ("data.train: no rows left after data.on_empty: drop")
    name = write("b.csv", 'text,label\n"",1\nb,\n')
    assert error_of(name, on_empty="drop", on_unlabeled="drop") == (
        "data.train: no rows left after data.on_unlabeled: drop and data.on_empty: drop"
    )


def test_na_is_text(write, load_files):  # row 38
    name = write("a.csv", "text,label\nNA,1\nnull,0\nNone,1\nnan,0\n")
    loaded = load_files(name, validation=name)
    assert loaded.splits["train"]["text"][:] == ["NA", "null", "None", "nan"]
    assert loaded.notes == []


def test_missing_text(write, error_of):  # row 38
    rows = [{"text": "a", "label": 1}, {"text": None, "label": 0}, {"label": 0}]
    assert error_of(write("a.jsonl", rows)) == (
        "data.train: 2 of 3 rows have no text in column 'text' (first: a.jsonl:2); write a text or "
        "remove them"
    )
    assert error_of(write("b.jsonl", [{"text": None, "label": 0}])).startswith(
        "data.train: the only row has no text in column 'text' (first: b.jsonl:1)"
    )


def test_numbers_for_text(write, error_of, read):  # row 39
    assert error_of(write("a.jsonl", [{"text": 5, "label": 1}])) == (
        "data.columns: column 'text' (text) has type number, not text (a.jsonl:1: 5); name the "
        "column of texts"
    )
    name = write("a.csv", "id,text,label\n1,a,1\n-2.5e3,b,0\n")
    assert error_of(name, columns={"text": "id"}) == (
        "data.columns: column 'id' (text) holds only numbers, no text (a.csv row 1: '1'); name the "
        "column of texts"
    )
    assert len(read(name, {"text": "id"})) == 2  # a person may well ask about "42"


def test_lists_for_text(write, error_of):
    assert error_of(write("a.jsonl", [{"text": ["a", "b"], "label": 1}])) == (
        "data.columns: column 'text' (text) has type list of text, not text (a.jsonl:1: "
        "['a', 'b']); name the column of texts"
    )


@pytest.mark.parametrize("column", ["text", "label"])
def test_invalid_unicode_in_arrow(folder, error_of, column):  # row 40
    offsets = pa.py_buffer(np.array([0, 1, 4], np.int32).tobytes())
    bad = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"a\xed\xa0\x80")])
    table = pa.table({"text": ["a", "b"], "label": ["a", "b"]} | {column: bad})
    with pa.ipc.new_file("a.arrow", table.schema) as writer:
        writer.write_table(table)
    assert error_of("a.arrow") == (
        f"a.arrow row 2: column {column!r} is not valid Unicode: byte 0xed (half a surrogate pair, "
        "or text in another encoding); rewrite it as UTF-8"
    )


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.csv", "text,label\na\0b,1\nc,0\n"),
        ("a.jsonl", [{"text": "a\0b", "label": 1}, {"text": "c", "label": 0}]),
    ],
)
def test_nul_is_kept(write, load_files, name, content):  # row 41
    loaded = load_files(write(name, content), validation=name)
    assert loaded.splits["train"]["text"][:] == ["a\0b", "c"]
