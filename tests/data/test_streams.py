import codecs
import gzip

import pytest

from tfhf.data import streams
from tfhf.data.streams import check_text, line_pieces, open_utf8
from tfhf.errors import UserError


def line(*arguments):
    with pytest.raises(UserError) as caught:
        check_text(*arguments)
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n \r\n", codecs.BOM_UTF8])  # rows 4 and 6
def test_empty_file(write, content):
    assert line(write("a.csv", content)) == "a.csv is empty"


def test_not_utf8(write):  # row 13
    name = write("a.csv", b"text,label\ncaf\xe9,1\n")
    assert line(name) == (
        "a.csv: byte 0xe9 at line 2 is not UTF-8; set data.encoding, for example latin-1 or cp1252"
    )
    assert line(name, "ascii") == (
        "a.csv: byte 0xe9 at line 2 is not ascii; set another data.encoding"
    )
    check_text(name, "latin-1")


def test_not_utf8_at_the_very_end_and_across_chunks(write):
    assert line(write("a.txt", b"a\nb\xc3")).startswith("a.txt: byte 0xc3 at line 2 is not")
    name = write("b.txt", b"\n" * (2**20 - 1) + b"\xc3\xa9\n\xff")
    assert line(name).startswith(f"b.txt: byte 0xff at line {2**20 + 1} is not UTF-8")


def test_utf16(write):  # row 14
    name = write("a.csv", "text,label\na,1\n".encode("utf-16"))
    assert line(name) == (
        "a.csv is UTF-16 (it starts with that byte order mark); set data.encoding: utf-16"
    )
    with open_utf8(name, "utf-16") as stream:
        assert stream.read() == b"text,label\na,1\n"
    assert line(write("b.csv", "text,label\n".encode("utf-16-le"))) == (
        "b.csv: 11 of the first 22 bytes are zero, so it looks like UTF-16; "
        "set data.encoding: utf-16-le"
    )
    assert line(write("c.csv", "a,b\n1,2\n"), "utf-16") == (
        "c.csv is not utf-16: UTF-16 stream does not start with BOM; set another data.encoding"
    )


def test_utf8_mark_is_dropped(write):  # row 15
    with open_utf8(write("a.csv", codecs.BOM_UTF8 + b"text")) as stream:
        assert stream.read() == b"text"


@pytest.mark.parametrize("encoding", ["latin9000", "hex", "rot13"])  # the last two are no text's
def test_unknown_encoding(write, encoding):
    assert line(write("a.csv", "x"), encoding) == (
        f"data.encoding: unknown encoding {encoding!r}; use a name such as utf-8, latin-1 or cp1252"
    )


def test_truncated_gzip(write):  # row 21
    whole = gzip.compress(b"text,label\n" * 100)
    expected = "a.csv.gz: the gzip file is cut short or damaged; get it again"
    assert line(write("a.csv.gz", whole[:-12])) == expected
    assert line(write("a.csv.gz", b"text,label\n")) == expected
    check_text(write("a.csv.gz", whole))


def test_pieces_are_whole_lines(write, monkeypatch):
    monkeypatch.setattr(streams, "PIECE", 4)
    name = write("a.txt", "one\ntwo, longer\n\nlast")
    assert list(line_pieces(name)) == [
        (1, b"one\n"),
        (2, b"two, longer\n"),
        (3, b"\n"),
        (4, b"last"),
    ]
