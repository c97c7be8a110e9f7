"""GPT-2's byte-level byte-pair encoding as TensorFlow ops, equal to Hugging Face's id by id.

Basic ops of TensorFlow only, so that an exported model needs nothing but TensorFlow Serving: no
tensorflow-text, no Python, no hash tables.

A text becomes characters and added tokens (`reading`), the characters words
(`pretokenization`), the words bytes, each the token of its byte; and these are merged (`merging`).
"""

import json

import tensorflow as tf

from tfhf.errors import UserError
from tfhf.exports.tokenizers.byte_level import (
    ByteWriter,
    byte_characters,
    token_texts,
    utf8_bytes,
)
from tfhf.exports.tokenizers.merging import Merges
from tfhf.exports.tokenizers.module import GraphTokenizer
from tfhf.exports.tokenizers.pretokenization import ADDED, SPACE, shifted, word_begins
from tfhf.exports.tokenizers.reading import TextReader
from tfhf.exports.tokenizers.template import Template
from tfhf.exports.tokenizers.tokens import Tokens
from tfhf.exports.tokenizers.whole_words import WholeWords

_UTF8 = (*range(0xC0), *range(0xC2, 0xF5))  # bytes that occur in it


class BytePair(GraphTokenizer):
    """A Hugging Face byte-level BPE tokenizer (GPT-2, RoBERTa, BART …) as a TensorFlow module.

    Ids equal the Hugging Face tokenizer's for every text. Bytes that are not UTF-8 count as
    U+FFFD, as `bytes.decode("utf-8", "replace")` has it.
    """

    def __init__(self, tokenizer):
        """Takes the tables off a tokenizer.

        Args:
            tokenizer: a `PreTrainedTokenizerFast` of model type BPE with a ByteLevel
                pre-tokenizer and decoder.

        Raises:
            UserError: if the tokenizer does something that these ops cannot do.
        """
        super().__init__(name="bytepair")
        spec = json.loads(tokenizer.backend_tokenizer.to_str())
        _check_supported(tokenizer, spec)
        model, processor = spec["model"], spec["post_processor"] or {}
        characters = byte_characters()
        _check_bytes(tokenizer, model["vocab"], characters)
        self._begins_with_space = spec["pre_tokenizer"]["add_prefix_space"]
        self._trims = processor.get("trim_offsets", False)
        self._keeps_first_space = processor.get("add_prefix_space", False)
        self._reader = TextReader(tokenizer)
        merges = [
            tuple(merge.split(" ") if isinstance(merge, str) else merge)
            for merge in model["merges"]
        ]
        self._merges = Merges(merges, model["vocab"])
        self._whole_words = WholeWords(_whole_words(tokenizer, characters))
        self.writer = ByteWriter(tokenizer, characters)
        self.template = Template(tokenizer, spec["post_processor"])
        tokens = token_texts(tokenizer)
        space = characters[ord(" ")]
        with tf.device("CPU"):
            self._byte_tokens = tf.constant(
                [*(model["vocab"].get(characters[byte], 0) for byte in range(256)), 0], tf.int64
            )
            self._spaces = tf.constant([_spaces_around(token, space) for token in tokens])

    def tokenize_with_offsets(self, texts):
        with tf.device("CPU"):
            characters = self._reader(texts)
            apart = characters.apart()
            if self._begins_with_space:
                characters, apart = _with_first_spaces(characters, apart)
            begins = word_begins(characters.code_points, characters.kinds, apart)
            words = tf.cumsum(tf.cast(begins, tf.int64)) - 1
            values, index = utf8_bytes(characters)
            ids, places = self._merged(
                values, tf.gather(characters.tokens, index), tf.gather(words, index)
            )
            first = tf.gather(index, places)
            last = tf.gather(index, shifted(places, -1, tf.size(index)) - 1)
            rows = tf.gather(characters.rows, first)
            starts = tf.gather(characters.starts, first)
            ends = tf.gather(characters.ends, last)
            if self._trims:
                spaces = tf.gather(self._spaces, ids) + tf.gather(characters.taken, first)
                starts, ends = self._trimmed(spaces, rows, starts, ends)
            columns = (ids, starts, ends, tf.gather(words, first))
            return Tokens.of(columns, rows, tf.size(texts, tf.int64))

    def _merged(self, values, added, words):
        """Tokens of words.

        Args:
            values: `(N,)` int64, the bytes of all words.
            added: `(N,)` int64, the ids of added tokens in their places; -1 for bytes.
            words: `(N,)` int64, the number of the word of each.

        Returns:
            `(M,)` int64 ids, and `(M,)` int64 places where each begins.
        """
        whole, firsts = self._whole_words(values, words)
        known = tf.where(whole >= 0)[:, 0]
        rest = tf.where(tf.gather(whole < 0, words))[:, 0]
        added = tf.gather(added, rest)
        tokens = tf.gather(self._byte_tokens, tf.gather(values, rest))
        tokens, places = self._merges(
            tf.where(added >= 0, added, tokens), tf.gather(words, rest), tf.size(whole, tf.int64)
        )
        places = tf.concat([tf.gather(firsts, known), tf.gather(rest, places)], axis=0)
        tokens = tf.concat([tf.gather(whole, known), tokens], axis=0)
        none = tf.fill(tf.shape(values), tf.constant(-1, tf.int64))
        placed = tf.tensor_scatter_nd_update(none, places[:, None], tokens)
        places = tf.where(placed >= 0)[:, 0]
        return tf.gather(placed, places), places

    def _trimmed(self, spaces, rows, starts, ends):
        """Places without the spaces at both ends of a token, by the rule of `tokenizers`."""
        before, behind = tf.unstack(spaces, axis=1)
        if self._keeps_first_space:
            first = (rows != shifted(rows, 1, -1)) | (starts == 0)
            before -= tf.cast(first & (before > 0), tf.int32)
        starts = tf.minimum(starts + before, ends)
        return starts, tf.where(ends >= behind, tf.maximum(ends - behind, starts), ends)


