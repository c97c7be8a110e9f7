"""Tokens that a checkpoint does not know yet: their ids, and their rows in its embeddings."""

import itertools

import numpy as np

from tfhf.errors import UserError
from tfhf.models.stored import Stored

SPREAD = 1e-9  # of the old rows' covariance, as in transformers
DRAWN_AT_ONCE = 64  # rows; each needs a number for every old row


def add_tokens(tokenizer, tokens=(), special=()):
    """Adds tokens to a tokenizer; it finds them wherever they stand, inside words too.

    They are found as they are written, before anything is lower-cased: so an exported graph can
    find them as well. (transformers' `add_tokens` would look for plain ones in the normalised
    text.) Special ones are left out where ids are decoded without special tokens.

    Args:
        tokenizer: changed in place.
        tokens: texts that shall be one token each; those that are one already stay as they are.
        special: likewise; one that is in the vocabulary already (`[unused7]`) becomes special.

    Returns:
        What is to be said of it, a line each.

    Raises:
        UserError: if the processor is none of texts, or a token is asked for twice.
    """
    tokens, special = list(tokens), list(special)
    if not tokens and not special:
        return []
    if not hasattr(tokenizer, "add_tokens"):
        raise UserError("add_tokens: the model reads no text; leave add_tokens out")
    named = [*tokens, *special]
    twice = next((one for one in named if named.count(one) > 1), None)
    if twice is not None:
        raise UserError(f"add_tokens: each token must be named once; received {twice!r} twice")
    from tokenizers import AddedToken

    vocabulary = tokenizer.get_vocab()
    known = [one for one in tokens if one in vocabulary]
    new = [AddedToken(one, normalized=False) for one in tokens if one not in vocabulary]
    tokenizer.add_tokens(new)
    tokenizer.add_special_tokens(
        {"additional_special_tokens": special}, replace_additional_special_tokens=False
    )
    notes = [f"add_tokens: {one!r} is a token of the model already" for one in known]
    return notes + _overlaps(tokenizer, set(named).difference(known))


def _overlaps(tokenizer, named):
    """The first two added tokens of which one text could hold both at once, as a line.

    Tokenizers take the one that begins first, and of two the longer one; graphs find one token
    after the other, and those of Unigram tokenizers the longer ones first.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    begin_alike = type(backend.model).__name__ != "Unigram" if backend else True
    contents = [token.content for token in tokenizer.added_tokens_decoder.values()]
    for one, other in itertools.permutations(contents, 2):
        if one not in named and other not in named:
            continue
        ends = any(one[1:].endswith(other[:size]) for size in range(1, len(other)))
        if ends or other in one[1:] or (begin_alike and one.startswith(other)):
            return [
                f"add_tokens: a text may hold {one!r} and {other!r} at once, so there will be no "
                "export; rename one of them"
            ]
    return []


def with_rows(weight, shape, held, count):
    """A stored weight with rows for new tokens, or None where it has none or others differ.

    New rows are drawn around the mean of the old ones, with a billionth of their covariance, so
    that the model expects a new token as little as any other. transformers' PyTorch classes do so
    since 4.46 (`mean_resizing`).

    Args:
        weight: the Stored weight of the checkpoint.
        shape: the shape the model wants, which differs from the weight's.
        held: tokens that the checkpoint has rows for.
        count: tokens that the model has rows for.

    Returns:
        A Stored of the wanted shape, drawn from Keras's global seed when it is read.

    Source: Hewitt 2021, https://nlp.stanford.edu/~johnhew/vocab-expansion.html
    """
    if len(weight.shape) != len(shape):
        return None
    sizes = list(enumerate(zip(weight.shape, shape, strict=True)))
    differing = [(axis, pair) for axis, pair in sizes if pair[0] != pair[1]]
    if len(differing) != 1 or differing[0][1] != (held, count):
        return None
    axis = differing[0][0]

    def read():
        rows = np.moveaxis(np.asarray(weight.read(), np.float32), axis, 0)
        flat = rows.reshape(held, -1)
        new = _drawn(flat, count - held).reshape(count - held, *rows.shape[1:])
        return np.moveaxis(np.concatenate([rows, new]), 0, axis)

    return Stored(tuple(shape), weight.kind, read)


def _drawn(rows, count):
    """`(count, D)` rows around the mean of the given `(n, D)` ones."""
    import tensorflow as tf

    mean = rows.mean(0, dtype=np.float64).astype(np.float32)
    # Sums of the old rows' deviations by standard normal numbers: their covariance is that of the
    # rows, and no D × D matrix has to be taken apart.
    deviations = (rows - mean) * np.sqrt(SPREAD / len(rows), dtype=np.float32)
    parts = [
        tf.random.normal((min(DRAWN_AT_ONCE, count - start), len(rows))).numpy() @ deviations
        for start in range(0, count, DRAWN_AT_ONCE)
    ]
    return mean + np.concatenate(parts)
