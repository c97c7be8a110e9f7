"""Sub-tokens grouped to entities exactly as transformers' token classification pipeline does it.

Its rules differ from those by which entities are counted: a tag of another type ends an entity,
"B-" begins one, and every other prefix is part of a type's name.

Source: transformers 4.57, `TokenClassificationPipeline`,
https://huggingface.co/docs/transformers/v4.57.0/en/main_classes/pipelines
"""

from typing import NamedTuple

import numpy as np

from tfhf.errors import UserError, did_you_mean

STRATEGIES = ("none", "simple", "first", "average", "max")


def checked(strategy):
    """The strategy's name in lower case.

    Raises:
        UserError: if there is no such strategy.
    """
    name = str(strategy).lower()
    if name not in STRATEGIES:
        raise UserError(
            f"aggregation_strategy: one of {', '.join(STRATEGIES)}; received {strategy!r}"
            f"{did_you_mean(name, STRATEGIES)}"
        )
    return name


def answers(tokenizer, text, results, labels, strategy, ignore_labels):
    """What the pipeline says of one row.

    Args:
        tokenizer: the model's fast tokenizer.
        text: the row's text.
        results: name → array of the row's L sub-tokens, special ones left out: `input_ids`,
            `logits` `(L, C)`, `position`, `start`, `end`; and `window` if windows stand apart.
        labels: names of the classes.
        strategy: one of `STRATEGIES`.
        ignore_labels: tags or types that are left out.

    Returns:
        For `none` a list of `{"entity", "score", "index", "word", "start", "end"}`, else of
        `{"entity_group", "score", "word", "start", "end"}`.
    """
    windows = results.get("window", np.ones(len(results["position"]), int))
    found = []
    for number in np.unique(windows):
        names = ("input_ids", "logits", "position", "start", "end")
        parts = pieces(tokenizer, text, *(results[name][windows == number] for name in names))
        if strategy == "none":
            found += single(parts, labels)
        else:
            found += grouped(tokenizer, parts, labels, strategy)
    name = "entity" if strategy == "none" else "entity_group"
    found = [answer for answer in found if answer[name] not in ignore_labels]
    return without_overlaps(found) if windows.max(initial=0) > 1 else found


class Piece(NamedTuple):
    """A sub-token: its token as text, probabilities `(C,)`, place and characters in the text."""

    token: str
    scores: np.ndarray
    index: int
    start: int
    end: int
    goes_on: bool


def pieces(tokenizer, text, ids, logits, positions, starts, ends):
    """The sub-tokens of one window.

    Args:
        tokenizer: a fast tokenizer of transformers.
        text: the row's text.
        ids, positions, starts, ends: `(L,)` int arrays; special tokens are not among them.
        logits: `(L, C)` float32.

    Returns:
        A list of `Piece`; `goes_on` says whether it belongs to the word of the one before.
    """
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    scores = shifted / shifted.sum(-1, keepdims=True)
    tokens = tokenizer.convert_ids_to_tokens(ids.tolist())
    prefix = getattr(tokenizer.backend_tokenizer.model, "continuing_subword_prefix", None)
    found = []
    for token, number, *rest in zip(tokens, ids, scores, positions, starts, ends, strict=True):
        probabilities, position, start, end = rest
        written = text[start:end]
        if number == tokenizer.unk_token_id:
            token, goes_on = written, False
        elif prefix:
            goes_on = len(token) != len(written)
        else:
            # Such vocabularies do not say where a word begins: the text's blanks have to.
            goes_on = bool(start > 0) and " " not in text[start - 1 : start + 1]
        found.append(Piece(token, probabilities, int(position), int(start), int(end), goes_on))
    return found


def single(found, labels):
    """Every sub-token with its best class: the strategy `none`."""
    answers = []
    for piece in found:
        best = piece.scores.argmax()
        answers.append(
            {
                "entity": labels[best],
                "score": float(piece.scores[best]),
                "index": piece.index,
                "word": piece.token,
                "start": piece.start,
                "end": piece.end,
            }
        )
    return answers


def grouped(tokenizer, found, labels, strategy):
    """Neighbours of one type as one group.

    Args:
        tokenizer: it puts tokens together to a word.
        found: what `pieces` gave.
        labels: names of the classes.
        strategy: `simple` groups sub-tokens; `first`, `average` and `max` group words, whose class
            is that of the first sub-token, of the mean probability, or of the surest sub-token.

    Returns:
        A list of `{"entity_group", "score", "word", "start", "end"}`.
    """
    parts = single(found, labels)
    if strategy != "simple":
        parts = [_word(tokenizer, word, labels, strategy) for word in _words(found)]
    groups = []
    for part in parts:
        begins = part["entity"].startswith("B-")
        if groups and not begins and _kind(part) == _kind(groups[-1][-1]):
            groups[-1].append(part)
        else:
            groups.append([part])
    return [
        {
            "entity_group": group[0]["entity"].split("-", 1)[-1],
            "score": float(np.mean([part["score"] for part in group], dtype=np.float32)),
            "word": tokenizer.convert_tokens_to_string([part["word"] for part in group]),
            "start": group[0]["start"],
            "end": group[-1]["end"],
        }
        for group in groups
    ]


def _kind(part):
    """The tag without "B-" or "I-"."""
    tag = part["entity"]
    return tag[2:] if tag.startswith(("B-", "I-")) else tag


def _words(found):
    words = []
    for piece in found:
        if words and piece.goes_on:
            words[-1].append(piece)
        else:
            words.append([piece])
    return words


def _word(tokenizer, word, labels, strategy):
    """The sub-tokens of a word as one."""
    scores = word[0].scores
    if strategy == "max":
        scores = max((piece.scores for piece in word), key=np.max)
    elif strategy == "average":
        scores = np.mean([piece.scores for piece in word], axis=0)
    best = scores.argmax()
    return {
        "entity": labels[best],
        "score": scores[best],
        "word": tokenizer.convert_tokens_to_string([piece.token for piece in word]),
        "start": word[0].start,
        "end": word[-1].end,
    }


def without_overlaps(groups):
    """Of groups of several windows that overlap in the text the longest one, or the surer one.

    Args:
        groups: groups or sub-tokens of all windows.

    Returns:
        The remaining ones, in the order of the text.
    """
    kept = []
    for group in sorted(groups, key=lambda one: one["start"]):
        if kept and kept[-1]["start"] <= group["start"] < kept[-1]["end"]:
            kept[-1] = max(kept[-1], group, key=_weight)  # the earlier one of equals
        else:
            kept.append(group)
    return kept


def _weight(group):
    return group["end"] - group["start"], group["score"]
