"""Prediction: pipelines in transformers' shape, and the forms rows and answers come in."""

import csv
import json
import re
import shutil
from types import SimpleNamespace

import pytest
from datasets import Dataset

from tfhf import prediction
from tfhf.errors import UserError
from tfhf.prediction import answering

TEXTS = ["a lovely film", "dull", "I would see it again, and again, and again"]


@pytest.fixture(scope="module")
def classify(toy_run):
    return prediction.pipeline("sentiment-analysis", toy_run)


@pytest.fixture(scope="module")
def answers(toy_run):
    return prediction.predict(toy_run, TEXTS)


def test_every_answer_names_label_score_and_probabilities(answers):
    for answer in answers:
        assert list(answer) == ["label", "score", "probabilities"]
        assert answer["score"] == max(answer["probabilities"].values())
        assert answer["probabilities"][answer["label"]] == answer["score"]


def test_answers_do_not_depend_on_what_else_is_asked(toy_run, answers, classify):
    alone = [classify(text) for text in TEXTS]
    assert [answer[0]["label"] for answer in alone] == [answer["label"] for answer in answers]
    assert [answer[0]["score"] for answer in alone] == pytest.approx(
        [answer["score"] for answer in answers], abs=1e-6
    )


def test_predictions_of_a_run_are_those_of_its_evaluation(toy_run):
    rows = toy_run.predictions("test")
    found = prediction.predict(str(toy_run.folder), [row["text"] for row in rows], batch_size=3)
    assert [answer["label"] for answer in found] == [row["label"] for row in rows]
    assert [answer["score"] for answer in found] == pytest.approx(
        [row["score"] for row in rows], abs=1e-6
    )


def test_a_model_folder_tells_its_task(toy_run, answers):
    assert prediction.predict(str(toy_run.model), TEXTS) == answers
    assert prediction.predict(str(toy_run.model), TEXTS, task="text_classification") == answers


def test_an_export_answers_like_its_run(toy_run, answers):
    found = prediction.predict(toy_run.exports / "1", TEXTS)
    assert [answer["label"] for answer in found] == [answer["label"] for answer in answers]
    for mine, theirs in zip(found, answers, strict=True):
        assert mine["probabilities"] == pytest.approx(theirs["probabilities"], abs=1e-5)


def test_rows_may_be_a_dataset(toy_run, answers):
    rows = Dataset.from_dict({"id": [1, 2, 3], "text": TEXTS})
    assert prediction.predict(toy_run, rows) == answers


def test_a_model_without_the_head_is_no_answer(tiny_bert_folder, tmp_path):
    with pytest.raises(UserError) as caught:
        prediction.pipeline("text-classification", str(tiny_bert_folder))
    assert str(caught.value) == (
        f"{tiny_bert_folder} was not trained for text_classification: it has no weights for "
        "classifier.weight, classifier.bias; train it first"
    )
    other = shutil.copytree(tiny_bert_folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    config["architectures"] = ["BertForNextSentencePrediction"]
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError) as caught:
        prediction.predict(str(other), TEXTS)
    assert str(caught.value).startswith(
        "no task for a model with architecture BertForNextSentencePrediction; "
        "name one with --task: causal_lm, "
    )


def test_a_saved_model_of_others_is_no_export(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(UserError) as caught:
        prediction.predict(tmp_path, TEXTS)
    assert str(caught.value) == (
        f"{tmp_path} is no export of tfhf: assets.extra/task.json is missing"
    )


# === Files ===


@pytest.fixture
def table(tmp_path):
    """A CSV file with columns nobody asks for, one of them named like nothing of ours."""
    path = tmp_path / "rows.csv"
    path.write_text('id,text,note\n7,"a lovely film","x, y"\n8,dull,\n', encoding="utf-8")
    return path


def test_a_file_keeps_its_columns(toy_run, table, tmp_path):
    output = tmp_path / "out.jsonl"
    prediction.predict_to(toy_run, file=str(table), output=str(output))
    rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [list(row) for row in rows] == [
        ["id", "text", "note", "label", "score", "probabilities"]
    ] * 2
    assert [(str(row["id"]), row["text"], row["note"] or "") for row in rows] == [
        ("7", "a lovely film", "x, y"),
        ("8", "dull", ""),
    ]
    alone = prediction.predict(toy_run, ["a lovely film", "dull"])
    assert [row["label"] for row in rows] == [answer["label"] for answer in alone]


def test_a_column_named_like_an_answer_stays(toy_run, tmp_path):
    source, output = tmp_path / "rows.csv", tmp_path / "out.jsonl"
    source.write_text("text,label\na lovely film,mine\n")
    prediction.predict_to(toy_run, file=str(source), output=str(output))
    (row,) = map(json.loads, output.read_text(encoding="utf-8").splitlines())
    assert list(row) == ["text", "label", "predicted_label", "score", "probabilities"]
    assert row["label"] == "mine" and row["predicted_label"] in ("negative", "positive")


def test_answers_are_written_beside_earlier_ones(toy_run, tmp_path):
    source, first, second = (tmp_path / name for name in ("rows.csv", "first.csv", "second.csv"))
    source.write_text("text\na lovely film\n")
    prediction.predict_to(toy_run, file=str(source), output=str(first))
    prediction.predict_to(toy_run, file=str(first), output=str(second))
    with second.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row) == [
        "text", "label", "score", "probabilities.negative", "probabilities.positive",
        "predicted_label", "predicted_score",
        "predicted_probabilities.negative", "predicted_probabilities.positive",
    ]  # fmt: skip
    with pytest.raises(UserError) as caught:
        prediction.predict_to(toy_run, file=str(second))
    assert str(caught.value) == (
        "--file: the answers need the name 'predicted_label'; rename that column"
    )


