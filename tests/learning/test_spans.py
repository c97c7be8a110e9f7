"""Spans: the n best of a window against every span there is, and the windows of a row together."""

import numpy as np
import pytest
import tensorflow as tf

from tfhf.learning.spans import best_spans, gather_windows

RNG = np.random.default_rng(0)


def window(size, context, null=0):
    """Random logits of one window whose context stands at the given tokens, 3 characters each."""
    offsets = np.full((2, size), -1, np.int32)
    offsets[0, context] = 3 * np.arange(len(context))
    offsets[1, context] = 3 * np.arange(len(context)) + 2
    logits = RNG.normal(size=(2, size)).astype(np.float32)
    return [*logits[:, None], *offsets[:, None], np.array([null], np.int32)]


def every_span(start_logits, end_logits, offset_start, offset_end, null, longest):
    """Probabilities of all spans by two loops, best first, and that of no answer."""
    context = np.flatnonzero(offset_start[0] >= 0)
    known = [*context, null[0]]
    starts, ends = (
        dict(zip(known, np.exp(logits[0, known]) / np.exp(logits[0, known]).sum(), strict=True))
        for logits in (start_logits, end_logits)
    )
    found = [
        (starts[first] * ends[last], offset_start[0, first], offset_end[0, last])
        for first in context
        for last in context
        if first <= last < first + longest
    ]
    return sorted(found, reverse=True), starts[null[0]] * ends[null[0]]


@pytest.mark.parametrize(
    ("size", "context", "null", "longest"),
    [
        (12, range(4, 11), 0, 3),
        (12, range(4, 11), 0, 30),
        (9, range(0, 5), 8, 2),  # the context first, the token for no answer last
        (6, range(4, 5), 0, 4),  # fewer spans than are wanted
    ],
)
def test_best_spans_are_the_best_of_all(size, context, null, longest):
    given = window(size, list(context), null)
    found = best_spans(*map(tf.constant, given), count=8, longest=longest)
    spans, nothing = every_span(*given, longest)
    kept = min(8, len(spans))
    scores, starts, ends = zip(*spans[:kept], strict=True)
    np.testing.assert_allclose(found["span_score"][0, :kept], scores, rtol=1e-5)
    np.testing.assert_array_equal(found["span_start"][0, :kept], starts)
    np.testing.assert_array_equal(found["span_end"][0, :kept], ends)
    np.testing.assert_allclose(found["null_score"][0], nothing, rtol=1e-5)
    assert not found["span_score"][0, kept:].numpy().any()


def test_padding_changes_nothing():
    given = window(10, list(range(3, 9)))
    wide = [np.pad(part, [(0, 0), (0, 5)], constant_values=fill) for part, fill in zip(
        given[:4], (7.0, 7.0, -1, -1), strict=True)] + given[4:]  # fmt: skip
    one = best_spans(*map(tf.constant, given), count=5, longest=4)
    other = best_spans(*map(tf.constant, wide), count=5, longest=4)
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], rtol=1e-6, err_msg=name)


def test_a_window_without_context_has_no_span():
    found = best_spans(*map(tf.constant, window(5, [])), count=3, longest=4)
    assert found["span_score"].numpy().tolist() == [[0.0, 0.0, 0.0]]
    assert found["null_score"].numpy() == pytest.approx(1.0)


def results():
    """Two spans for each of four windows: one of the first row, three of the second."""
    return {
        "span_score": np.float32([[0.5, 0.1], [0.2, 0.1], [0.9, 0.3], [0.4, 0.0]]),
        "span_start": np.int32([[1, 2], [3, 4], [5, 6], [7, 0]]),
        "span_end": np.int32([[11, 12], [13, 14], [15, 16], [17, 0]]),
        "null_score": np.float32([0.5, 0.7, 0.1, 0.6]),
    }


def test_the_best_of_a_rows_windows():
    found = gather_windows(results(), np.array([0, 1, 1, 1]), best=True)
    np.testing.assert_allclose(found["span_score"], [[0.5, 0.1], [0.9, 0.4]])
    assert found["span_start"].tolist() == [[1, 2], [5, 7]]
    assert found["span_end"].tolist() == [[11, 12], [15, 17]]
    np.testing.assert_allclose(found["null_score"], [0.5, 0.1])
    np.testing.assert_allclose(found["no_answer_probability"], [0.5, 0.1])
    assert {values.dtype.name for values in found.values()} == {"float32", "int32"}


def test_every_span_of_a_rows_windows():
    found = gather_windows(results(), np.array([0, 1, 1, 1]), best=False)
    assert found["span_start"].tolist() == [[1, 2, 0, 0, 0, 0], [3, 4, 5, 6, 7, 0]]
    np.testing.assert_allclose(
        found["span_score"], [[0.5, 0.1, 0, 0, 0, 0], [0.2, 0.1, 0.9, 0.3, 0.4, 0]]
    )


def test_rows_of_one_window_stay_as_they_are():
    given = results()
    found = gather_windows(given, np.arange(4), best=True)
    assert all(found[name] is values for name, values in given.items())


def test_no_answer_is_certain_where_there_is_no_span():
    given = results()
    given["span_score"] = np.zeros((4, 2), np.float32)
    given["null_score"] = np.float32([0.3, 0.0, 1.0, 0.2])
    found = gather_windows(given, np.arange(4), best=True)
    assert found["no_answer_probability"].tolist() == [1.0] * 4
