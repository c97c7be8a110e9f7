"""Token ids back to text, as TensorFlow ops."""

import tensorflow as tf

# What transformers takes away before punctuation and contractions, in its order.
CLEANED = {
    " .": ".", " ?": "?", " !": "!", " ,": ",", " ' ": "'", " n't": "n't", " 'm": "'m",
    " 's": "'s", " 've": "'ve", " 're": "'re",
}  # fmt: skip


class TokenWriter(tf.Module):
    """Texts from the tokens of a tokenizer whose decoder writes each token by itself.

    WordPiece's does: a token reads one way at the beginning of a text, and another behind others.
    Both are asked of the tokenizer, token by token.
    """

    def __init__(self, tokenizer):
        """Takes the two tables off a `PreTrainedTokenizerFast`."""
        super().__init__(name="writer")
        count = max(tokenizer.get_vocab().values()) + 1
        tokens = tokenizer.convert_ids_to_tokens(range(count))
        tokens = ["" if token is None else token for token in tokens]
        write = _decoder(tokenizer)
        first = [write([token]) for token in tokens]
        later = [write(["a", token])[1:] for token in tokens]
        added = tokenizer.added_tokens_decoder.items()
        special = {number for number, token in added if token.special}
        with tf.device("CPU"):
            self._first, self._later = tf.constant(first), tf.constant(later)
            # The last is for ids that do not exist: some models have more of them than tokens.
            self._shown = tf.constant([*(n not in special for n in range(count)), False])
        self._count = count
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
        known = tf.where((ids.values >= 0) & (ids.values < self._count), ids.values, self._count)
        ids = tf.ragged.boolean_mask(ids, ids.with_values(tf.gather(self._shown, known)))
        place = tf.range(tf.size(ids.values, tf.int64))
        begins = place == tf.gather(ids.row_starts(), ids.value_rowids())
        parts = tf.where(
            begins, tf.gather(self._first, ids.values), tf.gather(self._later, ids.values)
        )
        texts = tf.strings.reduce_join(ids.with_values(parts), axis=-1)
        cleans = self._cleans if clean_up is None else clean_up
        return cleaned(texts) if cleans else texts


def _decoder(tokenizer):
    """What makes a text of tokens; without one, blanks stand between them."""
    decoder = tokenizer.backend_tokenizer.decoder
    return " ".join if decoder is None else decoder.decode


class WithTarget(tf.Module):
    """A tokenizer that reads, and another one that writes."""

    def __init__(self, reads, writes):
        super().__init__(name="with_target")
        self.reads, self.writes = reads, writes

    def __call__(self, texts, text_pairs=None, *, max_length):
        """As the tokenizer that reads."""
        return self.reads(texts, text_pairs, max_length=max_length)

    def detokenize(self, ids, clean_up=None):
        """As the tokenizer that writes."""
        return self.writes.detokenize(ids, clean_up)


def as_ragged(ids):
    """`(B, T)` or ragged ids as a ragged tensor."""
    return ids if isinstance(ids, tf.RaggedTensor) else tf.RaggedTensor.from_tensor(ids)


def cleaned(texts):
    """What `clean_up_tokenization_spaces` of transformers does to texts `(B,)`."""
    for found, written in CLEANED.items():
        found = found.replace(".", r"\.").replace("?", r"\?")
        texts = tf.strings.regex_replace(texts, found, written)
    return texts
