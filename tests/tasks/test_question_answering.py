"""question_answering: windows to spans to answers, and those of transformers' own pipeline."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from transformers import PretrainedConfig

import tfhf
from tests.models.formula import weight
from tests.tasks.check import check_task
from tests.toys import question_answering as toy
from tfhf.errors import UserError
from tfhf.models import tensors
from tfhf.tasks.question_answering import QuestionAnswering

FACTS = json.loads(
    (Path(__file__).parent / "facts" / "question_answering.json").read_text(encoding="utf-8")
)
WINDOWS = {"max_length": 24, "stride": 6}


def task_of(tokenizer=None, **options):
    return QuestionAnswering(tokenizer, QuestionAnswering.features_for(None, None), **options)


@pytest.fixture(scope="module")
def checked(tiny_bert_folder, tmp_path_factory):
    """A model, its rows and their results, after everything that every task must do."""
    recipe = {"model": str(tiny_bert_folder), "options": WINDOWS | {"max_answer_tokens": 6}}
    folder = tmp_path_factory.mktemp("question-answering")
    return check_task("question_answering", recipe, toy.rows(count=16), folder)


def test_answers_are_parts_of_the_context(checked):
    model, dataset, results = checked
    assert results["span_score"].shape == (16, 20)
    for index, row in enumerate(dataset):
        answer = model.task.decode(results, index, row)
        best = answer.pop("n_best")
        assert answer == best[0]
        assert len(best) > 5
        assert [one["score"] for one in best] == sorted(
            (one["score"] for one in best), reverse=True
        )
        for one in best:
            assert row["context"][one["start"] : one["end"]] == one["answer"]
    assert model.task.line(row, answer).endswith(f"see it again?  →  {answer['answer']}")


def test_a_batch_of_fillers_loses_nothing(checked):
    import tensorflow as tf

    model, dataset, _ = checked
    inputs, targets, _ = next(iter(tfhf.to_tf_dataset(dataset, model, batch_size=4)))
    assert set(targets) == {"start", "end"}
    total, count, outputs = model._sums(inputs, targets, tf.zeros(4))
    assert (float(total), float(count)) == (0.0, 0.0)
    # The loss is the mean of two cross-entropies.
    losses, _ = model.task.loss(targets, outputs)
    for row in range(4):
        expected = 0.0
        for side in ("start", "end"):
            logits = outputs[f"{side}_logits"][row].numpy().astype(np.float64)
            expected += np.log(np.exp(logits).sum()) - logits[targets[side][row]]
        assert float(losses[row]) == pytest.approx(expected / 2, rel=1e-5)


def test_padding_does_not_change_the_loss(checked):
    import tensorflow as tf

    model, dataset, _ = checked
    inputs, targets, weights = next(iter(tfhf.to_tf_dataset(dataset, model, batch_size=4)))
    wide = {
        name: tf.pad(values, [[0, 0], [0, 6]], constant_values=model.task.padding.get(name, 0))
        if values.shape.rank == 2
        else values
        for name, values in inputs.items()
    }
    totals = [model._sums(one, targets, weights)[0] for one in (inputs, wide)]
    assert wide["input_ids"].shape[1] == inputs["input_ids"].shape[1] + 6
    assert float(totals[1]) == pytest.approx(float(totals[0]), rel=1e-6)


def test_the_threshold_is_tuned_and_remembered(checked):
    model, dataset, results = checked
    task = task_of(model.task.processor, **WINDOWS)
    before = task.score(dataset, results)
    task.tune(dataset, results)
    found = results["no_answer_probability"]
    best = before["best_f1_threshold"]
    # Halfway from the row that the search names to the next, so that all rows stay as they are.
    assert best < task.null_threshold < min(found[found > best], default=1.0)
    assert task.score(dataset, results)["f1"] == pytest.approx(before["best_f1"])
    config = PretrainedConfig(task_specific_params=task.model_config()["task_specific_params"])
    again = QuestionAnswering.from_config(model.task.processor, config)
    assert again.settings() == task.settings()
    evaluated = task_of(model.task.processor, **WINDOWS)
    evaluated.adopt(task.settings())
    assert evaluated.null_threshold == task.null_threshold
    chosen = task_of(model.task.processor, null_threshold=0.25, **WINDOWS)
    chosen.tune(dataset, results)
    chosen.adopt(task.settings())
    assert chosen.null_threshold == 0.25


def test_where_every_question_has_an_answer_none_is_refused(checked):
    model, dataset, results = checked
    kept = [index for index, row in enumerate(dataset) if row["answers"]["text"]]
    results = {name: values[kept] for name, values in results.items()}
    task = task_of(model.task.processor, **WINDOWS)
    task.tune(dataset.select(kept), results)
    assert task.null_threshold is None
    assert set(task.score(dataset.select(kept), results)) == {"exact_match", "f1"}


def test_what_is_measured_is_what_is_answered(checked):
    """Only the test split has questions without an answer: nothing was tuned, all are answered."""
    model, dataset, results = checked
    kept = [index for index, row in enumerate(dataset) if row["answers"]["text"]]
    task = task_of(model.task.processor, **WINDOWS)
    assert {"no_answer_probability"} < set(next(task.records(dataset, results)))
    task.tune(dataset.select(kept), {name: values[kept] for name, values in results.items()})
    evaluated = task_of(model.task.processor, **WINDOWS)
    evaluated.adopt(task.settings())
    for one in (task, evaluated):
        for index, record in enumerate(one.records(dataset, results)):
            decoded = one.decode(results, index, dataset[index])
            assert {name: record[name] for name in decoded} == decoded
        assert one.score(dataset, results)["no_answer_f1"] == 0.0


def rows_and_results():
    """A question with an answer and one without, as a dataset, and what a model says of them."""
    from datasets import Dataset

    context = "a dull film and a great film"
    answers = [{"text": ["great film", "film"], "answer_start": [18, 24]},
               {"text": [], "answer_start": []}]  # fmt: skip
    rows = Dataset.from_list(
        [{"question": "which?", "context": context, "answers": one} for one in answers],
        features=QuestionAnswering.features_for(None, None),
    )
    results = {
        "span_score": np.float32([[0.5, 0.25], [0.25, 0.0]]),
        "span_start": np.int32([[17, 2], [2, 0]]),
        "span_end": np.int32([[28, 11], [6, 0]]),
        "null_score": np.float32([0.125, 0.75]),
        "no_answer_probability": np.float32([0.2, 0.75]),
    }
    return rows, results


def test_no_answer():
    rows, results = rows_and_results()
    sure, unsure = (
        task_of(null_threshold=threshold).decode(results, 1, rows[1]) for threshold in (0.7, 0.8)
    )
    assert [one["answer"] for one in sure["n_best"]] == ["dull"]
    assert (sure["answer"], sure["start"], sure["end"], sure["score"]) == ("", 0, 0, 0.75)
    assert (unsure["answer"], unsure["score"]) == ("dull", 0.25)
    assert sure["no_answer_probability"] == unsure["no_answer_probability"] == 0.75
    assert task_of().line(rows[1], sure) == "0.750  which?  →  (no answer)"
    assert "no_answer_probability" not in task_of().decode(results, 1, rows[1])


def test_scores_and_records():
    rows, results = rows_and_results()
    task = task_of()
    found = task.score(rows, results)
    assert (found["exact_match"], found["f1"], found["has_answer_f1"]) == (1.0, 1.0, 1.0)
    assert (found["best_f1"], found["best_f1_threshold"]) == (1.0, pytest.approx(0.2))
    first, second = task.records(rows, results)
    assert first["expected"] == ["great film", "film"]
    assert (first["answer"], first["start"], first["end"]) == ("great film", 18, 28)
    assert (second["expected"], second["answer"]) == ([], "")
    assert list(first) == ["question", "context", "expected", "score", "start", "end", "answer",
                           "no_answer_probability", "n_best"]  # fmt: skip


# === As a pipeline ===


def place_of(name, shape):
    """As `benchmarks/record_pipelines_question_answering.py` makes the weights."""
    return weight(name, shape) * (6.0 if name == "qa_outputs.weight" else 1.0)


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    """`pipelines(name)`: a recorded model as a pipeline."""

    @functools.cache
    def make(name):
        fact, path = FACTS["models"][name], tmp_path_factory.mktemp("recorded")
        for file, content in fact["files"].items():
            (path / file).write_text(json.dumps(content), encoding="utf-8")
        values = {
            place: (tuple(shape), functools.partial(place_of, place, shape))
            for place, shape in fact["weights"].items()
        }
        tensors.write(path / "model.safetensors", values)
        return tfhf.pipeline("question-answering", path)

    return make


@pytest.mark.parametrize("name", FACTS["models"])
def test_answers_are_those_of_transformers(name, pipelines):
    ask = pipelines(name)
    for choices, expected in zip(FACTS["calls"], FACTS["models"][name]["answers"], strict=True):
        for found, right in zip(ask(FACTS["rows"], **choices), expected, strict=True):
            assert isinstance(found, type(right))
            ours, theirs = (one if isinstance(one, list) else [one] for one in (found, right))
            assert [list(one) for one in ours] == [list(one) for one in theirs]
            for name in ("answer", "start", "end"):
                assert [one[name] for one in ours] == [one[name] for one in theirs], choices
            scores = [[one["score"] for one in answers] for answers in (ours, theirs)]
            np.testing.assert_allclose(*scores, atol=1e-4)
    assert ask(FACTS["rows"][1]) == ask(FACTS["rows"])[1]


def test_answers_do_not_depend_on_their_company(pipelines):
    ask = pipelines("bert")
    together = ask(FACTS["rows"], top_k=5)
    for row, expected in zip(FACTS["rows"], together, strict=True):
        alone = ask(row, top_k=5)
        assert [one["answer"] for one in alone] == [one["answer"] for one in expected]
        np.testing.assert_allclose(
            [one["score"] for one in alone], [one["score"] for one in expected], atol=1e-5
        )


def test_a_model_from_elsewhere_is_asked_as_transformers_asks_it(pipelines):
    task = pipelines("bert").task
    assert (task.max_length, task.stride, task.max_answer_tokens) == (64, 32, 15)
    assert QuestionAnswering.known_options(None, PretrainedConfig(), {"max_length": 100}) == {
        "max_length": 100, "stride": 50, "max_answer_tokens": 15,
    }  # fmt: skip


def test_choices_of_a_call(tiny_tokenizer):
    task = task_of(tiny_tokenizer, null_threshold=0.3, **WINDOWS)
    called, rest = task.configured(top_k=8, max_answer_len=4, max_seq_len=10, other=1)
    assert rest == {"other": 1}
    assert (called.max_length, called.stride, called.max_answer_tokens) == (10, 5, 4)
    assert (called.n_best, called.null_threshold) == (26, 0.3)
    assert called.traced_with != task.traced_with
    assert task.configured(handle_impossible_answer=False)[0].null_threshold is None
    answering = task_of(tiny_tokenizer, **WINDOWS).configured(handle_impossible_answer=True)[0]
    assert answering.null_threshold == 0.5
    rows, results = rows_and_results()
    assert len(task.configured(top_k=1)[0].decode(results, 0, rows[0])["n_best"]) == 1


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"top_k": 0}, "top_k: must be a whole number from 1; received 0"),
        ({"top_k": "3"}, "top_k: must be a whole number from 1; received '3'"),
        ({"max_answer_len": -1}, "max_answer_len: must be a whole number from 1; received -1"),
        ({"max_seq_len": 2}, "max_seq_len: must be a whole number from 8; received 2"),
        ({"doc_stride": -1}, "doc_stride: must be a whole number from 0; received -1"),
        ({"max_seq_len": 64}, "max_seq_len: the model reads at most 32 tokens; received 64"),
    ],
)
def test_mistakes_are_one_line(choices, message, tiny_tokenizer):
    with pytest.raises(UserError) as caught:
        task_of(tiny_tokenizer, **WINDOWS).configured(**choices)
    assert str(caught.value) == message


def test_a_head_of_another_task_gives_way(tiny_tokenizer, tiny_bert_folder, tmp_path):
    import shutil

    folder = shutil.copytree(tiny_bert_folder, tmp_path / "classifier")
    config = json.loads((folder / "config.json").read_text())
    names = {"0": "bad", "1": "fair", "2": "good"}
    (folder / "config.json").write_text(json.dumps(config | {"id2label": names}))
    model = tfhf.load_model(str(folder), "question_answering", **WINDOWS)
    assert model.backbone.config.num_labels == 2
