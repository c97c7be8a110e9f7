"""Pipelines: rows, models and keywords as transformers' own take them."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict

from tests.conftest import toy_rows
from tfhf import pieces, prediction
from tfhf.errors import UserError
from tfhf.prediction import answering

TEXTS = ["a lovely film", "dull", "I would see it again, and again, and again"]
PAIR = {"text": "a lovely film", "text_pair": "dull"}


@pytest.fixture(scope="module")
def classify(toy_run):
    return prediction.pipeline("sentiment-analysis", toy_run)


@pytest.fixture(scope="module")
def foreign(toy_run, tmp_path_factory):
    """The same model as another tool would have left it: nothing says what its texts were."""
    folder = shutil.copytree(toy_run.model, tmp_path_factory.mktemp("foreign") / "model")
    config = json.loads((folder / "config.json").read_text())
    del config["task_specific_params"]
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_a_pipeline_answers_in_the_shape_of_transformers(classify):
    one = classify(TEXTS[0])
    assert len(one) == 1 and set(one[0]) == {"label", "score"}
    assert classify(TEXTS) == [pytest.approx(classify(text)[0]) for text in TEXTS]
    (both,) = classify([TEXTS[0]], top_k=None)
    assert both[0] == pytest.approx(one[0]) and both[0]["score"] >= both[1]["score"]
    assert sum(answer["score"] for answer in both) == pytest.approx(1.0)
    assert classify([TEXTS[0]], top_k=1) == [one]
    assert classify([]) == []


def test_logits_on_demand(classify):
    (logits,) = classify([TEXTS[0]], top_k=None, function_to_apply="none")
    (scores,) = classify([TEXTS[0]], top_k=None)
    assert [answer["label"] for answer in logits] == [answer["label"] for answer in scores]
    exponentials = np.exp([answer["score"] for answer in logits])
    assert [answer["score"] for answer in scores] == pytest.approx(
        list(exponentials / exponentials.sum())
    )


def test_a_threshold_may_leave_nothing(classify):
    assert classify(TEXTS[0], threshold=1.1) == []


@pytest.mark.parametrize(
    ("choices", "line"),
    [
        (
            {"topk": 2},
            "text_classification: a call has no choice 'topk'; did you mean 'top_k'?; received 2",
        ),
        (
            {"return_all_scores": True},
            "text_classification: a call has no choice 'return_all_scores'; it takes top_k, "
            "threshold, function_to_apply; received True",
        ),
        (
            {"truncation": False},
            "truncation: must be True, because a text is always cut at the task's max_length; "
            "received False",
        ),
    ],
)
def test_choices_are_checked_before_anything_is_computed(choices, line, classify, monkeypatch):
    monkeypatch.setattr(classify, "results", None)
    with pytest.raises(UserError) as caught:
        classify("dull", **choices)
    assert str(caught.value) == line


def test_texts_are_cut_and_it_is_said(toy_run, classify, capsys):
    assert classify("dull", truncation=True, padding="max_length") == classify("dull")
    capsys.readouterr()
    prediction.predict(toy_run, ["dull", "a lovely film " * 9, "dull " * 30])
    assert capsys.readouterr().err == (
        "  note: 2 of 3 rows are longer than max_length 24; only their beginnings are read\n"
    )


def test_options_of_the_task_reach_it(toy_run):
    short = prediction.pipeline("text-classification", toy_run, max_length=5)
    assert short.task.max_length == 5
    (three,), (seven,) = short("dull, number 3"), short("dull, number 7")
    assert three == pytest.approx(seven)  # the digit is cut off


@pytest.mark.parametrize(
    "several",
    [
        tuple,
        iter,
        np.array,
        pd.Series,
        lambda texts: (text for text in texts),
        lambda texts: Dataset.from_dict({"text": texts, "number": [1, 2, 3]}),
        lambda texts: Dataset.from_dict({"sentence": texts})["sentence"],
    ],
)
def test_rows_come_in_many_forms(several, classify):
    assert classify(several(TEXTS)) == classify(TEXTS)


def test_choices_for_every_call(toy_run, classify):
    both = prediction.pipeline("sentiment-analysis", toy_run, top_k=None, batch_size=2)
    for mine, theirs in zip(both(TEXTS, batch_size=1), classify(TEXTS, top_k=None), strict=True):
        assert mine == [pytest.approx(one) for one in theirs]
    assert both(TEXTS, top_k=1) == classify(TEXTS, top_k=1)
    with pytest.raises(UserError, match="a call has no choice 'topk'; did you mean 'top_k'"):
        prediction.pipeline("sentiment-analysis", toy_run, topk=None)
    with pytest.raises(UserError, match="^batch_size: must be a number of rows from 1 up; receive"):
        both(TEXTS, batch_size=0)
    with pytest.raises(UserError, match="^pipeline: options.max_length: input should be greater"):
        prediction.pipeline("sentiment-analysis", toy_run, max_length=0)


def test_a_call_may_cut_its_texts_as_transformers_tokenizers_do(classify):
    (three,), (seven,) = classify("dull, number 3"), classify("dull, number 7")
    assert three["score"] != seven["score"]
    short = [classify(f"dull, number {digit}", max_length=5, truncation=True) for digit in (3, 7)]
    assert short[0] == short[1]  # the digit is cut off
    with pytest.raises(UserError, match="^max_length: the model reads at most 32 tokens; receiv"):
        classify("dull", max_length=33)


def test_the_model_may_tell_the_task_and_may_be_one_at_hand(toy_run, classify):
    expected = classify(TEXTS)
    assert prediction.pipeline(model=toy_run)(TEXTS) == expected
    assert prediction.pipeline(model=str(toy_run.model))(TEXTS) == expected
    assert prediction.pipeline("text-classification", classify.model)(TEXTS) == expected
    assert prediction.pipeline(model=classify.model, top_k=1)(TEXTS) == classify(TEXTS, top_k=1)
    with pytest.raises(UserError) as caught:
        prediction.pipeline("ner", classify.model)
    assert str(caught.value) == (
        "model: is one of text_classification; the pipeline wants token_classification"
    )
    with pytest.raises(UserError, match="^pipeline: name a task, such as sentiment-analysis, or"):
        prediction.pipeline()


def test_keywords_that_say_what_is_so_anyway(toy_run, classify):
    folder = str(toy_run.folder)
    said = {"framework": "tf", "device": -1, "tokenizer": folder, "trust_remote_code": False}
    again = prediction.pipeline("sentiment-analysis", folder, **said, token=None)
    assert again(TEXTS) == classify(TEXTS)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            {"framework": "pt"},
            "framework: leave it out, because this is TensorFlow's; received 'pt'",
        ),
        (
            {"tokenizer": "another"},
            "tokenizer: leave it out, because it is the one in the model's folder; received "
            "'another'",
        ),
        (
            {"device": "cuda:1"},
            "device: leave it out, because TensorFlow takes the first GPU; `with tf.device(...)` "
            "says otherwise; received 'cuda:1'",
        ),
        (
            {"trust_remote_code": True},
            "trust_remote_code: leave it out, because no code of a model is ever run; received "
            "True",
        ),
    ],
)
def test_keywords_that_mean_nothing_here(said, line, toy_run):
    with pytest.raises(UserError) as caught:
        prediction.pipeline("sentiment-analysis", toy_run, **said)
    assert str(caught.value) == line


def test_a_model_of_others_reads_one_text_or_two(foreign, classify):
    ask = prediction.pipeline("text-classification", foreign, max_length=24)
    assert ask(TEXTS) == [pytest.approx(one) for one in classify(TEXTS)]
    pairs = Dataset.from_list([PAIR, PAIR])
    told = pieces.load_model(foreign, roles=("text", "text_pair"), max_length=24)
    told.compile()
    both = told.predict(pieces.to_tf_dataset(pairs, told, batch_size=2), verbose=0)
    assert ask(PAIR)[0]["score"] == pytest.approx(float(both["score"][0]), abs=1e-6)
    assert ask(**PAIR) == ask([PAIR])[:1] == [pytest.approx(ask(pairs)[0])]
    assert ask(PAIR)[0]["score"] != pytest.approx(ask(PAIR["text"])[0]["score"], abs=1e-5)
    assert prediction.predict(foreign, [PAIR])[0]["score"] == pytest.approx(
        ask(PAIR)[0]["score"], abs=1e-5
    )


def test_a_pair_on_the_command_line(foreign, capsys):
    answering.predict_to(foreign, texts=[f"{role}={text}" for role, text in PAIR.items()])
    together = capsys.readouterr().out
    answering.predict_to(foreign, texts=list(PAIR.values()))
    assert len(together.splitlines()) == 1 and len(capsys.readouterr().out.splitlines()) == 2


def test_second_texts_are_not_passed_over(foreign, classify):
    with pytest.raises(UserError) as caught:
        classify(PAIR)
    assert str(caught.value) == (
        "row 1: this model takes text, and would pass over 'text_pair'; leave it out"
    )
    with pytest.raises(UserError, match="^row 1: this model takes text, and would pass over 'tex"):
        classify(Dataset.from_list([PAIR]))
    with pytest.raises(UserError, match="^row 1: this model takes text, each a text; received"):
        classify(DatasetDict(train=Dataset.from_list([{"text": "dull"}])))
    rows = Dataset.from_list([row | {"text_pair": "dull"} for row in toy_rows(4)])
    with pytest.raises(UserError) as caught:
        pieces.to_tf_dataset(rows, pieces.load_model(foreign))
    assert str(caught.value) == (
        "the dataset has 'text_pair', which this model does not read: load it with load_model(..., "
        "roles=('text', 'text_pair')), or remove the column"
    )
