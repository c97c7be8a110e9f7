"""Orders: pure in (seed, epoch), every row once, little padding, whatever the size of a batch."""

from types import SimpleNamespace

import numpy as np
import pytest

from tfhf.data import orders
from tfhf.data.orders import Plan
from tfhf.data.widths import widths
from tfhf.errors import UserError
from tfhf.tasks.embedding import Embedding

LENGTHS = np.random.default_rng(0).integers(3, 60, 1003)
KINDS = {
    "rows": {"batch_size": 16},
    "tokens": {"batch_tokens": 512},
    "tokens in slices": {"batch_tokens": 512, "slices": 4},
    "rows of few widths": {"batch_size": 16, "widths": widths(LENGTHS, 4)},
    "tokens of few widths": {"batch_tokens": 512, "widths": widths(LENGTHS, 4), "slices": 2},
}


@pytest.fixture(params=list(KINDS))
def kind(request):
    return KINDS[request.param]


def order(epoch=0, lengths=LENGTHS, seed=7, **kind):
    """An epoch's batches, each as an array."""
    return [rows.numpy() for rows in Plan(lengths, seed, **kind).batches(epoch)]


def test_every_row_stands_once(kind):
    rows = np.concatenate(order(**kind))
    assert sorted(rows[rows >= 0]) == list(range(1003))


def test_order_is_a_pure_function_of_seed_and_epoch(kind):
    first = np.concatenate(order(**kind))
    np.testing.assert_array_equal(first, np.concatenate(order(**kind)))
    assert (first != np.concatenate(order(epoch=1, **kind))).any()
    assert (first != np.concatenate(order(seed=8, **kind))).any()


def test_order_is_the_same_on_every_machine():
    """Frozen once: another order would break the promise that a run can be repeated."""
    rows = order(3, np.full(8, 5), 42, batch_size=4)
    assert np.array(rows).tolist() == [[0, 5, 1, 2], [3, 6, 4, 7]]
    rows = order(3, np.array([2, 9, 9, 2, 2, 9, 2, 2]), 42, batch_tokens=18)
    assert [batch.tolist() for batch in rows] == [[5, 1], [3, 6, 4, 7], [2, 0]]


def test_every_epoch_has_as_many_steps_as_were_counted(kind):
    plan = Plan(LENGTHS, 7, **kind)
    assert {len(order(epoch, **kind)) for epoch in range(3)} == {plan.steps}


def test_the_last_batch_of_rows_is_filled_up():
    rows = order(batch_size=16)
    assert np.shape(rows) == (63, 16)
    assert (np.array(rows) == -1).sum() == 63 * 16 - 1003


def test_batches_are_shuffled_not_sorted(kind):
    longest = [LENGTHS[rows[rows >= 0]].max() for rows in order(**kind)]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.5


def test_a_batch_has_no_more_tokens_than_it_may_and_little_room_is_left():
    found = order(batch_tokens=512)
    fed = np.array([len(rows) * LENGTHS[rows[rows >= 0]].max() for rows in found])
    assert fed.max() <= 512
    assert np.median(fed) > 480


def test_slices_divide_every_batch():
    for rows in order(**KINDS["tokens in slices"]):
        assert len(rows) % 4 == 0
        assert len(rows) * LENGTHS[rows[rows >= 0]].max() <= 512


def test_a_width_has_one_size_of_batch():
    kind = KINDS["tokens of few widths"]
    seen = set()
    for rows in order(**kind):
        place = np.searchsorted(kind["widths"], LENGTHS[rows[rows >= 0]].max())
        seen.add((kind["widths"][place], len(rows)))
    assert len({width for width, _ in seen}) == len(seen) == 4
    assert all(256 < width * size <= 512 for width, size in seen)


def test_a_text_with_too_many_tokens_for_its_batch_is_refused():
    with pytest.raises(UserError) as caught:
        Plan(LENGTHS, 7, batch_tokens=58)
    assert str(caught.value) == (
        "train.batch_tokens: must be 59 or more, the longest example; received 58"
    )
    with pytest.raises(UserError) as caught:
        Plan(LENGTHS, 7, batch_tokens=200, slices=4)
    assert str(caught.value) == (
        "train.batch_tokens: must be 236 or more, the longest example × 4 (replicas × "
        "accumulate); received 200"
    )


def test_the_tokens_of_each_batch_are_told(kind):
    real, fed = Plan(LENGTHS, 7, **kind).real_share(1)
    for rows, real_tokens, fed_tokens in zip(order(1, **kind), real, fed, strict=True):
        own = LENGTHS[rows[rows >= 0]]
        width = own.max()
        if "widths" in kind:
            width = kind["widths"][np.searchsorted(kind["widths"], width)]
        assert (real_tokens, fed_tokens) == (own.sum(), len(rows) * width)


@pytest.mark.parametrize("size", [{"batch_size": 32}, {"batch_tokens": 1024}])
def test_real_tokens_are_most_of_what_is_fed(size):
    lengths = np.random.default_rng(1).integers(5, 60, 20_000)
    real, fed = Plan(lengths, 1, **size).real_share(0)
    assert real.sum() == lengths.sum()
    assert real.sum() / fed.sum() >= 0.95


