"""Hugging Face tokenizers as TensorFlow ops."""

import importlib

from tfhf.errors import UserError

# type of model in tokenizer.json → module and class
_KINDS = {
    "WordPiece": ("wordpiece", "WordPiece"),
    "BPE": ("bytepair", "BytePair"),
    "WordLevel": ("wordlevel", "WordLevel"),
    "Unigram": ("unigram", "Unigram"),
}


def in_graph(tokenizer):
    """Builds the TensorFlow form of a tokenizer.

    Args:
        tokenizer: a `PreTrainedTokenizerFast`.

    Returns:
        A `tf.Module`, called as `module(texts, text_pairs=None, *, max_length)` on `(B,)` strings
        and giving what the tokenizer gives, as `(B, T)` int32.

    Raises:
        UserError: if this kind of tokenizer, or something it does, has no such form.
    """
    check_kind(tokenizer)
    module, name = _KINDS[type(tokenizer.backend_tokenizer.model).__name__]
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)(tokenizer)


def check_kind(tokenizer):
    """Refuses at once, without TensorFlow, a kind of tokenizer that has no form in ops.

    Raises:
        UserError: if the tokenizer is of another kind.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    kind = type(backend.model).__name__ if backend else "no tokenizer.json"
    if kind not in _KINDS:
        raise UserError(
            f"{type(tokenizer).__name__} cannot be exported: supported are tokenizers of kind "
            f"{', '.join(_KINDS)}; received {kind}"
        )
