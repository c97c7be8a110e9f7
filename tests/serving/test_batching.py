"""Batches, with a model that computes when the test says so."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tfhf.serving.batching import Batcher
from tfhf.serving.configuration import Batching
from tfhf.serving.statuses import RequestError


class Doubling:
    """Gives `2 * x` for every row; remembers its batches, and waits while `gate` is closed."""

    def __init__(self):
        self.not_by_row = set()
        self.batches = []
        self.users = 1
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.lock = threading.Lock()

    def acquire(self):
        with self.lock:
            self.users += 1
        return True

    def release(self):
        with self.lock:
            self.users -= 1

    def run(self, feeds, fetches):
        self.batches.append({name: array.tolist() for name, array in feeds.items()})
        self.entered.release()
        assert self.gate.wait(30)
        if np.any(feeds["x"] == -1):
            raise ValueError("no")
        return [2 * feeds["x"] for _ in fetches]


class Alone(Doubling):
    """Gives one number for all rows."""

    def run(self, feeds, fetches):
        super().run(feeds, fetches)
        return [np.array(feeds["x"].sum())]


@pytest.fixture
def started():
    """Makes batchers that are closed at the end."""
    made = []

    def start(**settings):
        made.append(Batcher(Batching(**settings)))
        return made[-1]

    yield start
    for batcher in made:
        batcher.close()


@pytest.fixture
def pool():
    with ThreadPoolExecutor(16) as pool:
        yield pool


def array(*values):
    return np.array(values, np.float32)


def held(batcher, pool, model):
    """Fills the batcher's only thread with a request that waits for the gate."""
    model.gate.clear()
    model.entered = threading.Semaphore(0)
    first = pool.submit(batcher.run, model, {"x": array(100)}, ("y",))
    assert model.entered.acquire(timeout=30)
    return first


def ask(batcher, pool, model, inputs, deadline=None):
    """Asks, one request after the other, while the batcher is held."""
    futures = []
    for values in inputs:
        before = batcher._rows
        futures.append(pool.submit(batcher.run, model, {"x": values}, ("y",), deadline))
        with batcher._changed:
            assert batcher._changed.wait_for(lambda: batcher._rows > before, 30)  # noqa: B023
    return futures


def test_what_waits_is_computed_together(started, pool):
    batcher, model = started(), Doubling()
    first = held(batcher, pool, model)
    futures = ask(batcher, pool, model, [array(1), array(2, 3), array(4)])
    model.gate.set()
    assert [future.result()[0].tolist() for future in [first, *futures]] == [
        [200],
        [2],
        [4, 6],
        [8],
    ]
    assert model.batches == [{"x": [100]}, {"x": [1, 2, 3, 4]}]
    batcher.close()
    assert model.users == 1


def test_a_batch_has_a_size(started, pool):
    batcher, model = started(max_batch_size=3), Doubling()
    held(batcher, pool, model)
    futures = ask(batcher, pool, model, [array(1, 2), array(3, 4), array(5), array(*range(9))])
    model.gate.set()
    assert [future.result()[0].size for future in futures] == [2, 2, 1, 9]
    assert [len(batch["x"]) for batch in model.batches] == [1, 2, 3, 9]


def test_unlike_shapes_and_types_are_computed_apart(started, pool):
    batcher, model = started(), Doubling()
    held(batcher, pool, model)
    inputs = [array([1, 2]), array([1, 2, 3]), np.array([1], np.int32), array([3, 4])]
    futures = ask(batcher, pool, model, inputs)
    model.gate.set()
    for future, values in zip(futures, inputs, strict=True):
        assert future.result()[0].tolist() == (2 * values).tolist()
    assert [len(batch["x"]) for batch in model.batches] == [1, 2, 1, 1]


def test_lengths_are_filled_up_where_that_is_wanted(started, pool):
    batcher, model = started(pad_variable_length_inputs=True), Doubling()
    held(batcher, pool, model)
    futures = ask(batcher, pool, model, [array([1, 2]), array([1, 2, 3])])
    model.gate.set()
    assert futures[0].result()[0].tolist() == [[2, 4, 0]]
    assert model.batches[1] == {"x": [[1, 2, 0], [1, 2, 3]]}


