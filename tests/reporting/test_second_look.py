"""What a report says beyond its figures: decisions, lengths, labels to check, the run before."""

import json

import pytest
import yaml

from tests.reporting.conftest import write_run
from tests.reporting.test_report_page import page_of
from tfhf.reporting import write_report
from tfhf.reporting.decisions import _groups
from tfhf.reporting.forms import Row, read
from tfhf.reporting.previous import compare
from tfhf.reporting.record import Record
from tfhf.reporting.record import read as read_record
from tfhf.reporting.suspects import doubts


def predicted(expected, text="a text", **probabilities):
    label = max(probabilities, key=probabilities.get)
    return {"text": text, "expected": expected, "label": label, "probabilities": probabilities}


# === Decisions ===


def test_decisions_are_those_of_classes_that_some_rows_have(tmp_path):
    _, rows = read(
        [predicted("a", a=0.7, b=0.2, c=0.1), predicted("b", a=0.4, b=0.5, c=0.1)],
    )
    record = Record(tmp_path, predictions={"test": rows})
    found = record.decisions
    assert record.decisions is found  # found once for all plots and themes
    assert [(one.name, one.truth.tolist(), one.probabilities.tolist()) for one in found] == [
        ("a", [True, False], [0.7, 0.4]),
        ("b", [False, True], [0.2, 0.5]),
    ]


def test_decisions_of_several_labels(tmp_path):
    row = {"text": "x", "label": [], "probabilities": {"a": 0.2, "b": 0.6}}
    _, rows = read([row | {"expected": ["a", "b"]}, row | {"expected": ["b"]}])
    found = Record(tmp_path, predictions={"test": rows}).decisions
    assert [(one.name, one.truth.tolist()) for one in found] == [("a", [True, False])]


@pytest.mark.parametrize("broken", [None, "0.3", float("nan")])
def test_a_row_without_a_number_for_every_class_is_left_out(tmp_path, broken):
    _, rows = read([predicted("a", a=0.9, b=0.1) | {"probabilities": {"a": 0.9, "b": broken}}])
    assert Record(tmp_path, predictions={"test": rows}).decisions == []
    assert doubts(rows) == []


def test_captions_tell_the_mean_of_the_areas(bare_run):
    from sklearn.metrics import roc_auc_score

    run = bare_run("two")
    write_report(run)
    lines = (run / "predictions/test.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    truth = [row["expected"] == "positive" for row in rows]
    area = roc_auc_score(truth, [row["probabilities"]["positive"] for row in rows])
    assert f"its mean over 2 classes is {area:.3f}" in page_of(run).text  # both have the same


# === Lengths ===


def test_the_length_of_a_row_counts_all_its_texts_before_they_are_cut():
    _, rows = read([predicted("a", text="x" * 700, a=1.0) | {"text_pair": "yy"}])
    assert rows[0].length == 702
    _, rows = read([{"tokens": ["the", "library"], "expected": ["O", "O"], "tags": ["O", "O"]}])
    assert rows[0].length == len("the") + len("library")


def test_groups_are_about_as_large_and_keep_rows_of_a_length_together():
    rows = [Row({}, "a", "a", None, length=length) for length in [1] * 30 + list(range(2, 72))]
    groups = _groups(rows)
    assert [len(group) for group in groups] == [30, 20, 20, 20, 10]
    assert sum(groups, []) == rows


# === Labels to check ===


def test_a_label_is_in_doubt_where_another_is_as_sure_as_where_it_is_right():
    rows = [
        predicted("a", a=0.9, b=0.1),
        predicted("a", a=0.7, b=0.3),
        predicted("b", a=0.2, b=0.8),
        predicted("b", a=0.4, b=0.6),
        predicted("a", "doubtful", a=0.28, b=0.72),  # the mean of b in the rows of b is 0.7
        predicted("b", "wrong, but not sure enough", a=0.6, b=0.4),  # the mean of a: 0.627
    ]
    rows[3]["probabilities"] = {"a": 0.1, "b": 0.9}
    _, found = read(rows)
    (doubt,) = doubts(found)
    assert (doubt.expected, doubt.suggested, doubt.rows) == ("a", "b", 1)
    assert doubt.row.inputs == {"text": "doubtful"}
    assert doubt.confidence == 0.72


def test_the_page_lists_labels_to_check(runs):
    assert "Labels to check" in page_of(runs["two"]).text
    assert "Labels to check" not in page_of(runs["regression"]).text


# === The run before ===


@pytest.fixture
def pair(tmp_path):
    """Two runs of one recipe; the later one has ten rows right that the earlier has wrong."""
    later, earlier = (write_run(tmp_path / name, "two") for name in ("later", "earlier"))
    environment = json.loads((earlier / "environment.json").read_text())
    environment["started"] = "2025-11-20T00:00:00+00:00"
    (earlier / "environment.json").write_text(json.dumps(environment))
    recipe = yaml.safe_load((earlier / "recipe.yaml").read_text())
    recipe["train"]["batch_size"] = 16
    (earlier / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    metrics = json.loads((earlier / "metrics.json").read_text())
    metrics["test"] |= {"accuracy": metrics["test"]["accuracy"] - 10 / 900, "loss": 0.2}
    (earlier / "metrics.json").write_text(json.dumps(metrics))
    path = earlier / "predictions/test.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    right = [row for row in rows if row["expected"] == row["label"]]
    for row in right[:10]:
        row["label"] = {"negative": "positive", "positive": "negative"}[row["label"]]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return later, earlier


def test_a_run_is_compared_with_the_one_before(pair):
    later, _ = pair
    found = compare(read_record(later))
    assert (found.name, found.split) == ("earlier", "test")
    assert (found.mended, found.spoiled) == (10, 0)
    assert found.chance == pytest.approx(2 / 2**10)  # ten coins that all fall on one side
    assert found.settings == [("train.batch_size", 32, 16)]
    better = {figure.name: figure.better for figure in found.figures}
    assert better == {"loss": False, "accuracy": True, "f1_macro": None}


def test_the_page_shows_the_run_before(pair):
    later, earlier = pair
    write_report(later)
    text = page_of(later).text
    assert "Against the run before: earlier" in text
    assert "Of the same rows, 10 are right only now and 0 were right only then" in text
    assert "train.batch_size 32 16" in text
    write_report(earlier)
    assert "Against the run before" not in page_of(earlier).text


@pytest.mark.parametrize("key", ["task", "data"])
def test_another_task_or_other_data_are_no_run_before(pair, key):
    later, earlier = pair
    recipe = yaml.safe_load((earlier / "recipe.yaml").read_text())
    recipe[key] = {"task": "masked_lm", "data": {"train": "other.csv"}}[key]
    (earlier / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert compare(read_record(later)) is None


def test_other_rows_are_not_held_against_each_other(pair):
    later, earlier = pair
    path = earlier / "predictions/test.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    found = compare(read_record(later))
    assert (found.mended, found.spoiled, found.chance) == (None, None, None)
    assert [figure.name for figure in found.figures] == ["loss", "accuracy", "f1_macro"]


def test_a_broken_run_beside_it_is_passed_over(pair):
    later, earlier = pair
    (earlier / "recipe.yaml").write_text(": nothing\n- readable")
    assert compare(read_record(later)) is None
