"""The index on disk."""

import json
import sys

import numpy as np
import pytest

from tfhf import storage
from tfhf.errors import UserError
from tfhf.retrieval import Embedder, Index, Passage
from tfhf.retrieval.index import AT_ONCE

pytest.importorskip("faiss")

TEXTS = [
    "gold in Paris",
    "silver in Rome",
    "copper and tin",
    "a line\u2028within",
    "gold gold gold",
]


def passages(texts=TEXTS):
    return [Passage(text, "a.txt", 0, len(text), page=3) for text in texts]


def test_what_is_nearest_comes_first(tmp_path, embedder):
    built = Index.build(tmp_path / "index", passages(), embedder)
    again = Index(tmp_path / "index", embedder)
    for index in (built, again):
        hits = index.search("gold in Paris", top_k=2)
        assert [hit.number for hit in hits] == [0, 4]
        assert hits[0].passage == passages()[0]
        assert hits[0].score == pytest.approx(1.0)
    with pytest.raises(UserError, match="top_k: want at least 1 passage per question; received 0"):
        again.search("gold", top_k=0)
    every = again.search(["copper tin", "silver Rome"], top_k=99)
    assert [len(hits) for hits in every] == [5, 5]
    assert [hits[0].number for hits in every] == [2, 1]


def test_a_second_index_takes_the_place_of_the_first(tmp_path, embedder, monkeypatch):
    Index.build(tmp_path, passages(), embedder)
    Index.build(tmp_path, passages(["iron"]), embedder)
    assert len(list(tmp_path.iterdir())) == 3
    # Killed before the last file is there: the index is the one before.
    with monkeypatch.context() as broken:
        broken.setattr(storage, "write_json", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Index.build(tmp_path, passages(), embedder)
    assert [one.text for one in Index(tmp_path, embedder).passages] == ["iron"]


def test_lists_find_what_is_alike(tmp_path, embedder):
    draw = np.random.default_rng(0)
    words = ["gold", "silver", "iron", "tin", "wood", "stone", "paper", "glass"]
    texts = [" ".join(draw.choice(words, 6)) for _ in range(160)]
    index = Index.build(tmp_path, passages(texts), embedder, lists=4)
    found = index.search(texts[17], top_k=3)
    assert found[0].score == pytest.approx(1.0)
    assert len(found) == 3
    with pytest.raises(UserError, match="lists: want 1 to 5, the number of passages; received 6"):
        Index.build(tmp_path, passages(), embedder, lists=6)


def test_an_index_that_does_not_fit_is_refused(tmp_path, embedder):
    with pytest.raises(UserError, match=r"is no index: index.json is missing"):
        Index(tmp_path, embedder)
    with pytest.raises(UserError, match="index: there are no passages"):
        Index.build(tmp_path, [], embedder)
    Index.build(tmp_path, passages(), embedder)
    embedder.width = 3
    with pytest.raises(UserError, match="vectors of 64 numbers; word counts has 3"):
        Index(tmp_path, embedder)
    embedder.width = 64
    about = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / about["passages"]).write_text("{}")
    with pytest.raises(UserError, match="cannot be read: .*; build it again"):
        Index(tmp_path, embedder)
    (tmp_path / about["passages"]).write_text("")
    with pytest.raises(UserError, match="holds 5 vectors and 0 passages; build it again"):
        Index(tmp_path, embedder)
    (tmp_path / about["vectors"]).write_bytes(b"no index")
    with pytest.raises(UserError, match="cannot be read.*; build it again"):
        Index(tmp_path, embedder)


def test_a_missing_faiss_is_one_line(tmp_path, monkeypatch, embedder):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UserError, match=r"an index needs FAISS: pip install 'tfhf\[retrieval\]'"):
        Index.build(tmp_path, passages(), embedder)


def test_an_index_remembers_its_model(tiny_bert_folder, tmp_path):
    embed = Embedder(tiny_bert_folder, query_prefix="story ", passage_prefix="film ", max_length=12)
    index = Index.build(tmp_path, passages(), embed)
    assert len(passages()) < AT_ONCE
    vectors = embed(["film gold in Paris", "story tin"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(embed.queries(["tin"]), vectors[1:], atol=1e-5)
    assert embed([]).shape == (0, 16)
    again = Index(tmp_path)
    assert again.embedder.max_length == 12
    expected = [hit.number for hit in index.search("gold")]
    assert [hit.number for hit in again.search("gold")] == expected
