"""text2text, summarization and translation: from rows to generated texts, and their details."""

import json

import numpy as np
import pytest
from datasets import Dataset
from transformers import BartConfig, T5Config

import tfhf
from tests.tasks.check import check_task
from tests.toys import text2text as toys
from tfhf.errors import UserError
from tfhf.learning.sequences import encode_texts, shifted_right
from tfhf.tasks.summarization import Summarization
from tfhf.tasks.text2text import Text2Text
from tfhf.tasks.translation import Translation


@pytest.fixture(scope="module")
def tiny_bart_folder(tiny_bert_folder, tmp_path_factory):
    return toys.model(tiny_bert_folder, tmp_path_factory.mktemp("tiny-bart"))


OPTIONS = {key.removeprefix("options."): value for key, value in toys.OPTIONS.items()}


@pytest.mark.parametrize(
    ("name", "answer", "metric"),
    [
        ("text2text", "generated_text", "exact_match"),
        pytest.param("summarization", "summary_text", "rougeL", marks=pytest.mark.slow),
        pytest.param("translation", "translation_text", "bleu", marks=pytest.mark.slow),
    ],
)
def test_from_rows_to_generated_texts(name, answer, metric, tiny_bart_folder, tmp_path):
    rows = toys.rows(name)
    rows[0]["target"] = [rows[0]["target"], "another"]
    rows = [row | {"target": row["target"]} for row in rows]
    recipe = {"model": str(tiny_bart_folder), "options": OPTIONS}
    model, dataset, results = check_task(name, recipe, rows, tmp_path)
    assert model.task.monitor == metric
    assert model.task.expected(dataset)[:2] == [["neg", "another"], ["pos"]]
    assert list(model.task.decode(results, 0, dataset[0])) == [answer]
    saved = json.loads((tmp_path / "model" / "generation_config.json").read_text())
    assert saved["max_new_tokens"] == 6
    assert model.task.decoding.num_beams == 1


# === Encoding ===


def test_a_prefix_stands_before_every_source_and_cuts_are_counted(tiny_tokenizer):
    task = Text2Text(tiny_tokenizer, None, max_length=8, max_target_length=4, prefix="film: ")
    rows = {"source": ["a warm story", "dull"], "target": [["dull bad film"], ["great", "fine"]]}
    encoded = task.encode(rows)
    assert tiny_tokenizer.batch_decode(encoded["input_ids"])[1] == "[CLS] film [UNK] dull [SEP]"
    assert tiny_tokenizer.batch_decode(encoded["label"]) == [
        "[CLS] dull bad [SEP]",
        "[CLS] great [SEP]",
    ]
    longest = len(encoded["input_ids"][0])
    assert encoded["full_length"] == [longest + 1, 5]


def test_a_text_as_long_as_the_limit_is_not_cut(tiny_tokenizer):
    assert encode_texts(tiny_tokenizer, ["a warm story", "a warm and funny story"], 5) == (
        [tiny_tokenizer.encode("a warm story"), tiny_tokenizer.encode("a warm and")],
        [0, 2],
    )


def test_what_the_decoder_reads_is_one_place_behind():
    labels = np.array([[5, 6, 2], [7, 2, -100]], np.int32)
    assert shifted_right(labels, 9, 0).numpy().tolist() == [[9, 5, 6], [9, 7, 2]]
    labels = np.array([[7, -100, -100, -100]], np.int32)
    assert shifted_right(labels, 9, 0).numpy().tolist() == [[9, 7, 0, 0]]


def test_settings_of_the_checkpoint_are_the_tasks_own(tiny_tokenizer):
    tokenizer = tiny_tokenizer
    config = T5Config(
        task_specific_params={
            "summarization": {"prefix": "summarize: ", "num_beams": 4, "max_length": 30},
            "translation_en_to_de": {"prefix": "translate English to German: "},
        }
    )
    task = Summarization(tokenizer, None, max_length=16)
    assert task.usual_settings(config) == {
        "prefix": "summarize: ",
        "num_beams": 4,
        "max_length": 30,
    }
    task = Translation(tokenizer, None, max_length=16, source_language="en", target_language="de")
    assert task.usual_settings(config) == {"prefix": "translate English to German: "}
    assert Text2Text(tokenizer, None, max_length=16).usual_settings(BartConfig()) == {}


def test_lengths_the_model_cannot_read_are_refused(tiny_tokenizer):
    with pytest.raises(UserError) as caught:
        Text2Text(tiny_tokenizer, None, max_length=16, max_target_length=33)
    assert str(caught.value) == (
        "options.max_target_length: the model reads at most 32 tokens; received 33"
    )


