"""Tags of words: which schemes there are, and the entities that a row of tags marks.

| scheme | tags of a person of three words, of one word, and of no entity |
|---|---|
| BIO | `B-PER I-PER I-PER`, `B-PER`, `O` |
| BIOES | `B-PER I-PER E-PER`, `S-PER`, `O` |
| BILOU | `B-PER I-PER L-PER`, `U-PER`, `O` |
| BMES | `B-PER M-PER E-PER`, `S-PER`, `O` |
| IO | `I-PER I-PER I-PER`, `I-PER`, `O`; or `PER PER PER`, `PER`, `O` |

Source: Ramshaw and Marcus 1995, https://aclanthology.org/W95-0107; Ratinov and Roth 2009,
https://aclanthology.org/W09-1119.
"""

OUTSIDE = "O"
NO_TAG = -100  # where there is nothing to learn; PyTorch's losses skip it, too
# Other names of the positions of BIOES.
PREFIXES = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S", "M": "I"}


def mark_entities(labels):
    """Whether tags mark entities, rather than say of each word what it is (parts of speech).

    Args:
        labels: names of all tags.

    Returns:
        True if every tag but "O" has a prefix such as "B-", or if there is an "O".
    """
    return OUTSIDE in labels or all(_prefix(label) is not None for label in labels)


def as_bioes(tag):
    """A tag of any scheme with the prefixes of BIOES: "U-PER" is "S-PER", "PER" is "I-PER"."""
    if tag == OUTSIDE:
        return tag
    prefix = _prefix(tag)
    return f"I-{tag}" if prefix is None else f"{PREFIXES[prefix]}-{tag[2:]}"


def entities(tags):
    """The entities that a row of tags marks, as conlleval finds them.

    An entity that does not begin as its scheme demands (`O I-PER`) is one nevertheless.

    Args:
        tags: names of the tags of one row's words, of any scheme.

    Returns:
        A list of `(type, first word, last word)`, words counted from 0.
    """
    from seqeval.metrics.sequence_labeling import get_entities

    return [
        (kind, int(first), int(last))
        for kind, first, last in get_entities([as_bioes(tag) for tag in tags])
    ]


def targets_of(window, tags, labels, label_all_tokens):
    """The class that each sub-token of a window has to learn.

    Args:
        window: a `tfhf.data.token_windows.Window`; a sub-token of several windows learns in the
            one that owns it.
        tags: the classes of the row's words.
        labels: names of the classes.
        label_all_tokens: whether all sub-tokens of a word learn; else the first one does. Those
            after the first of a "B-" learn "I-", where there is one: they begin no entity.

    Returns:
        A list of indices into `labels`, `NO_TAG` where there is nothing to learn.
    """
    further = _continuations(labels)
    targets = [NO_TAG] * len(window.word)
    for place, word in enumerate(window.word):
        if window.is_owned[place] and window.is_first[place]:
            targets[place] = tags[word - 1]
        elif window.is_owned[place] and label_all_tokens:
            targets[place] = further[tags[word - 1]]
    return targets


def _continuations(labels):
    """The class of a word → that of its further sub-tokens."""
    place = {label: index for index, label in enumerate(labels)}
    return [
        place.get(f"I-{label[2:]}", index) if _prefix(label) == "B" else index
        for label, index in place.items()
    ]


def _prefix(tag):
    """The letter that says where in its entity a word stands, or None."""
    return tag[0] if tag[1:2] == "-" and tag[2:] and tag[0] in PREFIXES else None
