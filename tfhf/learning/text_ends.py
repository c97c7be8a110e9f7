"""Classifiers that find the end of a text by one of its tokens."""

from tfhf.errors import UserError


def check(tokenizer, ids, texts, pairs=None):
    """Refuses texts that hold the token by which their model finds where a text ends.

    BART's classifier reads the last end-of-text token and wants as many in every row; decoders
    without a padding token (GPT-2) read up to the first of the tokens that pad.

    Args:
        tokenizer: as a task's `load_processor` gives it; other models' texts may hold anything.
        ids: n lists of token ids, special tokens included.
        texts, pairs: the n texts that they stand for; `pairs` is None where there are none.

    Raises:
        UserError: for the first such text.
    """
    end, config = tokenizer.eos_token_id, getattr(tokenizer, "checkpoint", None)
    reads_ends = config is not None and config.is_encoder_decoder
    if end is None or not (reads_ends or tokenizer.pad_token_id == end):
        return
    usual = tokenizer([""], None if pairs is None else [""])["input_ids"][0].count(end)
    for index, row in enumerate(ids):
        if row.count(end) != usual:
            text = texts[index] if pairs is None else f"{texts[index]} {pairs[index]}"
            raise UserError(
                f"text {text[:60]!r}: it holds {tokenizer.eos_token!r}, by which this model finds "
                "the end of a text; take it out"
            )
