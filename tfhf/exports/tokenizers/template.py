"""Truncation, special tokens and padding around rows of token ids, as TensorFlow ops."""

import tensorflow as tf

from tfhf.errors import UserError

_COLUMNS = ("input_ids", "token_type_ids", "attention_mask")


class Template:
    """What a Hugging Face fast tokenizer does with the token ids of its texts.

    Called with `truncation=True` a tokenizer cuts the longer of two texts first, lays special
    tokens around what is left, and pads to the longest row of the batch; so does this.
    """

    def __init__(self, tokenizer, post_processor):
        """Reads the layout of a tokenizer.

        Args:
            tokenizer: a `PreTrainedTokenizerFast`.
            post_processor: its post-processor as read from the tokenizer's JSON, or None.

        Raises:
            UserError: if the layout is one that this class cannot follow.
        """
        if tokenizer.truncation_side != "right":
            raise UserError(
                "this tokenizer cannot be exported: set its truncation_side to 'right'; "
                f"received {tokenizer.truncation_side!r}"
            )
        self._single, self._pair = _pieces(post_processor)
        self._columns = [name for name in tokenizer.model_input_names if name in _COLUMNS]
        self._padding = {
            "input_ids": tokenizer.pad_token_id,
            "token_type_ids": tokenizer.pad_token_type_id,
            "attention_mask": 0,
        }
        self.pads_left = tokenizer.padding_side == "left"
        self._first_tokens = [
            token for token in (tokenizer.cls_token_id, tokenizer.bos_token_id) if token is not None
        ]
        if tokenizer.pad_token_id is None:
            raise UserError("this tokenizer cannot be exported: it has no padding token")

    def room(self, max_length, *, pair=False):
        """Tokens of text that fit into `max_length` tokens, special ones included."""
        pieces = self._pair if pair else self._single
        return max_length - sum(isinstance(token, int) for token, _ in pieces)

    def __call__(self, first, second=None, *, max_length, truncated="longest_first"):
        """Lays out one batch.

        Args:
            first: ragged `(B, None)` int32, token ids of the texts.
            second: the same for the second texts, or None.
            max_length: longest row to return, special tokens included.
            truncated: which text of a pair is cut: `longest_first` or `only_first`.

        Returns:
            dict of `(B, T)` int32: those of `input_ids`, `token_type_ids`, `attention_mask` that
            the model takes.

        Raises:
            ValueError: if `max_length` leaves no room for text.
        """
        room = self.room(max_length, pair=second is not None)
        if room < 1:
            raise ValueError(f"max_length must leave room for text. Received: {max_length}")
        if second is None:
            first = first[:, :room]
        elif truncated == "only_first":
            rest = tf.maximum(room - second.row_lengths(), 0)
            first = first_of_rows(first, tf.minimum(first.row_lengths(), rest))
        else:
            first, second = _longest_cut(first, second, room)
        return self.columns(first, second)

    def columns(self, first, second=None):
        """The columns of the model for texts that fit; as for a call, without truncation."""
        pieces = self._single if second is None else self._pair
        ids = self._laid(pieces, first, second)
        types = [tf.ones_like(self._piece(token, first, second)) * kind for token, kind in pieces]
        rows = {
            "input_ids": ids,
            "token_type_ids": tf.concat(types, axis=1),
            "attention_mask": tf.ones_like(ids),
        }
        return {name: self._padded(rows[name], self._padding[name]) for name in self._columns}

    def beside(self, first, second=None, *, fill):
        """Values of the tokens, laid out like the tokens themselves.

        Args:
            first: ragged `(B, None)` int32, a value for each token of the first texts.
            second: the same for the second texts, or None where there are none.
            fill: what special tokens and padding have.

        Returns:
            `(B, T)` int32.
        """
        pieces = self._single if second is None else self._pair
        return self._padded(self._laid(pieces, first, second, special=fill), fill)

    @property
    def question_first(self):
        """Whether a question stands before its context; XLNet learned it behind."""
        return not self.pads_left

    def null(self, ids):
        """Place of the token that stands for no answer: the classifier's, else the first.

        Args:
            ids: `(B, T)` int32, what `columns` gave.

        Returns:
            `(B,)` int32.
        """
        found = tf.zeros_like(ids[:, 0])
        for token in reversed(self._first_tokens):
            at = tf.cast(ids == token, tf.int32)
            place = tf.argmax(at, 1, tf.int32)
            if self.pads_left:  # XLNet's stands at the end
                place = tf.shape(ids)[1] - 1 - tf.argmax(at[:, ::-1], 1, tf.int32)
            found = tf.where(tf.reduce_any(at > 0, 1), place, found)
        return found

    def _laid(self, pieces, first, second, special=None):
        """The texts with their special tokens, or `special` in their place: ragged `(B, None)`."""
        parts = [self._piece(token, first, second, special) for token, _ in pieces]
        return tf.concat(parts, axis=1)

    def _piece(self, token, first, second, special=None):
        if isinstance(token, int):
            return tf.fill([first.nrows(), 1], token if special is None else special)
        return {"A": first, "B": second}[token]

    def _padded(self, rows, fill):
        """Ragged rows as a tensor, filled up on the tokenizer's side."""
        width = tf.maximum(rows.bounding_shape(axis=1), 1)  # a model takes no row of width 0
        filled = rows.to_tensor(fill, shape=tf.stack([rows.nrows(), width]))
        if not self.pads_left:
            return filled
        shifted = tf.range(width)[None, :] - (width - rows.row_lengths())[:, None]
        return tf.gather(filled, tf.math.floormod(shifted, width), batch_dims=1)


