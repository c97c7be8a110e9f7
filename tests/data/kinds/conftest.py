"""Fixtures of the kinds' tests: rows in, a loaded split or an error line out."""

import pytest

from tfhf.data import load
from tfhf.errors import UserError


@pytest.fixture
def loaded(write):
    """loaded(kinds, rows, ...) → `Loaded` of rows as JSON lines, or of a text as CSV."""

    def loaded(kinds, rows, test=None, **options):
        name = write("a.csv" if isinstance(rows, str) else "a.jsonl", rows)
        files = {"train": name, "validation": name}
        if test is not None:
            files["test"] = write("test.jsonl", test)
        return load(kinds, files=files, **options)

    return loaded


@pytest.fixture
def train(loaded):
    """train(kinds, rows, ...) → the rows of the train split as a list of dictionaries."""
    return lambda kinds, rows, **options: loaded(kinds, rows, **options).splits["train"].to_list()


@pytest.fixture
def fails(loaded):
    """fails(kinds, rows, ...) → the one line that loading fails with."""

    def fails(kinds, rows, **options):
        with pytest.raises(UserError) as caught:
            loaded(kinds, rows, **options)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return fails
