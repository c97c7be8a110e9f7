"""Unigram tokenizers (T5, ALBERT, XLNet, XLM-R …) as TensorFlow ops, equal id by id.

Basic ops of TensorFlow only, and nothing but what the tokenizer's `tokenizer.json` says: the
characters of all texts go through the normaliser's steps as one `Stream`, are cut into words at
the spaces, and a `Lattice` writes all words together.

Most texts take a short cut. Where no step would change a character, the words between the spaces
are what the long way gives; each is written once per batch, and those that are entries of the
vocabulary are only looked up.
"""

import json

import numpy as np
import tensorflow as tf

from tfhf.errors import UserError
from tfhf.exports.tokenizers.lattices import Lattice
from tfhf.exports.tokenizers.module import GraphTokenizer
from tfhf.exports.tokenizers.normalization import steps
from tfhf.exports.tokenizers.pretokenization import shifted
from tfhf.exports.tokenizers.stream_tokens import AddedTokens, added_tokens
from tfhf.exports.tokenizers.streams import Stream, is_white
from tfhf.exports.tokenizers.tables import CODE_POINTS, PagedTable, paged
from tfhf.exports.tokenizers.template import Template
from tfhf.exports.tokenizers.tokens import Tokens
from tfhf.exports.tokenizers.words import KnownWords, PlainTexts
from tfhf.exports.tokenizers.writing import TokenWriter


class Unigram(GraphTokenizer):
    """A Hugging Face Unigram tokenizer as a TensorFlow module.

    Ids and places equal the Hugging Face tokenizer's. Bytes that are not UTF-8 count as U+FFFD, as
    `bytes.decode("utf-8", "replace")` has it. The time for a text grows with its longest run in
    which entries of the vocabulary overlap without a gap, such as `aaaa…`: some 15 µs for each
    character of it.
    """

    def __init__(self, tokenizer):
        """Takes the tables off a tokenizer.

        Args:
            tokenizer: a `PreTrainedTokenizerFast` of model type Unigram, with the normalisers and
                the Metaspace pre-tokenizer that SentencePiece models are converted to.

        Raises:
            UserError: if the tokenizer does something that these ops cannot do.
        """
        super().__init__(name="unigram")
        backend = tokenizer.backend_tokenizer
        spec = json.loads(backend.to_str())
        model, metaspace = spec["model"], _metaspace(tokenizer, spec)
        _check_model(tokenizer, model)
        early, late = added_tokens(backend, spec)
        alphabet = sorted(set("".join(text for text, _ in model["vocab"])))
        self._steps = steps(spec["normalizer"], alphabet)
        self._early, self._late = AddedTokens(early), AddedTokens(late)
        self._symbols = _symbols(alphabet, len(early) + len(late))
        self._lattice = _lattice(model, alphabet, [*early, *late])
        self._space = ord(metaspace["replacement"])
        self._scheme, self._splits = metaspace["prepend_scheme"], metaspace["split"]
        self._drops_white_space = "WhitespaceSplit" in _kinds(spec)
        self._plain = PlainTexts(*self._undisturbed([*early, *late]))
        self._feeds_are_blanks = _feeds_are_blanks(backend)
        self._known = KnownWords(_whole_words(backend, model["vocab"], metaspace["replacement"]))
        self.writer = TokenWriter(tokenizer)
        self.template = Template(tokenizer, spec["post_processor"])

    def tokenize(self, texts):
        with tf.device("CPU"):
            simple = texts
            if self._feeds_are_blanks:  # what makes most real texts of several lines plain
                simple = tf.strings.regex_replace(texts, "\n", " ")
            plain = self._plain(simple)
            return tf.cond(
                tf.reduce_all(plain),
                lambda: self._tokenize_plain(simple),
                lambda: self._tokenize_mixed(texts, simple, plain),
            )

    def tokenize_with_offsets(self, texts):
        with tf.device("CPU"):
            stream = self._early(Stream.of(texts), 0)
            for step in self._steps:
                stream = step(stream)
            stream = self._late(stream, self._early.count)
            stream, begins = self._words(stream)
            place, ids = self._lattice(tf.cast(self._symbols(stream.values), tf.int64), begins)
            size = tf.size(begins, tf.int64)
            final = tf.concat([place[1:], [size]], 0)[: tf.size(place)] - 1
            word = tf.cumsum(tf.cast(begins, tf.int64)) - 1
            columns = (
                ids,
                tf.gather(stream.starts, place),
                tf.gather(stream.ends, final),
                tf.gather(word, place),
            )
            return Tokens.of(columns, tf.gather(stream.rows, place), tf.size(texts, tf.int64))

    def _words(self, stream):
        """Cuts at the spaces: the stream, one space before each word, and where words begin."""
        if self._drops_white_space:
            white = is_white(stream.values)
            begins = stream.apart | shifted(white, 1, False)
            stream = stream._replace(segments=tf.cumsum(tf.cast(begins, tf.int64)))
            stream = stream.where(~white)
        values = tf.where(stream.values == ord(" "), self._space, stream.values)
        lacks = stream.apart & (values != self._space) & ~stream.added
        if self._scheme == "first":
            lacks &= stream.starts == 0
        if self._scheme == "never":
            lacks = tf.zeros_like(lacks)
        place = tf.repeat(tf.range(tf.size(values, tf.int64)), 1 + tf.cast(lacks, tf.int64))
        put = place == shifted(place, -1, -1)  # the first of two
        stream = stream._replace(values=values).at(place)
        stream = stream._replace(values=tf.where(put, self._space, stream.values))
        begins = stream.apart
        if self._splits:
            begins |= stream.values == self._space
        return stream, begins

    def _tokenize_mixed(self, texts, simple, plain):
        """Token ids of texts of which some, in their simple form, are plain: ragged int32."""
        simple = self._tokenize_plain(tf.boolean_mask(simple, plain))
        others = self.tokenize_with_offsets(tf.boolean_mask(texts, ~plain)).ids
        number = tf.cumsum(tf.cast(plain, tf.int64))
        other = simple.nrows() + tf.range(tf.size(plain, tf.int64)) - number
        return tf.gather(tf.concat([simple, others], 0), tf.where(plain, number - 1, other))

    def _tokenize_plain(self, texts):
        """Token ids of plain texts: ragged `(B, None)` int32."""
        words = tf.strings.split(texts, " ")
        distinct, number = tf.unique(chr(self._space) + words.values, tf.int64)
        known = self._known(distinct)
        others = tf.strings.unicode_decode(tf.boolean_mask(distinct, known < 0), "UTF-8")
        rows = others.value_rowids()
        place, ids = self._lattice(
            tf.cast(self._symbols(others.values), tf.int64), rows != shifted(rows, 1, -1)
        )
        ids = tf.RaggedTensor.from_value_rowids(
            ids, tf.gather(rows, place), others.nrows(), validate=False
        )
        ids = tf.concat([tf.RaggedTensor.from_tensor(self._known.ids[:, None]), ids], 0)
        other = self._known.count + tf.cumsum(tf.cast(known < 0, tf.int64)) - 1
        written = tf.gather(tf.where(known < 0, other, known), number)
        return words.with_values(tf.gather(ids, written)).merge_dims(1, 2)

    def _undisturbed(self, added):
        """Characters that stay as they are, and expressions that no plain text matches."""
        inert = np.ones(CODE_POINTS, bool)
        for step in self._steps:
            inert &= step.inert
        inert[[self._space, *(ord(content[0]) for content, _ in added)]] = False
        if self._scheme == "never" or not self._splits:
            inert[:] = False
        disturbing = [step.disturbing for step in self._steps if step.disturbing]
        if self._drops_white_space:
            disturbing.append(" {2}| $")
        return inert, disturbing


