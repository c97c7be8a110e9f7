"""Scoring: one trace for all lengths, batches within their tokens, results in order."""

import numpy as np
import pytest
from datasets import Dataset

from tests.conftest import toy_rows
from tests.toys import text2text as toys
from tfhf import data, pieces
from tfhf.data.tokens import TokenStore
from tfhf.learning.scoring import ROWS, Scorer


@pytest.fixture(scope="module")
def model(tiny_bert_folder):
    return pieces.load_model(str(tiny_bert_folder), labels=["negative", "positive"], max_length=24)


@pytest.fixture(scope="module")
def store(model, tmp_path_factory):
    rows = Dataset.from_list(toy_rows(70)).class_encode_column("label")
    return TokenStore.build(rows, model.task, tmp_path_factory.mktemp("scoring") / "store")


def batches_of(scorer, monkeypatch):
    """Notes the shape of every batch that the scorer's graph is given."""
    shapes, traced = [], scorer._traced

    def noting(phase, task):
        step = traced(phase, task)

        def noted(iterator):
            found = step(iterator)
            shapes.append(len(found[0]))
            return found

        noted.step = step
        return noted

    monkeypatch.setattr(scorer, "_traced", noting)
    return shapes


@pytest.mark.parametrize("size", [{"batch_size": 1}, {"batch_size": 32}, {"batch_tokens": 64}, {}])
def test_results_are_in_order_whatever_the_batches(size, model, store):
    found = Scorer(model, **size)(store, "evaluate")
    expected = Scorer(model, 7)(store, "evaluate")
    assert found.loss == pytest.approx(expected.loss, rel=1e-5)
    for name in ("score", "probabilities"):
        np.testing.assert_allclose(found.results[name], expected.results[name], atol=1e-5)


def test_batches_are_as_large_as_their_tokens_allow(model, store, monkeypatch):
    scorer = Scorer(model, batch_tokens=64)
    sizes = batches_of(scorer, monkeypatch)
    scorer(store, "predict")
    longest = np.sort(store.lengths)[::-1]
    begin = 0
    for size in sizes:
        assert size * longest[begin] <= 64 or size == 1
        begin += size
    assert begin == 70
    assert max(sizes) > min(sizes[:-1])


def test_one_trace_serves_all_lengths_sizes_and_stores(model, store, tmp_path):
    scorer = Scorer(model, batch_tokens=64)
    scorer(store, "predict")
    other = Dataset.from_dict({"text": ["dull", "a warm and funny story, and more of it"]})
    scorer(TokenStore.build(other, model.task, tmp_path / "other"), "predict")
    (step,) = scorer._steps.values()
    assert step.experimental_get_tracing_count() == 1


def test_generation_is_traced_once_for_prompts_of_all_lengths(
    tiny_bert_folder, tmp_path, monkeypatch
):
    folder = toys.model(tiny_bert_folder, tmp_path / "model")
    options = {key.removeprefix("options."): value for key, value in toys.OPTIONS.items()}
    model = pieces.load_model(str(folder), "text2text", **options)
    scorer = Scorer(model)
    sizes = batches_of(scorer, monkeypatch)
    for number, count in enumerate((40, 1, 9)):
        texts = [row["text"] for row in toy_rows(count)]
        rows = data.from_rows(texts, model.task.inputs)
        store = TokenStore.build(rows, model.task, tmp_path / f"store{number}")
        assert len(scorer(store, "predict").results["sequences"]) == count
    assert sizes == [ROWS, 8, 1, 9]  # decoding keeps states of rows, so rows are what counts
    (step,) = scorer._steps.values()
    assert step.step.experimental_get_tracing_count() == 1


def test_features_of_a_part_keep_their_numbers(model, store, monkeypatch):
    """What is drawn when sampling follows from them."""
    monkeypatch.setattr(model.task, "outputs", lambda _, inputs, __: {"number": inputs["feature"]})
    seen = Scorer(model, batch_tokens=64)(store, "predict", first=1000).results["number"]
    assert seen.tolist() == list(range(1000, 1070))
