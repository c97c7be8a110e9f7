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
        for side in ("padding_side", "truncation_side"):
            if getattr(tokenizer, side) != "right":
                raise UserError(
                    f"this tokenizer cannot be exported: set its {side} to 'right'; "
                    f"received {getattr(tokenizer, side)!r}"
                )
        self._single, self._pair = _pieces(post_processor)
        self._columns = [name for name in tokenizer.model_input_names if name in _COLUMNS]
        self._padding = {
            "input_ids": tokenizer.pad_token_id,
            "token_type_ids": tokenizer.pad_token_type_id,
            "attention_mask": 0,
        }
        if tokenizer.pad_token_id is None:
            raise UserError("this tokenizer cannot be exported: it has no padding token")

    def __call__(self, first, second=None, *, max_length):
        """Lays out one batch.

        Args:
            first: ragged `(B, None)` int32, token ids of the texts.
            second: the same for the second texts, or None.
            max_length: longest row to return, special tokens included.

        Returns:
            dict of `(B, T)` int32: those of `input_ids`, `token_type_ids`, `attention_mask` that
            the model takes.

        Raises:
            ValueError: if `max_length` leaves no room for text.
        """
        pieces = self._single if second is None else self._pair
        room = max_length - sum(isinstance(token, int) for token, _ in pieces)
        if room < 1:
            raise ValueError(f"max_length must leave room for text. Received: {max_length}")
        texts = _truncated(first, second, room)
        batch = first.nrows()
        ids, types = [], []
        for token, type_id in pieces:
            row = tf.fill([batch, 1], token) if isinstance(token, int) else texts[token]
            ids.append(row)
            types.append(tf.ones_like(row) * type_id)
        ids = tf.concat(ids, axis=1)
        rows = {
            "input_ids": ids,
            "token_type_ids": tf.concat(types, axis=1),
            "attention_mask": tf.ones_like(ids),
        }
        width = tf.maximum(ids.bounding_shape(axis=1), 1)  # a model takes no row of width 0
        return {
            name: rows[name].to_tensor(self._padding[name], shape=tf.stack([batch, width]))
            for name in self._columns
        }


def _pieces(post_processor):
    """The layouts of one text and of two: lists of (token id or "A" or "B", type id)."""
    if post_processor is None:
        return [("A", 0)], [("A", 0), ("B", 1)]
    kind = post_processor["type"]
    if kind == "BertProcessing":
        first, last = post_processor["cls"][1], post_processor["sep"][1]
        single = [(first, 0), ("A", 0), (last, 0)]
        return single, [*single, ("B", 1), (last, 1)]
    if kind != "TemplateProcessing":
        raise UserError(
            "this tokenizer cannot be exported: its post-processor must be TemplateProcessing or "
            f"BertProcessing; received {kind}"
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


def _truncated(first, second, room):
    """Cuts to `room` tokens together, the longer text first, by the rule of `tokenizers`."""
    if second is None:
        return {"A": first[:, :room]}
    room = tf.constant(room, tf.int64)
    lengths = first.row_lengths(), second.row_lengths()
    short, long = tf.minimum(*lengths), tf.maximum(*lengths)
    long = tf.where(short > room, short, tf.maximum(short, room - short))
    over = short + long > room
    short = tf.where(over, room // 2, short)
    long = tf.where(over, room - room // 2, long)
    swapped = lengths[0] > lengths[1]
    return {
        "A": _first_of_rows(first, tf.where(swapped, long, short)),
        "B": _first_of_rows(second, tf.where(swapped, short, long)),
    }


def _first_of_rows(ragged, counts):
    """The first `counts[b]` values of each row `b`."""
    rows = ragged.value_rowids()
    column = tf.range(tf.size(rows, tf.int64)) - tf.gather(ragged.row_starts(), rows)
    return tf.ragged.boolean_mask(ragged, ragged.with_values(column < tf.gather(counts, rows)))
