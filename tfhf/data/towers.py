"""Token columns of texts that stand beside each other in one row."""

from itertools import accumulate, chain
from zlib import crc32


def token_names(tokenizer):
    """The ragged columns of a tower: `input_ids` and, where the model reads them, types."""
    known = tokenizer.model_input_names
    return [name for name in ("input_ids", "token_type_ids") if name in known]


def fills(tokenizer):
    """Column of a tower → the value that fills it up."""
    values = {
        "input_ids": tokenizer.pad_token_id,
        "token_type_ids": tokenizer.pad_token_type_id,
    }
    return {name: values[name] for name in token_names(tokenizer)}


def one_each(tokenizer, texts, max_length):
    """Columns of a tower with one text per row.

    Args:
        tokenizer: a fast tokenizer of transformers.
        texts: list of n texts.
        max_length: longest text in tokens, special tokens included; longer ones are cut.

    Returns:
        The columns: token ids, and `text_number`, an int32 that is the same where texts are the
        same (two others share one once in four billion); and the n lengths in tokens before the
        cut.
    """
    encoded = tokenizer(texts, truncation=True, max_length=max_length, return_attention_mask=False)
    full = [len(ids) for ids in encoded["input_ids"]]
    for index, encoding in enumerate(encoded.encodings):
        if encoding.overflowing:
            full[index] = len(tokenizer(texts[index], verbose=False)["input_ids"])
    columns = {name: encoded[name] for name in token_names(tokenizer)}
    columns["text_number"] = [crc32(text.encode("utf-8")) - 2**31 for text in texts]
    return columns, full


def several_each(tokenizer, lists, max_length):
    """Columns of a tower with a list of texts per row, which stand end to end.

    Args:
        tokenizer, max_length: as for `one_each`.
        lists: n lists of texts.

    Returns:
        As `one_each`; `text_number` and `text_length` (in tokens) have an entry for each text.
    """
    counts = [len(texts) for texts in lists]
    columns, full = one_each(tokenizer, list(chain(*lists)), max_length)
    lengths = [len(ids) for ids in columns["input_ids"]]
    parted = {name: _cut(values, counts) for name, values in columns.items()}
    for name in token_names(tokenizer):
        parted[name] = [list(chain(*ids)) for ids in parted[name]]
    parted["text_length"] = _cut(lengths, counts)
    return parted, [sum(part) for part in _cut(full, counts)]


def _cut(values, counts):
    """A list cut into parts of the given lengths."""
    ends = list(accumulate(counts))
    return [values[end - count : end] for end, count in zip(ends, counts, strict=True)]
