"""Text out of tokens while they come: nothing is told that may still change."""

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tfhf.errors import UserError
from tfhf.learning.text_stream import TextStream, cut, new_text, stop_strings


@pytest.fixture(scope="module")
def byte_tokenizer():
    """A token per byte."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="</s>")


def told(tokenizer, text, stop=(), prompt="in: "):
    """The pieces in which a text is told, token by token."""
    pieces, stream = [], TextStream(tokenizer)
    stream.begin(pieces.append, tokenizer(prompt)["input_ids"], stop)
    tokens = tokenizer(text)["input_ids"]
    for token in tokens:
        stream(np.array([token]), np.array([False]))
    stream(np.array([0]), np.array([True]))  # padding behind the end
    stream.end(cut(text, stop))
    return pieces


def test_half_a_character_is_held_back(byte_tokenizer):
    assert told(byte_tokenizer, "né日!") == ["n", "é", "日", "!"]


def test_what_may_begin_a_stop_is_held_back(byte_tokenizer):
    assert told(byte_tokenizer, "a stop", ["stop"]) == ["a", " "]
    assert "".join(told(byte_tokenizer, "a sto", ["stop"])) == "a sto"


def test_what_was_told_is_never_rewritten():
    """A tokenizer that cleans up would write `don't` once the apostrophe is there."""
    words = {"</s>": 0, "do": 1, " n": 2, "'t": 3, " it": 4}
    inner = Tokenizer(models.WordLevel(words, unk_token="</s>"))
    inner.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="</s>", clean_up_tokenization_spaces=True
    )
    assert tokenizer.decode([1, 2, 3, 4]) == "don't it"
    pieces, stream = [], TextStream(tokenizer)
    stream.begin(pieces.append, [], ())
    for token in (1, 2, 3, 4):
        stream(np.array([token]), np.array([False]))
    stream.end(new_text(tokenizer, [], [1, 2, 3, 4], clean_up=False))
    assert pieces == ["do", " n", "'t", " it"]


def test_special_tokens_are_no_text(byte_tokenizer):
    prompt, tokens = byte_tokenizer(["ab", "cd"])["input_ids"]
    assert new_text(byte_tokenizer, prompt, [*tokens, byte_tokenizer.eos_token_id]) == "cd"


def test_a_text_ends_before_the_first_stop():
    assert cut("one, two. three", (".", ",")) == "one"
    assert cut("one", ()) == "one"
    assert stop_strings("a") == ("a",)
    assert stop_strings(None) == ()
    with pytest.raises(UserError) as caught:
        stop_strings(["a", ""])
    assert str(caught.value) == "stop: must be a text or a list of texts; received ['a', '']"
