"""Reports and model cards of every task, from run folders such as the tasks write."""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

from tests.reporting.task_runs import HOSTILE, RUNS
from tests.reporting.test_report_page import Page, colours_of
from tfhf import tasks
from tfhf.reporting import write_report
from tfhf.reporting.findings import mistakes, order_gaps
from tfhf.reporting.forms import Row, read
from tfhf.reporting.marks import Span, excerpt, marked
from tfhf.reporting.metrics import KNOWN, metric, metric_name

each_run = pytest.mark.parametrize("name", RUNS)
PLOTS = {
    "token_classification": "errors_by_length label_f1",
    "parts_of_speech": "label_f1",
    "question_answering": "answer_f1 answerable errors_by_length",
    "answerable": "answer_f1 errors_by_length",
    "embedding_pairs": "errors_by_length ranks recall",
    "embedding_scores": "scatter",
    "multiple_choice": "calibration choice_counts errors_by_length positions",
    "masked_lm": "block_loss",
    "causal_lm": "block_loss loss metric",
    "text2text": "answer_chrf answer_lengths",
    "summarization": "answer_chrf answer_lengths",
    "translation": "answer_chrf answer_lengths",
    "zero_shot_classification": "calibration confusion label_f1",
    "image_classification": "calibration confusion label_f1 surest_mistakes",
}
WORDS = {
    "token_classification": ("test F1", "mistakes", "Ada Lovelace PER", "test entities"),
    "parts_of_speech": ("test accuracy", "library NOUN", "test words"),
    "question_answering": ("test F1", "F1 where there is none", "no answer"),
    "answerable": ("test F1", "Worst answers"),
    "embedding_pairs": ("0.710 test nDCG at 10", "found first", "recall at 5"),
    "embedding_scores": ("test Spearman correlation", "shift"),
    "multiple_choice": ("0.720 test accuracy", "95% interval", "guessing would score 0.38"),
    "masked_lm": ("14.9 test perplexity", "lower is better", "11.500"),
    "causal_lm": ("14.9 test perplexity", "gpt2, from scratch", "nats per character"),
    "text2text": ("test exact match", "character error rate"),
    "summarization": ("test ROUGE-L", "ROUGE-1"),
    "translation": ("31.2 test BLEU", "on a scale from 0 to 100", "nrefs:1|tok:13a"),
    "zero_shot_classification": ("test accuracy", "Most confident mistakes"),
    "image_classification": ("test accuracy", "image_classification_"),
}
CARDS = {  # pipeline_tag, pipeline of tfhf, class of PyTorch
    "token_classification": ("token-classification", "AutoModelForTokenClassification"),
    "parts_of_speech": ("token-classification", "AutoModelForTokenClassification"),
    "question_answering": ("question-answering", "AutoModelForQuestionAnswering"),
    "answerable": ("question-answering", "AutoModelForQuestionAnswering"),
    "embedding_pairs": ("sentence-similarity", "AutoModel"),
    "embedding_scores": ("sentence-similarity", "AutoModel"),
    "multiple_choice": ("multiple-choice", "AutoModelForMultipleChoice"),
    "masked_lm": ("fill-mask", "AutoModelForMaskedLM"),
    "causal_lm": ("text-generation", "AutoModelForCausalLM"),
    "text2text": ("text2text-generation", "AutoModelForSeq2SeqLM"),
    "summarization": ("summarization", "AutoModelForSeq2SeqLM"),
    "translation": ("translation", "AutoModelForSeq2SeqLM"),
    "zero_shot_classification": (
        "zero-shot-classification",
        "AutoModelForSequenceClassification",
    ),
    "image_classification": ("image-classification", "AutoModelForImageClassification"),
}


@each_run
def test_every_task_has_its_page(task_runs, name):
    run = task_runs[name]
    text = (run / "report.html").read_text("utf-8")
    page = Page(text)
    assert page.open == []
    for words in WORDS[name]:
        assert words in page.text, words
    plots = sorted((run / "plots").iterdir())
    assert [plot.stem for plot in plots] == PLOTS[name].split()
    assert all(colours_of(plot) > 10 for plot in plots)
    assert "<script>alert" not in text
    headings = [tag for tag, _ in page.tags if tag == "h2"]
    assert len(headings) == (8 if "label_f1" in PLOTS[name] else 7)


