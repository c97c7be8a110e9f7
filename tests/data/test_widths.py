"""Widths: the best there are, by trying all."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from tfhf.data.widths import of_columns, widths


def fed(lengths, chosen):
    return np.asarray(chosen)[np.searchsorted(chosen, lengths)].sum()


@pytest.mark.parametrize("count", range(1, 6))
def test_no_other_widths_leave_less_padding(count):
    random = np.random.default_rng(count)
    for _ in range(20):
        lengths = random.integers(1, 9, random.integers(1, 12))
        found = widths(lengths, count)
        sizes = np.unique(lengths)
        assert len(found) == min(count, len(sizes)) and (np.diff(found) > 0).all()
        ways = itertools.combinations(sizes, len(found))
        best = min(fed(lengths, way) for way in ways if way[-1] == lengths.max())
        assert fed(lengths, found) == best


def test_other_columns_fit_where_the_longest_does():
    offsets = {"input_ids": [0, 2, 7, 10, 19], "label": [0, 2, 3, 7, 8]}
    store = SimpleNamespace(
        lengths=np.array([2, 5, 4, 9]),
        padding={"input_ids": 0, "label": -100},
        array=lambda name: np.array(offsets[name.removesuffix(".offsets")]),
    )
    found = of_columns(store, np.array([2, 5, 9]))
    assert found["input_ids"].tolist() == [2, 5, 9]
    assert found["label"].tolist() == [2, 4, 4]