def _with_first_spaces(characters, apart):
    """Puts a space in front of what does not begin with one, at the beginning and behind tokens."""
    bare = apart & (characters.kinds != ADDED) & (characters.code_points != ord(" "))
    index = tf.repeat(tf.range(tf.size(bare)), tf.cast(bare, tf.int32) + 1)
    put = shifted(index, -1, -1) == index
    characters = characters.gathered(index)
    apart = tf.gather(apart, index) & ~shifted(put, 1, False)
    return characters._replace(
        code_points=tf.where(put, ord(" "), characters.code_points),
        kinds=tf.where(put, SPACE, characters.kinds),
    ), apart


def _whole_words(tokenizer, characters):
    """Bytes → id of the tokens that stay whole where they are a word."""
    byte_of = {character: byte for byte, character in characters.items()}
    model = tokenizer.backend_tokenizer.model
    return {
        bytes(map(byte_of.get, text)): number
        for text, number in tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False).items()
        if byte_of.keys() >= {*text} and [token.id for token in model.tokenize(text)] == [number]
    }


def _spaces_around(token, space):
    """How many spaces a token begins and ends with."""
    spaces = [character == space or character.isspace() for character in [*token]]
    before = spaces.index(False) if False in spaces else len(spaces)
    behind = spaces[::-1].index(False) if False in spaces else len(spaces)
    return before, behind


def _check_supported(tokenizer, spec):
    """Refuses tokenizers of other make."""
    name, model = type(tokenizer).__name__, spec["model"]
    for part, wanted in (
        ("normalizer", None),
        ("pre_tokenizer", "ByteLevel"),
        ("decoder", "ByteLevel"),
    ):
        found = (spec[part] or {}).get("type")
        if found != wanted:
            raise UserError(
                f"{name} cannot be exported: supported are BPE tokenizers with a ByteLevel "
                f"pre_tokenizer and decoder and no normalizer; received {part} {found}"
            )
    if not spec["pre_tokenizer"].get("use_regex", True):
        raise UserError(
            f"{name} cannot be exported: its ByteLevel pre_tokenizer must split words; "
            "received use_regex=False"
        )
    for option in (
        "dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback",
        "ignore_merges",
    ):  # fmt: skip
        if model.get(option):
            raise UserError(
                f"{name} cannot be exported: its BPE model must be without {option}; "
                f"received {model[option]!r}"
            )


def _check_bytes(tokenizer, vocabulary, characters):
    """Refuses a vocabulary that cannot write every text."""
    missing = [byte for byte in _UTF8 if characters[byte] not in vocabulary]
    if missing:
        raise UserError(
            f"{type(tokenizer).__name__} cannot be exported: its vocabulary must have all bytes "
            f"of UTF-8; {len(missing)} are missing, first {missing[0]:#04x}"
        )