def test_images_are_shown_beside_their_names(task_runs):
    run = task_runs["image_classification"]
    text = (run / "report.html").read_text("utf-8")
    page, rows = Page(text), (run / "predictions/test.jsonl").read_text().splitlines()
    wrong = [row for row in map(json.loads, rows) if row["expected"] != row["label"]]
    there = [row for row in wrong if "thumbnail" in row or Path(row["image"]).exists()]
    shown = [tag for _, tag in page.tags if tag.get("class") == "small"]
    assert 20 >= len(wrong) > len(there) == len(shown)
    assert {row["thumbnail"] for row in there if "thumbnail" in row} < {tag["src"] for tag in shown}
    assert "image 2" in page.text  # that of an image without a file
    assert len(text) < 2_000_000


@each_run
def test_every_task_has_its_card(task_runs, name):
    run = task_runs[name]
    _, front, body = (run / "README.md").read_text("utf-8").split("---\n", 2)
    front = yaml.safe_load(front)
    tag, auto_class = CARDS[name]
    assert front["pipeline_tag"] == tag
    assert front["metrics"]
    assert f"{auto_class}\n" in body
    blocks = re.findall(r"```python\n(.*?)```", body, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        ast.parse(block)
    pipeline = re.search(r'tfhf\.pipeline\("([\w-]+)"', blocks[0])
    if pipeline:
        assert tasks.by_pipeline(pipeline[1]).name() == RUNS[name][0]
    assert ("id2label[int(logits" in body) == (
        name in ("zero_shot_classification", "image_classification")
    )
    sure = name in ("zero_shot_classification", "image_classification", "multiple_choice")
    assert ("Its confidence is" in body) == sure


def test_names_are_made_of_their_parts():
    assert metric_name("recall_at_10") == "recall at 10"
    assert metric_name("has_answer_f1") == "F1 where there is an answer"
    assert metric_name("best_exact_match_threshold") == "threshold with the best exact match"
    assert metric_name("something_new") == "something new"
    falling = [name for name in KNOWN if metric(name).lower_is_better]
    assert falling == [
        *("loss", "mse", "mae", "perplexity", "nats_per_character", "character_error_rate")
    ]


@pytest.mark.parametrize(
    ("row", "form"),
    [
        ({"text": "a", "expected": "x", "label": "y"}, "single_label"),
        ({"text": "a", "expected": ["x"], "label": ["y"]}, "multi_label"),
        ({"text": "a", "expected": 1, "score": 0.5}, "regression"),
        ({"tokens": ["a"], "expected": ["O"], "tags": ["B-X"], "entities": []}, "tags"),
        ({"text": "a", "tokens": 3, "loss": None, "accuracy": None}, "blocks"),
        ({"source": "a", "expected": ["b"], "summary_text": "c"}, "texts"),
        ({"text": "a", "expected": "b", "found": "c", "score": 1.0, "rank": 2}, "ranks"),
        ({"text": "a"}, None),
    ],
)
def test_forms_are_told_by_their_fields(row, form):
    assert read([row])[0] == form


def test_rows_of_another_form_are_left_out():
    rows = [{"text": "a", "expected": "x", "label": "y"}, {"text": "b"}, {"expected": 3}]
    assert len(read(rows)[1]) == 1


def test_shifts_in_the_order_by_hand():
    rows = [Row({}, expected, score, None) for expected, score in ((1, 0.9), (2, 0.5), (3, 0.7))]
    assert order_gaps(rows) == [1.0, -0.5, -0.5]
    assert mistakes(rows, "similarity", limit=1) == ([rows[0]], 3)


def test_marks_may_overlap_and_hide_nothing():
    html = marked("a <b> c", [Span(0, 3, "expected"), Span(2, 5, "answered", "<X>")])
    assert html == (
        '<mark class="expected">a </mark><mark class="expected answered">&lt;</mark>'
        '<mark class="answered">b&gt; <small>&lt;X&gt;</small></mark> c'
    )


def test_an_excerpt_keeps_what_is_marked():
    text = "x" * 5000 + "answer" + "y" * 5000
    html = excerpt(text, [Span(5000, 5006, "answered")])
    assert '<mark class="answered">answer</mark>' in html
    assert len(html) < 600
    assert len(excerpt(text, [Span(start, start + 5, "e") for start in range(0, 9000, 9)])) < 5000


def test_what_is_asked_is_escaped(task_runs):
    for name in ("token_classification", "question_answering", "translation", "multiple_choice"):
        page = Page((task_runs[name] / "report.html").read_text("utf-8"))
        assert HOSTILE in page.text


def test_plots_of_an_older_report_are_removed(task_runs):
    run = task_runs["masked_lm"]
    (run / "plots" / "confusion.png").write_bytes(b"")
    (run / "plots" / "own.png").write_bytes(b"")
    write_report(run)
    assert sorted(plot.name for plot in (run / "plots").iterdir()) == ["block_loss.png", "own.png"]
    (run / "plots" / "own.png").unlink()
