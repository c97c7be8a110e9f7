"""Tokenizer and model: the rows of the table of bad inputs that concern both."""

import pytest
from transformers import BertConfig, GPT2Config, MistralConfig, MPNetConfig, RobertaConfig, T5Config

from tfhf.errors import UserError
from tfhf.models.agreement import agree, positions, tokenizer_notes


@pytest.fixture
def tokenizer(tiny_tokenizer):
    import copy

    return copy.deepcopy(tiny_tokenizer)


def config(tokenizer, **changes):
    return BertConfig(**({"vocab_size": len(tokenizer), "max_position_embeddings": 32} | changes))


def test_more_tokens_than_embeddings(tokenizer):
    count = len(tokenizer)
    with pytest.raises(UserError) as caught:
        agree(tokenizer, config(tokenizer, vocab_size=count - 1), "x")
    assert str(caught.value) == (
        f"model: the tokenizer of x has {count:,} tokens, its model only {count - 1:,}; "
        "tokenizer and weights are not of one model"
    )


def test_an_endless_tokenizer_reads_as_much_as_the_model(tokenizer):
    tokenizer.model_max_length = int(1e30)
    agree(tokenizer, config(tokenizer), "x")
    assert tokenizer.model_max_length == 32


def test_the_end_of_text_pads_where_nothing_else_does(tokenizer):
    tokenizer.pad_token = None
    tokenizer.eos_token = "[SEP]"
    agree(tokenizer, config(tokenizer), "x")
    assert tokenizer.pad_token == "[SEP]"
    assert tokenizer_notes(tokenizer) == [
        "model: the tokenizer has no padding token; '[SEP]' is used to pad"
    ]


def test_a_tokenizer_that_cannot_pad(tokenizer):
    tokenizer.pad_token = None
    with pytest.raises(UserError) as caught:
        agree(tokenizer, config(tokenizer), "x")
    assert str(caught.value) == (
        "model: the tokenizer of x has neither a padding nor an end-of-text token; "
        "set pad_token in its tokenizer_config.json"
    )


def test_positions_by_family():
    assert positions(BertConfig(max_position_embeddings=512)) == 512
    assert positions(RobertaConfig(max_position_embeddings=514, pad_token_id=1)) == 512
    assert positions(RobertaConfig(max_position_embeddings=514, pad_token_id=3)) == 510
    # MPNet's classes count from 1, in PyTorch as well.
    assert positions(MPNetConfig(max_position_embeddings=514, pad_token_id=3)) == 512
    assert positions(GPT2Config(n_positions=1024)) == 1024
    assert positions(T5Config()) is None
    # TensorFlow's class reads everything, PyTorch's what is inside the window.
    assert positions(MistralConfig(max_position_embeddings=64, sliding_window=16)) == 16
    assert positions(MistralConfig(max_position_embeddings=64, sliding_window=None)) == 64


def test_positions_counted_from_no_padding_token():
    with pytest.raises(UserError) as caught:
        positions(RobertaConfig(pad_token_id=None))
    assert str(caught.value) == (
        "model: a roberta counts positions from its padding token; set pad_token_id in its"
        " config.json"
    )
