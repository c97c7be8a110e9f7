"""From sub-tokens back to words, and from tagged words to entities.

Shapes: N rows, L sub-tokens of a row, W its words that have sub-tokens, C classes.
"""

import unicodedata
from typing import NamedTuple

import numpy as np

from tfhf.data.token_windows import word_starts
from tfhf.learning import tagging


class Word(NamedTuple):
    """A word with its tag (None: it has none), the tag's probability, and its characters."""

    tag: str | None
    score: float
    start: int
    end: int


def of_text(results, index, text, labels, aggregation, without_punctuation):
    """The words of a text, as its tokenizer splits it.

    Args:
        results, index, aggregation: as for `classes_of_words`.
        text: the row's text.
        labels: names of the classes.
        without_punctuation: leaves out punctuation at the ends of other words. SentencePiece splits
            at blanks alone, and "(Paris)," would be one word, whose first sub-token is "(".

    Returns:
        A list of `Word`, without the blanks that some tokenizers count to a word.
    """
    row = {name: values[index : index + 1] for name, values in results.items()}
    if without_punctuation:
        places = zip(row["start"][0].tolist(), row["end"][0].tolist(), strict=True)
        marks = np.array([_is_punctuation(text[start:end].strip()) for start, end in places], bool)
        if marks.any():
            row["word"] = np.where(_at_an_end(row["word"][0], marks), 0, row["word"])
    found = classes_of_words(row, 0, aggregation)
    columns = (found[name].tolist() for name in ("label", "score", "start", "end"))
    words = []
    for label, score, start, end in zip(*columns, strict=True):
        inner = text[start:end]
        start += len(inner) - len(inner.lstrip())
        words.append(Word(labels[label], score, start, start + len(inner.strip())))
    return words


def _is_punctuation(text):
    return bool(text) and all(unicodedata.category(one)[0] == "P" for one in text)


def _at_an_end(numbers, marks):
    """Which sub-tokens are marks before or behind all else of their word: `(L,)` bool."""
    found = np.zeros(len(numbers), bool)
    for number in np.unique(numbers[numbers > 0]):
        places = np.flatnonzero(numbers == number)
        others = places[~marks[places]]
        if len(others):  # a word of nothing but marks stays whole
            found[places] = (places < others[0]) | (places > others[-1])
    return found


def of_words(results, index, given, labels, aggregation, outside):
    """The words that a row gave one by one.

    Args:
        results, index, aggregation: as for `classes_of_words`.
        given: the row's words.
        labels: names of the classes.
        outside: tag of a word that has no sub-token.

    Returns:
        A list of `Word`, one for each of `given`; characters are those of the words joined by a
        blank.
    """
    places = zip(word_starts(given), given, strict=True)
    words = [Word(outside, 0.0, start, start + len(word)) for start, word in places]
    found = classes_of_words(results, index, aggregation)
    columns = (found[name].tolist() for name in ("word", "label", "score"))
    for number, label, score in zip(*columns, strict=True):
        words[number - 1] = words[number - 1]._replace(tag=labels[label], score=score)
    return words


def classes_of_words(results, index, aggregation):
    """The words of one row, each with the class its sub-tokens give it.

    Args:
        results: name → `(N, L)` array: `word` (from 1; 0 where there is no sub-token), `label`,
            `score`, `start`, `end`; and `probabilities` `(N, L, C)` where these are averaged.
        index: which row.
        aggregation: `first` takes the class of the first sub-token, `max` that of the surest,
            `average` the class of the largest mean probability.

    Returns:
        Name → `(W,)` array: `word` (from 1), `label`, `score`, and `start` and `end` in characters.
    """
    real = np.flatnonzero(results["word"][index])
    row = {name: values[index, real] for name, values in results.items()}
    firsts = np.flatnonzero(np.diff(row["word"], prepend=0))
    ends = np.append(firsts, len(real))[1:]
    label, score = row["label"], row["score"]
    if aggregation == "average" and len(real):
        sums = np.add.reduceat(row["probabilities"], firsts)
        means = sums / (ends - firsts)[:, None]
        label, score = means.argmax(-1), means.max(-1)
    else:
        chosen = firsts
        if aggregation == "max":
            parts = zip(firsts, ends, strict=True)
            chosen = [first + score[first:end].argmax() for first, end in parts]
            chosen = np.array(chosen, np.int64)
        label, score = label[chosen], score[chosen]
    numbers, start, end = row["word"][firsts], row["start"][firsts], row["end"][ends - 1]
    return {"word": numbers, "label": label, "score": score, "start": start, "end": end}


def entities(words, text, mark_entities):
    """What tagged words say of their text.

    Args:
        words: list of `Word`.
        text: the text their characters count in.
        mark_entities: whether tags mark entities; else every word stands by itself.

    Returns:
        A list of `{"entity_group", "score", "word", "start", "end"}`: the score is the mean of the
        words', and `word` is `text[start:end]`.
    """
    if mark_entities:
        spans = tagging.entities([word.tag for word in words])
    else:
        spans = [(one.tag, place, place) for place, one in enumerate(words) if one.tag is not None]
    found = []
    for kind, first, last in spans:
        start, end = words[first].start, words[last].end
        score = sum(word.score for word in words[first : last + 1]) / (last + 1 - first)
        entity = {"entity_group": kind, "score": score, "word": text[start:end]}
        found.append(entity | {"start": start, "end": end})
    return found
