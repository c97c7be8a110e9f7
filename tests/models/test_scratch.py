"""Models from scratch: their folders, and weights that start as PyTorch's do."""

import json

import numpy as np
import pytest

from tfhf.errors import UserError
from tfhf.models import (
    Source,
    count_parameters,
    create,
    load_backbone,
    load_config,
    load_tokenizer,
    new_tokenizer,
    resolve,
    save_backbone,
)
from tfhf.models.names import is_base, places

GPT2 = {"model_type": "gpt2", "n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 24}


@pytest.fixture(scope="module")
def characters():
    return new_tokenizer("characters", ["to be or not\n"])


def refusal(config, tokenizer, folder):
    with pytest.raises(UserError) as caught:
        create(config, folder, tokenizer)
    return str(caught.value)


def test_the_tokenizer_says_what_the_config_does_not(characters, tmp_path):
    source = create(GPT2, tmp_path / "new", characters)
    assert (source.name, source.scratch) == ("a new gpt2", True)
    config = load_config(source)
    assert (config.vocab_size, config.pad_token_id, config.eos_token_id) == (11, 0, 2)
    assert (config.bos_token_id, config.n_layer) == (None, 2)
    assert load_tokenizer(source).model_max_length == 24
    stated = create(GPT2 | {"vocab_size": 64, "eos_token_id": 7}, tmp_path / "stated", characters)
    config = load_config(stated)
    assert (config.vocab_size, config.eos_token_id) == (64, 7)


def test_a_decoder_begins_and_ends(characters, tmp_path):
    small = {"d_model": 8, "encoder_layers": 1, "decoder_layers": 1}
    bart = create({"model_type": "bart", **small}, tmp_path / "bart", characters)
    config = load_config(bart)
    assert (config.decoder_start_token_id, config.forced_eos_token_id) == (2, 2)
    assert load_tokenizer(bart)("to").input_ids == [10, 8, 2]
    marian = create({"model_type": "marian", **small}, tmp_path / "marian", characters)
    assert load_config(marian).decoder_start_token_id == 0
    assert characters("to").input_ids == [10, 8]


def test_report_and_count(characters, tmp_path):
    source = create(GPT2, tmp_path, characters)
    backbone, report = load_backbone(source, "TFAutoModelForCausalLM")
    assert report.line() == "new model: 28 weights (7,152 parameters)"
    assert count_parameters(source) == backbone.count_params() == 7152
    save_backbone(backbone, characters, tmp_path / "saved")
    again, report = load_backbone(resolve(tmp_path / "saved"), "TFAutoModelForCausalLM")
    assert report.line() == "loaded 28 of 28 weights (7,152 parameters)"
    np.testing.assert_array_equal(again.get_weights()[0], backbone.get_weights()[0])


def test_the_global_seed_draws(characters, tmp_path):
    import tf_keras

    source, drawn = create(GPT2, tmp_path, characters), []
    for seed in (7, 7, 8):
        tf_keras.utils.set_random_seed(seed)
        drawn.append(load_backbone(source, "TFAutoModel")[0].get_weights()[0])
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_refusals(characters, tmp_path):
    assert refusal({"model_type": "gpt"}, characters, tmp_path) == (
        "model: model_type 'gpt' has no TensorFlow class in transformers 4.57; did you mean 'gptj'?"
    )
    assert refusal({"model_type": "gpt2", "n_layers": 4}, characters, tmp_path) == (
        "model: gpt2 has no setting 'n_layers'; did you mean 'n_layer'?; received 4"
    )
    assert refusal(GPT2, None, tmp_path) == (
        "model: a gpt2 from scratch reads text and needs a tokenizer; add tokenizer: characters,"
        " {kind: bpe, vocab_size: 1000}, or a folder or Hub id"
    )
    line = refusal({"model_type": "bert", "num_labels": "three"}, characters, tmp_path)
    assert line.startswith("model: no bert can be like this: ")
    line = refusal(GPT2 | {"n_layer": 10**6}, characters, tmp_path)
    assert "n_layer is 1000000 (want a whole number up to 2,000)" in line
    with pytest.raises(UserError, match="has 11 tokens, its model only 5"):
        load_tokenizer(create(GPT2 | {"vocab_size": 5}, tmp_path, characters))


@pytest.mark.slow
def test_every_family_starts_as_pytorch_starts_it(names, starts, tmp_path):
    import tf_keras

    ratios, counts = [], []
    for family, heads in starts.items():
        for head, facts in heads.items():
            (tmp_path / "config.json").write_text(json.dumps(names[family][head]["config"]))
            tf_keras.utils.set_random_seed(1)
            source = Source(tmp_path, family, scratch=True)
            model, _ = load_backbone(source, f"TF{head}")
            prefix = f"{model.base_model_prefix}." if is_base(model) else ""
            for place in places(model):
                if place.is_integer:
                    continue
                name, values = place.name.removeprefix(prefix), place.variable.numpy()
                ratio = compared(facts[name], place.to_pytorch(values), (family, head, name))
                if ratio is not None:
                    ratios.append(ratio**2)
                    counts.append(values.size)
    # Drawn from a normal distribution cut off at two deviations, it would be 0.88.
    assert abs(np.average(ratios, weights=counts) ** 0.5 - 1) < 0.01


def compared(fact, values, where):
    """Checks one weight; returns its deviation over PyTorch's, where it is a random one."""
    if "all" in fact:
        np.testing.assert_allclose(values, fact["all"], atol=1e-6, err_msg=str(where))
    if "deviation" not in fact:
        return None
    zero = [row for row in range(len(values)) if values.ndim > 1 and not values[row].any()]
    assert zero == fact.get("zero", []), where
    drawn = np.delete(values, zero, axis=0)
    ratio = drawn.std() / fact["deviation"]
    assert abs(ratio - 1) < 0.01 + 5 / np.sqrt(2 * drawn.size), where
    return ratio
