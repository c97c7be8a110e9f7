"""What is unusual about rows that are right: repeated, leaked, one-sided, damaged before they came.

All of it may be meant, so a finding is a note, never an error; docs/data.md lists them. A note must
be right and worth a line: the thresholds here say from where on.
"""

from collections import Counter

import numpy as np

from tfhf.data import oddities
from tfhf.data.cells import is_text
from tfhf.data.duplicates import contradicting, keys_of, repeated
from tfhf.data.rows import AT_ONCE
from tfhf.data.scripts import count_scripts

REPEATED = 0.05  # of the training rows are the same as an earlier one
WITH_HTML = 0.01  # of the training rows
MISREAD = 0.001  # of the training rows; there is no reason for one
MAJORITY = 0.95  # of the training rows have one label
FEW = 5  # rows of a label, in a set of at least ENOUGH
ENOUGH = 100
SEEN = 0.001  # of the letters of a split are of a script


def survey(splits, asked, where):
    """Looks at every text, and at the labels.

    Args:
        splits: split → `datasets.Dataset` by role, train among them.
        asked: roles that tell a row from another: what a prediction would be asked. Empty where
            rows that are the same are nothing unusual (lines of prose).
        where: split → function from a row's number to its place.

    Returns:
        Split → facts, JSON-ready: `scripts` (name → share of letters), and where rows are told
        apart `repeated` and `in_train` (numbers of rows); and notes, one line each.
    """
    facts, keys, notes = {}, {}, []
    for split, dataset in splits.items():
        roles = text_roles(dataset)
        looked = _look(dataset, roles, [role for role in asked if role in roles])
        facts[split] = {"scripts": _shares(looked["scripts"])}
        if looked["keys"] is not None:
            keys[split] = looked["keys"]
            facts[split]["repeated"] = int(repeated(keys[split]).sum())
        if split == "train":
            notes += _odd_notes(looked, len(dataset), where["train"])
    if keys:
        notes += _repeated_notes(keys["train"], where["train"])
        for split in set(splits) - {"train"}:
            shared = np.isin(keys[split], keys["train"])
            facts[split]["in_train"] = int(shared.sum())
        notes += _leak_notes(keys, where)
    return facts, notes + _label_notes(splits["train"], keys.get("train"), where["train"])


def text_roles(dataset):
    """Roles whose values are texts, or hold some: lists of words, a chat's messages."""
    import datasets

    def holds_text(feature):
        if isinstance(feature, dict):
            return any(map(holds_text, feature.values()))
        if isinstance(feature, datasets.List):
            return holds_text(feature.feature)
        return isinstance(feature, datasets.Value) and feature.dtype == "string"

    return [role for role, feature in dataset.features.items() if holds_text(feature)]