def test_strings_are_filled_up_with_nothing():
    from tfhf.serving.batching import _joined

    texts = [np.array([[b"a"]], object), np.array([[b"b", b"c"]], object)]
    assert _joined(texts, 3).tolist() == [[b"a", b""], [b"b", b"c"], [b"b", b"c"]]


def test_batches_have_the_sizes_that_are_allowed(started, pool):
    batcher, model = started(max_batch_size=8, allowed_batch_sizes=(2, 4, 8)), Doubling()
    held(batcher, pool, model)
    futures = ask(batcher, pool, model, [array(1), array(2), array(3)])
    model.gate.set()
    assert [future.result()[0].tolist() for future in futures] == [[2], [4], [6]]
    assert model.batches[1] == {"x": [1, 2, 3, 3]}


def test_a_full_queue_refuses(started, pool):
    batcher, model = started(max_batch_size=2, max_enqueued_batches=1), Doubling()
    held(batcher, pool, model)
    futures = ask(batcher, pool, model, [array(1, 2)])
    with pytest.raises(RequestError, match=r"^UNAVAILABLE: The batch scheduling queue .* is full"):
        batcher.run(model, {"x": array(3)}, ("y",))
    model.gate.set()
    assert futures[0].result()[0].tolist() == [2, 4]
    assert batcher.run(model, {"x": array(3)}, ("y",))[0].tolist() == [6]


def test_one_mistake_is_not_the_others(started, pool):
    batcher, model = started(), Doubling()
    held(batcher, pool, model)
    futures = ask(batcher, pool, model, [array(1), array(-1), array(2)])
    model.gate.set()
    assert futures[0].result()[0].tolist() == [2]
    with pytest.raises(ValueError, match="no"):
        futures[1].result()
    assert futures[2].result()[0].tolist() == [4]


def test_who_waits_too_long_is_told_and_not_computed(started, pool):
    batcher, model = started(), Doubling()
    held(batcher, pool, model)
    (future,) = ask(batcher, pool, model, [array(1)], deadline=time.monotonic() + 0.01)
    with pytest.raises(RequestError, match="^DEADLINE_EXCEEDED"):
        future.result(30)
    model.gate.set()
    assert batcher.run(model, {"x": array(2)}, ("y",))[0].tolist() == [4]
    assert {"x": [1]} not in model.batches
    batcher.close()
    assert model.users == 1


def test_what_is_not_by_row_is_computed_alone(started, pool):
    batcher, model = started(), Alone()
    held(batcher, pool, model)
    futures = ask(batcher, pool, model, [array(1, 2), array(3)])
    model.gate.set()
    assert [future.result()[0].tolist() for future in futures] == [3, 3]
    held(batcher, pool, model)
    futures = ask(batcher, pool, model, [array(1, 2), array(3)])
    model.gate.set()
    assert [future.result()[0].tolist() for future in futures] == [3, 3]
    assert [len(batch["x"]) for batch in model.batches] == [1, 3, 2, 1, 1, 2, 1]


def test_a_value_without_rows_is_computed_at_once(started):
    model = Doubling()
    assert started().run(model, {"x": np.float32(3)}, ("y",)) == [6]
    assert model.users == 1


def test_a_batch_waits_for_more_until_its_time_is_over(started, pool):
    batcher, model = started(max_batch_size=2, batch_timeout_micros=10_000_000), Doubling()
    futures = [pool.submit(batcher.run, model, {"x": array(n)}, ("y",)) for n in (1, 2)]
    assert sorted(future.result(5)[0].tolist() for future in futures) == [[2], [4]]
    assert len(model.batches) == 1


def test_without_batching_each_asks_for_itself():
    batcher, model = Batcher(None), Doubling()
    assert batcher.run(model, {"x": array(1)}, ("y",))[0].tolist() == [2]
    batcher.close()


def test_a_closed_batcher_answers_what_waits_and_takes_no_more(started, pool):
    batcher, model = started(), Doubling()
    held(batcher, pool, model)
    futures = ask(batcher, pool, model, [array(1)])
    closing = pool.submit(batcher.close)
    model.gate.set()
    closing.result(30)
    assert futures[0].result()[0].tolist() == [2]
    with pytest.raises(RequestError, match="closed"):
        batcher.run(model, {"x": array(2)}, ("y",))
