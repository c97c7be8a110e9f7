"""Strings that end a text: found in what the tokens spell, as they come."""

import re

import tensorflow as tf


class Stops:
    """Strings that end a text, for one tokenizer.

    Args:
        strings: one or more, none empty.
        tokenizer: what turns tokens into text.
    """

    def __init__(self, strings, tokenizer):
        self.strings = tuple(strings)
        # The last one stands for ids without a token: some models have more than their tokenizer.
        self._texts = [*token_texts(tokenizer), b""]
        longest = max(len(text.encode()) for text in self.strings)
        self._kept = longest - 1  # bytes of a stop that earlier tokens may hold
        # Any bytes around it, not characters: what is kept may begin in the middle of one.
        self._pattern = rf"\C*({'|'.join(re.escape(text) for text in self.strings)})\C*"

    def spelled(self, tokens):
        """What tokens spell: `(N, M)` int32 → `(N,)` string."""
        tokens = tf.minimum(tokens, len(self._texts) - 1)
        return tf.strings.reduce_join(tf.gather(tf.constant(self._texts), tokens), 1)

    def extended(self, tails, tokens):
        """The ends of the texts with new tokens behind them.

        Args:
            tails: `(N,)` string, what this gave the last time; empty at first.
            tokens: `(N,)` int32.
        """
        sizes = tf.strings.length(tails)
        kept = tf.minimum(sizes, self._kept)
        tails = tf.strings.substr(tails, sizes - kept, kept)
        return tf.strings.join([tails, self.spelled(tokens[:, None])])

    def reached(self, tails):
        """`(N,)` bool: whether a stop stands in the end of a text."""
        return tf.strings.regex_full_match(tails, self._pattern)


def token_texts(tokenizer):
    """What each token adds to a text, as bytes: what it decodes to behind another token.

    A token that holds part of a character decodes to a replacement character: strings with such
    characters are not found as they come, but the finished text is cut at them all the same.
    """
    anchor = next(
        number
        for number in range(len(tokenizer))
        if number not in tokenizer.all_special_ids and tokenizer.decode([number]).strip()
    )
    before = tokenizer.decode([anchor], clean_up_tokenization_spaces=False)
    pairs = [[anchor, number] for number in range(len(tokenizer))]
    texts = tokenizer.batch_decode(
        pairs, skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    return [text.removeprefix(before).encode() for text in texts]
