"""Windows over sub-tokens: who speaks for which, and one sequence again."""

import numpy as np
import pytest

from tfhf.data.token_windows import join, lay_end_to_end, owners, word_starts


def windows(length, size, overlap):
    """Starts and counts of windows over a text of `length` sub-tokens, as tokenizers cut them."""
    starts, counts = [0], [min(length, size)]
    while starts[-1] + counts[-1] < length:
        starts.append(starts[-1] + size - overlap)
        counts.append(min(size, length - starts[-1]))
    return starts, counts


@pytest.mark.parametrize("overlap", [0, 1, 3, 6])
def test_each_sub_token_belongs_to_the_window_that_sees_most_around_it(overlap):
    size = 7
    for length in range(1, 30):
        starts, counts = windows(length, size, overlap)
        found = owners(starts, counts)
        for place in range(length):
            contexts = []
            for start, count in zip(starts, counts, strict=True):
                left = place - start if start else 99
                right = start + count - 1 - place if start + count < length else 99
                contexts.append(min(left, right) if start <= place < start + count else -1)
            best = contexts.index(max(contexts))
            owned = [
                number
                for number, (start, mine) in enumerate(zip(starts, found, strict=True))
                if 0 <= place - start < len(mine) and mine[place - start]
            ]
            assert owned == [best]


@pytest.fixture
def two_rows():
    """A row of one window and one of three, with a special token at both ends of each."""
    size, overlap = 5, 2
    starts, counts = windows(10, size, overlap)
    features = [
        (0, 0, 3),
        *((1, start, count) for start, count in zip(starts, counts, strict=True)),
    ]
    results = {
        name: np.zeros((len(features), 8), np.int32) for name in ("word", "position", "seen")
    }
    for feature, (_, start, count) in enumerate(features):
        part = slice(1, 1 + count)
        results["word"][feature, part] = np.arange(start, start + count) + 1
        results["position"][feature, part] = np.arange(start, start + count) + 1
        results["seen"][feature, part] = feature
    results["score"] = results["position"][..., None] * np.array([1.0, 10.0], np.float32)
    return results, np.array([row for row, *_ in features])


def test_joined_windows_are_one_sequence(two_rows):
    joined = join(*two_rows)
    assert joined["word"].tolist() == [[1, 2, 3, *[0] * 7], [*range(1, 11)]]
    assert joined["score"][1].tolist() == [[n, 10.0 * n] for n in range(1, 11)]
    assert joined["seen"][1].tolist() == [1, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_windows_laid_end_to_end_keep_what_they_share(two_rows):
    laid = lay_end_to_end(*two_rows)
    assert laid["position"][1].tolist() == [1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 7, 8, 9, 10]
    assert laid["window"][1].tolist() == [1] * 5 + [2] * 5 + [3] * 4
    assert laid["window"][0].tolist() == [1, 1, 1, *[0] * 11]


def test_a_row_without_sub_tokens_is_empty():
    results = {"word": np.zeros((1, 2), np.int32), "position": np.zeros((1, 2), np.int32)}
    assert join(results, np.array([0]))["word"].shape == (1, 0)


def test_words_begin_where_the_joined_text_has_them():
    words = ["New York", "", "is", "big"]
    text = " ".join(words)
    for start, word in zip(word_starts(words), words, strict=True):
        assert text[start : start + len(word)] == word
