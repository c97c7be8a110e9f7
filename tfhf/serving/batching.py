"""Answers requests that arrive together in one run of the graph, from a queue that has an end."""

import threading
import time
from collections import OrderedDict, deque
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from dataclasses import dataclass, field

import numpy as np

from tfhf.serving.statuses import RequestError


@dataclass
class _Task:
    """A request that waits: what it feeds, and the future of what it fetches."""

    servable: object
    feeds: dict
    fetches: tuple
    rows: int
    deadline: float | None
    arrived: float = field(default_factory=time.monotonic)
    answer: Future = field(default_factory=Future)

    def is_late(self):
        return self.deadline is not None and time.monotonic() > self.deadline


class Batcher:
    """Runs requests of one version and signature together; see `configuration.Batching`.

    Args:
        settings: a Batching; None: every request is run alone, at once, by the thread that asks.
    """

    def __init__(self, settings):
        self.settings = settings
        self._waiting = OrderedDict()  # key → deque of tasks; the key waiting longest is first
        self._rows = 0
        self._changed = threading.Condition()
        self._open = True
        count = settings.num_batch_threads if settings else 0
        self._threads = [
            threading.Thread(target=self._work, name=f"batch-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, servable, feeds, fetches, deadline=None):
        """Computes tensors; see `Servable.run`.

        Args:
            servable: Servable; the caller keeps it acquired meanwhile.
            feeds: as there; the first dimension of each is the row.
            fetches: as there.
            deadline: `time.monotonic()` at which nobody wants the answer any more, or None.

        Raises:
            RequestError: UNAVAILABLE where the queue is full, DEADLINE_EXCEEDED.
        """
        rows = {array.shape[0] if array.ndim else None for array in feeds.values()}
        if not self._threads or len(rows) != 1 or None in rows:
            return servable.run(feeds, fetches)
        task = _Task(servable, feeds, fetches, rows.pop(), deadline)
        self._enqueue(task)
        try:
            return task.answer.result(deadline and max(0.0, deadline - time.monotonic()))
        except WaitedTooLong:
            raise _too_late() from None

    def close(self):
        """Lets what waits be answered, and ends."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _enqueue(self, task):
        settings = self.settings
        with self._changed:
            most = settings.max_enqueued_batches * settings.max_batch_size
            if not self._open or (self._rows and self._rows + task.rows > most):
                raise RequestError(
                    "UNAVAILABLE",
                    "The batch scheduling queue to which this task was submitted is "
                    f"{'full' if self._open else 'closed'}",
                )
            if not task.servable.acquire():
                raise RequestError("UNAVAILABLE", "The version has just been unloaded")
            self._waiting.setdefault(self._key(task), deque()).append(task)
            self._rows += task.rows
            self._changed.notify_all()

    def _key(self, task):
        """What tasks of one batch have in common."""
        signature = (task.servable, tuple(task.feeds), task.fetches)
        if signature[1:] in task.servable.not_by_row:
            return (*signature, id(task))
        padded = self.settings.pad_variable_length_inputs
        kinds = tuple(
            (array.dtype, array.ndim if padded else array.shape[1:])
            for array in task.feeds.values()
        )
        return (*signature, kinds)

    def _work(self):
        while tasks := self._next_batch():
            try:
                self._answer(tasks)
            finally:
                for task in tasks:
                    task.servable.release()

    def _next_batch(self):
        """Waits for tasks and takes as many as make a batch; none once the batcher is closed."""
        with self._changed:
            while True:
                while not self._waiting:
                    if not self._open:
                        return []
                    self._changed.wait()
                key, tasks = next(iter(self._waiting.items()))
                left = tasks[0].arrived + self.settings.batch_timeout_micros / 1e6
                left -= time.monotonic()
                full = sum(task.rows for task in tasks) >= self.settings.max_batch_size
                if full or left <= 0 or not self._open:
                    return self._taken(key, tasks)
                self._changed.wait(left)

    def _taken(self, key, tasks):
        """The tasks of a batch, off the queue."""
        batch, rows = [], 0
        while tasks and (not batch or rows + tasks[0].rows <= self.settings.max_batch_size):
            batch.append(tasks.popleft())
            rows += batch[-1].rows
        if tasks:
            self._waiting.move_to_end(key)
        else:
            del self._waiting[key]
        self._rows -= rows
        return batch

    def _answer(self, tasks):
        wanted = []
        for task in tasks:
            if task.is_late():
                task.answer.set_exception(_too_late())
            else:
                wanted.append(task)
        if len(wanted) > 1 and self._answered_together(wanted):
            return
        for task in wanted:
            try:
                task.answer.set_result(task.servable.run(task.feeds, task.fetches))
            except Exception as error:
                task.answer.set_exception(error)

    def _answered_together(self, tasks):
        """Answers tasks in one run; False if they have to be run one by one."""
        first, counts = tasks[0], [task.rows for task in tasks]
        total = sum(counts)
        size = min((s for s in self.settings.allowed_batch_sizes if s >= total), default=total)
        feeds = {name: _joined([task.feeds[name] for task in tasks], size) for name in first.feeds}
        try:
            found = first.servable.run(feeds, first.fetches)
        except Exception:
            return False  # one request's mistake is not to be the others'
        if any(not array.ndim or len(array) != size for array in found):
            first.servable.not_by_row.add((tuple(first.feeds), first.fetches))
            return False
        ends = np.cumsum(counts)
        for task, end in zip(tasks, ends, strict=True):
            task.answer.set_result([array[end - task.rows : end] for array in found])
        return True


def _joined(arrays, size):
    """Arrays one below the other, the shorter ones filled up, the last row repeated to `size`."""
    shape = np.max([array.shape[1:] for array in arrays], axis=0).astype(int)
    whole = np.concatenate([_filled(array, shape) for array in arrays])
    if len(whole) < size:
        whole = np.concatenate([whole, np.repeat(whole[-1:], size - len(whole), axis=0)])
    return whole


def _filled(array, shape):
    if array.shape[1:] == tuple(shape):
        return array
    filled = np.full((len(array), *shape), b"" if array.dtype == object else 0, array.dtype)
    filled[tuple(map(slice, array.shape))] = array
    return filled


def _too_late():
    return RequestError("DEADLINE_EXCEEDED", "Deadline exceeded before the answer was there")
