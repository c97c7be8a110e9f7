import pyarrow as pa
import pytest

from tfhf.data.csv_rows import csv_rows
from tfhf.errors import UserError


def rows(name, **options):
    return pa.Table.from_batches(csv_rows(name, **options)).to_pylist()


def line(name, **options):
    with pytest.raises(UserError) as caught:
        rows(name, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_value_is_text(write):  # row 38
    name = write("a.csv", "text,n\nNA,1\nnull,1.50\nNone,\n")
    assert rows(name) == [
        {"text": "NA", "n": "1"},
        {"text": "null", "n": "1.50"},
        {"text": "None", "n": ""},
    ]


def test_quotes_line_breaks_and_nul(write):  # row 41
    name = write("a.csv", 'text,n\r\n"a ""b""\n, c",1\r\nd "e" \0f,2')
    assert [row["text"] for row in rows(name)] == ['a "b"\n, c', 'd "e" \0f']


def test_encoding_and_separator(write):
    name = write("a.csv", "text;n\ncafé;1\n".encode("cp1252"))
    assert rows(name, encoding="cp1252", separator=";") == [{"text": "café", "n": "1"}]


@pytest.mark.parametrize("header", ["text,label", "text,label\n", "\ntext,label\n\n"])  # row 5
def test_header_without_rows(write, header):
    assert line(write("a.csv", header)) == "a.csv has a header but no rows"


def test_ragged_rows(write):  # row 16
    assert line(write("a.csv", 'text,label\n"a\nb",1\nc,d,0\n')) == (
        "a.csv:4: expected 2 fields as in the header, found 3; quote fields that hold ','"
    )
    assert line(write("b.csv", "text,label\na,1\nb\n")) == (
        "b.csv:3: expected 2 fields as in the header, found 1; quote fields that hold ','"
    )


@pytest.mark.parametrize("end", ['"b,0\nc,1\n', 'b,"0\n', 'b,"0', 'b,"', '"b'])  # row 17
def test_unterminated_quote(write, end):
    expected = "a.csv:3: a quote that opens here is never closed"
    if end == 'b,"':  # nothing lost: the same as an empty value
        assert rows(write("a.csv", "text,label\na,1\n" + end))[1] == {"text": "b", "label": ""}
    else:
        assert line(write("a.csv", "text,label\na,1\n" + end)) == expected


@pytest.mark.parametrize("end", ['"b"', '""', '""""', 'x "b"', '"a\n"', '"a\n"\n'])
def test_closed_quotes_at_the_end(write, end):
    assert len(rows(write("a.csv", "text,label\na,1\nb," + end))) == 2


def test_texts_and_files_of_any_length(write):
    many = "a,1\n" * 50_000
    assert line(write("a.csv", '"text,label\n' + many)) == (
        "a.csv:1: a quote that opens here is never closed"
    )
    long = "x" * 200_000
    assert line(write("b.csv", f"text,label\n{long},1\na,b,c\n")) == (
        "b.csv:3: expected 2 fields as in the header, found 3; quote fields that hold ','"
    )


def test_duplicate_columns(write):  # row 20
    assert line(write("a.csv", "text,text,label\na,b,1\n")) == (
        "a.csv: two columns are called 'text'; rename one of them"
    )
