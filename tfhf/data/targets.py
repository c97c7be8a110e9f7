"""Kinds of columns that hold what a model learns to say; `tfhf.data.columns` lists all kinds."""

from dataclasses import dataclass

from tfhf.data.kinds.base import Kind, all_texts


@dataclass(frozen=True)
class Label(Kind):
    """One class, any number of classes, or a number per row.

    Where `data.columns` names several columns, each holds 0 or 1 for the class of its name.

    Args:
        problem: "single_label", "multi_label" or "regression"; None finds out from the values.
        optional: the column may be absent.
    """

    problem: str | None = None
    optional: bool = False

    target = True
    allowed = "a column name or a list of at least two 0/1 columns"
    classes = True
    called = "a label"

    def takes(self, given):
        return isinstance(given, str) or (all_texts(given) and len(given) > 1)

    def decide(self, rows, role, labels):
        from tfhf.data.labels import decide

        return decide(rows, rows.matched[role], self.problem, labels)

    def learned(self, feature):
        from tfhf.data.labels import Labels

        return Labels.of(feature)

    def is_unlabeled(self, rows, role):
        from tfhf.data.kinds import labels

        return labels.is_unlabeled(rows, role)

    def read(self, rows, role, learned, others, unlabeled):
        from tfhf.data.kinds import labels

        return labels.read_label(rows, role, learned, unlabeled)


@dataclass(frozen=True)
class Number(Kind):
    """A finite number per row, such as a similarity score.

    Args:
        optional: the column may be absent.
    """

    optional: bool = False

    target = True
    called = "a number"

    def accept(self, value):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError
        return float(value)

    def feature(self):
        import datasets

        return datasets.Value("float32")

    def is_unlabeled(self, rows, role):
        from tfhf.data.kinds import labels

        return labels.is_unlabeled(rows, role)

    def read(self, rows, role, learned, others, unlabeled):
        from tfhf.data.kinds import labels

        return labels.read_number(rows, role, self)


@dataclass(frozen=True)
class Choice(Kind):
    """Which of a row's texts is the right one, counted from 0.

    Args:
        of: the role of the texts.
    """

    of: str = "choices"

    target = True
    called = "a choice"

    def feature(self):
        import datasets

        return datasets.Value("int64")

    def is_unlabeled(self, rows, role):
        from tfhf.data.kinds import labels

        return labels.is_unlabeled(rows, role)

    def read(self, rows, role, learned, others, unlabeled):
        from tfhf.data.kinds import labels

        return labels.read_choice(rows, role, self, others[self.of], unlabeled)


@dataclass(frozen=True)
class Tags(Kind):
    """One class for each word of a row.

    Args:
        of: the role of the words.
        optional: the column may be absent.
    """

    of: str = "tokens"
    optional: bool = False

    target = True
    nested = True
    classes = True
    called = "a list of tags"

    def decide(self, rows, role, labels):
        from tfhf.data.kinds import tags

        return tags.decide(rows, role, labels)

    def learned(self, feature):
        from tfhf.data.labels import Labels

        return Labels.of(feature)

    def is_unlabeled(self, rows, role):
        from tfhf.data.kinds import tags

        return tags.is_unlabeled(rows, role)

    def read(self, rows, role, learned, others, unlabeled):
        from tfhf.data.kinds import tags

        return tags.read_tags(rows, role, learned, self, others[self.of])


@dataclass(frozen=True)
class Answers(Kind):
    """Where the answers to a row's question stand in its context; none if it has no answer.

    A row holds `{"text": [...], "answer_start": [...]}`, or a list of such objects with one text
    and one start each; starts count characters from 0.

    Args:
        of: the role of the context.
        optional: the column may be absent.
    """

    of: str = "context"
    optional: bool = False

    target = True
    nested = True
    called = "a list of answers"

    def feature(self):
        import datasets

        text, start = datasets.Value("string"), datasets.Value("int32")
        return {"text": datasets.List(text), "answer_start": datasets.List(start)}

    def is_unlabeled(self, rows, role):
        from tfhf.data.kinds import answers

        return answers.is_unlabeled(rows, role)

    def read(self, rows, role, learned, others, unlabeled):
        from tfhf.data.kinds import answers

        return answers.read_answers(rows, role, self, others[self.of])
