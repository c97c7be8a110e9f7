"""Reads a request's JSON as TensorFlow Serving does, whose parser is RapidJSON.

It takes bare NaN, Infinity and Inf, any depth, bytes that are no UTF-8 and anything behind the
object; the first of two equal names counts; a number no double can hold is an error. What the
standard library reads as RapidJSON would, it reads; the rest, errors with their offsets included,
is read here, without recursion.
"""

import json
import math
import os
import re

from tfhf.serving.printing import pretty
from tfhf.serving.statuses import invalid

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
DEEPEST = 1_000_000  # containers within containers; each takes some hundred bytes
LARGE = 2**20  # bytes of a body whose mistake is told in the standard library's words, in its time
# The standard library makes infinity of 1e999, and lets half of a surrogate pair pass.
_HUGE = re.compile(rb"[eE]\+?[0-9]{3}")
_HALF_PAIR = re.compile(
    rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]"
)
_UNKNOWN_WORD = re.compile(r"-?(?:Inf|NaN)")  # to the standard library
_SPACE = re.compile(rb"[ \t\n\r]*")
_NUMBER = re.compile(
    rb"(-?)(?:(NaN|Inf(?:inity)?)|((?:0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]*)?))"
)
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_HEXADECIMAL = re.compile(rb"[0-9a-fA-F]{4}")
_ESCAPES = dict(zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True))
_LITERALS = {b"t": (b"true", True), b"f": (b"false", False), b"n": (b"null", None)}


