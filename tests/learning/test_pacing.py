"""Which layer a weight lies in, in every family that has one stack of them."""

import json
from pathlib import Path

import pytest

from tfhf.learning.pacing import frozen_in_file, layers_of

FACTS = Path(__file__).parents[1] / "models/facts/names.json"
FAMILIES = json.loads(FACTS.read_text(encoding="utf-8"))["families"]
STACKS = {
    (family, head): list(fact["weights"])
    for family, heads in FAMILIES.items()
    for head, fact in heads.items()
    if not fact["config"].get("is_encoder_decoder")
    and not any(".decoder.layers" in n or ".decoder.block." in n for n in fact["weights"])
}


@pytest.mark.parametrize(("family", "head"), STACKS)
def test_embeddings_lie_below_and_heads_above_the_layers(family, head):
    depths = layers_of(STACKS[family, head])
    top = max(depths.values())
    assert set(depths.values()) - {top} == set(range(top))
    for name, depth in depths.items():
        if name.startswith(("classifier", "qa_outputs", "cls.", "lm_head")) and "bias" not in name:
            assert depth == top, name
        if "word_embeddings" in name or name.endswith(("wte.weight", "embed_tokens.weight")):
            assert depth == 0, name
        if "encoder.layer.1." in name or "transformer.h.1." in name:
            assert depth == 2, name


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_what_is_frozen_in_a_file_with_and_without_a_head(prefix):
    body = {f"{prefix}embeddings.word.weight", f"{prefix}encoder.layer.0.output.bias"}
    known = body | ({"classifier.weight"} if prefix else set())
    (words,) = {name for name in body if "word" in name}
    for patterns, expected in (
        (["bert"], body),
        (["bert.embeddings"], {words}),
        (["bert.encoder", "bert.embeddings"], body),
        (["*.bias"], body - {words}),
        (["classifier"], known - body),
    ):
        assert frozen_in_file(known, patterns, "bert") == expected
