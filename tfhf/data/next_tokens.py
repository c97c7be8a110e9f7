"""Texts as what a causal language model learns from: tokens, and for each the one that follows.

Every token of a text is predicted once: inputs and labels are the same tokens, one place apart, so
the label of a block's last token is the first of the next block. Shapes: T tokens of a feature.
"""

from dataclasses import dataclass, field

import numpy as np

from tfhf.data import blocks

IGNORED = -100  # the label of a token that is not learned, as in PyTorch


@dataclass
class Features:
    """What is read, and what is to be said.

    Attributes:
        inputs: token ids per feature, 1 to `max_length`.
        labels: for each the token that follows; `IGNORED` where it is not learned.
        characters: per feature, the characters that its labels spell.
        full_lengths: tokens each feature would have without truncation.
        rows: the row each comes from, or in which it begins.
    """

    inputs: list = field(default_factory=list)
    labels: list = field(default_factory=list)
    characters: list = field(default_factory=list)
    full_lengths: list = field(default_factory=list)
    rows: list = field(default_factory=list)

    def add(self, inputs, labels, characters, row, full_length=None):
        """Adds a feature."""
        self.inputs.append(inputs)
        self.labels.append(labels)
        self.characters.append(characters)
        self.rows.append(row)
        self.full_lengths.append(len(inputs) if full_length is None else full_length)


def from_documents(documents, characters, max_length, *, begin, joined):
    """Documents as blocks.

    Args:
        documents: a list of token ids per document, its end-of-text token included.
        characters: for each token how many characters of the text it ends; see `spelled`.
        max_length: tokens of a block.
        begin: the token before the first of all, so that this one is predicted, too.
        joined: whether blocks run on from one document into the next; else each document begins a
            block of its own.

    Returns:
        Features.
    """
    make = blocks.join if joined else blocks.cut
    made = make(documents, max_length, marks=characters)
    found, before, last = Features(), begin, None
    for labels, marks, row in zip(made.ids, made.marks, made.rows.tolist(), strict=True):
        if not joined and row != last:
            before = begin
        found.add([before, *labels[:-1]], labels, sum(marks), row)
        before, last = labels[-1], row
    return found


def from_answers(questions, answers, characters, max_length, before):
    """One feature per question and answer, of which only the answer is learned.

    Where both are too long, the beginning of the question is left out; if the answer alone is, its
    end.

    Args:
        questions: a list of token ids per row, at least one each.
        answers: likewise, the end-of-text token included.
        characters: for each token of the answers how many characters of the text it ends.
        max_length: most tokens of a feature.
        before: ids that stand before every question.

    Returns:
        Features.
    """
    found = Features()
    for row, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        full_length = len(question) + len(answer) - 1
        learned = answer[:max_length]
        kept = last(question, max_length + 1 - len(learned), before)
        labels = [IGNORED] * (len(kept) - 1) + learned
        spelled_here = sum(characters[row][: len(learned)])
        found.add([*kept, *learned[:-1]], labels, spelled_here, row, full_length)
    return found


def from_marked(texts, learned, characters, max_length):
    """One feature per text, of which only some tokens are learned.

    The end of long texts is cut. Where that would leave nothing to learn, the beginning is cut
    instead, up to half a feature before the first token that is learned.

    Args:
        texts: a list of token ids per row, two or more each.
        learned: for each token whether it is learned.
        characters: for each token how many characters of the text it ends.
        max_length: most tokens of a feature.

    Returns:
        Features.
    """
    found = Features()
    for row, whole in enumerate(texts):
        first = learned[row].index(True) if True in learned[row] else 0
        start = first - max_length // 2 if first > max_length else 0
        window = slice(start, start + max_length + 1)
        tokens, counts = whole[window], learned[row][window]
        labels = [token if one else IGNORED for token, one in zip(tokens, counts, strict=True)]
        lengths = [n if one else 0 for n, one in zip(characters[row][window], counts, strict=True)]
        found.add(tokens[:-1], labels[1:], sum(lengths[1:]), row, len(whole) - 1)
    return found


def spelled(offsets):
    """How many characters of a text each token ends; their sum is the length that is tokenized.

    Where several tokens share a character (the bytes of one), the first has it.

    Args:
        offsets: a list of `(start, end)` per token, in characters.
    """
    if not offsets:
        return []
    ends = np.maximum.accumulate(np.array(offsets)[:, 1])
    return np.diff(ends, prepend=0).tolist()


def last(prompt, room, before):
    """The last tokens of a prompt that is too long.

    Args:
        prompt: token ids.
        room: most tokens to keep.
        before: the ids that stand before every text, with which the prompt begins; they are kept.
    """
    if len(prompt) <= room or prompt[: len(before)] != before or room <= len(before):
        return prompt[-room:]
    return before + prompt[len(before) - room :]
