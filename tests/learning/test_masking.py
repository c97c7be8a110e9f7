"""Masks: shares as asked for, special tokens spared, a function of (seed, row) alone."""

import numpy as np
import pytest
import tensorflow as tf

from tfhf.learning import masking

VOCABULARY, SPECIAL, MASK = 1000, 5, 4  # ids 0 to 4 are special
ORDINARY = np.arange(VOCABULARY) >= SPECIAL


def batch(rows=256, tokens=128):
    ids = np.random.default_rng(0).integers(SPECIAL, VOCABULARY, (rows, tokens)).astype(np.int32)
    ids[:, 0], ids[:, -1] = 2, 3
    ids[rows // 2 :, -10:] = 0  # padding
    seed = np.stack([np.full(rows, 42), np.arange(rows)], 1).astype(np.int32)
    return ids, seed


def mask(ids, seed, words=None, probability=0.15, masked=0.8, randomized=0.1):
    seen, drawn = masking.mask(
        tf.constant(ids),
        tf.constant(seed),
        ordinary=tf.constant(ORDINARY),
        mask_token=MASK,
        probability=probability,
        masked=masked,
        randomized=randomized,
        words=None if words is None else tf.constant(words),
    )
    return seen.numpy(), drawn.numpy()


def test_shares_are_those_asked_for_and_special_tokens_are_spared():
    ids, seed = batch()
    seen, drawn = mask(ids, seed)
    ordinary = ORDINARY[ids]
    assert not drawn[~ordinary].any()
    assert (seen[~drawn] == ids[~drawn]).all()
    # About 31,000 tokens and 4,700 drawn ones: bounds of five standard deviations.
    assert abs(drawn[ordinary].mean() - 0.15) < 0.01
    fate = seen[drawn]
    assert abs((fate == MASK).mean() - 0.8) < 0.03
    assert abs((fate == ids[drawn]).mean() - 0.1) < 0.022
    random = (fate != MASK) & (fate != ids[drawn])
    assert abs(random.mean() - 0.1) < 0.022
    assert ORDINARY[fate[random]].all()
    assert len(np.unique(fate[random])) > 300


def test_random_tokens_cover_all_ordinary_ones_and_nothing_else():
    ids, seed = batch()
    seen, drawn = mask(ids, seed, probability=1.0, masked=0.0, randomized=1.0)
    assert (drawn == ORDINARY[ids]).all()
    assert set(seen[drawn]) == set(range(SPECIAL, VOCABULARY))


def test_a_row_draws_the_same_alone_and_in_any_padding():
    ids, seed = batch(8, 40)
    seen, drawn = mask(ids, seed)
    for row in range(8):
        alone = mask(np.pad(ids[row : row + 1], [(0, 0), (0, 9)]), seed[row : row + 1])
        assert (alone[0][0, :40] == seen[row]).all()
        assert (alone[1][0, :40] == drawn[row]).all()
    other = mask(ids, seed + [[1_000_003, 0]])
    assert (other[1] != drawn).any()


def test_whole_words_are_drawn_together():
    ids, seed = batch()
    lengths = np.random.default_rng(1).integers(1, 5, ids.shape)
    words = np.zeros_like(ids)
    for row in range(len(ids)):
        starts = np.cumsum(lengths[row])
        words[row, starts[starts < ids.shape[1]]] = 1
    words[:, [0, 1, -1]] = 1
    seen, drawn = mask(ids, seed, words)
    numbers = np.cumsum(words, 1)
    parts = 0
    for row in range(len(ids)):
        for word in np.unique(numbers[row]):
            inside = (numbers[row] == word) & ORDINARY[ids[row]]
            assert len(set(drawn[row, inside])) <= 1
            parts += drawn[row, inside].sum() > 1 and len(set(seen[row, inside] == MASK)) > 1
    assert parts > 0  # a word's tokens need not meet the same fate
    assert abs(drawn[ORDINARY[ids]].mean() - 0.15) < 0.015


@pytest.mark.parametrize("tokens", [1, 7])
def test_places_in_order_with_the_real_ones_first(tokens):
    found = np.random.default_rng(0).random((5, tokens)) < 0.4
    found[0] = False
    positions, real = masking.places(tf.constant(found))
    assert positions.shape == (5, max(1, found.sum(1).max()))
    for row in range(5):
        assert positions[row][real[row]].numpy().tolist() == np.flatnonzero(found[row]).tolist()


def test_no_place_at_all():
    positions, real = masking.places(tf.zeros([3, 4], bool))
    assert positions.shape == (3, 1)  # some heads cannot reshape an empty tensor
    assert not real.numpy().any()
