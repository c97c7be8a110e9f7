"""EM and F1 of answers: those of the official SQuAD 2.0 script, which transformers ships."""

import random
from types import SimpleNamespace

import pytest

from tfhf.learning.span_metrics import SpanAnswers

VOCABULARY = ["The", "a", "Eiffel", "tower,", "in", "1887", "Zürich", "an", "U.S.", "東京", "-"]


def questions(count, seed, answerable=0.6):
    """Random predictions, probabilities of no answer, and references."""
    draw = random.Random(seed)

    def text():
        return " ".join(draw.choices(VOCABULARY, k=draw.randint(1, 4)))

    references = [
        [text() for _ in range(draw.randint(1, 3))] if draw.random() < answerable else []
        for _ in range(count)
    ]
    predictions = [
        draw.choice(found)
        if found and draw.random() < 0.3
        else text()
        if draw.random() < 0.9
        else ""
        for found in references
    ]
    absent = [round(draw.random(), 2) for _ in range(count)]  # some are equal
    return predictions, absent, references


def official(predictions, absent, references, threshold):
    from transformers.data.metrics.squad_metrics import squad_evaluate

    examples = [
        SimpleNamespace(qas_id=number, answers=[{"text": text} for text in texts])
        for number, texts in enumerate(references)
    ]
    said, nothing = dict(enumerate(predictions)), dict(enumerate(absent))
    return squad_evaluate(examples, said, nothing, threshold)


NAMES = {
    "exact": "exact_match",
    "f1": "f1",
    "HasAns_exact": "has_answer_exact_match",
    "HasAns_f1": "has_answer_f1",
    "NoAns_exact": "no_answer_exact_match",
    "NoAns_f1": "no_answer_f1",
    "best_exact": "best_exact_match",
    "best_f1": "best_f1",
}
THRESHOLDS = {
    "best_exact_thresh": "best_exact_match_threshold",
    "best_f1_thresh": "best_f1_threshold",
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.0, 0.37, 1.0])
def test_figures_are_the_official_ones(seed, threshold):
    predictions, absent, references = questions(200, seed)
    found = SpanAnswers(threshold).compute(
        predictions=predictions, no_answer_probabilities=absent, references=references
    )
    expected = official(predictions, absent, references, threshold)
    assert set(found) == {*NAMES.values(), *THRESHOLDS.values()}
    for theirs, ours in NAMES.items():
        assert 100 * found[ours] == pytest.approx(expected[theirs], abs=1e-9), ours
    for theirs, ours in THRESHOLDS.items():
        assert found[ours] == expected[theirs], ours


def test_where_every_question_has_an_answer():
    predictions, absent, references = questions(100, 7, answerable=1.0)
    found = SpanAnswers().compute(
        predictions=predictions, no_answer_probabilities=absent, references=references
    )
    expected = official(predictions, [0.0] * 100, references, 1.0)
    assert set(found) == {"exact_match", "f1"}
    assert 100 * found["f1"] == pytest.approx(expected["f1"], abs=1e-9)
    assert 100 * found["exact_match"] == pytest.approx(expected["exact"], abs=1e-9)


def test_where_no_question_has_one():
    found = SpanAnswers(0.5).compute(
        predictions=["a", "b"], no_answer_probabilities=[0.6, 0.4], references=[[], []]
    )
    assert found["f1"] == found["no_answer_f1"] == 0.5
    assert (found["best_f1"], found["best_f1_threshold"]) == (1.0, 0.0)
    assert "has_answer_f1" not in found
