"""Kinds of columns: what a task needs from the rows.

A kind says what a row may hold and what the column holds after loading; the functions that check
and encode it stand in `tfhf.data.kinds`.

| kind | after loading |
|---|---|
| `Text` | `Value("string")` |
| `Texts`, `Words` | `List(Value("string"))` |
| `Label` | `ClassLabel`, `List(ClassLabel)` or `Value("float32")` |
| `Tags` | `List(ClassLabel)`, one for each word |
| `Number` | `Value("float32")` |
| `Choice` | `Value("int64")` |
| `Answers` | `{"text": List(Value("string")), "answer_start": List(Value("int32"))}` |
| `Messages` | `List({"role": Value("string"), "content": Value("string")})` |
| `Image` | `datasets.Image()` |
"""

from dataclasses import dataclass

from tfhf.data.kinds.base import Kind, all_texts
from tfhf.data.targets import Answers, Choice, Label, Number, Tags

__all__ = [
    "Answers",
    "Choice",
    "Image",
    "Kind",
    "Label",
    "Messages",
    "Number",
    "Tags",
    "Text",
    "Texts",
    "Words",
]


@dataclass(frozen=True)
class Text(Kind):
    """A column of text.

    Args:
        optional: the column may be absent.
        blank: empty texts are nothing unusual (the lines of prose).
    """

    optional: bool = False
    blank: bool = False

    def feature(self):
        import datasets

        return datasets.Value("string")

    def read(self, rows, role, learned, others, unlabeled):
        from tfhf.data.kinds import texts

        return texts.read_text(rows, role, self)


@dataclass(frozen=True)
class Texts(Kind):
    """A list of texts per row: choices, reference answers, negatives.

    Where `data.columns` names several columns, a row's texts are those of all that the split has,
    in their order: one of each column of texts, all of a column of lists, none of an empty cell.

    Args:
        optional: the column may be absent.
        least: fewest texts per row.
        single: a plain text counts as a list of one.
    """

    optional: bool = False
    least: int = 1
    single: bool = False

    nested = True
    joins = True
    allowed = "a column name or a list of them"
    called = "a list of texts"

    @property
    def mixes(self):
        return self.single

    def takes(self, given):
        return isinstance(given, str) or all_texts(given)

    def pick(self, given, found):
        if isinstance(given, str):
            return given
        there = [one for one in given if one in found] or given
        return there[0] if len(there) == 1 else there

    def from_text(self, text):
        import json

        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if all_texts(value) or value == []:
            return value
        if self.single:
            return [text]
        raise ValueError

    def accept(self, value):
        if self.single and isinstance(value, str):
            return [value]
        if not all_texts(value):
            raise TypeError
        return list(value)

    def feature(self):
        import datasets

        return datasets.List(datasets.Value("string"))

    def read(self, rows, role, learned, others, unlabeled):
        from tfhf.data.kinds import texts

        return texts.read_texts(rows, role, self)


@dataclass(frozen=True)
class Words(Kind):
    """The words of one text per row; a word may hold spaces.

    Args:
        optional: the column may be absent.
    """

    optional: bool = False

    nested = True
    called = "a list of words"

    def accept(self, value):
        if not all_texts(value):
            raise TypeError
        return list(value)

    def feature(self):
        import datasets

        return datasets.List(datasets.Value("string"))

    def read(self, rows, role, learned, others, unlabeled):
        from tfhf.data.kinds import texts

        return texts.read_words(rows, role, self)


@dataclass(frozen=True)
class Messages(Kind):
    """A conversation per row: a list of `{"role": ..., "content": ...}`.

    The roles are system, user, assistant and tool. To learn from, the assistant must speak.

    Args:
        optional: the column may be absent.
    """

    optional: bool = False

    nested = True
    called = "a list of messages"

    def accept(self, value):
        if not isinstance(value, list | tuple) or not value:
            raise TypeError
        for one in value:
            if not (isinstance(one, dict) and all_texts([one.get("role"), one.get("content")])):
                raise TypeError
        return [{"role": one["role"], "content": one["content"]} for one in value]

    def feature(self):
        import datasets

        text = datasets.Value("string")
        return datasets.List({"role": text, "content": text})

    def read(self, rows, role, learned, others, unlabeled):
        from tfhf.data.kinds import messages

        return messages.read_messages(rows, role, self)


@dataclass(frozen=True)
class Image(Kind):
    """A picture per row: a path, relative to the data file's folder, or the bytes of a file.

    Args:
        optional: the column may be absent.
    """

    optional: bool = False

    called = "an image"

    def accept(self, value):
        from tfhf.data.kinds import images

        return images.stored(value)

    def feature(self):
        import datasets

        return datasets.Image()

    def read(self, rows, role, learned, others, unlabeled):
        from tfhf.data.kinds import images

        return images.read_image(rows, role, self)
