"""Answers: exact parts of a context in any script."""

import pytest

from tfhf.learning.answers import distinct, merged, nearest, visible, words


@pytest.mark.parametrize(
    ("context", "place", "answer"),
    [
        ("in Berlin today", (2, 9), "Berlin"),  # a token that begins with the blank before it
        ("one\n two", (3, 8), "two"),
        ("in Zu\u0308rich", (3, 4), "Z"),
        ("in Zu\u0308rich", (3, 5), "Zu\u0308"),  # the token of a letter without its mark
        ("in Zu\u0308rich", (5, 10), "u\u0308rich"),
        ("مدينة القاهرةُ", (6, 13), "القاهرةُ"),
        ("नमस्ते दुनिया", (0, 3), "नमस्"),
        ("東京は日本", (0, 2), "東京"),
        ("fine 👍🏽 ok", (4, 7), "👍🏽"),
        ("a b", (1, 2), ""),
        ("\u0301a", (0, 1), "\u0301"),  # a mark without a letter
    ],
)
def test_visible_characters(context, place, answer):
    start, end = visible(context, *place)
    assert context[start:end] == answer


def test_distinct_answers_best_first():
    spans = [(0.2, 3, 9), (0.5, 0, 2), (0.3, 2, 9), (0.0, 0, 9), (0.1, 2, 3)]
    assert distinct("in Berlin", spans) == [
        {"score": 0.5, "start": 0, "end": 2, "answer": "in"},
        {"score": 0.3, "start": 3, "end": 9, "answer": "Berlin"},
    ]


def test_merged_answers_add_up():
    spans = [(0.2, 0, 2), (0.25, 3, 6), (0.5, 7, 9), (0.0, 3, 9)]
    assert merged("In the in", spans) == [
        {"score": 0.7, "start": 0, "end": 2, "answer": "In"},
        {"score": 0.25, "start": 3, "end": 6, "answer": "the"},
    ]


def test_words_that_count():
    assert words("The U.S., an (old) Country") == ["us", "old", "country"]
    assert nearest("the tower", ["Tower!", "a big tower"]) == (1.0, 1.0)
    assert nearest("big tower", ["tower"]) == pytest.approx((0.0, 2 / 3))
    # A reference without a word is none, and of none the right answer is empty.
    assert nearest("", ["the"]) == (1.0, 1.0)
    assert nearest("tower", ["-"]) == (0.0, 0.0)
    assert nearest("", ["tower"]) == (0.0, 0.0)