def test_settings_of_decoding_are_checked_before_the_data_are_read(tiny_tokenizer):
    for wrong, line in (
        (
            {"num_beam": 4},
            "no generation setting 'num_beam'; did you mean 'num_beams'?; received 4",
        ),
        ({"top_p": 2.0}, "top_p: must be above 0 and at most 1; received 2.0"),
        (
            {"penalty_alpha": 0.5},
            "penalty_alpha: tfhf does not decode with it; set penalty_alpha=null to go without; "
            "received 0.5",
        ),
    ):
        with pytest.raises(UserError) as caught:
            Text2Text(None, None, generation=wrong)
        assert str(caught.value) == line
    # Whether these go together depends on the checkpoint's own settings.
    for right in ({"do_sample": True}, {"num_return_sequences": 2}, {"max_length": None}):
        assert Text2Text(None, None, generation=right).changes == right


def test_what_bleu_needs_is_missed_before_training(tiny_tokenizer, monkeypatch):
    from sacrebleu.metrics import bleu

    def missing():
        raise RuntimeError("Install them like so.\n\n    pip install sacrebleu[ja]\n")

    monkeypatch.setattr(bleu, "_get_tokenizer", lambda name: missing)
    task = Translation(tiny_tokenizer, None, max_length=16, bleu_tokenizer="ja-mecab")
    assert task.encode({"source": ["dull"]})["input_ids"]  # what is only answered needs it not
    with pytest.raises(UserError) as caught:
        task.encode({"source": ["dull"], "target": [["bad"]]})
    assert str(caught.value) == (
        "options.bleu_tokenizer: 'ja-mecab' does not work here: Install them like so. "
        "pip install sacrebleu[ja]"
    )


# === Loss ===


def test_losses_are_those_of_the_definition():
    logits = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    labels = np.array([[1, 3, -100], [-100, -100, -100]], np.int32)
    log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    outputs = {"logits": logits}
    plain, counts = Text2Text(None, None).loss(labels, outputs)
    assert counts.numpy().tolist() == [2.0, 0.0]
    np.testing.assert_allclose(plain, [-log[0, 0, 1] - log[0, 1, 3], 0.0], rtol=1e-5)
    smooth, _ = Text2Text(None, None, label_smoothing=0.1).loss(labels, outputs)
    uniform = -log[0, :2].mean(-1).sum()
    np.testing.assert_allclose(smooth, [0.9 * plain[0] + 0.1 * uniform, 0.0], rtol=1e-5)


# === A real model ===


@pytest.fixture(scope="module")
def g2p(shared):
    return tfhf.pipeline("text2text-generation", str(shared / "checkpoints/bart-g2p-en-us"))


def test_a_trained_model_writes_its_reference_tokens(g2p, shared):
    known = json.loads((shared / "checkpoints/bart-g2p-en-us/reference_outputs.json").read_text())
    words = [row["word"] for row in known["greedy"]]
    answers = g2p(words, num_beams=1, max_length=64, return_tensors=True)
    assert [answer["generated_token_ids"] for answer in answers] == [
        row["output_ids"] for row in known["greedy"]
    ]
    texts = g2p(words, num_beams=1, max_length=64)
    assert [answer["generated_text"] for answer in texts] == [
        row["phonemes"] for row in known["greedy"]
    ]


def test_a_trained_model_reaches_its_reference_score(g2p, shared):
    lines = (shared / "data/g2p_en_us/test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    task, _ = g2p.task.configured(num_beams=1, max_length=64)
    asked = Dataset.from_dict({"source": [row["word"] for row in rows]})
    answered = Dataset.from_dict({"target": [[row["phonemes"]] for row in rows]})
    scores = task.score(answered, g2p.results(asked, task))
    assert scores["exact_match"] == pytest.approx(0.664, abs=1e-3)


def test_answers_have_the_shape_of_transformers_pipeline(g2p):
    (one,) = g2p("grit", num_beams=1)
    assert list(one) == ["generated_text"]
    assert g2p(["grit"], num_beams=1) == [one]
    several = g2p(["grit"], num_beams=3, num_return_sequences=2)
    assert [[list(answer) for answer in answers] for answers in several] == [
        [["generated_text"], ["generated_text"]]
    ]


def test_a_setting_that_does_not_exist_is_named(g2p):
    with pytest.raises(UserError) as caught:
        g2p("grit", num_beam=2)
    assert "num_beam'" in str(caught.value) and "num_beams" in str(caught.value)
