"""Tokens that a checkpoint does not know: their ids, and the rows its embeddings get for them."""

import copy

import numpy as np
import pytest

from tests.models.folders import load, stored, write
from tfhf.errors import UserError
from tfhf.models import add_tokens, growth, load_backbone, resolve, save_backbone

LANGUAGE_MODELS = {
    "bert": "AutoModelForMaskedLM",
    "mobilebert": "AutoModelForMaskedLM",
    "xlnet": "AutoModelForCausalLM",
    "gpt2": "AutoModelForCausalLM",
    "gptj": "AutoModelForCausalLM",
    "t5": "AutoModelForSeq2SeqLM",
    "t5 1.1": "AutoModelForSeq2SeqLM",
    "bart": "AutoModelForSeq2SeqLM",
    "marian": "AutoModelForSeq2SeqLM",
}


@pytest.fixture
def tokens(tiny_tokenizer):
    """A tokenizer of its own for each test."""
    return copy.deepcopy(tiny_tokenizer)


def test_plain_and_special_tokens(tokens):
    before = len(tokens)
    assert add_tokens(tokens, ["Covid-19", "dull"], ["<user>"]) == [
        "add_tokens: 'dull' is a token of the model already"
    ]
    assert len(tokens) == before + 2
    assert tokens.tokenize("Covid-19s <user> duller") == [
        *("Covid-19", "s", "<user>"),
        *("dull", "##e", "##r"),
    ]
    assert "Covid-19" not in tokens.tokenize("COVID-19")
    ids = tokens("A <user> Covid-19").input_ids
    assert tokens.decode(ids, skip_special_tokens=True) == "a Covid-19"
    assert add_tokens(tokens) == []


@pytest.mark.parametrize("pair", [("covid", "covid-19"), ("19", "covid-19"), ("<a><", "<b>")])
def test_tokens_that_overlap_are_told_of(pair, tokens):
    (note,) = add_tokens(tokens, pair)
    assert note.startswith("add_tokens: a text may hold ")
    assert note.endswith(" at once, so there will be no export; rename one of them")
    assert all(repr(one) in note for one in pair)


def test_a_token_of_the_vocabulary_becomes_special(tokens):
    before = len(tokens)
    assert add_tokens(tokens, [], ["lovely"]) == []
    assert len(tokens) == before
    assert "lovely" in tokens.additional_special_tokens
    assert add_tokens(tokens, [], ["<more>"]) == []  # those before stay special
    assert tokens.additional_special_tokens == ["lovely", "<more>"]


def test_what_cannot_be_added(tokens):
    for named in ((["x"], ["x"]), (["x", "x"], []), ([], ["x", "x"])):
        with pytest.raises(UserError) as caught:
            add_tokens(tokens, *named)
        assert str(caught.value) == "add_tokens: each token must be named once; received 'x' twice"
    with pytest.raises(UserError) as caught:
        add_tokens(None, ["x"])
    assert str(caught.value) == "add_tokens: the model reads no text; leave add_tokens out"


@pytest.mark.parametrize("family", LANGUAGE_MODELS)
def test_every_weight_of_the_vocabulary_grows(family, names, write_folder, tokens, tmp_path):
    head = LANGUAGE_MODELS[family]
    fact = names[family][head]
    folder = write_folder(tmp_path / "old", fact["config"], fact["weights"])
    held = fact["config"]["vocab_size"]
    backbone, report = load(folder, f"TF{head}", tokens=held + 3)
    assert backbone.config.vocab_size == held + 3
    assert not (report.new or report.reshaped or report.unused)
    save_backbone(backbone, tokens, tmp_path / "new")

    old, new = stored(folder), stored(tmp_path / "new")
    assert old.keys() == new.keys()
    changed = [name for name in old if old[name].shape != new[name].shape]
    assert changed
    for name in old.keys() - set(changed):
        np.testing.assert_array_equal(new[name], old[name], err_msg=name)
    for name in changed:
        (axis,) = [a for a, size in enumerate(new[name].shape) if size != old[name].shape[a]]
        before, after = (np.moveaxis(values[name], axis, 0) for values in (old, new))
        assert (len(before), len(after)) == (held, held + 3)
        np.testing.assert_array_equal(after[:held], before, err_msg=name)
        mean = before.mean(0, dtype=np.float64)
        spread = before.std(0, dtype=np.float64).max()
        np.testing.assert_allclose(after[held:], np.broadcast_to(mean, after[held:].shape),
                                   atol=6 * spread * growth.SPREAD**0.5 + 1e-7)  # fmt: skip

    again, report = load_backbone(resolve(tmp_path / "new"), f"TF{head}", tokens=held + 3)
    assert report.grown == []
    for one, other in zip(backbone.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_new_rows_have_the_old_rows_mean_and_a_share_of_their_covariance():
    import tf_keras

    tf_keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    rows = (random.normal(size=(500, 4)) @ random.normal(size=(4, 4)) + 3).astype(np.float32)
    drawn = growth._drawn(rows, 4_000).astype(np.float64)
    covariance = np.cov(rows.astype(np.float64), rowvar=False, bias=True)
    deviations = (drawn - rows.mean(0, dtype=np.float64)) / growth.SPREAD**0.5
    assert np.abs(deviations.mean(0)).max() < 0.2
    found = deviations.T @ deviations / len(deviations)
    np.testing.assert_allclose(found, covariance, atol=0.1 * np.abs(covariance).max())


def test_the_report_tells_of_new_rows(names, write_folder, tmp_path):
    fact = names["bert"]["AutoModelForMaskedLM"]
    folder = write_folder(tmp_path, fact["config"], fact["weights"])
    _, report = load(folder, "TFAutoModelForMaskedLM", tokens=35)
    assert report.line() == (
        "loaded 26 of 26 weights (3,192 parameters); with rows for new tokens: cls (1), "
        "embeddings (1)"
    )
    _, report = load(folder, "TFAutoModelForMaskedLM", tokens=30)  # two rows are spare
    assert report.grown == []


def test_a_second_matrix_of_embeddings_is_refused_still(names, write_folder, tmp_path):
    fact = names["bart"]["AutoModelForSeq2SeqLM"]
    folder = write_folder(tmp_path, fact["config"], fact["weights"])
    values = stored(folder)
    values["lm_head.weight"] = values["model.shared.weight"] + 1
    write(folder, values)
    for tokens in (None, fact["config"]["vocab_size"] + 3):
        with pytest.raises(UserError) as caught:
            load(folder, "TFAutoModelForSeq2SeqLM", tokens=tokens)
        assert str(caught.value) == (
            f"model: lm_head.weight of {folder} differs from the embeddings, but"
            " TFBartForConditionalGeneration uses the embeddings in its place; take a checkpoint"
            " with tied embeddings"
        )
