"""CoNLL files as record batches: one word per line, its tag in the last column, blank lines between
sentences; and CoNLL-U, the format of Universal Dependencies.

Source: https://www.clips.uantwerpen.be/conll2003/ner/ and
https://universaldependencies.org/format.html.
"""

import re

import pyarrow as pa

from tfhf.data.streams import line_pieces
from tfhf.errors import UserError

AT_ONCE = 1000  # sentences per record batch
UNIVERSAL = {"tokens": 1, "lemma": 2, "upos": 3, "xpos": 4, "feats": 5}  # name → column
UNIVERSAL_COLUMNS = 10
TEXT = "# text ="


class ConllRows:
    """The sentences of one checked CoNLL file.

    Columns are separated by tabs if any word's line has one, so that a word may hold spaces, and
    by spaces if none has. A line that starts with "# " is a comment where it has another number of
    columns than the words' lines, and the word "#" where it has the same.

    Args:
        path: the file; `.conllu` is read as CoNLL-U.
        encoding: as in `check_text`.
        universal: whether it is CoNLL-U.

    Raises:
        UserError: names the line that has another number of columns.
    """

    def __init__(self, path, encoding=None, universal=False):
        self.path, self.encoding, self.universal = path, encoding, universal
        self._separator, self._columns = "\t", UNIVERSAL_COLUMNS
        if not universal:
            self._separator, self._columns = self._layout()

    def batches(self):
        """Yields sentences as record batches: `tokens`, `tags`, and the columns between as
        `column2` and so on; or `tokens`, `lemma`, `upos`, `xpos`, `feats` and `text`."""
        names, sentences, rows = self._names(), [], 0
        for _, text, words in self._sentences():
            columns = [[word[column] for word in words] for column in names.values()]
            sentences.append([*columns, text] if self.universal else columns)
            if len(sentences) == AT_ONCE:
                yield self._batch(names, sentences)
                rows, sentences = rows + len(sentences), []
        if sentences:
            yield self._batch(names, sentences)
        elif not rows:
            raise UserError(f"{self.path} has no sentences")

    def where(self, row):
        """Says where a sentence (from 0) begins: `a.conll:17`."""
        for number, (line, _, _) in enumerate(self._sentences()):
            if number == row:
                return f"{self.path}:{line}"
        raise IndexError(row)

    def _names(self):
        """Name → column, in the order of the rows' columns."""
        if self.universal:
            return UNIVERSAL
        last = self._columns - 1
        between = {f"column{column + 1}": column for column in range(1, last)}
        return {"tokens": 0} | ({"tags": last} if last else {}) | between

    def _batch(self, names, sentences):
        lists = dict.fromkeys(names, pa.list_(pa.string()))
        schema = pa.schema(lists | ({"text": pa.string()} if self.universal else {}))
        return pa.record_batch([list(column) for column in zip(*sentences, strict=True)], schema)

    def _layout(self):
        """The separator and the number of columns, from the lines of words."""
        first, tabs = None, False
        for _, line in self._lines():
            if line.strip() and not line.startswith(("# ", "-DOCSTART-")):
                first = first or line
                tabs = tabs or "\t" in line
        first = first or "#"
        separator = "\t" if tabs else " "
        return separator, len(_split(first, separator))

    def _sentences(self):
        """Yields `(number of the first line, text or None, list of words' columns)`."""
        begins, text, words = 0, None, []
        for number, line in self._lines():
            found = _split(line, self._separator)
            if not line.strip() or found[0] == "-DOCSTART-":
                if words:
                    yield begins, text, words
                text, words = None, []
            elif self._is_comment(line, found):
                text = line.removeprefix(TEXT).strip() if line.startswith(TEXT) else text
            elif len(found) != self._columns:
                raise self._uneven(number, len(found))
            elif not self.universal or found[0].isdecimal():
                begins = begins if words else number
                words.append(found)
            elif not re.fullmatch(r"\d+[-.]\d+", found[0]):
                raise UserError(
                    f"{self.path}:{number}: {found[0]!r} is no number of a word; CoNLL-U numbers "
                    "the words of a sentence from 1"
                )
        if words:
            yield begins, text, words

    def _is_comment(self, line, found):
        if self.universal:
            return line.startswith("#")
        return line.startswith("# ") and len(found) != self._columns

    def _uneven(self, number, columns):
        by = "tabs" if self._separator == "\t" else "spaces"
        return UserError(
            f"{self.path}:{number}: expected {self._columns} columns between {by}, found {columns}"
        )

    def _lines(self):
        """Yields `(number, line)` for every line."""
        for first, piece in line_pieces(self.path, self.encoding):
            lines = piece.decode().removesuffix("\n").split("\n")
            for number, line in enumerate(lines, start=first):
                yield number, line.removesuffix("\r")


def _split(line, separator):
    if separator == "\t":
        return line.split("\t")
    # Not `split()`: a no-break space or another of Unicode's is part of a word.
    return [one for one in line.split(" ") if one] or [""]