def test_an_export_takes_no_choices(toy_run):
    version = toy_run.exports / "1"
    with pytest.raises(UserError) as caught:
        prediction.predict_to(version, texts=["dull"], choices={"top_k": 2})
    assert str(caught.value) == "top_k: an export answers as it was exported; received 2"


def test_an_export_takes_the_candidates_that_its_signature_takes():
    task = SimpleNamespace(serving_inputs={"text", "candidate_labels"}, configured=dict)
    export = SimpleNamespace(task=task)
    found = prediction.Servable.configured(export, candidate_labels=["a", "b"])
    assert found == {"candidate_labels": ["a", "b"]}
    with pytest.raises(UserError) as caught:
        prediction.Servable.configured(export, multi_label=True)
    assert str(caught.value) == (
        "multi_label: an export answers as it was exported; a call may choose candidate_labels; "
        "received True"
    )


def test_json_lines_become_csv(toy_run, tmp_path):
    source, output = tmp_path / "rows.jsonl", tmp_path / "out.csv"
    rows = [{"text": "größer, wärmer", "tags": ["a", "b"]}, {"text": "dull", "tags": []}]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    prediction.predict_to(toy_run, file=str(source), output=str(output))
    with output.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == [
        "text", "tags", "label", "score", "probabilities.negative", "probabilities.positive",
    ]  # fmt: skip
    assert [row["text"] for row in found] == ["größer, wärmer", "dull"]
    assert [json.loads(row["tags"]) for row in found] == [["a", "b"], []]
    total = sum(float(found[0][f"probabilities.{name}"]) for name in ("negative", "positive"))
    assert total == pytest.approx(1.0)


# === Large files: a part of the rows at a time ===


@pytest.fixture
def five(tmp_path):
    """A file of five rows of different lengths, one of them too long."""
    path = tmp_path / "five.jsonl"
    texts = ["dull", "a lovely film " * 9, "a great film", "I would see it again", "bad film"]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@pytest.mark.parametrize("exported", [False, True])
def test_parts_make_the_same_file(toy_run, five, tmp_path, monkeypatch, suffix, exported):
    model = toy_run.exports / "1" if exported else toy_run
    whole, parts = tmp_path / f"whole{suffix}", tmp_path / f"parts{suffix}"
    prediction.predict_to(model, file=str(five), output=str(whole))
    monkeypatch.setattr(answering, "AT_ONCE", 2)
    prediction.predict_to(model, file=str(five), output=str(parts))

    def split(path):
        """The words of a file, and its numbers."""
        found = re.split(r"(\d\.\d+(?:e-\d+)?)", path.read_text())
        return found[::2], [float(one) for one in found[1::2]]

    assert split(parts)[0] == split(whole)[0]
    assert split(parts)[1] == pytest.approx(split(whole)[1], abs=1e-5)
    assert len(whole.read_text().splitlines()) == 5 + (suffix == ".csv")


def test_rows_that_are_too_long_are_counted_over_all_parts(toy_run, five, monkeypatch, capsys):
    monkeypatch.setattr(answering, "AT_ONCE", 2)
    prediction.predict_to(toy_run, file=str(five))
    found = capsys.readouterr()
    assert found.err.endswith(
        "  note: 1 of 5 rows are longer than max_length 24; only their beginnings are read\n"
    )
    assert len(found.out.splitlines()) == 5


def test_a_prediction_that_breaks_off_leaves_the_old_file(toy_run, five, tmp_path, monkeypatch):
    output = tmp_path / "out.jsonl"
    output.write_text("old")
    score, seen = prediction.Pipeline.score, []

    def breaks_off(self, dataset, task=None, first=0):
        # What is done is on its way to the disk already.
        seen.append([path.name for path in tmp_path.iterdir() if path.suffix == ".part"])
        if first:
            raise RuntimeError("no more memory")
        return score(self, dataset, task, first)

    monkeypatch.setattr(answering, "AT_ONCE", 2)
    monkeypatch.setattr(prediction.Pipeline, "score", breaks_off)
    with pytest.raises(RuntimeError):
        prediction.predict_to(toy_run, file=str(five), output=str(output))
    assert [len(names) for names in seen] == [1, 1]
    assert output.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["five.jsonl", "out.jsonl"]


def test_a_missing_column_and_an_unknown_format(toy_run, tmp_path):
    source = tmp_path / "rows.csv"
    source.write_text("sentence,id\na film,1\n")
    with pytest.raises(UserError, match=r"rows\.csv: column 'text' not found"):
        prediction.predict_to(toy_run, file=str(source))
    with pytest.raises(UserError) as caught:
        prediction.predict_to(toy_run, file=str(source), output="out.xlsx")
    assert str(caught.value) == "--output: must end in .jsonl or .csv; received 'out.xlsx'"
