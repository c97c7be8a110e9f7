"""Which tokens a masked language model must guess, and what it sees in their place.

Everything is a function of (seed, row), computed by TensorFlow operations on the whole batch.
"""

import contextlib

from tfhf.learning import draws


def ordinary_ids(tokenizer):
    """Which ids of a tokenizer are words or parts of them.

    Returns:
        `(V,)` bool array, V one more than the largest id: False for special tokens, the unknown
        token among them (there is nothing to learn from guessing it), and for ids without a token.
    """
    import numpy as np

    known = list(tokenizer.get_vocab().values())
    ordinary = np.zeros(max(known) + 1, bool)
    ordinary[known] = True
    ordinary[tokenizer.all_special_ids] = False
    return ordinary


def mask(ids, seed, *, ordinary, mask_token, probability, masked, randomized, words=None):
    """Draws the tokens to guess and changes what the model sees of them.

    Each token (each whole word, where `words` are given) is drawn by itself with the same
    probability, as in transformers' collator. Of the tokens drawn, a share becomes the mask token,
    a share a random ordinary token, and the rest stays as it is, which is decided token by token.

    Args:
        ids: `(B, T)` int32, padded token ids.
        seed: `(B, 2)` int32, the key of each row.
        ordinary: `(V,)` bool: the ids that may be drawn and put in a token's place; special
            tokens and padding are none.
        mask_token: id of the mask token.
        probability: of a token or word to be drawn, in [0, 1].
        masked: share of the drawn tokens that become the mask token.
        randomized: share of them that become a random token; `masked + randomized` ≤ 1.
        words: `(B, T)` int32, 1 where a word begins; None draws tokens.

    Returns:
        `(seen, drawn)`: `(B, T)` int32 ids with the drawn tokens changed, and `(B, T)` bool.

    Source: Devlin et al. 2019, "BERT", section 3.1.
    """
    import tensorflow as tf

    positions = tf.zeros_like(ids) + tf.range(tf.shape(ids)[1])
    draw = draws.uniform(seed, positions)
    choice = draw[..., 0]
    if words is not None:
        # All tokens of a word look up the draw of the word's number.
        choice = draws.uniform(seed, tf.cumsum(words, axis=1), salt=1)[..., 0]
    drawn = tf.gather(ordinary, ids) & (choice < probability)
    candidates = tf.cast(tf.where(ordinary)[:, 0], ids.dtype)
    count = tf.cast(tf.size(candidates), tf.float32)
    # A draw just below 1 may round up to the count.
    chosen = tf.minimum(tf.cast(draw[..., 2] * count, tf.int32), tf.size(candidates) - 1)
    fate = draw[..., 1]
    random_or_same = tf.where(fate < masked + randomized, tf.gather(candidates, chosen), ids)
    changed = tf.where(fate < masked, tf.cast(mask_token, ids.dtype), random_or_same)
    return tf.where(drawn, changed, ids), drawn


def places(found):
    """Where something is in each row, as a rectangle.

    Args:
        found: `(B, T)` bool.

    Returns:
        `(positions, real)`: `(B, M)` int32 positions in ascending order and `(B, M)` bool, with M
        the largest count of a row, at least 1; a row with fewer has `real` False at the end.
    """
    import tensorflow as tf

    counts = tf.reduce_sum(tf.cast(found, tf.int32), -1)
    # Of equal values top_k gives the first: the places of the ones, then those of the zeros.
    most = tf.reduce_max(tf.concat([counts, [1]], 0))
    positions = tf.math.top_k(tf.cast(found, tf.int32), k=most).indices
    return positions, tf.range(most)[None, :] < counts[:, None]


@contextlib.contextmanager
def only_at(head, positions):
    """Lets a model's head see the hidden states of some positions only, while it is traced.

    In a small model the head is the larger half of the work, and its logits the largest tensor by
    far; of seven tokens, six are never asked for.

    Args:
        head: the layer that turns hidden states `(B, T, D)` into logits `(B, T, V)`, what
            transformers' `get_lm_head` gives; inside the context it makes `(B, M, V)` of them.
        positions: `(B, M)` int32.
    """
    import tensorflow as tf

    whole = head.call

    def at_positions(hidden_states, **kwargs):
        return whole(tf.gather(hidden_states, positions, batch_dims=1), **kwargs)

    head.call = at_positions
    try:
        yield
    finally:
        head.call = whole
