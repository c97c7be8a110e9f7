"""The token store: what `encode` gives comes back from the files, whatever its shape."""

import numpy as np
import pytest
from datasets import Dataset, Features, List, Value

from tfhf.data.tokens import TokenStore, describe_lengths


class Words:
    """One feature per row: a token per word, at most three; a vector beside it."""

    padding = {"input_ids": 9}
    rows_at_once = 2_000

    def encode(self, rows):
        words = [[len(word) for word in text.split()] for text in rows["text"]]
        return {
            "input_ids": [ids[:3] for ids in words],
            "full_length": [len(ids) for ids in words],
            "vector": [[float(len(ids)), 0.5] for ids in words],
            "label": [len(text) for text in rows["text"]],
        }


class Windows(Words):
    """A feature per word, as a task with windows gives them."""

    def encode(self, rows):
        found = [(i, word) for i, text in enumerate(rows["text"]) for word in text.split()]
        return {
            "input_ids": [[len(word)] * len(word) for _, word in found],
            "full_length": [len(word) for _, word in found],
            "row": [index for index, _ in found],
        }


TEXTS = ["a bb ccc", "dddd", "", "e ff ggg hhhh", "i"]
ROWS = Dataset.from_dict({"text": TEXTS})


@pytest.fixture(params=[2, 2000])
def store(request, monkeypatch, tmp_path):
    """The same store, written in one piece and in several."""
    monkeypatch.setattr(Words, "rows_at_once", request.param)
    return TokenStore.build(ROWS, Words(), tmp_path / "store")


def test_arrays_hold_what_encode_gave(store):
    assert store.features == 5
    assert store.padding == {"input_ids": 9}
    assert store.array("input_ids").tolist() == [1, 2, 3, 4, 1, 2, 3, 1]
    assert store.array("input_ids.offsets").tolist() == [0, 3, 4, 4, 7, 8]
    assert store.array("full_length").tolist() == [3, 1, 0, 4, 1]
    assert store.array("vector").tolist() == [[3, 0.5], [1, 0.5], [0, 0.5], [4, 0.5], [1, 0.5]]
    assert store.array("label").tolist() == [len(text) for text in TEXTS]
    assert store.array("row").tolist() == [0, 1, 2, 3, 4]
    kinds = {name: store.array(name).dtype for name in ("input_ids", "label", "vector")}
    assert kinds == {"input_ids": np.uint8, "label": np.int32, "vector": np.float32}


class Numbers:
    """The numbers of the rows as tokens."""

    padding = {"input_ids": 0}
    rows_at_once = 1

    def encode(self, rows):
        return {"input_ids": rows["numbers"]}


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([[1, 255], [3]], np.uint8),
        ([[1, 255], [256, 65_535]], np.uint16),
        ([[30_000], [], [70_000]], np.int32),
        ([[], [3, -1, 127]], np.int16),
        ([[3, -1, 127]], np.int8),
        ([[3], [-100, 30_521]], np.int16),
        ([[200], [-1]], np.int16),
        ([[40_000], [-1]], np.int32),
        ([[], []], np.uint8),
    ],
)
def test_tokens_take_the_narrowest_type_that_holds_them(rows, kind, tmp_path):
    features = Features({"numbers": List(Value("int64"))})
    dataset = Dataset.from_dict({"numbers": rows}, features=features)
    store = TokenStore.build(dataset, Numbers(), tmp_path / "store")
    assert store.array("input_ids").dtype == kind
    assert store.array("input_ids").tolist() == [one for row in rows for one in row]
    np.testing.assert_array_equal(store.tensor("input_ids").numpy(), store.array("input_ids"))
    assert sorted(path.suffix for path in (tmp_path / "store").iterdir()) == [".bin"] * 3 + [
        ".json"
    ]


def test_names_are_what_a_batch_is_made_of(store):
    assert sorted(store.names) == ["input_ids", "label", "vector"]


def test_lengths_are_those_after_truncation(store):
    assert store.lengths.tolist() == [3, 1, 0, 3, 1]


def test_tensors_equal_arrays(store):
    for name in store.arrays:
        np.testing.assert_array_equal(store.tensor(name).numpy(), store.array(name))


def test_a_store_opens_again(store):
    again = TokenStore(store.folder)
    assert again.arrays == store.arrays
    assert again.array("input_ids").tolist() == store.array("input_ids").tolist()


def test_windows_know_their_row_across_chunks(monkeypatch, tmp_path):
    monkeypatch.setattr(Windows, "rows_at_once", 2)
    store = TokenStore.build(ROWS, Windows(), tmp_path / "store")
    assert store.features == 9
    assert store.array("row").tolist() == [0, 0, 0, 1, 3, 3, 3, 3, 4]
    assert store.lengths.tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 1]


def test_rows_without_any_token(tmp_path):
    store = TokenStore.build(Dataset.from_dict({"text": ["", ""]}), Words(), tmp_path / "store")
    assert store.lengths.tolist() == [0, 0]
    assert store.tensor("input_ids").shape == (0,)


def test_lengths_are_described_before_truncation(store):
    found = describe_lengths(store)
    assert found["percentiles"] == {"50": 1, "90": 4, "95": 4, "99": 4, "100": 4}
    assert sum(found["histogram"]["counts"]) == 5
    assert len(found["histogram"]["edges"]) == len(found["histogram"]["counts"]) + 1
    assert found["truncated"] == pytest.approx(0.2)