def _pieces(post_processor):
    """The layouts of one text and of two: lists of (token id or "A" or "B", type id)."""
    if post_processor is None:
        return [("A", 0)], [("A", 0), ("B", 1)]
    kind = post_processor["type"]
    if kind == "BertProcessing":
        first, last = post_processor["cls"][1], post_processor["sep"][1]
        single = [(first, 0), ("A", 0), (last, 0)]
        return single, [*single, ("B", 1), (last, 1)]
    if kind == "RobertaProcessing":
        first, last = post_processor["cls"][1], post_processor["sep"][1]
        single = [(first, 0), ("A", 0), (last, 0)]
        return single, [*single, (last, 0), ("B", 0), (last, 0)]
    if kind == "ByteLevel":  # only moves places
        return _pieces(None)
    if kind != "TemplateProcessing":
        raise UserError(
            "this tokenizer cannot be exported: its post-processor must be TemplateProcessing, "
            f"BertProcessing, RobertaProcessing or ByteLevel; received {kind}"
        )
    return [_template(post_processor, part) for part in ("single", "pair")]


def _template(post_processor, part):
    """One layout of a TemplateProcessing."""
    pieces = []
    for piece in post_processor[part]:
        ((kind, value),) = piece.items()
        if kind == "Sequence":
            pieces.append((value["id"], value["type_id"]))
        else:
            ids = post_processor["special_tokens"][value["id"]]["ids"]
            pieces += [(token, value["type_id"]) for token in ids]
    return pieces


def _longest_cut(first, second, room):
    """Cuts to `room` tokens together, the longer text first, by the rule of `tokenizers`."""
    room = tf.constant(room, tf.int64)
    lengths = first.row_lengths(), second.row_lengths()
    short, long = tf.minimum(*lengths), tf.maximum(*lengths)
    long = tf.where(short > room, short, tf.maximum(short, room - short))
    over = short + long > room
    short = tf.where(over, room // 2, short)
    long = tf.where(over, room - room // 2, long)
    swapped = lengths[0] > lengths[1]
    return (
        first_of_rows(first, tf.where(swapped, long, short)),
        first_of_rows(second, tf.where(swapped, short, long)),
    )


def first_of_rows(ragged, counts):
    """The first `counts[b]` values of each row `b`."""
    rows = ragged.value_rowids()
    column = tf.range(tf.size(rows, tf.int64)) - tf.gather(ragged.row_starts(), rows)
    return tf.ragged.boolean_mask(ragged, ragged.with_values(column < tf.gather(counts, rows)))
