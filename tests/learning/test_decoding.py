"""Decoding: the tokens that PyTorch's `generate` gives, from one graph for all lengths."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import transformers

from tests.learning.letters import tokenizer
from tests.models.formula import weight
from tfhf.errors import UserError
from tfhf.learning.decoding import loop, rules
from tfhf.learning.decoding.generation import generate
from tfhf.learning.decoding.settings import Generation
from tfhf.learning.decoding.stops import Stops
from tfhf.learning.text_stream import cut
from tfhf.models import loading
from tfhf.models.names import places

FACTS = json.loads((Path(__file__).parent / "facts" / "generation.json").read_text())
FAMILIES = sorted(FACTS["families"])


def made(family):
    """The family's model with the recorded weights, and what was recorded."""
    facts = FACTS["families"][family]
    config = transformers.AutoConfig.for_model(family, **facts["config"])
    head = "TFAutoModelForSeq2SeqLM" if config.is_encoder_decoder else "TFAutoModelForCausalLM"
    model = getattr(transformers, head).from_config(config)
    model.build_in_name_scope()
    tied = {"lm_head.weight": "model.embed_tokens.weight"} if family == "xglm" else {}
    for place in places(model):
        name = tied.get(place.name, place.name)
        place.variable.assign(place.to_tensorflow(weight(name, place.shape)))
    return model, facts


def padded(prompts, pad=1):
    """Prompts of different lengths as one batch, padding behind them."""
    widest = max(map(len, prompts))
    ids = np.array([[*prompt, *[pad] * (widest - len(prompt))] for prompt in prompts], np.int32)
    mask = np.array([[1] * len(p) + [0] * (widest - len(p)) for p in prompts], np.int32)
    return {"input_ids": ids, "attention_mask": mask}


def compiled(model, settings, **more):
    """`generate` as one graph for all batch sizes and lengths."""
    shape = tf.TensorSpec([None, None], tf.int32)

    @tf.function(input_signature=[shape, shape], autograph=False)
    def run(input_ids, attention_mask):
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        return generate(model, inputs, settings, **more)

    return run


def texts(found, row):
    """A row's answers as lists of tokens."""
    sequences, lengths = found["sequences"].numpy()[row], found["lengths"].numpy()[row]
    return [tokens[:length].tolist() for tokens, length in zip(sequences, lengths, strict=True)]


# Tracing takes seconds, so one family of a kind shows every setting; the others keep caches and
# count positions in their own way, which beam search shows best.
@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_are_those_of_pytorch(family):
    model, facts = made(family)
    batch = padded(facts["prompts"])
    chosen = facts["settings"] if family in ("gpt2", "t5") else ["beams"]
    for name in chosen:
        case = facts["settings"][name]
        settings = Generation.of(model.generation_config, **case["settings"])
        found = compiled(model, settings)(**batch)
        for row, answer in enumerate(case["answers"]):
            assert texts(found, row) == answer["tokens"], (name, row)
            if "scores" in answer:
                np.testing.assert_allclose(
                    found["scores"][row], answer["scores"], atol=1e-4, err_msg=name
                )


# === Settings ===


