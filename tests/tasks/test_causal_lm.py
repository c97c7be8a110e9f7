"""causal_lm: its three formats from rows to generated text, and its details."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import transformers

from tests.learning.letters import tokenizer
from tests.models.formula import weight
from tests.tasks.check import check_task
from tests.toys import causal_lm as toys
from tfhf import models, prediction, tasks
from tfhf.data.tokens import TokenStore
from tfhf.errors import UserError
from tfhf.learning.model import Model
from tfhf.learning.scoring import Scorer
from tfhf.models.names import places
from tfhf.tasks.causal_lm import CausalLM

FACTS = json.loads((Path(__file__).parent / "facts" / "text_generation.json").read_text())


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    """A pipeline over the model of the facts, as saved and loaded again."""
    config = transformers.GPT2Config(**FACTS["config"])
    backbone = transformers.TFGPT2LMHeadModel(config)
    backbone.build_in_name_scope()
    for place in places(backbone):
        place.variable.assign(place.to_tensorflow(weight(place.name, place.shape)))
    folder = tmp_path_factory.mktemp("gpt2")
    models.save_backbone(backbone, tokenizer(), folder)
    return prediction.pipeline("text-generation", str(folder))


def task_of(format="text", **options):
    features = CausalLM.features_for(None, ["text"])
    options = {"max_length": 16} | options
    return CausalLM(tokenizer(), features, format=format, **options)


# === The whole way ===


def test_from_rows_to_generated_text(tmp_path):
    folder = toys.model(None, tmp_path / "checkpoint")
    options = {"format": "prompt", "max_length": 24, "max_new_tokens": 4, "stop": ["zz"]}
    recipe = {"model": str(folder), "options": options}
    rows = toys.rows("causal_lm/dolly", count=10)
    model, dataset, results = check_task("causal_lm", recipe, rows, tmp_path)
    assert model.task.settings()["stop"] == ["zz"]
    assert model.backbone.generation_config.max_new_tokens == 4
    assert results["sequences"].shape == (10, 1, 4)


# === Loss and metrics ===


def measured(backbone, task, dataset, batch_size, folder):
    scores = Scorer(Model(backbone, task), batch_size)(
        TokenStore.build(dataset, task, folder), "evaluate"
    )
    return scores.loss, task.score(dataset, scores.results)


def test_loss_per_token_and_character_are_sums_over_the_split(generator, tmp_path):
    from datasets import Dataset

    task, backbone = task_of(max_length=8), generator.model.backbone
    texts = ["hello you", "", "well", "is it so", "no"]
    dataset = Dataset.from_dict({"text": texts})
    loss, values = measured(backbone, task, dataset, 2, tmp_path / "a")
    # By hand: one row, the blocks' tokens one after another.
    encoded = task.encode({"text": texts})
    total = count = 0
    for inputs, labels in zip(encoded["input_ids"], encoded["label"], strict=True):
        logits = backbone(np.array([inputs])).logits[0].numpy().astype(np.float64)
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        total -= logs[np.arange(len(labels)), labels].sum()
        count += len(labels)
    assert count == len("".join(texts)) + 4  # an end of text for each that is not empty
    assert loss == pytest.approx(total / count, rel=1e-5)
    assert values["perplexity"] == pytest.approx(math.exp(total / count), rel=1e-5)
    assert values["nats_per_character"] == pytest.approx(total / len("".join(texts)), rel=1e-5)
    again, others = measured(backbone, task, dataset, 5, tmp_path / "b")
    assert again == pytest.approx(loss, abs=1e-5)
    assert others == pytest.approx(values, abs=1e-5)


def test_a_batch_without_labels_has_no_loss():
    targets = tf.fill([2, 3], -100)
    losses, counts = task_of().loss(targets, {"logits": tf.random.normal([2, 3, 40])})
    assert losses.numpy().tolist() == counts.numpy().tolist() == [0.0, 0.0]


# === Generated text ===


def as_rows(given):
    """transformers takes a chat as a list of messages, tfhf as a row."""
    return {"chat": given} if isinstance(given, list) and isinstance(given[0], dict) else given


@pytest.mark.parametrize("case", FACTS["cases"], ids=lambda case: json.dumps(case["choices"]))
def test_answers_are_those_of_transformers_pipeline(case, generator):
    assert generator(as_rows(case["input"]), **case["choices"]) == case["answer"]


def test_rows_of_different_lengths_are_answered_as_if_alone(generator):
    rows = ["abc de", "hello you, well", "a"]
    together = generator(rows, max_new_tokens=9)
    assert together == [generator(row, max_new_tokens=9) for row in rows]


def test_samples_are_the_same_in_every_batch(generator):
    rows = ["abc de", "hello you, well", "a"]
    choices = {"max_new_tokens": 5, "do_sample": True, "num_return_sequences": 2, "seed": 3}
    together = generator(rows, **choices)
    assert together[0][0] != together[0][1]
    assert together == prediction.Pipeline(generator.model, batch_size=1)(rows, **choices)


def test_a_text_ends_before_a_stop(generator):
    assert generator("abc de", max_new_tokens=9) == [{"generated_text": "abc derrrrrrrrf"}]
    stopped = generator("abc de", max_new_tokens=9, stop=["rrf"])
    assert stopped == [{"generated_text": "abc derrrrrr"}]


def test_a_text_is_told_as_it_comes(generator, capsys):
    pieces = []
    answer = generator("abc de", max_new_tokens=9, stop="rf", stream=pieces.append)
    assert "".join(pieces) == "rrrrrrr"
    assert len(pieces) > 3
    assert answer == [{"generated_text": "abc derrrrrrr"}]
    folder = generator.model.task.processor.name_or_path
    choices = {"stream": True, "max_new_tokens": 2}
    prediction.predict_to(folder, texts=["abc"], choices=choices)
    assert capsys.readouterr().out == "abcrr\n"
    with pytest.raises(UserError) as caught:
        generator(["a", "b"], stream=True)
    assert str(caught.value) == "stream: one text at a time can be printed as it comes; received 2"
    with pytest.raises(UserError) as caught:
        generator("a", stream=True, num_beams=2)
    assert str(caught.value) == (
        "stream: one text can be printed as it comes; set num_beams and num_return_sequences to 1; "
        "received 2 at once"
    )


def test_long_prompts_lose_their_beginning_and_it_is_said(generator, capsys):
    long = "hello you, well, is it so, or not so?"
    answer = generator(long, max_new_tokens=9, return_full_text=False)
    assert capsys.readouterr().err == (
        "  note: 1 of 1 prompts are longer than the model can read and still answer; it reads "
        "their last 23 tokens\n"
    )
    assert answer == generator(long[-23:], max_new_tokens=9, return_full_text=False)
    with pytest.raises(UserError) as caught:
        generator("a", max_new_tokens=32)
    assert str(caught.value) == (
        "max_new_tokens: the model reads 32 tokens, those of the prompt and new ones; received 32"
    )


def test_a_bare_chat_is_one_row_as_in_transformers(generator, monkeypatch):
    chat = [{"role": "user", "content": "hello"}]
    (answer,) = generator(chat, max_new_tokens=3)
    first, said = answer["generated_text"]
    assert first == chat[0] and said["role"] == "assistant"
    told = generator("u!hello.a!", max_new_tokens=3, return_full_text=False)
    assert said["content"] == told[0]["generated_text"]
    assert generator([chat, chat], max_new_tokens=3) == [[answer]] * 2
    assert generator({"chat": chat}, max_new_tokens=3) == [answer]
    monkeypatch.setattr(generator.task.processor, "chat_template", None)
    with pytest.raises(UserError) as caught:
        generator(chat)
    assert str(caught.value) == (
        "model: its tokenizer has no chat template; set options.chat_template, or take a model "
        "made for chats"
    )


def test_unknown_choices_are_refused(generator):
    with pytest.raises(UserError) as caught:
        generator("a", max_new_token=3)
    assert str(caught.value) == (
        "no generation setting 'max_new_token'; did you mean 'max_new_tokens'?; received 3"
    )
    with pytest.raises(UserError) as caught:
        generator("a", stop=[""])
    assert str(caught.value) == "stop: must be a text or a list of texts; received ['']"


def test_prompts_are_answered_behind_the_separator(generator):
    task = task_of("prompt", separator="!")
    found = task.reader.behind({"prompt": "hi"}, "yes")
    assert found == "hi!yes"
    assert task.line({"prompt": "hi"}, {"generated_text": "yes"}) == "yes"
    assert task_of().line({"prompt": "hi"}, {"generated_text": [" a", " b"]}) == "hi a\nhi b"


# === Which models ===


def test_the_task_is_found_by_its_names():
    assert tasks.by_pipeline("text-generation") is CausalLM
    for architecture in ("GPT2LMHeadModel", "OPTForCausalLM"):
        config = transformers.PretrainedConfig(architectures=[architecture])
        assert tasks.by_config(config) is CausalLM


def test_a_model_that_reads_both_ways_is_refused():
    config = transformers.BertConfig(vocab_size=40, hidden_size=4, num_attention_heads=1)
    backbone = type("Backbone", (), {"config": config})
    with pytest.raises(UserError, match="model: tfhf cannot generate text with a bert; it can wit"):
        task_of().set_up(backbone)


def test_a_family_without_a_tensorflow_class_is_one_line(shared):
    with pytest.raises(UserError) as caught:
        prediction.pipeline("text-generation", str(shared / "checkpoints" / "stories260K-llama"))
    assert "\n" not in str(caught.value)
    assert "llama" in str(caught.value)


def test_options_come_back_from_the_config():
    task = task_of("prompt", separator="#", temperature=0.5, top_k=3, stop=["a"])
    config = transformers.PretrainedConfig(**task.model_config())
    again = CausalLM.from_config(tokenizer(), config)
    assert again.settings() == task.settings()
    assert (again.format, again.choices) == ("prompt", {"temperature": 0.5, "top_k": 3})


def test_a_block_longer_than_the_model_reads_is_refused():
    with pytest.raises(UserError) as caught:
        task_of(max_length=33)
    assert str(caught.value) == (
        "options.max_length: the model reads at most 32 tokens; received 33"
    )