def parse(body):
    """Reads the one JSON object that a request's body must be.

    Args:
        body: bytes.

    Returns:
        dict. Bytes that are no UTF-8 stand in its strings as `surrogateescape` writes them.

    Raises:
        RequestError: INVALID_ARGUMENT, if it is no JSON object.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    value = _parsed_as_usual(body)
    if value is None:
        value = _Reader(body).document()
    if not isinstance(value, dict):
        raise invalid(f"JSON Value: {pretty(value)} Is not object")
    return value


def _parsed_as_usual(body):
    """What the standard library reads; None if it refuses, or might read something else."""
    if _HUGE.search(body) or (b"\\u" in body and _HALF_PAIR.search(body)):
        return None
    text = body.decode("utf-8", "surrogateescape")
    try:
        return _DECODER.raw_decode(text, json.decoder.WHITESPACE.match(text).end())[0]
    except json.JSONDecodeError as error:
        if len(body) > LARGE and not _UNKNOWN_WORD.match(text, error.pos):
            offset = len(text[: error.pos].encode("utf-8", "surrogateescape"))
            raise invalid(f"JSON Parse error: {error.msg}. at offset: {offset}") from error
        return None
    except (ValueError, RecursionError):  # more digits, or deeper, than it takes
        return None


def _members(pairs):
    """A dict in which the first of equal names counts."""
    members = dict(pairs)
    return members if len(members) == len(pairs) else dict(reversed(pairs))


_DECODER = json.JSONDecoder(object_pairs_hook=_members)


class _Reader:
    """Reads JSON from bytes; offsets in errors count bytes."""

    def __init__(self, body):
        self.body = body
        self.at = len(BYTE_ORDER_MARK) if body.startswith(BYTE_ORDER_MARK) else 0

    def document(self):
        self._skip_space()
        if self._next() in (b"", b"\0"):
            raise self._error("The document is empty.")
        containers, names = [], []  # those not closed yet; what the next value of each is called
        while True:
            mark = self._next()
            if mark in (b"[", b"{"):
                value = [] if mark == b"[" else {}
                self._skip(1)
                if len(containers) == DEEPEST:
                    raise self._error("Nested too deep.")
                if self._next() != (b"]" if mark == b"[" else b"}"):
                    names.append(self._name() if mark == b"{" else None)
                    containers.append(value)
                    continue
                self.at += 1
            else:
                value = self._string() if mark == b'"' else self._word_or_number()
            while containers and self._closes(value, containers[-1], names):
                value = containers.pop()
                names.pop()
            if not containers:
                return value

    def _closes(self, value, container, names):
        """Puts a value into its container; steps to the next one, or over the container's end."""
        if isinstance(container, list):
            container.append(value)
            closing, missing = b"]", "Missing a comma or ] after an array element."
        else:
            container.setdefault(names[-1], value)
            closing, missing = b"}", "Missing a comma or } after an object member."
        self._skip_space()
        if self._next() == closing:
            self.at += 1
            return True
        if self._next() != b",":
            raise self._error(missing)
        self._skip(1)
        if isinstance(container, dict):
            names[-1] = self._name()
        return False

    def _name(self):
        if self._next() != b'"':
            raise self._error("Missing a name for object member.")
        name = self._string()
        self._skip_space()
        if self._next() != b":":
            raise self._error("Missing a colon after a name of object member.")
        self._skip(1)
        return name

    def _word_or_number(self):
        word, value = _LITERALS.get(self._next(), (None, None))
        if word is None:
            return self._number()
        found = self.body[self.at : self.at + len(word)]
        self.at += len(os.path.commonprefix([word, found]))
        if found != word:
            raise self._error("Invalid value.")
        return value

    def _number(self):
        start = self.at
        found = _NUMBER.match(self.body, start)
        if not found:
            raise self._error("Invalid value.")
        minus, word, number, fraction, exponent = found.groups()
        self.at = found.end()
        if word:
            value = math.nan if word == b"NaN" else math.inf
            return -value if minus else value
        if fraction == b".":
            raise self._error("Miss fraction part in number.")
        if exponent and not exponent[-1:].isdigit():
            raise self._error("Miss exponent in number.")
        if not fraction and not exponent and len(number) <= 20:
            return int(minus + number)
        value = float(minus + number)
        if math.isinf(value):
            raise self._error("Number too big to be stored in double.", start)
        return value

    def _string(self):
        parts, self.at = [], self.at + 1
        while True:
            plain = _PLAIN.match(self.body, self.at)
            parts.append(plain.group())
            self.at = plain.end()
            mark = self._next()
            if mark == b'"':
                self.at += 1
                return b"".join(parts).decode("utf-8", "surrogateescape")
            if mark != b"\\":
                raise self._error(
                    "Missing a closing quotation mark in string."
                    if mark in (b"", b"\0")
                    else "Invalid encoding in string."
                )
            parts.append(self._escaped())

    def _escaped(self):
        """The character behind a backslash, as UTF-8."""
        start, mark = self.at, self.body[self.at + 1 : self.at + 2]
        self.at += 2
        if mark == b"u":
            code = self._code(start)
            if 0xD800 <= code <= 0xDFFF:
                code = self._pair(code, start)
            return chr(code).encode("utf-8")
        if not mark or mark[0] not in _ESCAPES:
            raise self._error("Invalid escape character in string.", start)
        return bytes([_ESCAPES[mark[0]]])

    def _pair(self, high, start):
        """The character that two surrogates are, of which the first has been read."""
        low = 0
        if high < 0xDC00 and self.body.startswith(b"\\u", self.at):
            self.at += 2
            low = self._code(start)
        if not 0xDC00 <= low <= 0xDFFF:
            raise self._error("The surrogate pair in string is invalid.", start)
        return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)

    def _code(self, start):
        """Four hexadecimal digits."""
        found = _HEXADECIMAL.match(self.body, self.at)
        if not found:
            raise self._error("Incorrect hex digit after \\u escape in string.", start)
        self.at = found.end()
        return int(found.group(), 16)

    def _next(self):
        return self.body[self.at : self.at + 1]

    def _skip(self, count):
        self.at += count
        self._skip_space()

    def _skip_space(self):
        self.at = _SPACE.match(self.body, self.at).end()

    def _error(self, message, offset=None):
        offset = self.at if offset is None else offset
        return invalid(f"JSON Parse error: {message} at offset: {offset}")
