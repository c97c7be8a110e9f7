"""The memory estimate, against its formula by hand."""

from transformers import BertConfig, SwinConfig, T5Config, ViTConfig

from tfhf.models import footprint


def test_bert_by_hand():
    config = BertConfig(
        hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=16
    )
    found = footprint(config, 1000, rows=4, width=10)
    assert found["weights"] == found["gradients"] == 4000
    assert found["moments"] == 8000
    per_token = 8 * 8 + 4 * 16 + 2.25 * 2 * 10
    assert found["activations"] == 4 * 10 * 3 * per_token * 4
    assert found["total"] == sum(value for name, value in found.items() if name != "total")


def test_frozen_weights_have_no_gradient_and_no_moments():
    config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    found = footprint(config, 1000, rows=4, width=10, frozen=900)
    assert (found["weights"], found["gradients"], found["moments"]) == (4000, 400, 800)


def test_slices_half_precision_and_vocabulary():
    config = BertConfig(vocab_size=100, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    whole = footprint(config, 1000, rows=4, width=10)
    assert footprint(config, 1000, rows=2, width=10, accumulate=2)["gradients"] == 8000
    half = footprint(config, 1000, rows=4, width=10, half=True)
    assert half["activations"] * 2 == whole["activations"]
    scored = footprint(config, 1000, rows=4, width=10, scored=1.0)
    assert scored["activations"] - whole["activations"] == 4 * 10 * 100 * 3 * 4


def test_a_decoder_counts_too():
    one = T5Config(d_model=8, d_ff=16, num_layers=2, num_decoder_layers=1, num_heads=2)
    two = T5Config(d_model=8, d_ff=16, num_layers=2, num_decoder_layers=2, num_heads=2)
    sizes = [footprint(config, 0, rows=1, width=10)["activations"] for config in (one, two)]
    assert sizes[1] > sizes[0] > footprint(
        BertConfig(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16),
        0, rows=1, width=10,
    )["activations"]  # fmt: skip


def test_images_are_patches():
    config = ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=28, patch_size=7,
    )  # fmt: skip
    assert footprint(config, 0, rows=1, width=1)["activations"] == int(
        17 * 4 * (8 * 8 + 4 * 16 + 2.25 * 2 * 17)
    )
    assert footprint(SwinConfig(), 10, rows=1, width=1) == {
        "weights": 40, "gradients": 40, "moments": 80, "activations": None, "total": 160,
    }  # fmt: skip
