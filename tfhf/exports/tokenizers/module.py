"""What all tokenizers in TensorFlow ops have in common."""

import tensorflow as tf


class GraphTokenizer(tf.Module):
    """A Hugging Face tokenizer as a TensorFlow module; ids equal the Hugging Face tokenizer's.

    Subclasses give `tokenize_with_offsets`, and set two attributes:

    - `template`: a Template, which lays special tokens and padding around token ids;
    - `writer`: what writes token ids as texts, `(ids, clean_up)` → `(B,)` string.

    Integers and strings stay on the CPU: an accelerator would only wait for them.
    """

    def __call__(self, texts, text_pairs=None, *, max_length):
        """Tokenizes a batch like `tokenizer(texts, text_pairs, truncation=True, padding=True)`.

        Args:
            texts: `(B,)` string, UTF-8.
            text_pairs: `(B,)` string, the second text of each row, or None.
            max_length: longest row to return, in tokens, special tokens included.

        Returns:
            dict of `(B, T)` int32, padded to the longest row: those of `input_ids`,
            `token_type_ids` and `attention_mask` that the model takes.

        Raises:
            ValueError: if `max_length` leaves no room for text.
        """
        with tf.device("CPU"):
            first = self.tokenize(texts)
            second = None if text_pairs is None else self.tokenize(text_pairs)
            return self.template(first, second, max_length=max_length)

    def tokenize(self, texts):
        """Splits texts into vocabulary entries, without special tokens around them.

        Args:
            texts: `(B,)` string, UTF-8.

        Returns:
            Ragged `(B, None)` int32, token ids.
        """
        return self.tokenize_with_offsets(texts).ids

    def tokenize_with_offsets(self, texts):
        """Splits texts as `tokenize` does, and says where each token stands.

        Args:
            texts: `(B,)` string, UTF-8.

        Returns:
            Tokens.
        """
        raise NotImplementedError

    def detokenize(self, ids, clean_up=None):
        """Writes tokens as text, as `tokenizer.decode(ids, skip_special_tokens=True)` does.

        Args:
            ids: `(B, T)` or ragged `(B, None)` int32; ids that are no token write nothing.
            clean_up: whether blanks before punctuation are left out, as
                `clean_up_tokenization_spaces` there; None is the tokenizer's own way.

        Returns:
            `(B,)` string.
        """
        with tf.device("CPU"):
            return self.writer(ids, clean_up)
