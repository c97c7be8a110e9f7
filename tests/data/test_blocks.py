"""Documents joined into blocks: every token once, in order, and nothing lost."""

from itertools import chain

import numpy as np
import pytest

from tfhf.data.blocks import cut, join, join_between

DOCUMENTS = [[1, 2, 3], [], [4, 5], [6, 7, 8, 9, 10, 11, 12], [], [13]]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 100])
@pytest.mark.parametrize("close", [False, True])
def test_blocks_hold_every_token_once_and_separators_between_documents(size, close):
    blocks = join(DOCUMENTS, size, separator=[0], close=close)
    expected = [1, 2, 3, 0, 4, 5, 0, 6, 7, 8, 9, 10, 11, 12, 0, 13, *[0] * close]
    assert list(chain.from_iterable(blocks.ids)) == expected
    assert {len(ids) for ids in blocks.ids[:-1]} <= {size}
    assert 0 < len(blocks.ids[-1]) <= size


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_a_block_tells_the_document_in_which_it_begins(size):
    # Ids that say which document they come from; a separator belongs to the one it closes.
    documents = [[row] * len(ids) for row, ids in enumerate(DOCUMENTS)]
    blocks = join(documents, size)
    assert blocks.rows.tolist() == [ids[0] for ids in blocks.ids]
    separated = join(documents, size, separator=[-1, -1])
    for row, ids in zip(separated.rows, separated.ids, strict=True):
        assert ids[0] in (row, -1)
    assert (np.diff(separated.rows) >= 0).all()


def test_empty_documents_leave_a_separator_only_where_asked():
    lines = [[], [1], [], [], [2], []]
    assert join(lines, 10, separator=[0]).ids == [[1, 0, 2]]
    assert join(lines, 10, separator=[0], keep_empty=True).ids == [[0, 1, 0, 0, 0, 2, 0]]
    assert join(lines, 10, separator=[0], keep_empty=True, close=True).ids[0][-2:] == [0, 0]


def test_marks_go_with_their_tokens():
    marks = [[1, 0, 1], [], [1, 0], [1, 1, 0, 0, 1, 0, 1], [], [1]]
    blocks = join(DOCUMENTS, 4, separator=[0], marks=marks)
    flat = dict(zip(chain.from_iterable(DOCUMENTS), chain.from_iterable(marks), strict=True))
    for ids, found in zip(blocks.ids, blocks.marks, strict=True):
        assert found == [flat.get(token, 1) for token in ids]
    pieces = cut(DOCUMENTS, 4, marks=marks)
    assert [len(ids) for ids in pieces.ids] == [len(found) for found in pieces.marks]
    assert list(chain.from_iterable(pieces.marks)) == list(chain.from_iterable(marks))


def test_cut_keeps_documents_apart():
    pieces = cut(DOCUMENTS, 3)
    assert pieces.ids == [[1, 2, 3], [4, 5], [6, 7, 8], [9, 10, 11], [12], [13]]
    assert pieces.rows.tolist() == [0, 2, 3, 3, 3, 5]


def test_documents_between_those_that_stay_alone_are_joined():
    documents = [[1], [2], [3, 4, 5], [], [6], [7], [8]]
    marks = [[1] * len(ids) for ids in documents]
    found = join_between(documents, 2, [2, 6], separator=[0], marks=marks)
    assert found.ids == [[1, 0], [2], [3, 4], [5], [6, 0], [7], [8]]
    assert found.rows.tolist() == [0, 1, 2, 2, 4, 5, 6]
    assert [len(ones) for ones in found.marks] == [len(ids) for ids in found.ids]
    assert join_between(documents, 3, []).ids == join(documents, 3).ids


@pytest.mark.parametrize("documents", [[], [[]], [[], []]])
def test_nothing_gives_no_blocks(documents):
    joined = join(documents, 4, separator=[0])
    for blocks in (joined, cut(documents, 4), join_between(documents, 4, [])):
        assert blocks.ids == []
        assert blocks.rows.shape == (0,)
