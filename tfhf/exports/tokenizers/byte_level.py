"""Bytes of texts, and texts of bytes, as TensorFlow ops.

A byte-level tokenizer has a printable character for each of the 256 bytes, and writes its tokens
in those.
"""

import tensorflow as tf

from tfhf.exports.tokenizers.pretokenization import ADDED
from tfhf.exports.tokenizers.writing import as_ragged, cleaned


class ByteWriter(tf.Module):
    """Texts from the tokens of a tokenizer with a ByteLevel decoder."""

    def __init__(self, tokenizer, characters):
        """Takes the bytes of each token off a tokenizer.

        Args:
            tokenizer: a `PreTrainedTokenizerFast`.
            characters: byte → the character that stands for it in tokens.
        """
        super().__init__(name="writer")
        byte_of = {character: byte for byte, character in characters.items()}
        special = {n for n, token in tokenizer.added_tokens_decoder.items() if token.special}
        written = []
        for number, token in enumerate(token_texts(tokenizer)):
            known = all(character in byte_of for character in token)
            content = bytes(map(byte_of.get, token)) if known else token.encode("utf-8")
            written.append(b"" if number in special else content)
        with tf.device("CPU"):
            self._written = tf.constant([*written, b""])  # the last for ids that do not exist
        self._cleans = tokenizer.clean_up_tokenization_spaces

    def __call__(self, ids, clean_up=None):
        """Writes texts, special tokens left out.

        Args:
            ids: `(B, T)` or ragged `(B, None)` int32.
            clean_up: whether blanks before punctuation are left out; None is the tokenizer's way.

        Returns:
            `(B,)` string.
        """
        ids = as_ragged(ids)
        size = tf.size(self._written, ids.dtype)
        known = tf.where((ids.values >= 0) & (ids.values < size), ids.values, size - 1)
        joined = tf.strings.reduce_join(ids.with_values(tf.gather(self._written, known)), axis=-1)
        texts = tf.strings.unicode_transcode(joined, "UTF-8", "UTF-8")
        cleans = self._cleans if clean_up is None else clean_up
        return cleaned(texts) if cleans else texts


def utf8_bytes(characters):
    """Writes characters in UTF-8; an added token is one byte, of value 256.

    Args:
        characters: Characters.

    Returns:
        `(N,)` int64 bytes, and `(N,)` int64 index of the character that each belongs to.
    """
    code_points = characters.code_points
    size = sum(tf.cast(code_points >= least, tf.int32) for least in (0, 0x80, 0x800, 0x10000))
    added = characters.kinds == ADDED
    size = tf.where(added, 1, size)
    # Six bits stand in each byte but the first, which has the rest and tells the size.
    where = tf.where(tf.range(4) < size[:, None])
    index, place = where[:, 0], tf.cast(where[:, 1], tf.int32)
    size = tf.gather(size, index)
    bits = tf.bitwise.right_shift(tf.gather(code_points, index), 6 * (size - 1 - place))
    lead = bits + tf.gather([0, 0, 0xC0, 0xE0, 0xF0], size)
    values = tf.where(place == 0, lead, tf.bitwise.bitwise_and(bits, 0x3F) + 0x80)
    return tf.cast(tf.where(tf.gather(added, index), 256, values), tf.int64), index


def byte_characters():
    """Maps each byte to the character that stands for it in tokens."""
    from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

    return bytes_to_unicode()


def token_texts(tokenizer):
    """Lists the texts of all tokens of a tokenizer by id; an empty one where there is none."""
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    return ["" if token is None else token for token in tokens]
