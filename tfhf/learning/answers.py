"""Answers as people read them: exact parts of a context, and how near they are to references."""

import re
import string
import unicodedata
from collections import Counter

PUNCTUATION = str.maketrans("", "", string.punctuation)
ARTICLES = re.compile(r"\b(a|an|the)\b")


def visible(context, start, end):
    """A span without the blanks at its ends, and with the marks that belong to its letters.

    Tokens of some tokenizers begin with the blank before a word, and tokenizers that strip accents
    leave a combining mark out of the token of its letter.

    Args:
        context: the text.
        start, end: characters of it, the end excluded.

    Returns:
        `(start, end)`; equal where nothing but blanks is left.
    """
    while start < end and context[start].isspace():
        start += 1
    while start < end and context[end - 1].isspace():
        end -= 1
    if start == end:
        return start, end
    while start > 0 and _is_mark(context[start]):
        start -= 1
    while end < len(context) and _is_mark(context[end]):
        end += 1
    return start, end


def _is_mark(character):
    return unicodedata.category(character) in ("Mn", "Mc", "Me")


def distinct(context, spans):
    """Answers without repetitions, best first; overlapping windows give the same one twice.

    Args:
        context: the text.
        spans: `(score, start, end)` each, in any order; a score of 0 stands for no span.

    Returns:
        A list of `{"score", "start", "end", "answer"}`.
    """
    found = {}
    for score, start, end in sorted(spans, key=lambda span: -span[0]):
        if score > 0:
            place = visible(context, start, end)
            found.setdefault(place, _answer(context, score, *place))
    return [answer for answer in found.values() if answer["answer"]]


def merged(context, spans):
    """Answers with the probabilities of all spans that read the same, as transformers adds them.

    Args:
        context: the text.
        spans: `(score, start, end)` each; where two read the same but for upper and lower case,
            the first one's place is kept. A score of 0 stands for no span.

    Returns:
        A list of `{"score", "start", "end", "answer"}`, most probable first.
    """
    found = {}
    for score, start, end in spans:
        if score > 0:
            answer = _answer(context, 0.0, *visible(context, start, end))
            found.setdefault(answer["answer"].lower(), answer)["score"] += score
    found.pop("", None)
    return sorted(found.values(), key=lambda answer: -answer["score"])


def nothing(score):
    """The answer that there is none."""
    return {"score": float(score), "start": 0, "end": 0, "answer": ""}


def _answer(context, score, start, end):
    return {"score": score, "start": start, "end": end, "answer": context[start:end]}


def by_window(columns, spans, width, kept):
    """Deals the spans of a row out to its windows.

    Args:
        columns: what `tfhf.data.windows.encode_windows` gave for the row.
        spans: `(score, start, end)` each, `width` of every window, window after window; more may
            follow.
        width: spans per window.
        kept: how many of them are kept, from the first.

    Returns:
        A list of `(first, last, spans)`: a window's first character of the context, the one
        behind its last, and its spans.
    """
    windows = []
    offsets = zip(columns["offset_start"], columns["offset_end"], strict=True)
    for number, (starts, ends) in enumerate(offsets):
        first = min((start for start in starts if start >= 0), default=0)
        windows.append((first, max(ends), spans[number * width :][:kept]))
    return windows


def whole_words(tokenizer, context, windows):
    """Widens spans to the words that their tokens are parts of.

    Args:
        tokenizer: a fast tokenizer of transformers; its own pre-tokenizer says what a word is.
        context: the text.
        windows: what `by_window` gave. Of a word that the edge of a window cuts, a window knows
            its part alone, as in transformers.

    Yields:
        `(score, start, end)` for every span.
    """
    encoding = tokenizer(context, add_special_tokens=False, verbose=False).encodings[0]
    words = {}
    for word, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
        first, last = words.get(word, (start, end))
        words[word] = min(first, start), max(last, end)
    begins, ends = {}, {}
    for word, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
        if word is not None:
            begins.setdefault(start, words[word][0])
            ends[end] = words[word][1]
    for first, last, spans in windows:
        for score, start, end in spans:
            yield score, max(first, begins.get(start, start)), min(last, ends.get(end, end))


def words(text):
    """The words that count: lower case, without punctuation and English articles."""
    return ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split()


def nearest(prediction, references):
    """The best exact match and the best F1 against any reference, each in [0, 1].

    Args:
        prediction: a text; empty for no answer.
        references: texts; where there is none, or none has words, no answer is the right one.

    Source: https://rajpurkar.github.io/SQuAD-explorer/ (`evaluate-v2.0.py`)
    """
    wanted = [found for found in map(words, references) if found] or [[]]
    pairs = [_match(words(prediction), reference) for reference in wanted]
    return max(exact for exact, _ in pairs), max(f1 for _, f1 in pairs)


def _match(predicted, reference):
    exact = float(predicted == reference)
    common = sum((Counter(predicted) & Counter(reference)).values())
    if not common:
        return exact, exact  # both without a word, or nothing right
    precision, recall = common / len(predicted), common / len(reference)
    return exact, 2 * precision * recall / (precision + recall)
