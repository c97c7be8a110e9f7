"""Metrics of written texts, against the libraries they stand on and cases done by hand."""

import pytest
import sacrebleu
from rouge_score import rouge_scorer

from tfhf.learning.text_metrics import ExactMatch, Rouge, Translation, edit_distance

PREDICTIONS = ["the cat sat on the mat", "a dog", "hello there"]
REFERENCES = [["the cat sat on a mat", "a cat was there"], ["the dogs"], ["hello there"]]


def test_exact_match_and_character_errors():
    found = ExactMatch().compute(predictions=PREDICTIONS, references=REFERENCES)
    assert found["exact_match"] == pytest.approx(1 / 3)
    # "the" for "a": 3 edits of 20 characters; "a dog" for "the dogs": 4 of 8; 0 of 11.
    assert found["character_error_rate"] == pytest.approx((3 + 4 + 0) / (20 + 8 + 11))


@pytest.mark.parametrize(
    ("first", "second", "edits"),
    [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)],
)
def test_edit_distance(first, second, edits):
    assert edit_distance(first, second) == edits


def test_rouge_takes_the_best_reference():
    found = Rouge().compute(predictions=PREDICTIONS, references=REFERENCES)
    scorer = rouge_scorer.RougeScorer(["rouge1", "rougeL"], use_stemmer=True)
    for kind in ("rouge1", "rougeL"):
        best = [
            max(scorer.score(one, text)[kind].fmeasure for one in known)
            for text, known in zip(PREDICTIONS, REFERENCES, strict=True)
        ]
        assert found[kind] == pytest.approx(sum(best) / 3)


def test_rouge_reads_every_script():
    found = Rouge().compute(
        predictions=["東京は日本", "большой дом"], references=[["東京は首都"], ["большой сад"]]
    )
    assert found["rouge1"] == pytest.approx((3 / 5 + 1 / 2) / 2)


def test_translation_metrics_are_sacrebleus():
    found = Translation().compute(predictions=PREDICTIONS, references=REFERENCES)
    streams = [[known[0] for known in REFERENCES], [REFERENCES[0][1], None, None]]
    assert found["bleu"] == pytest.approx(sacrebleu.corpus_bleu(PREDICTIONS, streams).score)
    assert found["chrf"] == pytest.approx(sacrebleu.corpus_chrf(PREDICTIONS, streams).score)
    assert "tok:13a" in found["sacrebleu"]["bleu"]
