"""Sub-tokens as words, and words as entities."""

import numpy as np
import pytest

from tfhf.learning.tagged_words import Word, entities, of_text, of_words

LABELS = ["O", "B-LOC", "I-LOC"]
TEXT = " (New  York), ... Rio-3"
# As SentencePiece splits it: the blank before a word is its first sub-token's.
PIECES = [" (", "New", "  York", ")", ",", " ...", " Rio", "-", "3"]
WORDS = [1, 1, 2, 2, 2, 3, 4, 4, 4]
PROBABILITIES = [
    [0.9, 0.0, 0.1],
    [0.2, 0.8, 0.0],
    [0.1, 0.3, 0.6],
    [0.0, 1.0, 0.0],
    [0.8, 0.1, 0.1],
    [0.7, 0.2, 0.1],
    [0.4, 0.6, 0.0],
    [0.8, 0.1, 0.1],
    [0.0, 0.1, 0.9],
]


@pytest.fixture
def results():
    """Two rows of ten sub-tokens; the first is empty."""
    ends = np.cumsum([len(piece) for piece in PIECES])
    starts = ends - [len(piece) for piece in PIECES]
    probabilities = np.array(PROBABILITIES, np.float32)
    row = {
        "word": np.array(WORDS),
        "start": starts,
        "end": ends,
        "label": probabilities.argmax(-1),
        "score": probabilities.max(-1),
        "probabilities": probabilities,
    }
    found = {}
    for name, values in row.items():
        found[name] = np.zeros((2, 10, *values.shape[1:]), values.dtype)
        found[name][1, :9] = values
    return found


def told(words):
    return [(TEXT[word.start : word.end], word.tag, round(word.score, 3)) for word in words]


def test_the_pieces_are_those_of_the_text():
    assert "".join(PIECES) == TEXT


@pytest.mark.parametrize(
    ("aggregation", "rio"),
    [("first", ("B-LOC", 0.6)), ("max", ("I-LOC", 0.9)), ("average", ("O", 0.4))],
)
def test_sub_tokens_make_their_words_tag(aggregation, rio, results):
    words = told(of_text(results, 1, TEXT, LABELS, aggregation, True))
    assert words == [
        ("New", "B-LOC", 0.8),
        ("York", "I-LOC", 0.6),
        ("...", "O", 0.7),
        ("Rio-3", *rio),
    ]


def test_punctuation_may_stay_where_it_is(results):
    words = told(of_text(results, 1, TEXT, LABELS, "first", False))
    assert [word for word, *_ in words] == ["(New", "York),", "...", "Rio-3"]
    assert words[0][1:] == ("O", 0.9)


@pytest.mark.parametrize("aggregation", ["first", "max", "average"])
def test_a_text_without_sub_tokens_has_no_words(aggregation, results):
    assert of_text(results, 0, " ", LABELS, aggregation, True) == []
    assert of_words(results, 0, ["\x07"], LABELS, aggregation, "O") == [Word("O", 0.0, 0, 1)]


def test_given_words_stand_where_the_joined_text_has_them(results):
    given = ["(New", "York),", "...", "Rio-3", "\u200b"]
    words = of_words(results, 1, given, LABELS, "first", None)
    assert [(word.start, word.end) for word in words] == [
        (0, 4),
        (5, 11),
        (12, 15),
        (16, 21),
        (22, 23),
    ]
    assert [word.tag for word in words] == ["O", "I-LOC", "O", "B-LOC", None]


def test_entities_are_spans_with_the_mean_score_of_their_words():
    words = [Word("B-LOC", 0.75, 2, 5), Word("I-LOC", 0.25, 7, 11), Word("O", 1.0, 14, 17)]
    (entity,) = entities(words, TEXT, True)
    assert entity == {
        "entity_group": "LOC",
        "score": 0.5,
        "word": "New  York",
        "start": 2,
        "end": 11,
    }
    assert [one["entity_group"] for one in entities(words, TEXT, False)] == ["B-LOC", "I-LOC", "O"]
