"""The forms that rows of `predictions/<split>.jsonl` have, told by the fields they hold.

A report asks which form the rows have, never which task wrote them: a new task whose rows have a
known form has its plots and its table of examples at once.

| form | fields of a row beside its inputs |
|---|---|
| `single_label` | `expected`, `label`: names; `score` or `probabilities` |
| `multi_label` | `expected`, `label`: lists of names; `probabilities` |
| `regression` | `expected`, `score`: numbers |
| `similarity` | the same, where the run has no errors of numbers among its metrics |
| `choices` | `choices`, `expected`, `choice` (a position), `score` |
| `answers` | `context`, `expected` (texts; none: no answer), `answer`, `start`, `end`, `score` |
| `tags` | `tokens`, `expected`, `tags`: lists of equal length |
| `texts` | `expected` (texts), and `generated_text` or another field ending in `_text` |
| `ranks` | `expected`, `found`, `rank`, `score` |
| `blocks` | `text`, `tokens`, `loss`, `accuracy`; nothing is expected |
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tfhf.reporting.values import number, section

LONGEST_TEXT = 600  # characters of an example that a report keeps
RESULT_KEYS = (
    *("expected", "label", "score", "probabilities", "choice", "answer", "tags", "entities"),
    *("rank", "found", "tokens", "loss", "accuracy", "row", "thumbnail"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One predicted example.

    `expected` and `predicted` are a label, a tuple of labels (multi-label, tags), a float
    (regression), a text, or for `expected` a tuple of texts (answers). `confidence` is the
    probability of what was predicted; for several labels, that of the worst wrong decision, which
    `worst` names. `facts` is what a form knows beside it. `length` counts the characters of the
    texts that were asked with, before they are cut.
    """

    inputs: dict
    expected: object
    predicted: object
    confidence: float | None
    worst: str = ""
    facts: dict = field(default_factory=dict)
    length: int = 0

    @property
    def expected_labels(self):
        """The expected labels, also where there is always one, as a tuple."""
        return self.expected if isinstance(self.expected, tuple) else (self.expected,)


class Form(NamedTuple):
    """One form: its name, whether a row (a dict) has it, and how a `Row` is made of it."""

    name: str
    fits: Callable
    read: Callable


def read(rows):
    """Reads the rows of a predictions file.

    Args:
        rows: iterable of dictionaries; those of no form, or of another form than the first, are
            left out.

    Returns:
        The form's name, or None, and a list of `Row`.
    """
    form, found = None, []
    for row in rows:  # one after the other: a file may hold more than fits into memory
        fitting = form_of(row)
        form = form or fitting
        if fitting is not None and fitting is form:
            one = form.read(row)
            found.append(replace(one, length=_length(row, one)))
    return None if form is None else form.name, found


def form_of(row):
    """The `Form` of one row, or None."""
    return next((form for form in FORMS if form.fits(row)), None)


def badness(row, form):
    """How wrong a row is, larger for worse, or None where it is right or cannot be told."""
    facts = row.facts
    if form == "blocks":
        return facts["loss"]
    if form == "regression":
        return None if row.predicted is None else abs(row.predicted - row.expected)
    if form == "answers":
        return None if facts["f1"] == 1 else (1 - facts["f1"], row.confidence or 0)
    if form == "ranks":
        return facts["rank"] if facts["rank"] > 1 else None
    if form == "texts":
        return None if facts["exact"] else 100 - facts["chrf"]
    if form == "tags":
        return facts["wrong"] or None
    if form == "multi_label" and set(row.expected) == set(row.predicted):
        return None
    if row.expected == row.predicted:
        return None
    return -1 if row.confidence is None else row.confidence


def _inputs(row):
    """The texts a row asks with."""
    return {
        role: shortened(text)
        for role, text in row.items()
        if role not in RESULT_KEYS and isinstance(text, str)
    }


def _length(row, read):
    texts = [row[role] for role in (*read.inputs, "context") if isinstance(row.get(role), str)]
    return sum(map(len, texts or read.facts.get("tokens", ())))


def shortened(text):
    """A text of at most `LONGEST_TEXT` characters; an ellipsis stands for its rest."""
    return text[:LONGEST_TEXT] + "…" if len(text) > LONGEST_TEXT else text


def _is_list(row, *keys):
    return all(isinstance(row.get(key), list) for key in keys)


def _read_class(row):
    predicted, confidence = row.get("label"), number(row.get("score"))
    if confidence is None:
        confidence = number(section(row, "probabilities").get(predicted))
    facts = _thumbnail(row) | _probabilities(row)
    return Row(_inputs(row), str(row["expected"]), str(predicted), confidence, "", facts)


