"""Requests' JSON: what is read, and which error is where."""

import json
import random

import pytest

from tfhf.serving import documents, printing
from tfhf.serving.statuses import RequestError


def random_value(rng, depth=0):
    kind = rng.randrange(8 if depth < 4 else 6)
    if kind == 0:
        return rng.choice([True, False, None])
    if kind == 1:
        return rng.randrange(-(10**12), 10**12)
    if kind == 2:
        return rng.uniform(-1e6, 1e6) * 10 ** rng.randrange(-9, 9)
    if kind < 6:
        return "".join(rng.choices('aä"\\/\n\t\b😀\u2028\x7f ', k=rng.randrange(6)))
    inner = [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return inner if kind == 6 else {str(place): value for place, value in enumerate(inner)}


def test_both_readers_read_the_same():
    rng = random.Random(7)
    for _ in range(500):
        value = {"a": random_value(rng), "b": random_value(rng)}
        text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 1]))
        assert documents.parse(text.encode()) == value
        assert documents._Reader(text.encode()).document() == value


def test_cut_documents_are_refused():
    text = b'{"a": [1.5, -2e3, true, null], "b\\u00e9": {"c": "d\\n"}, "e": "\\ud83d\\ude00"}'
    assert documents.parse(text)["e"] == "😀"
    for end in range(len(text)):
        with pytest.raises(RequestError, match="^INVALID_ARGUMENT: JSON Parse error: "):
            documents.parse(text[:end])


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        (" ", "The document is empty.", 1),
        ("x", "Invalid value.", 0),
        ('{"a": tru}', "Invalid value.", 9),
        ('{"a": [1 2]}', "Missing a comma or ] after an array element.", 9),
        ('{"a": 01}', "Missing a comma or } after an object member.", 7),
        ('{"a": 1 "b"}', "Missing a comma or } after an object member.", 8),
        ('{"a": 1,}', "Missing a name for object member.", 8),
        ("{a: 1}", "Missing a name for object member.", 1),
        ('{"a" 1}', "Missing a colon after a name of object member.", 5),
        ('{"a": 1.}', "Miss fraction part in number.", 8),
        ('{"a": 1e+}', "Miss exponent in number.", 9),
        ('{"a": +1}', "Invalid value.", 6),
        ('{"a": 1e400}', "Number too big to be stored in double.", 6),
        ('{"a": "b', "Missing a closing quotation mark in string.", 8),
        ('{"a": "\n"}', "Invalid encoding in string.", 7),
        (r'{"a": "\x"}', "Invalid escape character in string.", 7),
        (r'{"a": "\u12g4"}', "Incorrect hex digit after \\u escape in string.", 7),
        (r'{"a": "\ud800"}', "The surrogate pair in string is invalid.", 7),
        (r'{"a": "\udc00"}', "The surrogate pair in string is invalid.", 7),
        (r'{"a": "\ud800\u0041"}', "The surrogate pair in string is invalid.", 7),
    ],
)
def test_errors_and_their_offsets(text, message, offset):
    with pytest.raises(RequestError) as error:
        documents.parse(text.encode())
    assert error.value.message == f"JSON Parse error: {message} at offset: {offset}"


def test_mistakes_in_large_documents_are_told_in_the_standard_librarys_words():
    text = b'{"a": "%s" x}' % ("é".encode() * documents.LARGE)
    message = f"JSON Parse error: Expecting ',' delimiter. at offset: {len(text) - 2}"
    with pytest.raises(RequestError) as error:
        documents.parse(text)
    assert error.value.message == message
    assert documents.parse(text.replace(b" x", b', "b": Inf'))["b"] == float("inf")


def test_documents_can_be_too_deep():
    assert documents.parse(b'{"a": %s}' % (b"[" * 10_000 + b"]" * 10_000))
    with pytest.raises(RequestError, match=f"Nested too deep. at offset: {documents.DEEPEST + 6}"):
        documents.parse(b'{"a": ' + b"[" * (documents.DEEPEST + 1))


def test_values_are_shown_as_they_are_indented():
    value = {"a": [1, 2.5, [], {}, None, True, 1e300], "b": {"c": 'd"'}}
    assert printing.pretty(value) == json.dumps(value, indent=4).replace("e+", "e")
    for plain in ("text", 1, None, [], {}):
        assert printing.pretty(plain) == json.dumps(plain)


def test_long_and_deep_values_are_cut():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    for value in (deep, ["a" * 10**6], list(range(10**5)), "a" * 10**6):
        shown = printing.pretty(value)
        assert len(shown) == printing.LONGEST + 3
        assert shown.endswith("...")
