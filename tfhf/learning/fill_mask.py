"""What a masked language model fills in: from the guesses of a batch to what people read."""

import warnings

import numpy as np

from tfhf.errors import UserError


def per_row(results, rows):
    """Guesses per block of tokens → guesses per row, whose blocks follow each other.

    Args:
        results: `masks (F,)`, the number of masks in each block, and per mask the `token` and
            `score` `(F, M, K)` of its K guesses; what stands behind a block's masks is filler.
        rows: `(F,)` int array, the row each block came from, ascending.

    Returns:
        The same names with one entry per row, up to the last that has a block.
    """
    masks = results["masks"]
    block, place = np.nonzero(np.arange(masks.max())[None, :] < masks[:, None])
    row, totals = rows[block], np.bincount(rows, masks).astype(np.int32)
    number = np.arange(len(row)) - (np.cumsum(totals) - totals)[row]
    gathered = {"masks": totals}
    for name in ("token", "score"):
        values = results[name][block, place]
        gathered[name] = np.zeros((len(totals), totals.max(), values.shape[1]), values.dtype)
        gathered[name][row, number] = values
    return gathered


def target_ids(tokenizer, words):
    """The tokens of words to choose among; of a word in pieces the first, as in transformers.

    Args:
        tokenizer: a fast tokenizer of transformers.
        words: a word, or a list of them.

    Returns:
        A tuple of token ids, each once. A warning tells which words are more than one token.

    Raises:
        UserError: if there is no word, or one without a token.
    """
    known, found = tokenizer.get_vocab(), {}
    for word in [words] if isinstance(words, str) else words:
        if word not in known:
            ids = tokenizer(word, add_special_tokens=False)["input_ids"]
            if not ids:
                raise UserError(f"targets: {word!r} has no token; leave it out")
            token = tokenizer.convert_ids_to_tokens(ids[0])
            warnings.warn(f"targets: {word!r} is no token; {token!r} stands for it", stacklevel=3)
            found[ids[0]] = word
        else:
            found[known[word]] = word
    if not found:
        raise UserError(f"targets: name at least one word; received {words!r}")
    return tuple(found)


def guesses(tokenizer, results, index, text):
    """The guesses for the masks of one row.

    Args:
        tokenizer: the one that made the row's tokens.
        results: what `per_row` gave.
        index: which row.
        text: its text.

    Returns:
        The text's token ids, special tokens included, and for each mask its place among them and
        a list of `{"score", "token", "token_str"}`, best first.

    Raises:
        UserError: if the row has no mask.
    """
    count = results["masks"][index] if index < len(results.get("masks", ())) else 0
    if not count:
        raise UserError(
            f"row {index + 1}: nothing to fill; write {tokenizer.mask_token} where a word is "
            f"wanted; received {text[:60]!r}"
        )
    ids = tokenizer(text, verbose=False)["input_ids"]
    places = [place for place, token in enumerate(ids) if token == tokenizer.mask_token_id]
    found = []
    for mask, place in enumerate(places):
        tokens = results["token"][index, mask].tolist()
        scores = results["score"][index, mask].tolist()
        best = [
            {"score": score, "token": token, "token_str": tokenizer.decode([token])}
            for token, score in zip(tokens, scores, strict=True)
        ]
        found.append((place, best))
    return ids, found


def with_sequences(tokenizer, ids, masks):
    """Adds to each guess the text that it makes, as transformers' pipeline does.

    Args:
        tokenizer: the one that made the ids.
        ids, masks: what `guesses` gave.

    Returns:
        For each mask its guesses, with `sequence` among their fields: the text with this mask
        filled; where other masks are left, special tokens are shown, so that they can be seen.
    """
    for place, best in masks:
        for guess in best:
            filled = [*ids[:place], guess["token"], *ids[place + 1 :]]
            filled = [token for token in filled if token != tokenizer.pad_token_id]
            guess["sequence"] = tokenizer.decode(filled, skip_special_tokens=len(masks) == 1)
    return [best for _, best in masks]


def with_mask(mask_token, text):
    """A text with its middle word hidden, unless something is hidden in it already."""
    if mask_token in text:
        return text
    words = text.split() or [""]
    words[len(words) // 2] = mask_token
    return " ".join(words)
