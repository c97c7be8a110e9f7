"""Added tokens, found in texts before anything else is, as TensorFlow ops."""

import itertools

import tensorflow as tf

from tfhf.errors import UserError
from tfhf.exports.tokenizers.pretokenization import shifted
from tfhf.exports.tokenizers.streams import coming, is_white, last
from tfhf.exports.tokenizers.tables import CODE_POINTS
from tfhf.exports.tokenizers.tries import Trie


class AddedTokens(tf.Module):
    """Finds tokens in a `Stream` and makes one character of each.

    The white space beside a token belongs to it where the token says so (`lstrip`, `rstrip`).
    """

    def __init__(self, tokens):
        """Makes the tables.

        Args:
            tokens: list of pairs: what a token looks like in the stream, and its properties as
                read from the tokenizer's JSON.

        Raises:
            UserError: if two of them could overlap in a text.
        """
        super().__init__(name="added_tokens")
        contents = [content for content, _ in tokens]
        _check_overlaps(contents)
        self.count = len(tokens)
        self._trie = Trie([tuple(map(ord, content)) for content in contents], 2 * CODE_POINTS)
        with tf.device("CPU"):
            self._lengths = tf.constant([len(content) for content in contents], tf.int64)
            self._left = tf.constant([token["lstrip"] for _, token in tokens], tf.bool)
            self._right = tf.constant([token["rstrip"] for _, token in tokens], tf.bool)

    def __call__(self, stream, first):
        """Rewrites a `Stream`; the token of number i becomes the character 0x110000 + first + i."""
        if not self.count:
            return stream
        token = self._found(stream)
        owner = self._with_space(stream, token, self._covering(stream, token))
        opens = (owner < 0) | (owner != shifted(owner, 1, -1))
        kept = stream.where(opens)
        closes = tf.where(shifted(opens, -1, True))[:, 0]
        owner = tf.gather(owner, tf.where(opens)[:, 0])
        number = CODE_POINTS + first + tf.gather(token, tf.maximum(owner, 0))
        return kept._replace(
            values=tf.where(owner >= 0, tf.cast(number, tf.int32), kept.values),
            ends=tf.gather(stream.ends, closes),
            segments=tf.cumsum(
                tf.cast(kept.apart | (owner >= 0) | (shifted(owner, 1, -1) >= 0), tf.int64)
            ),
        )

    def _found(self, stream):
        """The longest token that begins at each character, or -1: `(N,)` int32."""

        def note(noted, length, positions, entries):
            return tf.tensor_scatter_nd_update(noted, positions[:, None], entries)

        none = tf.fill(tf.shape(stream.values), -1)
        ends = coming(stream.closing) + 1
        return self._trie.matches(tf.cast(stream.values, tf.int64), ends, note, none)

    def _covering(self, stream, token):
        """Where the token begins that each character is part of, or -1: `(N,)` int64."""
        index = tf.range(tf.size(token, tf.int64))
        begin = last((token >= 0) | stream.apart)
        length = tf.gather(self._lengths, tf.maximum(token, 0))
        end = tf.where(token >= 0, index + length, index)
        return tf.where(index < tf.gather(end, begin), begin, tf.constant(-1, tf.int64))

    def _with_space(self, stream, token, owner):
        """The owners, white space beside tokens that take it included."""
        solid = (owner >= 0) | ~is_white(stream.values)
        before = tf.gather(owner, last(solid | stream.apart))
        behind = tf.gather(owner, coming(solid | stream.closing))
        for owning, takes in ((before, self._right), (behind, self._left)):
            kind = tf.gather(token, tf.maximum(owning, 0))
            taken = (owning >= 0) & tf.gather(takes, tf.maximum(kind, 0)) & ~solid & (owner < 0)
            owner = tf.where(taken, owning, owner)
        return owner


def added_tokens(backend, spec):
    """Reads a tokenizer's added tokens.

    Args:
        backend: a `tokenizers.Tokenizer`.
        spec: its JSON.

    Returns:
        Two lists of pairs: those found before normalisation and those found after it, each by
        what it looks like then, with its properties.

    Raises:
        UserError: if a token cannot be found by its characters alone.
    """
    early, late = {}, {}
    remembered = _found_early(backend, spec)
    for token in spec["added_tokens"]:
        if token["special"] and backend.encode_special_tokens:
            continue
        content, name = token["content"], "this tokenizer cannot be exported: "
        if token["single_word"]:
            raise UserError(
                f"{name}add the token {content!r} with single_word=False; received single_word=True"
            )
        if not token["normalized"] or content in remembered:
            early[content] = token
            continue
        written = backend.normalizer.normalize_str(content) if backend.normalizer else content
        if not written:
            raise UserError(
                f"{name}its normaliser leaves nothing of the token {content!r}; add it with "
                "normalized=False; received normalized=True"
            )
        late.setdefault(written, token)
    return list(early.items()), list(late.items())


def _found_early(backend, spec):
    """Tokens with normalized=True that are found before normalisation all the same.

    A token that was first added with normalized=False, as those of a SentencePiece model are, goes
    on being found so until the tokenizer is saved and loaded.
    """
    from tokenizers import Tokenizer

    contents = [token["content"] for token in spec["added_tokens"] if token["normalized"]]
    if not contents:
        return set()
    loaded = Tokenizer.from_str(backend.to_str())
    loaded.encode_special_tokens = backend.encode_special_tokens
    found = set()
    for content in contents:
        ids = [one.encode(f"a  {content}  b ").ids for one in (backend, loaded)]
        if ids[0] != ids[1]:
            found.add(content)
    return found


def _check_overlaps(contents):
    """Refuses tokens that are not found one by one; of two that begin alike the longer counts."""
    for one, other in itertools.permutations(contents, 2):
        inside = other in one[1:]
        if inside or any(one[1:].endswith(other[:size]) for size in range(1, len(other))):
            raise UserError(
                "this tokenizer cannot be exported: two of its special tokens can overlap in a "
                f"text; rename one of them; received {one!r} and {other!r}"
            )
