"""Byte-level tokenizers (RoBERTa, DeBERTa, Longformer) on words given one by one.

They hold a word and the blank before it in one token. Whether a text's first word, too, gets a
blank is their setting `add_prefix_space`; where a text comes as a list of words every word is a
text's first, and without the setting all words would run into one another.
"""

import json
import tempfile


def lacks_prefix_space(tokenizer):
    """Whether a tokenizer would put no blank before the first word."""
    pre_tokenizer = tokenizer.backend_tokenizer.pre_tokenizer
    if pre_tokenizer is None:
        return False
    return json.loads(pre_tokenizer.__getstate__()).get("add_prefix_space") is False


def with_prefix_space(tokenizer):
    """The same tokenizer, but with `add_prefix_space`; also when it is saved and loaded again.

    Args:
        tokenizer: a fast tokenizer of transformers.

    Returns:
        A tokenizer; the given one itself where the setting is on, or unknown.
    """
    if not lacks_prefix_space(tokenizer):
        return tokenizer
    # Each family builds its splitting of text anew from the setting when it is loaded.
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        return type(tokenizer).from_pretrained(folder, add_prefix_space=True)
