"""How answers of an export and of a model are compared."""

import re

import pytest

from tfhf.exports import ExportError
from tfhf.exports.comparison import compare

LABELS = [
    {"label": "a", "probabilities": {"a": 0.9, "b": 0.1}},
    {"label": "b", "probabilities": {"a": 0.499995, "b": 0.500005}},
]


def test_numbers_to_rounding_and_ties():
    found = [LABELS[0], {"label": "a", "probabilities": {"a": 0.5, "b": 0.5}}]
    agreement = compare(found, LABELS)
    assert agreement.largest == pytest.approx(5e-6)
    assert (agreement.rows, agreement.different, agreement.first) == (2, 0, None)
    assert compare([{"score": 1000.005}], [{"score": 1000.0}]).largest == pytest.approx(5e-6)
    assert compare([{"score": 1.0}], [{"score": 1.0, "more": "said"}]).different == 0


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ({"label": "b"}, "label of row 0: 'b' instead of 'a'"),
        (
            {"probabilities": {"a": float("nan"), "b": 0.1}},
            "probabilities of row 0: {'a': nan, 'b': 0.1} instead of {'a': 0.9, 'b': 0.1}",
        ),
        (
            {"probabilities": {"a": 0.9}},
            "probabilities of row 0: {'a': 0.9} instead of {'a': 0.9, 'b': 0.1}",
        ),
        ({"other": 1.0}, "other of row 0: 1.0 instead of None"),
    ],
)
def test_what_differs_is_named(found, line):
    stem = "the export differs from the model in 1 of 2 rows, first in "
    with pytest.raises(ExportError, match=f"^{re.escape(stem + line)}$"):
        compare([found, LABELS[1]], LABELS)


def test_lists_of_answers():
    entities = [{"entities": [{"word": "a", "score": 0.5}, {"word": "b", "score": 0.25}]}]
    assert compare(entities, entities).different == 0
    with pytest.raises(ExportError, match="first in entities of row 0: "):
        compare([{"entities": entities[0]["entities"][:1]}], entities)
    with pytest.raises(ExportError, match="^the export answers 0 rows of 1$"):
        compare([], entities)


def test_a_share_of_the_rows_may_differ():
    expected = [{"text": str(number)} for number in range(200)]
    found = [{"text": "0"}, {"text": "0"}, *expected[2:]]
    agreement = compare(found, expected, agreement=0.99)
    assert (agreement.different, agreement.first) == (1, "text of row 1: '0' instead of '1'")
    with pytest.raises(ExportError):
        compare([{"text": "1"}] * 3 + expected[3:], expected, agreement=0.995)
