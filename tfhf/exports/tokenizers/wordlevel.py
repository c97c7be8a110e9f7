"""A tokenizer of characters as TensorFlow ops: every character is a token.

Such are tokenizers of type WordLevel whose pre-tokenizer splits at each character, as `tokenizer:
characters` of a recipe makes them.
"""

import json

import tensorflow as tf

from tfhf.errors import UserError
from tfhf.exports.tokenizers.module import GraphTokenizer
from tfhf.exports.tokenizers.reading import TextReader
from tfhf.exports.tokenizers.template import Template
from tfhf.exports.tokenizers.tokens import Tokens
from tfhf.exports.tokenizers.writing import TokenWriter

_ANY = (r"[\s\S]", "(?s).")  # patterns of every character
_IN_LINE = "."  # of every character but the line feed; several of those stay together
_LINE_FEED = ord("\n")


class WordLevel(GraphTokenizer):
    """A Hugging Face tokenizer of characters as a TensorFlow module."""

    def __init__(self, tokenizer):
        """Takes the tables off a tokenizer.

        Args:
            tokenizer: a `PreTrainedTokenizerFast` of model type WordLevel.

        Raises:
            UserError: if its tokens are other than single characters.
        """
        super().__init__(name="wordlevel")
        spec = json.loads(tokenizer.backend_tokenizer.to_str())
        self._joins_line_feeds = _pattern(tokenizer, spec) == _IN_LINE
        vocabulary = spec["model"]["vocab"]
        if spec["model"]["unk_token"] not in vocabulary:
            raise UserError(
                f"{type(tokenizer).__name__} cannot be exported: its unknown token "
                f"{spec['model']['unk_token']!r} is not in its vocabulary"
            )
        single = sorted(text for text in vocabulary if len(text) == 1)
        self._reader = TextReader(tokenizer)
        with tf.device("CPU"):
            self._characters = tf.constant([ord(text) for text in single], tf.int32)
            self._numbers = tf.constant([vocabulary[text] for text in single], tf.int32)
        self._unknown = vocabulary[spec["model"]["unk_token"]]
        self.writer = TokenWriter(tokenizer)
        self.template = Template(tokenizer, spec["post_processor"])

    def tokenize_with_offsets(self, texts):
        with tf.device("CPU"):
            found = self._reader(texts)
            last = tf.size(self._characters) - 1
            place = tf.minimum(tf.searchsorted(self._characters, found.code_points), last)
            known = tf.gather(self._characters, place) == found.code_points
            ids = tf.where(known, tf.gather(self._numbers, place), self._unknown)
            ids = tf.where(found.tokens >= 0, tf.cast(found.tokens, tf.int32), ids)
            rows, starts, ends = found.rows, found.starts, found.ends
            if self._joins_line_feeds:
                feed = (found.code_points == _LINE_FEED) & (found.tokens < 0)
                goes_on = feed[1:] & feed[:-1] & (rows[1:] == rows[:-1])
                begins = ~tf.concat([[False], goes_on], 0)[: tf.size(rows)]
                several = tf.concat([goes_on, [False]], 0)[: tf.size(rows)] & begins
                ids = tf.where(several, self._unknown, ids)
                run = tf.cumsum(tf.cast(begins, tf.int32)) - 1
                ends = tf.math.segment_max(ends, run)
                rows, starts, ids = (tf.boolean_mask(one, begins) for one in (rows, starts, ids))
            columns = [ids, starts, ends, tf.range(tf.size(ids))]
            return Tokens.of(columns, rows, tf.size(texts, tf.int64))


def _pattern(tokenizer, spec):
    """The pattern at which the tokenizer splits."""
    split = spec["pre_tokenizer"] or {}
    pattern = split.get("pattern", {}).get("Regex")
    plain = split.get("type") == "Split" and split.get("behavior") == "Isolated"
    if spec["normalizer"] or not plain or split["invert"] or pattern not in (*_ANY, _IN_LINE):
        raise UserError(
            f"{type(tokenizer).__name__} cannot be exported: of tokenizers of kind WordLevel those "
            "of single characters can be; received normalizer "
            f"{(spec['normalizer'] or {}).get('type')}, pre_tokenizer {split.get('type')}"
        )
    return pattern