def test_a_loss_between_rows_sees_them_as_they_are_drawn():
    """Rows that lie together and are of like lengths come together in sorted batches only."""
    kinds = {
        loss: Embedding(None, Embedding.features_for(None, ["anchor", "positive"]), loss=loss)
        for loss in ("multiple_negatives", "triplet")
    }
    assert orders.window(kinds["triplet"]) == orders.WINDOW
    assert orders.window(kinds["multiple_negatives"]) == 1
    spread = {
        loss: np.mean([np.ptp(LENGTHS[rows]) for rows in drawn if (rows >= 0).all()])
        for loss, drawn in (
            (loss, order(batch_size=16, window=orders.window(task))) for loss, task in kinds.items()
        )
    }
    assert spread["multiple_negatives"] > 5 * spread["triplet"]


# === Many features ===


@pytest.fixture
def small_groups(monkeypatch):
    """Groups of 4 blocks of 50 features."""
    monkeypatch.setattr(orders, "GROUP", 200)
    monkeypatch.setattr(orders, "BLOCKS", 4)


@pytest.mark.usefixtures("small_groups")
def test_groups_hold_every_row_once_too(kind):
    plan = Plan(LENGTHS, 7, **kind)
    for epoch in range(2):
        found = order(epoch, **kind)
        rows = np.concatenate(found)
        assert sorted(rows[rows >= 0]) == list(range(1003))
        assert len(found) == plan.steps
        assert plan.real_share(epoch)[0].tolist() == [
            LENGTHS[batch[batch >= 0]].sum() for batch in found
        ]


@pytest.mark.usefixtures("small_groups")
def test_what_is_read_together_stands_together(kind):
    """1,003 rows are 21 blocks of 50 in 6 groups: an epoch sees 4 blocks at a time, or 3."""
    rows = np.concatenate(order(**kind))
    blocks = rows[rows >= 0] // 50
    changes, seen = 0, set()
    for block in blocks:
        if block not in seen:
            changes += 1
            seen.add(block)
    assert changes == 21
    last = {block: np.flatnonzero(blocks == block)[-1] for block in seen}
    first = {block: np.flatnonzero(blocks == block)[0] for block in seen}
    open_at = [
        sum(first[block] <= place <= last[block] for block in seen) for place in range(len(blocks))
    ]
    assert max(open_at) == 4
    assert blocks[:150].tolist() != sorted(blocks[:150])
    assert (blocks != np.concatenate(order(epoch=1, **kind))[rows >= 0] // 50).any()


def test_long_features_make_smaller_groups(monkeypatch):
    monkeypatch.setattr(orders, "GROUP_TOKENS", 10_000)
    monkeypatch.setattr(orders, "BLOCKS", 4)
    sizes = Plan(np.full(1000, 100), 7, batch_size=10)._sizes
    assert sizes == [100] * 10


# === What a task can do with ===


def store(lengths, *, padding=("input_ids",), columns=()):
    return SimpleNamespace(
        lengths=lengths, padding=dict.fromkeys(padding, 0), arrays=dict.fromkeys(columns)
    )


def task(name, *, compares=False, fixed=True):
    return SimpleNamespace(
        name=lambda: name,
        settings=dict,
        compares_rows=lambda: compares,
        fixed_shapes=fixed,
    )


@pytest.mark.parametrize(
    ("made", "asked", "line"),
    [
        (
            (store(LENGTHS), task("embedding", compares=True)),
            {"batch_tokens": 512},
            "train.batch_tokens: embedding needs batches of a number of rows, because its loss "
            "compares the rows of a batch, whose number must not change; set train.batch_size; "
            "received 512",
        ),
        (
            (store(LENGTHS, padding=()), task("image_classification")),
            {"batch_tokens": 512},
            "train.batch_tokens: image_classification needs batches of a number of rows, because "
            "its rows are no sequences of tokens; set train.batch_size; received 512",
        ),
        (
            (store(LENGTHS, columns=("length",)), task("multiple_choice", fixed=False)),
            {"batch_tokens": 512},
            "train.batch_tokens: multiple_choice needs batches of a number of rows, because each "
            "of its rows holds several texts; set train.batch_size; received 512",
        ),
        (
            (store(LENGTHS), task("masked_lm", fixed=False)),
            {"batch_size": 16, "shapes": 4},
            "train.shapes: the shapes of a batch of masked_lm do not follow from the lengths of "
            "its rows alone; leave it out; received 4",
        ),
    ],
)
def test_batches_that_a_task_cannot_do_with_are_refused(made, asked, line):
    with pytest.raises(UserError) as caught:
        orders.plan(*made, seed=1, **asked)
    assert str(caught.value) == line


def test_a_plan_is_made_of_what_the_recipe_says():
    made = orders.plan(store(LENGTHS), task("token_classification"), seed=3, batch_size=8)
    assert (made.seed, made.batch_size, made.batch_tokens, made.widths) == (3, 8, None, None)
    sizes = {"batch_size": 8, "batch_tokens": 600, "shapes": 3}
    made = orders.plan(store(LENGTHS), task("token_classification"), seed=3, **sizes)
    assert (made.batch_size, made.batch_tokens) == (None, 600)
    assert made.widths.tolist() == widths(LENGTHS, 3).tolist()
