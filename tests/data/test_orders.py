"""Order and batches: pure in (seed, epoch), every row once, little padding."""

import numpy as np
import pytest

from tfhf.data import batches
from tfhf.tasks.embedding import Embedding

LENGTHS = np.random.default_rng(0).integers(3, 60, 1003)


def order(**changes):
    arguments = {"batch_size": 16, "seed": 7, "epoch": 0} | changes
    return batches.order(LENGTHS, **arguments).numpy()


def test_every_row_stands_once_and_the_rest_is_filled_up():
    rows = order()
    assert rows.shape == (63, 16)
    assert sorted(rows[rows >= 0]) == list(range(1003))
    assert (rows == -1).sum() == 63 * 16 - 1003


def test_order_is_a_pure_function_of_seed_and_epoch():
    np.testing.assert_array_equal(order(), order())
    assert (order() != order(epoch=1)).any()
    assert (order() != order(seed=8)).any()


def test_order_is_the_same_on_every_machine():
    """Frozen once: another order would break the promise that a run can be repeated."""
    rows = batches.order(np.full(8, 5), batch_size=4, seed=42, epoch=3).numpy()
    assert rows.tolist() == [[0, 5, 1, 2], [3, 6, 4, 7]]


def test_batches_are_shuffled_not_sorted():
    longest = LENGTHS[order()].max(1)
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.5


def test_real_tokens_are_most_of_what_is_fed():
    lengths = np.random.default_rng(1).integers(5, 60, 20_000)
    rows = batches.order(lengths, batch_size=32, seed=1, epoch=0).numpy()
    real, fed = batches.real_share(lengths, rows)
    assert real.sum() == lengths.sum()
    assert real.sum() / fed.sum() >= 0.95


def test_a_loss_between_rows_sees_them_as_they_are_drawn():
    """Rows that lie together and are of like lengths come together in sorted batches only."""
    kinds = {
        loss: Embedding(None, Embedding.features_for(None, ["anchor", "positive"]), loss=loss)
        for loss in ("multiple_negatives", "triplet")
    }
    assert batches.window(kinds["triplet"]) == batches.WINDOW
    assert batches.window(kinds["multiple_negatives"]) == 1
    spread = {
        loss: np.ptp(LENGTHS[order(window=batches.window(task))[:-1]], axis=1).mean()
        for loss, task in kinds.items()
    }
    assert spread["multiple_negatives"] > 5 * spread["triplet"]


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33])
def test_evaluation_batches_hold_every_row(count):
    for rows in (
        batches.by_length(LENGTHS[:count], batch_size=32),
        batches.in_order(count, batch_size=32),
    ):
        assert rows.shape == (-(-count // 32), 32)
        assert sorted(rows[rows >= 0]) == list(range(count))
