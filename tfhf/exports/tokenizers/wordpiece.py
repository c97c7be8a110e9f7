"""BERT's WordPiece tokenizer as TensorFlow ops, equal to the Hugging Face one id by id.

Basic ops of TensorFlow only, so that an exported model needs nothing but TensorFlow Serving: no
tensorflow-text, no Python, no hash tables.

The text becomes symbols (see `characters`), and the vocabulary a trie over symbols. Its nodes are
numbered breadth first, so the sorted array of `parent * symbols + symbol` holds every edge, in
the order of the children's numbers: one binary search finds an edge and the child at once. All
positions of all texts walk the trie together; then all words together jump from piece to piece.
"""

import itertools
import json
import re

import numpy as np
import tensorflow as tf

from tfhf.errors import UserError
from tfhf.exports.tokenizers.characters import PAGE, SPACE, read_characters
from tfhf.exports.tokenizers.module import GraphTokenizer
from tfhf.exports.tokenizers.template import Template
from tfhf.exports.tokenizers.tokens import Tokens
from tfhf.exports.tokenizers.writing import TokenWriter

_WORD_START, _CONTINUATION = 0, 1  # the trie's two roots


class WordPiece(GraphTokenizer):
    """A Hugging Face WordPiece tokenizer (BERT, DistilBERT, ELECTRA …) as a TensorFlow module.

    Ids equal the Hugging Face tokenizer's for every text. Bytes that are not UTF-8 count as
    U+FFFD, as `bytes.decode("utf-8", "replace")` has it.
    """

    def __init__(self, tokenizer):
        """Takes the tables off a tokenizer.

        Args:
            tokenizer: a `PreTrainedTokenizerFast` of model type WordPiece with BERT's normaliser
                and pre-tokenizer, cased or uncased.

        Raises:
            UserError: if the tokenizer does something that these ops cannot do.
        """
        super().__init__(name="wordpiece")
        backend = tokenizer.backend_tokenizer
        spec = json.loads(backend.to_str())
        _check_supported(tokenizer, spec)
        specials = {} if backend.encode_special_tokens else _special_tokens(tokenizer)
        vocabulary = spec["model"]["vocab"]
        characters = read_characters(backend, set("".join(vocabulary)), list(specials))
        entries = _entries(spec["model"], characters)
        entries += [
            (_WORD_START, (characters.specials[text],), token) for text, token in specials.items()
        ]
        edges, tokens, depths = _trie(entries, characters.count)
        with tf.device("CPU"):  # integers and strings: an accelerator would only wait for them
            self._pages = tf.constant(characters.pages)
            self._rows = tf.constant(characters.rows)
            self._outputs = tf.constant(characters.outputs)
            self._edges = tf.constant(edges)
            self._tokens = tf.constant(tokens)
            self._depths = tf.constant(depths)
        self._first_isolated = characters.first_isolated
        self._count = characters.count
        self._sentinels = characters.sentinels
        self._spare = characters.spare
        self._unknown = vocabulary[spec["model"]["unk_token"]]
        self._longest_word = spec["model"]["max_input_chars_per_word"]
        self.writer = TokenWriter(tokenizer)
        self.template = Template(tokenizer, spec["post_processor"])

    def tokenize_with_offsets(self, texts):
        with tf.device("CPU"):
            symbols, places, rows, first_of_word = self._symbols(texts)
            word = tf.cumsum(tf.cast(first_of_word, tf.int64)) - 1
            first = tf.where(first_of_word)[:, 0]
            end = tf.concat([first[1:], [tf.size(symbols, tf.int64)]], axis=0)
            best = self._longest_matches(symbols, first_of_word, tf.gather(end, word))
            lengths = tf.gather(self._depths, best)
            taken, broken = self._follow(lengths, first, end)
            broken = tf.gather(broken, word)
            ids = tf.where(broken, self._unknown, tf.gather(self._tokens, best))
            # Of a word that the vocabulary cannot write, the first symbol speaks for all.
            kept = tf.where(broken, first_of_word, taken)
            index = tf.range(tf.size(symbols, tf.int64))
            last = tf.where(broken, tf.gather(end, word), index + lengths) - 1
            starts, ends = places
            ends = tf.gather(ends, tf.clip_by_value(last, 0, tf.size(symbols, tf.int64) - 1))
            rows = tf.boolean_mask(rows, kept)
            columns = [tf.boolean_mask(column, kept) for column in (ids, starts, ends, word)]
            return Tokens.of(columns, rows, tf.size(texts, tf.int64))

    def _symbols(self, texts):
        """The visible symbols of all texts in one row.

        Returns:
            symbols; `(starts, ends)`, the characters of its text that each stands for; the number
            of that text; and whether the symbol begins a word.
        """
        # A sentinel that was in the text all along must not pass for a special token.
        texts = tf.strings.regex_replace(
            texts, f"[{self._spare}{''.join(self._sentinels.values())}]", self._spare
        )
        for special, sentinel in self._sentinels.items():
            texts = tf.strings.regex_replace(texts, re.escape(special), sentinel)
        decoded = tf.strings.unicode_decode(texts, "UTF-8")
        places = self._places(decoded)
        page = tf.gather(self._pages, decoded.values // PAGE)
        row = tf.gather(self._rows, page * PAGE + decoded.values % PAGE)
        outputs = tf.gather(self._outputs, row)
        exists = outputs >= 0
        symbols = tf.cast(tf.boolean_mask(outputs, exists), tf.int64)
        character = tf.where(exists)[:, 0]
        rows = tf.gather(decoded.value_rowids(), character)
        joins = (symbols > SPACE) & (symbols < self._first_isolated)
        follows = tf.concat([[False], joins[:-1] & (rows[1:] == rows[:-1])], axis=0)
        starts = ~(joins & follows[: tf.size(joins)])  # cut: without symbols there is no first
        visible = symbols > SPACE
        symbols, character, rows, starts = (
            tf.boolean_mask(part, visible) for part in (symbols, character, rows, starts)
        )
        return symbols, [tf.gather(place, character) for place in places], rows, starts

    def _places(self, decoded):
        """First character of each code point in its text, and the one behind its last.

        A sentinel is as long as the special token it stands for.
        """
        lengths = tf.ones_like(decoded.values)
        for special, sentinel in self._sentinels.items():
            lengths = tf.where(decoded.values == ord(sentinel), len(special), lengths)
        ends = tf.cumsum(lengths)
        before = tf.concat([[0], ends], axis=0)
        shift = tf.gather(tf.gather(before, decoded.row_starts()), decoded.value_rowids())
        return ends - lengths - shift, ends - shift

    def _longest_matches(self, symbols, starts, end):
        """The trie node of the longest vocabulary entry at each position; a root if none."""
        root = tf.where(starts, tf.constant(_WORD_START, tf.int64), _CONTINUATION)

        def walk(depth, position, node, best):
            key = node * self._count + tf.gather(symbols, position + depth)
            edge = tf.searchsorted(self._edges, key, out_type=tf.int64)
            edge = tf.minimum(edge, tf.size(self._edges, tf.int64) - 1)
            found = tf.gather(self._edges, edge) == key
            position, node = tf.boolean_mask(position, found), tf.boolean_mask(edge, found) + 2
            ends = tf.gather(self._tokens, node) >= 0
            best = tf.tensor_scatter_nd_update(
                best, tf.boolean_mask(position, ends)[:, None], tf.boolean_mask(node, ends)
            )
            inside = position + depth + 1 < tf.gather(end, position)
            return (
                depth + 1,
                tf.boolean_mask(position, inside),
                tf.boolean_mask(node, inside),
                best,
            )

        start = (tf.constant(0, tf.int64), tf.range(tf.size(symbols, tf.int64)), root, root)
        return _while_any(walk, start)[-1]

    def _follow(self, lengths, first, end):
        """Jumps through each word by `lengths`: where a piece starts, and which words broke."""

        def jump(word, position, taken, broken):
            length = tf.gather(lengths, position)
            matched = length > 0
            broken = tf.tensor_scatter_nd_update(broken, word[:, None], ~matched)
            taken = tf.tensor_scatter_nd_update(taken, position[:, None], matched)
            position += length
            inside = matched & (position < tf.gather(end, word))
            return tf.boolean_mask(word, inside), tf.boolean_mask(position, inside), taken, broken

        broken = end - first > self._longest_word
        word = tf.where(~broken)[:, 0]
        start = (word, tf.gather(first, word), tf.zeros_like(lengths, tf.bool), broken)
        return _while_any(jump, start)[2:]


def _while_any(step, state):
    """Repeats `step` until the second part of the state, the live positions, is empty."""
    return tf.while_loop(lambda *now: tf.size(now[1]) > 0, step, state)


def _check_supported(tokenizer, spec):
    """Refuses tokenizers of other make."""
    wanted = {
        "model": "WordPiece",
        "normalizer": "BertNormalizer",
        "pre_tokenizer": "BertPreTokenizer",
    }
    for part, kind in wanted.items():
        found = (spec[part] or {}).get("type")
        if found != kind:
            raise UserError(
                f"{type(tokenizer).__name__} cannot be exported: supported are WordPiece "
                f"tokenizers with BertNormalizer and BertPreTokenizer; received {part} {found}"
            )
    if spec["model"]["unk_token"] not in spec["model"]["vocab"]:
        raise UserError(
            f"{type(tokenizer).__name__} cannot be exported: its unknown token "
            f"{spec['model']['unk_token']!r} is not in its vocabulary"
        )


def _special_tokens(tokenizer):
    """Content → id of the tokens that are found in raw text before anything else happens."""
    tokens = tokenizer.added_tokens_decoder
    for token in tokens.values():
        if token.normalized or token.single_word:
            flag = "normalized" if token.normalized else "single_word"
            raise UserError(
                f"this tokenizer cannot be exported: add the token {token.content!r} with "
                f"{flag}=False; received {flag}=True"
            )
    contents = {token.content: number for number, token in tokens.items()}
    for one, other in itertools.permutations(contents, 2):
        if one in other or any(one.endswith(other[:size]) for size in range(1, len(other))):
            raise UserError(
                "this tokenizer cannot be exported: two of its special tokens can overlap in a "
                f"text; rename one of them; received {one!r} and {other!r}"
            )
    return contents


def _entries(model, characters):
    """The vocabulary as (root, symbols, id), without entries that no text can reach."""
    prefix, entries = model["continuing_subword_prefix"], []
    for text, token in model["vocab"].items():
        roots = [(_WORD_START, text)]
        if text.startswith(prefix):
            roots.append((_CONTINUATION, text[len(prefix) :]))
        for root, part in roots:
            symbols = tuple(characters.symbols.get(char, SPACE) for char in part)
            joins = all(SPACE < symbol < characters.first_isolated for symbol in symbols)
            alone = root == _WORD_START and len(symbols) == 1 and symbols[0] > SPACE
            if symbols and (joins or alone):
                entries.append((root, symbols, token))
    return entries


def _trie(entries, count):
    """Numbers a trie's nodes breadth first.

    Returns:
        edges `(E,)` int64, sorted: `parent * count + symbol`, whose child is node `index + 2`;
        tokens `(E + 2,)` int32: the id that ends at a node, or -1; depths `(E + 2,)` int64.
    """
    children, token_of = [{}, {}], [-1, -1]
    for root, symbols, token in entries:
        node = root
        for symbol in symbols:
            if symbol not in children[node]:
                children[node][symbol] = len(children)
                children.append({})
                token_of.append(-1)
            node = children[node][symbol]
        token_of[node] = token
    order, edges, depths = [0, 1], [], [0, 0]
    for number, node in enumerate(order):  # grows while it is walked
        for symbol in sorted(children[node]):
            edges.append(number * count + symbol)
            order.append(children[node][symbol])
            depths.append(depths[number] + 1)
    tokens = [token_of[node] for node in order]
    return np.array(edges, np.int64), np.array(tokens, np.int32), np.array(depths, np.int64)