def test_settings_are_those_of_the_model_changed_by_the_call():
    config = transformers.GenerationConfig(num_beams=4, eos_token_id=2, bad_words_ids=[[7]])
    settings = Generation.of(config, max_new_tokens=5, num_beams=2)
    assert (settings.num_beams, settings.max_new_tokens) == (2, 5)
    assert (settings.eos_token_id, settings.pad_token_id) == ((2,), 2)
    assert settings.suppress_tokens == (7,)
    assert Generation.of(None).max_new_tokens == 20
    config.max_new_tokens = 7
    assert Generation.of(config, max_length=9).max_new_tokens is None
    assert Generation.of(config, top_k=None).top_k == 0


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (
            {"max_new_token": 5},
            "no generation setting 'max_new_token'; did you mean 'max_new_tokens'?; received 5",
        ),
        (
            {"max_new_tokens": 0},
            "max_new_tokens: must be a whole number from 1; received 0",
        ),
        ({"top_p": 1.5}, "top_p: must be above 0 and at most 1; received 1.5"),
        ({"temperature": 0.0}, "temperature: must be above 0; received 0.0"),
        (
            {"min_p": 0.1},
            "min_p: tfhf does not decode with it; set min_p=null to go without; received 0.1",
        ),
        ({"early_stopping": 1}, "early_stopping: must be true, false or never; received 1"),
        (
            {"do_sample": True, "num_beams": 2},
            "do_sample: beams are searched, not sampled; set num_beams=1 or do_sample=false; "
            "received num_beams=2",
        ),
        (
            {"num_return_sequences": 2},
            "num_return_sequences: greedy decoding has one answer and beam search one per beam; "
            "set do_sample=true or more num_beams; received 2",
        ),
        (
            {"bad_words_ids": [[3, 4]]},
            "bad_words_ids: tfhf can only rule out single tokens; received [3, 4]",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(chosen, message):
    with pytest.raises(UserError) as caught:
        Generation.of(None, **chosen)
    assert str(caught.value) == message


def test_what_ends_a_text_may_be_suppressed_but_is_no_bad_word():
    place = rules.Place(*map(tf.constant, ([[1, 0]], [[True, False]], 0, [1], [1])))
    for name, tokens, likeliest in (("suppress_tokens", [2], 1), ("bad_words_ids", [[2]], 2)):
        settings = Generation.of(None, eos_token_id=2, **{name: tokens})
        found = rules.ruled(tf.constant([[0.0, 1.0, 5.0]]), place, settings)
        assert tf.argmax(found, -1).numpy().tolist() == [likeliest], name


def test_a_setting_the_decoder_lacks_can_be_taken_back():
    config = transformers.GenerationConfig(min_p=0.1)
    with pytest.raises(UserError, match="min_p"):
        Generation.of(config)
    assert Generation.of(config, min_p=None) == Generation.of(None)


# === Sampling ===


def test_sampling_draws_from_the_distribution_of_pytorch():
    logits = weight("logits", (3, 12)) * 8
    for case in FACTS["warped"]:
        settings = Generation(do_sample=True, **case["settings"])
        found = tf.nn.softmax(rules.warped(tf.constant(logits), settings))
        np.testing.assert_allclose(found, case["probabilities"], atol=1e-6)


def test_draws_hit_each_token_as_often_as_it_is_likely():
    scores = tf.math.log([[0.5, 0.0, 0.2, 0.3]])
    draws = tf.constant([0.0, 0.25, 0.4999, 0.5001, 0.69, 0.7001, 0.9999])
    found = loop._sampled(tf.repeat(scores, 7, axis=0), draws)
    assert found.numpy().tolist() == [0, 0, 0, 2, 2, 3, 3]


def test_what_is_drawn_depends_on_seed_and_row_alone():
    model, facts = made("gpt2")
    settings = Generation.of(
        model.generation_config, do_sample=True, num_return_sequences=2, max_new_tokens=8
    )
    batch = padded(facts["prompts"])
    together = compiled(model, settings)(**batch)
    assert texts(together, 0)[0] != texts(together, 0)[1]
    alone = compiled(model, settings, seeds=tf.constant([2]))(**padded(facts["prompts"][2:]))
    assert texts(alone, 0) == texts(together, 2)
    other = compiled(model, replace(settings, seed=1))(**batch)
    assert texts(other, 0) != texts(together, 0)
    likeliest = compiled(model, replace(settings, top_k=1))(**batch)
    greedy = facts["settings"]["greedy"]["answers"][0]["tokens"][0]
    assert texts(likeliest, 0) == [greedy[:8]] * 2


# === Graphs ===


def test_one_trace_serves_every_batch_and_length_and_can_be_exported(tmp_path):
    model, facts = made("bart")
    case = facts["settings"]["beams"]
    settings = Generation.of(model.generation_config, **case["settings"])
    run = compiled(model, settings)
    for row in range(3):
        found = run(**padded(facts["prompts"][row : row + 1]))
        assert texts(found, 0) == case["answers"][row]["tokens"]
    assert run.experimental_get_tracing_count() == 1
    module = tf.Module()
    module.run, module.weights = run, model.variables
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": run})
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    batch = {name: tf.constant(value) for name, value in padded(facts["prompts"]).items()}
    found = served(**batch)
    assert [texts(found, row) for row in range(3)] == [a["tokens"] for a in case["answers"]]


def test_a_text_ends_where_the_positions_do():
    model, facts = made("gpt2")  # which has 32
    settings = Generation.of(model.generation_config, max_new_tokens=31, eos_token_id=None)
    found = compiled(model, settings)(**padded(facts["prompts"]))
    assert found["lengths"].numpy().tolist() == [[28], [30], [26]]
    long = Generation.of(model.generation_config, max_new_tokens=33)
    with pytest.raises(UserError) as caught:
        compiled(model, long)(**padded(facts["prompts"]))
    assert str(caught.value) == "max_new_tokens: the model has 32 positions; received 33"


def test_tokens_are_told_as_they_come():
    model, facts = made("gpt2")
    settings = Generation.of(model.generation_config, max_new_tokens=4)
    told = []
    run = compiled(model, settings, on_tokens=lambda *new: told.append([n.numpy() for n in new]))
    found = run(**padded(facts["prompts"]))
    assert np.stack([tokens for tokens, _ in told], 1).tolist() == [
        texts(found, row)[0] for row in range(3)
    ]


def test_a_family_without_decoding_is_named():
    config = transformers.BertConfig(
        vocab_size=8, hidden_size=4, num_hidden_layers=1, num_attention_heads=1,
        intermediate_size=4, is_decoder=True,
    )  # fmt: skip
    model = transformers.TFBertLMHeadModel(config)
    with pytest.raises(
        UserError, match="model: tfhf cannot generate text with a bert; it can with ctrl"
    ):
        generate(model, padded([[1, 2]]), Generation())


# === Stop strings ===


@pytest.fixture(scope="module")
def letters():
    return tokenizer()


def test_stops_end_a_text_where_they_are_spelled(letters):
    stops = Stops(["ba.", "né"], letters)
    tails = tf.constant(["", ""])
    found = []
    for pair in zip("abca.b", "aabba.", strict=True):
        tails = stops.extended(tails, tf.constant(letters.convert_tokens_to_ids(list(pair))))
        found.append(stops.reached(tails).numpy().tolist())
    assert found == [[False, False]] * 5 + [[False, True]]
    assert cut("abcné abba.", stops.strings) == "abc"
    assert cut("abc", stops.strings) == "abc"


def test_a_stop_is_found_behind_half_a_character():
    pairs = tokenizer()
    pairs.add_tokens("ab")
    stops, tails = Stops(["ab"], pairs), tf.constant([""])
    # Of "é" the second byte alone is kept when "ab" comes.
    for token in pairs.convert_tokens_to_ids(["é", "ab"]):
        tails = stops.extended(tails, tf.constant([token]))
    assert stops.reached(tails).numpy().tolist() == [True]


def test_an_id_without_a_token_spells_nothing(letters):
    found = Stops(["ab"], letters).extended(tf.constant(["a"]), tf.constant([len(letters) + 7]))
    assert found.numpy().tolist() == [b"a"]


def test_generation_goes_no_further_than_a_stop(letters):
    model, facts = made("gpt2")
    greedy = facts["settings"]["greedy"]["answers"][0]["tokens"][0]
    assert greedy.index(8) == 7
    stops = Stops([letters.decode([greedy[6]]) + letters.decode([8])], letters)
    settings = Generation.of(model.generation_config, max_new_tokens=14)
    found = compiled(model, settings, stops=stops)(**padded(facts["prompts"]))
    assert texts(found, 0) == [greedy[:8]]


# === A trained model ===


def test_a_trained_model_says_what_it_says_in_pytorch(shared):
    source = loading.Source(shared / "checkpoints" / "bart-g2p-en-us", "bart-g2p-en-us")
    model, _ = loading.load_backbone(source, "TFAutoModelForSeq2SeqLM")
    reference = json.loads((source.folder / "reference_outputs.json").read_text())["greedy"]
    batch = padded([word["input_ids"] for word in reference], pad=0)
    found = compiled(model, Generation.of(model.generation_config))(**batch)
    for row, word in enumerate(reference):
        assert texts(found, row) == [word["output_ids"][1:]]
    facts = FACTS["g2p"]
    found = compiled(model, Generation.of(model.generation_config, **facts["settings"]))(**batch)
    for row, answer in enumerate(facts["answers"]):
        assert texts(found, row) == answer["tokens"]
        np.testing.assert_allclose(found["scores"][row], answer["scores"], atol=1e-4)
