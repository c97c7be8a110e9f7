"""Answers from passages, with the place they come from; and passages put in a better order."""

from dataclasses import replace

import numpy as np
import pytest

from tfhf import models, prediction, retrieval
from tfhf.errors import UserError
from tfhf.retrieval import Citation, Hit, Passage, answering

TEXT = "Gold is stored in Paris. Silver is in Rome. Tin is cheap."
HITS = [
    Hit(Passage("Nothing of the kind.", "a.txt", 0, 20), 0.9, 0),
    Hit(Passage(TEXT, "b.pdf", 100, 100 + len(TEXT), "Metals", 3, 3), 0.8, 1),
]
SILVER = Citation("b.pdf", 125, 143, "Silver is in Rome.", "Metals", 3, 3, 0.8)


def test_the_sentence_most_like_the_question_is_quoted(embedder):
    answer = retrieval.Quoting(embedder)("Where is silver?", HITS)
    assert answer.citations == [SILVER]
    assert answer.text == SILVER.quote and 0 < answer.score < 1
    assert SILVER.place() == "b.pdf, page 3, Metals, characters 125-143"
    over = replace(SILVER, heading=None, last_page=4)
    assert over.place() == "b.pdf, pages 3-4, characters 125-143"
    assert retrieval.Quoting(embedder)("Where?", []).citations == []


@pytest.fixture
def pipelines(monkeypatch):
    """Takes the place of `prediction.pipeline`: a list of what was asked, and a set answer."""
    asked = []

    def use(answer):
        def pipeline(name, model):
            def call(rows, **choices):
                asked.append((name, rows, choices))
                return answer(rows)

            call.task = Tokens()
            return call

        monkeypatch.setattr(prediction, "pipeline", pipeline)
        return asked

    return use


class Tokens:
    """A task whose tokenizer reads a word a token."""

    class processor:
        model_max_length = 80

        def __new__(cls, text, verbose):
            return {"input_ids": text.split()}


def spans(rows):
    found = []
    for row in rows:
        start = row["context"].find("Rome")
        found.append({"answer": "Rome", "start": start, "end": start + 4, "score": 0.7})
        if start < 0:
            found[-1] = {"answer": "kind", "start": 15, "end": 19, "score": 0.2}
    return found


def test_words_of_a_passage_are_cited_with_their_sentence(pipelines):
    asked = pipelines(spans)
    answer = retrieval.Extractive("model")("Where is silver?", HITS)
    assert (answer.text, answer.score, answer.citations) == ("Rome", 0.7, [SILVER])
    (name, rows, choices) = asked[0]
    assert name == "question-answering" and choices == {"handle_impossible_answer": False}
    assert rows[1] == {"question": "Where is silver?", "context": TEXT}


def test_a_reader_may_say_that_there_is_no_answer(pipelines):
    asked = pipelines(lambda rows: [{"answer": "", "start": 0, "end": 0, "score": 0.9}] * 2)
    answer = retrieval.Extractive("model", may_decline=True)("Who?", HITS)
    assert (answer.text, answer.citations) == ("", [])
    assert asked[0][2] == {"handle_impossible_answer": True}


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        ("It is in Rome [2].", ["Silver is in Rome."]),
        ("Silver, in Rome", ["Silver is in Rome."]),
        ("Of that kind [1][2], I say.", ["Nothing of the kind.", "Gold is stored in Paris."]),
        ("No such number [7]", ["Nothing of the kind."]),
    ],
)
def test_own_words_cite_the_passages_they_name(text, quotes, pipelines, monkeypatch):
    kind = type("Kind", (), {"pipelines": ("text-generation",)})
    monkeypatch.setattr(answering, "_kind", lambda model: kind)
    asked = pipelines(lambda rows: [{"generated_text": f" {text} "}])
    answer = retrieval.Generative("model", max_new_tokens=9)("Where is silver?", HITS)
    assert answer.text == text
    assert [citation.quote for citation in answer.citations] == quotes
    name, prompt, choices = asked[0]
    assert name == "text-generation"
    assert choices == {"max_new_tokens": 9, "return_full_text": False}
    assert f"[2] {TEXT}" in prompt and prompt.endswith("Question: Where is silver?\nAnswer:")


@pytest.mark.parametrize("prompt", ["{question}", "{passages} {question} {", "{passages} {0}"])
def test_a_prompt_without_its_places(prompt):
    with pytest.raises(UserError) as caught:
        retrieval.Generative("model", prompt=prompt)
    assert str(caught.value) == (
        "prompt: want the places {passages} and {question}, and other braces doubled; received "
        f"{prompt!r}"
    )


def test_as_many_passages_are_given_as_the_model_reads(pipelines, monkeypatch):
    kind = type("Kind", (), {"pipelines": ("text2text-generation",)})
    monkeypatch.setattr(answering, "_kind", lambda model: kind)
    asked = pipelines(lambda rows: {"generated_text": "kind"})
    retrieval.Generative("model", max_new_tokens=45)("Where is silver?", HITS)
    assert "[1] Nothing" in asked[0][1] and "[2] Gold" not in asked[0][1]
    with pytest.raises(UserError, match="reads 10 tokens beside its answer"):
        retrieval.Generative("model", max_new_tokens=70)("Where is silver?", HITS)


def test_a_model_of_another_task_is_no_reader(tiny_classifier):
    with pytest.raises(UserError, match="is a model for text_classification; want one that"):
        retrieval.reader(tiny_classifier)


@pytest.fixture(scope="module")
def tiny_classifier(tiny_tokenizer, tmp_path_factory):
    """A cross-encoder with a single number, as sentence-transformers has them."""
    import tf_keras
    from transformers import BertConfig, TFBertForSequenceClassification

    tf_keras.utils.set_random_seed(1)
    config = BertConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        initializer_range=0.5,
        num_labels=1,
    )
    backbone = TFBertForSequenceClassification(config)
    backbone.build_in_name_scope()
    folder = tmp_path_factory.mktemp("cross-encoder")
    models.save_backbone(backbone, tiny_tokenizer, folder)
    return folder


def test_hits_are_ordered_by_what_the_cross_encoder_says(tiny_classifier, tiny_tokenizer):
    rerank = retrieval.Reranker(tiny_classifier)
    texts = ["a film", "lovely, warm", "dull dull dull", "story 7"]
    hits = [Hit(Passage(text, "a.txt", 0, 1), 0.0, n) for n, text in enumerate(texts)]
    found = rerank("a warm story", hits, top_k=3)
    encoded = tiny_tokenizer(["a warm story"] * 4, texts, padding=True, return_tensors="tf")
    backbone, _ = models.load_backbone(
        models.resolve(str(tiny_classifier)), "TFAutoModelForSequenceClassification"
    )
    logits = backbone(encoded).logits.numpy()[:, 0]
    assert [hit.number for hit in found] == np.argsort(-logits)[:3].tolist()
    assert [hit.score for hit in found] == pytest.approx(sorted(logits, reverse=True)[:3], abs=1e-5)
    assert rerank("a warm story", []) == []


def test_a_classifier_of_classes_needs_to_know_which_one_fits(toy_run):
    with pytest.raises(UserError, match="has the classes negative, positive; say which means"):
        retrieval.Reranker(toy_run, label="positve")
    with pytest.raises(UserError, match="was trained on single texts, not on pairs"):
        retrieval.Reranker(toy_run, label="positive")
