"""What a kind of column says of itself; nothing heavy is imported here."""

from dataclasses import replace


class Kind:
    """What all kinds have in common, and what most of them do."""

    optional = False
    """The column may be absent."""

    blank = False
    """Empty texts are nothing unusual."""

    target = False
    """What a model learns to say: rows to predict on go without it."""

    classes = False
    """Train, or `data.labels`, decides on classes."""

    nested = False
    """A row holds a list or an object, which CSV can only hold as JSON text."""

    joins = False
    """Several columns together hold what a row needs."""

    mixes = False
    """A JSON file may hold a text in one row and a list of texts in another."""

    of = None
    """The role that each row is checked against."""

    allowed = "a column name"
    """What `data.columns` may say of the role."""

    called = "a text"
    """What a row holds, as messages call it."""

    @property
    def missing(self):
        """What a row without a value has none of, as messages call it."""
        return self.called.partition(" ")[2]

    def takes(self, given):
        """Whether `data.columns` may say this of the role."""
        return isinstance(given, str)

    def pick(self, given, found):
        """The column, or list of columns, of a file that the role means.

        Args:
            given: what `data.columns` says; `takes` accepted it.
            found: the names of the file's columns.
        """
        return given

    def required(self):
        """The kind of a column that must be there."""
        return replace(self, optional=False) if self.optional else self

    def from_text(self, text):
        """A CSV cell → the list or object it stands for, where `nested`.

        Raises:
            ValueError: if it stands for none.
        """
        import json

        return json.loads(text)

    def accept(self, value):
        """A Python value to predict on → what the column stores.

        Raises:
            TypeError: if it is something else than `called` says.
        """
        if not isinstance(value, str):
            raise TypeError
        return value

    def feature(self):
        """The `datasets` feature after loading, for kinds whose feature no data decide."""
        raise NotImplementedError

    def decide(self, rows, role, labels):
        """What the training rows decide for every split: the classes.

        Args:
            rows: `Rows` of train.
            role: the role, a key of `rows.matched`.
            labels: `data.labels`, or None.

        Returns:
            What `read` is given as `learned`, and a list of notes, one line each.

        Raises:
            UserError: if the values decide nothing.
        """
        return None, []

    def learned(self, feature):
        """What `decide` gave, from the feature of a task that has learned it already."""
        return None

    def is_unlabeled(self, rows, role):
        """Whether no row has anything to learn from, as in published test splits."""
        return False

    def read(self, rows, role, learned, others, unlabeled):
        """Checks and encodes the column of one split.

        Args:
            rows: `Rows` of one split.
            role: the role, a key of `rows.matched`.
            learned: what `decide` or `learned` gave.
            others: role → `Column`, for the roles read before; `of` among them.
            unlabeled: "error", or "drop" if a row marked -1 counts as one without a label.

        Returns:
            `tfhf.data.rows.Column`.

        Raises:
            UserError: names the first row that cannot be used.
        """
        raise NotImplementedError


def all_texts(value):
    """Whether a value is a list of texts, and not an empty one."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(one, str) for one in value)
    )
