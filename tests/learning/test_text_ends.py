"""Texts that hold the token by which a classifier finds where a text ends."""

import copy

import pytest
from transformers import BartConfig, BertConfig

from tfhf.errors import UserError
from tfhf.learning import text_ends

TEXTS, PAIRS = ["dull", "a [SEP] film"], ["great", "bad"]


def tokenizer_of(tokenizer, config, **tokens):
    found = copy.deepcopy(tokenizer)
    found.checkpoint = config
    found.add_special_tokens(tokens)
    return found


@pytest.mark.parametrize("pairs", [None, PAIRS])
@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        (BartConfig(), {"eos_token": "[SEP]"}),
        (BertConfig(), {"eos_token": "[SEP]", "pad_token": "[SEP]"}),
    ],
)
def test_such_a_text_is_refused(config, tokens, pairs, tiny_tokenizer):
    tokenizer = tokenizer_of(tiny_tokenizer, config, **tokens)
    text_ends.check(tokenizer, tokenizer(["dull"])["input_ids"], ["dull"])
    with pytest.raises(UserError) as caught:
        text_ends.check(tokenizer, tokenizer(TEXTS, pairs)["input_ids"], TEXTS, pairs)
    text = "a [SEP] film bad" if pairs else "a [SEP] film"
    assert str(caught.value) == (
        f"text {text!r}: it holds '[SEP]', by which this model finds the end of a text; take it out"
    )


def test_other_models_read_everything(tiny_tokenizer):
    for tokenizer in (
        tiny_tokenizer,
        tokenizer_of(tiny_tokenizer, BertConfig(), eos_token="[SEP]"),
    ):
        text_ends.check(tokenizer, tokenizer(TEXTS)["input_ids"], TEXTS)
