"""Sequences to write: texts into ids, and what a decoder reads."""

from tfhf.data.next_tokens import IGNORED


def encode_texts(tokenizer, texts, max_length, *, as_target=False):
    """Encodes texts and counts what was cut off.

    Args:
        tokenizer: a tokenizer of transformers, fast or not.
        texts: a list of n texts.
        max_length: most tokens each, special tokens included.
        as_target: whether they are what a model shall write (Marian and mBART encode it otherwise).

    Returns:
        n lists of ids, and n numbers of tokens left out.
    """

    def encode(texts, **limits):
        given = {"text_target": texts} if as_target else {"text": texts}
        return tokenizer(**given, **limits, return_attention_mask=False, verbose=False)["input_ids"]

    ids = encode(texts, truncation=True, max_length=max_length)
    missing = [0] * len(ids)
    for index, own in enumerate(ids):
        if len(own) == max_length:  # perhaps cut: the whole text tells
            missing[index] = len(encode([texts[index]], truncation=False)[0]) - max_length
    return ids, missing


def shifted_right(labels, start, pad):
    """What the decoder reads while it learns to write: the labels, one place later.

    Args:
        labels: `(B, T)` int32; `IGNORED` fills up.
        start: id of the token that decoding begins with.
        pad: id that stands for `IGNORED`.

    Returns:
        `(B, T)` int32.
    """
    import tensorflow as tf

    known = tf.where(labels == IGNORED, pad, labels)
    first = tf.fill([tf.shape(labels)[0], 1], tf.cast(start, labels.dtype))
    return tf.concat([first, known[:, :-1]], 1)
