"""Tokens of texts with their places, as every tokenizer in TensorFlow ops gives them."""

from typing import NamedTuple

import tensorflow as tf


class Tokens(NamedTuple):
    """The tokens of B texts: ragged `(B, None)` int32 tensors of one partition.

    Attributes:
        ids: token ids, without special tokens around the text.
        starts: each token's first character in the text, counted in code points.
        ends: the character behind its last.
        words: number of its word, as the tokenizer splits the text; it rises by one from word to
            word within a text.
    """

    ids: tf.RaggedTensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor
    words: tf.RaggedTensor

    @classmethod
    def of(cls, columns, rows, count):
        """Tokens from four flat tensors.

        Args:
            columns: `(N,)` ids, starts, ends and words.
            rows: `(N,)` int64, the text of each token, ascending.
            count: scalar int64, number of texts.
        """
        ragged = [
            tf.RaggedTensor.from_value_rowids(
                tf.cast(column, tf.int32), rows, count, validate=False
            )
            for column in columns
        ]
        return cls(*ragged)
