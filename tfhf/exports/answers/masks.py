"""What fills the masks of texts, as strings.

Shapes: B texts, F blocks of tokens, M masks of the text (or block) that has most, K guesses for
each mask, N guesses for all masks.
"""

import tensorflow as tf


def filled(results, rows, tokens, tokenizer, mask_token, names):
    """Guesses per block → guesses per text, and each text with its best guesses.

    Args:
        results: `masks` `(F,)` int32, masks in each block; `token` int32 and `score` float32
            `(F, M, K)`, best first.
        rows: `(F,)` int64, the text of each block, ascending.
        tokens: ragged `(B, None)` int32, the tokens of the texts.
        tokenizer: one in TensorFlow ops, which writes tokens as text.
        mask_token: id of the mask.
        names: `(V,)` string, every token of the vocabulary as it reads by itself.

    Returns:
        `token` `(B, M, K)` int32, `token_str` `(B, M, K)` string, `score` `(B, M, K)` float32;
        and `sequence` `(B,)` string.
    """
    count = tokens.nrows()
    real = tf.sequence_mask(results["masks"], tf.shape(results["token"])[1])
    owner = tf.boolean_mask(tf.broadcast_to(rows[:, None], tf.shape(real, tf.int64)), real)
    found = {name: tf.boolean_mask(results[name], real) for name in ("token", "score")}
    found["token_str"] = tf.gather(names, found["token"])
    best = found["token"][:, 0]
    answers = {
        name: tf.RaggedTensor.from_value_rowids(values, owner, count, validate=False).to_tensor()
        for name, values in found.items()
    }
    places = tf.where(tokens.values == mask_token)  # as many as there are guesses
    whole = tokens.with_values(tf.tensor_scatter_nd_update(tokens.values, places, best))
    return answers | {"sequence": tokenizer.detokenize(whole)}
