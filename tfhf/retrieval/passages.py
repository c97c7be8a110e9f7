"""Documents → passages short enough to embed, which know where they come from."""

import re
from bisect import bisect_left
from dataclasses import asdict, dataclass

from tfhf.errors import UserError

# A sentence ends at a full stop (with closing quotes or brackets) before white space, at its East
# Asian forms wherever they stand, and at a blank line. An abbreviation may end one too early, which
# does little harm: passages are made of several.
END = re.compile(r"""[.!?…]+["'”’»)\]]*(?=\s)|[。！？]+[」』”’）]*|\n[ \t]*\r?\n\s*""")
PARAGRAPH = re.compile(r"\n[ \t]*\r?\n")


@dataclass(frozen=True)
class Passage:
    """Part of a document.

    Attributes:
        text: its text, `document.text[start:end]`.
        file: the document's file.
        start, end: its characters in the document's text, the end exclusive.
        heading: headings it stands under, joined by ` > `; None where there are none.
        page, last_page: pages on which it begins and ends, from 1; None where there are none.
    """

    text: str
    file: str
    start: int
    end: int
    heading: str | None = None
    page: int | None = None
    last_page: int | None = None

    @property
    def embedded(self):
        """What is embedded: the headings say what the text itself may not repeat."""
        return f"{self.heading}\n{self.text}" if self.heading else self.text

    def as_dict(self):
        """What the index stores of it, JSON-ready."""
        return asdict(self)


def split(documents, embedder, *, max_tokens=200, overlap=40):
    """Cuts documents into passages of whole sentences.

    A passage never reaches over a heading. It takes as many sentences as fit, and ends with a
    paragraph where that leaves it at least half full. A sentence that is too long by itself is cut
    between words. Heading lines are no text of a passage but its `heading`, which is embedded with
    it.

    Args:
        documents: a list of Document.
        embedder: an Embedder; its tokenizer counts.
        max_tokens: longest passage in tokens, without special tokens.
        overlap: tokens at the end of a passage that the next one may repeat, whole sentences only.

    Returns:
        A list of Passage.

    Raises:
        UserError: if passages would be longer than the model reads, or nothing but overlap.
    """
    readable = embedder.max_length - embedder.tokenizer.num_special_tokens_to_add()
    if not 0 < max_tokens <= readable:
        raise UserError(
            f"max_tokens: {embedder.name} reads passages of 1 to {readable} tokens; "
            f"received {max_tokens}"
        )
    if not 0 <= overlap < max_tokens:
        raise UserError(f"overlap: must be less than max_tokens, {max_tokens}; received {overlap}")
    passages = []
    for document in documents:
        for heading, start, end in _sections(document):
            part, longest = document.text[start:end], max_tokens
            if heading:
                above = embedder.tokenizer(heading, add_special_tokens=False, verbose=False)
                longest = max(1, min(max_tokens, readable - len(above["input_ids"])))
            shared = min(overlap, longest // 2)
            for first, last in _spans(part, embedder.tokenizer, longest, shared):
                where = start + first, start + last
                passages.append(
                    Passage(
                        document.text[slice(*where)],
                        document.file,
                        *where,
                        heading,
                        document.page(where[0]),
                        document.page(where[1] - 1),
                    )
                )
    return passages


def sentences(text):
    """Start and end of each sentence of a text, white space around it left out."""
    start, found = 0, []
    for end in [*(match.end() for match in END.finditer(text)), len(text)]:
        part = text[start:end]
        if part.strip():
            before = len(part) - len(part.lstrip())
            found.append((start + before, start + len(part.rstrip())))
        start = end
    return found


def _sections(document):
    """Yields heading path, start and end of each stretch of text between heading lines."""
    starts = [(0, 0, None), *document.headings]
    ends = [start for start, _, _ in starts[1:]] + [len(document.text)]
    for (_, start, heading), end in zip(starts, ends, strict=True):
        if document.text[start:end].strip():
            yield heading, start, end


def _spans(text, tokenizer, max_tokens, overlap):
    """Yields start and end of each passage of a text."""
    encoded = tokenizer(
        text, add_special_tokens=False, truncation=False, return_offsets_mapping=True, verbose=False
    )
    tokens = [start for start, _ in encoded["offset_mapping"]]

    def count(start, end):
        return bisect_left(tokens, end) - bisect_left(tokens, start)

    parts = [
        piece
        for sentence in sentences(text)
        for piece in _pieces(text, sentence, tokens, max_tokens, count)
    ]
    first = 0
    while first < len(parts):
        after = first + 1
        while after < len(parts) and count(parts[first][0], parts[after][1]) <= max_tokens:
            after += 1
        if after < len(parts):
            after = _paragraph_end(text, parts, first, after, count, max_tokens // 2)
        yield parts[first][0], parts[after - 1][1]
        if after == len(parts):
            return
        again = after
        while again - 1 > first and count(parts[again - 1][0], parts[after - 1][1]) <= overlap:
            again -= 1
        # What is repeated must leave room for something new.
        while again < after and count(parts[again][0], parts[after][1]) > max_tokens:
            again += 1
        first = again


def _pieces(text, sentence, tokens, max_tokens, count):
    """A sentence, cut where it is longer than a passage: before a word if there is one."""
    start, end = sentence
    while count(start, end) > max_tokens:
        first = bisect_left(tokens, start)
        cuts = [cut for cut in tokens[first + 1 : first + max_tokens + 1] if cut > start]
        if not cuts:  # one character of more tokens than a passage may have
            break
        between = [cut for cut in cuts if text[cut - 1].isspace()]
        cut = (between or cuts)[-1]
        yield start, start + len(text[start:cut].rstrip())
        start = cut
    yield start, end


def _paragraph_end(text, parts, first, after, count, least):
    """Where to end a passage that could hold the parts up to `after`: behind a paragraph."""
    for end in range(after, first, -1):
        if count(parts[first][0], parts[end - 1][1]) < least:
            break
        if PARAGRAPH.search(text, parts[end - 1][1], parts[end][0]):
            return end
    return after