def texts_in(value):
    """Yields the texts in a row's value: itself, or those of a list or an object."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts_in(inner)


def _look(dataset, roles, asked):
    """One pass over the texts of a split.

    Returns:
        `keys` (`(N,)` int64, or None), `scripts` (Counter), `constant` (role → its only text), and
        `odd` (Oddity → number of rows, first row, its match).
    """
    keys, scripts, constant = [], Counter(), dict.fromkeys(asked)
    odd = {one: [0, None, None] for one in (oddities.HTML, oddities.MISREAD, oddities.LOST)}
    rows = dataset.select_columns(roles).with_format("arrow")
    for start in range(0, len(dataset) if roles else 0, AT_ONCE):
        part = rows[start : start + AT_ONCE]
        texts = {role: _texts(part[role]) for role in roles}
        scripts.update(sum(map(count_scripts, texts.values()), Counter()))
        if asked:
            keys.append(keys_of([texts[role] for role in asked]))
        for role in list(constant):
            constant[role] = texts[role][0] if constant[role] is None else constant[role]
            if any(text != constant[role] for text in texts[role]):
                del constant[role]
        for oddity, found in odd.items():
            _collect(found, oddity, list(texts.values()), start)
    found = np.concatenate(keys) if keys else None
    return {"keys": found, "scripts": scripts, "constant": constant, "odd": odd}


def _texts(column):
    """One text for each row of an Arrow column: lists and objects end to end."""
    values = column.to_pylist()
    return values if is_text(column.type) else [" ".join(texts_in(value)) for value in values]


def _collect(found, oddity, columns, start):
    """Adds what some rows hold of an oddity to `found`: number, first row, its match."""
    masks = [oddities.holding(texts, oddity) for texts in columns]
    mask = np.any(masks, axis=0)
    if mask.any() and found[1] is None:
        row = int(mask.argmax())
        text = next(texts[row] for texts, one in zip(columns, masks, strict=True) if one[row])
        found[1:] = [start + row, oddities.example(text, oddity)]
    found[0] += int(mask.sum())


def _shares(scripts):
    """Script → share of the letters, the commonest first, without traces."""
    letters = max(scripts.total(), 1)
    shares = {name: round(count / letters, 4) for name, count in scripts.most_common()}
    return {name: share for name, share in shares.items() if share >= SEEN}


def _odd_notes(looked, rows, where):
    notes = [
        f"data.train: every row has the same {role}: {text[:40]!r}; nothing can be learned from it"
        for role, text in looked["constant"].items()
        if text is not None and rows > 1
    ]
    for oddity, least, words in (
        (oddities.HTML, WITH_HTML, _html_words),
        (oddities.MISREAD, MISREAD, _misread_words),
        (oddities.LOST, MISREAD, _lost_words),
    ):
        count, first, match = looked["odd"][oddity]
        if count and count >= least * rows:
            held, remedy = words(match)
            hold = "holds" if count == 1 else "hold"
            notes.append(
                f"data.train: {count:,} of {rows:,} rows {hold} {held} (first: {where(first)}); "
                f"{remedy}"
            )
    return notes


def _html_words(match):
    return f"HTML such as {match[:40]!r}", "take it out, unless what you will ask holds it, too"


def _misread_words(match):
    meant = oddities.reread(match)
    meaning = f", which is {meant!r}" if meant else ""
    return (
        f"{match!r}{meaning} in UTF-8 read as latin-1 or cp1252",
        "check data.encoding, or write the file anew from its source",
    )


def _lost_words(match):
    return (
        "U+FFFD, which stands for bytes that another program could not read",
        "write the file anew from its source",
    )


def _repeated_notes(keys, where):
    mask = repeated(keys)
    if mask.mean() < REPEATED or not mask.any():
        return []
    row = int(mask.argmax())
    first = int((keys == keys[row]).argmax())
    repeat = "repeats" if mask.sum() == 1 else "repeat"
    return [
        f"data.train: {mask.sum():,} of {len(keys):,} rows {repeat} an earlier one (first: "
        f"{where(row)} = {where(first)}), capitals and blanks aside; leave repeats out, unless "
        "they shall count more"
    ]


def _leak_notes(keys, where):
    notes = []
    for split in ("validation", "test"):
        if split not in keys:
            continue
        shared = np.isin(keys[split], keys["train"])
        if shared.any():
            row = int(shared.argmax())
            first = int((keys["train"] == keys[split][row]).argmax())
            stand = "stands" if shared.sum() == 1 else "stand"
            notes.append(
                f"data.{split}: {shared.sum():,} of {len(shared):,} rows {stand} in data.train, "
                f"too (first: {where[split](row)} = {where['train'](first)}) and can be answered "
                "from memory; keep each text in one split"
            )
    return notes


def _label_notes(train, keys, where):
    """What is unusual about the labels, where each row has one class or one number."""
    import datasets

    notes = []
    for role, feature in train.features.items():
        if isinstance(feature, datasets.ClassLabel):
            labels = _values(train, role)
            notes += _balance_notes(labels, feature.names)
            if keys is not None:
                notes += _contradiction_notes(keys, labels, feature.names, where)
        elif isinstance(feature, datasets.Value) and feature.dtype == "float32":
            numbers = _values(train, role)
            if len(numbers) > 1 and (numbers == numbers[0]).all():
                only = f"{role} {numbers[0]:g}"
                notes.append(f"data.train: every row has the {only}; there is nothing to learn")
    return notes


def _values(dataset, role):
    return dataset.select_columns([role]).with_format("arrow")[:][role].to_numpy()


def _balance_notes(labels, names):
    counts, notes = np.bincount(labels, minlength=len(names)), []
    share = counts.max() / len(labels)
    if share >= MAJORITY and (counts > 0).sum() > 1:
        notes.append(
            f"data.train: {share:.1%} of the rows have the label {names[counts.argmax()]!r}; "
            "whoever always says so is as often right, so look at f1_macro, not at accuracy"
        )
    rare = np.flatnonzero((counts > 0) & (counts < FEW))
    if len(rare) and len(labels) >= ENOUGH:
        shown = ", ".join(repr(names[number]) for number in rare[:5])
        more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
        have = "label has" if len(rare) == 1 else "labels have"
        notes.append(
            f"data.train: {len(rare)} {have} fewer than {FEW} rows ({shown}{more}), too few to "
            "learn from; find more, or join labels"
        )
    return notes


def _contradiction_notes(keys, labels, names, where):
    pairs = contradicting(keys, labels)
    if not pairs:
        return []
    row, other = pairs[0]
    texts = "1 text has" if len(pairs) == 1 else f"{len(pairs):,} texts have"
    return [
        f"data.train: {texts} different labels in different rows (first: {where(row)} "
        f"{names[labels[row]]!r}, {where(other)} {names[labels[other]]!r}); decide on one"
    ]