def _feeds_are_blanks(backend):
    """Whether the normaliser writes a blank for a line feed, and cuts nothing beside it."""
    normalizer = backend.normalizer
    return normalizer is not None and normalizer.normalize_str("a\nb\n") == (
        normalizer.normalize_str("a b ")
    )


def _metaspace(tokenizer, spec):
    """The Metaspace pre-tokenizer, alone or after the one that drops white space."""
    kinds = _kinds(spec)
    if kinds not in (["Metaspace"], ["WhitespaceSplit", "Metaspace"]):
        raise UserError(
            f"{type(tokenizer).__name__} cannot be exported: supported are Unigram tokenizers with "
            f"the pre-tokenizers Metaspace or WhitespaceSplit, Metaspace; received {kinds}"
        )
    return _pre_tokenizers(spec)[-1]


def _kinds(spec):
    return [part["type"] for part in _pre_tokenizers(spec)]


def _pre_tokenizers(spec):
    """The pre-tokenizers, in order."""
    found = spec["pre_tokenizer"] or {"type": None}
    return found["pretokenizers"] if found["type"] == "Sequence" else [found]


def _check_model(tokenizer, model):
    """Refuses models that are not what SentencePiece's unigram models are converted to."""
    name = f"{type(tokenizer).__name__} cannot be exported: "
    if model["unk_id"] is None:
        raise UserError(f"{name}its model has no unknown token (unk_id); received None")
    if model.get("byte_fallback"):
        raise UserError(f"{name}set its model's byte_fallback to False; received True")


def _symbols(alphabet, added):
    """The table of symbols: from 1 on the alphabet in its order, then added tokens; else 0."""
    numbers = np.zeros(CODE_POINTS, np.int64)
    numbers[[ord(char) for char in alphabet]] = 1 + np.arange(len(alphabet))
    return PagedTable(paged(np.append(numbers, 1 + len(alphabet) + np.arange(added)), 0))


def _lattice(model, alphabet, added):
    """The vocabulary and the added tokens as a `Lattice`."""
    symbols = {char: number for number, char in enumerate(alphabet, 1)}
    numbers = {text: number for number, (text, _) in enumerate(model["vocab"]) if text}
    entries = [tuple(symbols[char] for char in text) for text in numbers]
    ids = list(numbers.values())
    scores = [model["vocab"][number][1] for number in ids]
    entries += [(1 + len(alphabet) + number,) for number in range(len(added))]
    ids += [token["id"] for _, token in added]
    scores += [0.0] * len(added)
    lowest = min(score for _, score in model["vocab"])
    count = 1 + len(alphabet) + len(added)
    return Lattice(entries, count, ids, scores, model["unk_id"], lowest)


def _whole_words(backend, entries, space):
    """Entries that begin with a space and are written as one token: dict from word to id."""
    words = {}
    for text, _ in entries:
        if text.startswith(space):
            tokens = backend.model.tokenize(text)
            if len(tokens) == 1:
                words[text] = tokens[0].id
    return words
