"""Sequences to write: texts into ids, what a decoder reads, and the loss of its tokens."""

IGNORED = -100  # label of a position that is not to be learned, as in transformers


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


def token_losses(labels, logits, smoothing=0.0):
    """Cross-entropy of the tokens of each example.

    Args:
        labels: `(B, T)` int32; `IGNORED` counts nothing.
        logits: `(B, T, V)` float32.
        smoothing: share of the target's probability that is spread over all V tokens, in [0, 1).

    Returns:
        Two `(B,)` float32 tensors: the summed loss in nats, and the number of tokens counted.

    Source: Szegedy et al. 2016, section 7, https://arxiv.org/abs/1512.00567
    """
    import tensorflow as tf

    real = tf.cast(labels != IGNORED, tf.float32)
    ids = tf.maximum(labels, 0)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(ids, logits)
    if smoothing:
        uniform = -tf.reduce_mean(tf.nn.log_softmax(logits), -1)
        losses = (1.0 - smoothing) * losses + smoothing * uniform
    return tf.reduce_sum(losses * real, -1), tf.reduce_sum(real, -1)
