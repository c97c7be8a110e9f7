"""Texts as HTML, with what matters in them marked: entities, answers, classes."""

from itertools import pairwise
from typing import NamedTuple

AROUND = 160  # characters of a long text that are kept on each side of a mark


class Span(NamedTuple):
    """A place in a text, in characters: `kinds` are CSS classes, `label` is shown behind it."""

    start: int
    end: int
    kinds: str
    label: str = ""


def breakable(name):
    """A class name that may wrap after its underscores."""
    from markupsafe import Markup, escape

    return escape(name).replace("_", Markup("_<wbr>"))


def labels(value):
    """A label, several of them, or a number, as a cell of a table shows them."""
    from markupsafe import Markup

    if isinstance(value, int | float):
        return Markup(f"{value:,.3f}")
    names = [value] if isinstance(value, str) else value
    if not names:
        return Markup("<i>none</i>")
    return Markup(", ").join(Markup("<bdi>{}</bdi>").format(breakable(name)) for name in names)


def marked(text, spans):
    """A text with its spans marked; spans may overlap.

    Args:
        text: the text.
        spans: list of `Span`.

    Returns:
        Markup in which everything of the text is escaped.
    """
    from markupsafe import Markup, escape

    spans = [span for span in spans if 0 <= span.start < span.end <= len(text)]
    cuts = sorted({0, len(text), *(cut for span in spans for cut in span[:2])})
    parts = []
    for start, end in pairwise(cuts):
        here = [span for span in spans if span.start <= start and end <= span.end]
        part = escape(text[start:end])
        if here:
            kinds = " ".join(dict.fromkeys(kind for span in here for kind in span.kinds.split()))
            ended = [span.label for span in here if span.end == end and span.label]
            note = Markup(" <small>{}</small>").format(" ".join(ended)) if ended else ""
            part = Markup('<mark class="{}">{}{}</mark>').format(kinds, part, note)
        parts.append(part)
    return Markup("").join(parts)


def excerpt(text, spans, longest=600):
    """The parts of a text around its spans, marked; the whole text where it is short.

    Args:
        text: the text.
        spans: list of `Span`; without any, the text's beginning is shown.
        longest: characters up to which a text is short.
    """
    from markupsafe import Markup

    spans = [span for span in spans if 0 <= span.start < span.end <= len(text)]
    if len(text) <= longest:
        return marked(text, spans)
    if not spans:
        return marked(text[: 2 * AROUND], []) + "…"
    parts, shown = [], 0
    for start, end in _windows(spans, len(text)):
        # A text with marks everywhere is cut as any other.
        end = min(end, start + longest - shown)
        inside = [
            span._replace(start=span.start - start, end=span.end - start)
            for span in spans
            if start <= span.start and span.end <= end
        ]
        before, after = "…" if start else "", "…" if end < len(text) else ""
        parts.append(before + marked(text[start:end], inside) + after)
        shown += end - start
        if shown >= longest:
            break
    return Markup(" ").join(parts)


def _windows(spans, length):
    """What is kept around the spans: `[start, end]`, from left to right, merged where they meet."""
    windows = []
    for start, end in sorted((span.start, span.end) for span in spans):
        start, end = max(0, start - AROUND), min(length, end + AROUND)
        if windows and start <= windows[-1][1]:
            windows[-1][1] = max(end, windows[-1][1])
        else:
            windows.append([start, end])
    return windows