def _read_labels(row):
    given = row.get("label") if isinstance(row.get("label"), list) else []
    expected, predicted = tuple(map(str, row["expected"])), tuple(map(str, given))
    wrong = {
        label: number(p) if label in predicted else 1 - number(p)
        for label, p in section(row, "probabilities").items()
        if (label in expected) != (label in predicted) and number(p) is not None
    }
    worst = max(wrong, key=wrong.get, default="")
    facts = _thumbnail(row) | _probabilities(row)
    return Row(_inputs(row), expected, predicted, wrong.get(worst), worst, facts)


def _probabilities(row):
    """The probability of each class, where the row holds numbers only."""
    given = {label: number(value) for label, value in section(row, "probabilities").items()}
    return {"probabilities": given} if given and None not in given.values() else {}


def _thumbnail(row):
    """The small copy of an image that has no file of its own, if the row holds one."""
    thumbnail = row.get("thumbnail")
    return {"thumbnail": thumbnail} if str(thumbnail).startswith("data:image/") else {}


def _is_number(row):
    return number(row.get("expected")) is not None and not isinstance(row.get("label"), str)


def _read_number(row):
    value = number(row["label"]) if row.get("label") is not None else number(row.get("score"))
    return Row(_inputs(row), float(row["expected"]), value, None)


def _read_choice(row):
    expected, choices = str(row["expected"]), list(map(str, row["choices"]))
    facts = {"choices": choices, "chosen": row.get("choice")}
    facts["right"] = choices.index(expected) if expected in choices else None
    return Row(_inputs(row), expected, str(row.get("label")), number(row.get("score")), "", facts)


def _read_answer(row):
    from tfhf.learning.answers import nearest

    expected = tuple(map(str, row["expected"]))
    exact, f1 = nearest(row["answer"], expected)
    facts = {"f1": f1, "exact": exact, "context": row["context"]}
    facts["place"] = (row.get("start"), row.get("end"))
    inputs = {role: text for role, text in _inputs(row).items() if role != "context"}
    return Row(inputs, expected, row["answer"], number(row.get("score")), "", facts)


def _read_tags(row):
    from tfhf.learning import tagging

    expected, predicted = tuple(map(str, row["expected"])), tuple(map(str, row["tags"]))
    # Whether tags mark entities is told by all names; a row without "O" may be nothing but one.
    alone = not tagging.mark_entities([*expected, *predicted])
    sides = [_tagged_words(tags) if alone else _entities(tags) for tags in (expected, predicted)]
    facts = {"tokens": list(map(str, row["tokens"])), "sides": sides, "alone": alone}
    facts["wrong"] = len(set(sides[0]) ^ set(sides[1]))
    return Row({}, expected, predicted, None, "", facts)


def _entities(tags):
    from tfhf.learning import tagging

    return tagging.entities(tags)


def _tagged_words(tags):
    return [(tag, place, place) for place, tag in enumerate(tags)]


def _text_field(row):
    return next((key for key in row if key.endswith("_text") and key != "text"), None)


def _read_text(row):
    key = _text_field(row)
    answer = row[key][0] if isinstance(row[key], list) and row[key] else row[key]
    answer, expected = str(answer), tuple(map(str, row["expected"]))
    exact = answer.strip() in [text.strip() for text in expected]
    chrf = _chrf().sentence_score(answer, expected or ("",)).score
    inputs = {role: text for role, text in _inputs(row).items() if role != key}
    return Row(inputs, expected, answer, None, "", {"exact": exact, "chrf": chrf})


@functools.cache
def _chrf():
    from sacrebleu.metrics import CHRF

    return CHRF()


def _read_rank(row):
    facts = {"rank": int(row["rank"]), "found": shortened(str(row["found"]))}
    expected = shortened(str(row["expected"]))
    return Row(_inputs(row), expected, facts["found"], number(row.get("score")), "", facts)


def _read_block(row):
    facts = {key: number(row.get(key)) for key in ("row", "tokens", "loss", "accuracy")}
    return Row(_inputs(row), None, None, None, "", facts)


FORMS = (
    Form("blocks", lambda row: {"tokens", "loss"} <= {*row} and "expected" not in row, _read_block),
    Form("choices", lambda row: _is_list(row, "choices") and "expected" in row, _read_choice),
    Form(
        "answers",
        lambda row: (
            _is_list(row, "expected")
            and isinstance(row.get("answer"), str)
            and isinstance(row.get("context"), str)
        ),
        _read_answer,
    ),
    Form("tags", lambda row: _is_list(row, "expected", "tags", "tokens"), _read_tags),
    Form("ranks", lambda row: number(row.get("rank")) is not None and "found" in row, _read_rank),
    Form("texts", lambda row: _is_list(row, "expected") and bool(_text_field(row)), _read_text),
    Form("multi_label", lambda row: _is_list(row, "expected"), _read_labels),
    Form("regression", _is_number, _read_number),
    Form("single_label", lambda row: row.get("expected") is not None, _read_class),
)
