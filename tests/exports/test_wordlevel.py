"""Tokenizers of characters in the graph, against the Hugging Face ones."""

import numpy as np
import pytest
import tensorflow as tf
from transformers import BertTokenizerFast, PreTrainedTokenizerFast

from tests.exports.test_wordpiece import assert_equal_ids, random_texts, shifted
from tfhf.errors import UserError
from tfhf.exports.tokenizers import in_graph
from tfhf.exports.tokenizers.comparison import HARD_TEXTS
from tfhf.models.new_tokenizers import train_tokenizer

TEXTS = [*HARD_TEXTS, "two\n\nlines\n", "\n\n\n", "a<eos>b <pad>", "<unk>", *random_texts(100)]


@pytest.fixture(scope="module")
def characters():
    return train_tokenizer("characters", HARD_TEXTS[9:16])


@pytest.fixture(scope="module")
def in_lines(characters):
    """One whose pattern leaves line feeds together."""
    from tokenizers import Regex, Tokenizer, pre_tokenizers

    inner = Tokenizer.from_str(characters.backend_tokenizer.to_str())
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", unk_token="<unk>", eos_token="<eos>"
    )


@pytest.mark.parametrize("name", ["characters", "in_lines"])
def test_ids_places_and_texts(name, request):
    tokenizer = request.getfixturevalue(name)
    graph = in_graph(tokenizer)
    assert_equal_ids(graph, tokenizer, TEXTS, max_length=300)
    assert_equal_ids(graph, tokenizer, TEXTS, shifted(TEXTS), max_length=40)
    found = graph.tokenize_with_offsets(tf.constant(TEXTS))
    encoded = tokenizer(TEXTS, add_special_tokens=False)
    for row, encoding in enumerate(encoded.encodings):
        places = zip(found.starts[row].numpy(), found.ends[row].numpy(), strict=True)
        assert [tuple(place) for place in places] == encoding.offsets
        assert np.diff(found.words[row]).tolist() == [1] * (len(encoding.offsets) - 1)
    written = graph.detokenize(found.ids).numpy()
    expected = tokenizer.batch_decode(encoded["input_ids"], skip_special_tokens=True)
    assert [text.decode() for text in written] == expected


def test_refusals(characters, vocabulary):
    from tokenizers import Tokenizer, pre_tokenizers

    inner = Tokenizer.from_str(characters.backend_tokenizer.to_str())
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    words = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", unk_token="<unk>")
    with pytest.raises(UserError) as caught:
        in_graph(words)
    assert str(caught.value) == (
        "PreTrainedTokenizerFast cannot be exported: of tokenizers of kind WordLevel those of "
        "single characters can be; received normalizer None, pre_tokenizer Whitespace"
    )
    assert in_graph(BertTokenizerFast(vocabulary)).name == "wordpiece"
