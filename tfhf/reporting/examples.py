"""The table of examples: the rows a model got most wrong, as their form is best read."""

from pathlib import Path
from typing import NamedTuple

from tfhf.reporting.findings import final_split, mistakes, order_gaps
from tfhf.reporting.forms import shortened
from tfhf.reporting.marks import Span, excerpt, labels, marked
from tfhf.reporting.pictures import opened

TITLES = {
    "regression": "Largest errors",
    "similarity": "Pairs that stand furthest from their place in the order",
    "answers": "Worst answers",
    "tags": "Texts with the most mistakes",
    "texts": "Answers least like their references",
    "ranks": "Texts whose counterpart is found last",
    "blocks": "Passages that were hardest to predict",
}
NOTES = {
    "multi_label": "Probability: how sure the model was of the worst single decision in the row; "
    "for a label it missed, one minus the probability it gave it.",
    "similarity": "Shift: how much further up the row stands by the model's score than by the "
    "expected one, as a share of all rows; 1 is from the last place to the first.",
    "answers": "In the context, what was expected is underlined and what was answered is shaded. "
    "F1 counts the words that both share, from 0 to 1.",
    "tags": "A thick dashed border marks what only one side has: missed on the left, wrong on the "
    "right.",
    "texts": "chrF compares characters, from 0 to 100.",
    "ranks": "Rank: how far down the list of all candidates the expected one stands, from 1.",
    "choices": "What was expected is underlined and what was chosen is shaded.",
    "blocks": "Loss: the mean of the tokens that were predicted, in nats.",
}
ORDERED = ("regression", "similarity", "blocks")  # forms whose rows are not right or wrong


class Table(NamedTuple):
    """A table: `columns` are pairs (name, CSS class), `rows` lists of cells, of HTML or text."""

    title: str
    caption: str
    columns: list
    rows: list
    note: str


def table(record):
    """The examples of a run, or None where there are no predictions or none is wrong."""
    split = final_split(record.predictions)
    rows = record.predictions.get(split, [])
    form = record.form
    worst, wrong = mistakes(rows, form) if rows else ([], 0)
    if not worst:
        return None
    gaps = dict(zip(map(id, rows), order_gaps(rows), strict=True)) if form == "similarity" else {}
    roles = list(worst[0].inputs)
    columns = [(role.replace("_", " "), "text") for role in roles]
    columns += COLUMNS.get(form, LABELLED)
    cells = CELLS.get(form, _label_cells)
    shown = []
    for row in worst:
        asked = [_asked(role, row) for role in roles]
        given = cells(row, gaps[id(row)]) if gaps else cells(row)
        shown.append(asked + given)
    of = f"{wrong:,} {'rows' if form in ORDERED else 'wrong rows'} of the {split} split"
    caption = f"{len(worst)} of {of} ({len(rows):,} rows); long texts are cut"
    title = TITLES.get(form, "Most confident mistakes")
    return Table(title, caption, columns, shown, NOTES.get(form, ""))


def _asked(role, row):
    """An input as it was given; an image beside what is told of its name."""
    text = row.inputs.get(role, "")
    return _image(row) if role == "image" and text else marked(text, [])


def _image(row):
    """An image, small, and of its path the last folder and the name, which tell images apart."""
    from markupsafe import Markup

    from tfhf.data.image_files import thumbnail

    name = marked("/".join(Path(row.inputs["image"]).parts[-2:]), [])
    image = opened(row)
    if image is None:
        return name
    return Markup('<img class="small" src="{}" alt=""><br>{}').format(thumbnail(image), name)


LABELLED = [("expected", "label"), ("predicted", "label"), ("probability", "n")]
COLUMNS = {
    "regression": [("expected", "label"), ("predicted", "label"), ("error", "n")],
    "similarity": [("expected", "n"), ("model's score", "n"), ("shift", "n")],
    "choices": [("choices", "text"), ("probability", "n")],
    "answers": [
        *(("context", "text"), ("expected", "label"), ("answered", "label")),
        *(("F1", "n"), ("probability", "n")),
    ],
    "tags": [("expected", "text"), ("answered", "text"), ("mistakes", "n")],
    "texts": [("expected", "text"), ("answered", "text"), ("chrF", "n")],
    "ranks": [("expected", "text"), ("found first", "text"), ("rank", "n"), ("cosine", "n")],
    "blocks": [("loss", "n"), ("right tokens", "n"), ("tokens", "n")],
}


def _label_cells(row):
    from markupsafe import Markup

    said = _three(row.confidence)
    if row.worst:
        kind = "given" if row.worst in row.predicted else "missed"
        said += Markup('<br><span class="soft">{} {}</span>').format(row.worst, kind)
    return [labels(row.expected), labels(row.predicted), said]


def _number_cells(row):
    error = f"{row.predicted - row.expected:+.3f}"
    return [labels(row.expected), labels(row.predicted), error]


def _similarity_cells(row, gap):
    return [_three(row.expected), _three(row.predicted), f"{gap:+.2f}"]


def _choice_cells(row):
    from markupsafe import Markup

    facts, items = row.facts, []
    for place, choice in enumerate(map(shortened, facts["choices"])):
        kinds = [("expected", facts["right"]), ("answered", facts["chosen"])]
        kinds = " ".join(kind for kind, where in kinds if where == place)
        text = marked(choice, [Span(0, len(choice), kinds)] if kinds else [])
        items.append(Markup("<li>{}</li>").format(text))
    return [Markup("<ol>{}</ol>").format(Markup("").join(items)), _three(row.confidence)]


def _answer_cells(row):
    from markupsafe import Markup

    context, spans = row.facts["context"], []
    start, end = row.facts["place"]
    if row.predicted and isinstance(start, int) and isinstance(end, int):
        spans.append(Span(start, end, "answered"))
    for text in dict.fromkeys(row.expected):
        # Records hold no places of references: the first one in the text stands for it.
        place = context.find(text)
        if text and place >= 0:
            spans.append(Span(place, place + len(text), "expected"))
    nothing = Markup("<i>no answer</i>")
    expected = labels(list(dict.fromkeys(row.expected))) if row.expected else nothing
    answered = labels([shortened(row.predicted)]) if row.predicted else nothing
    figures = [_three(row.facts["f1"]), _three(row.confidence)]
    return [excerpt(context, spans), expected, answered, *figures]


def _tag_cells(row):
    tokens, text = row.facts["tokens"], " ".join(row.facts["tokens"])
    starts, place = [], 0
    for token in tokens:
        starts.append(place)
        place += len(token) + 1
    cells = []
    sides = [set(side) for side in row.facts["sides"]]
    for side, other in (sides, sides[::-1]):
        # Where every word has a tag, only the wrong ones are worth a mark.
        kept = side - other if row.facts["alone"] else side
        spans = [
            Span(
                starts[first],
                starts[last] + len(tokens[last]),
                "entity" if (kind, first, last) in other else "entity wrong",
                kind,
            )
            for kind, first, last in kept
            if last < len(tokens)
        ]
        cells.append(excerpt(text, spans))
    return [*cells, str(row.facts["wrong"])]


def _text_cells(row):
    from markupsafe import Markup

    expected = Markup("<br>or: ").join(map(shortened, dict.fromkeys(row.expected)))
    answered = shortened(row.predicted) if row.predicted.strip() else Markup("<i>nothing</i>")
    return [expected, answered, f"{row.facts['chrf']:.1f}"]


def _rank_cells(row):
    return [row.expected, row.predicted, f"{row.facts['rank']:,}", _three(row.confidence)]


def _block_cells(row):
    facts = row.facts
    share = "–" if facts["accuracy"] is None else f"{facts['accuracy']:.0%}"
    return [_three(facts["loss"]), share, f"{facts['tokens'] or 0:,.0f}"]


def _three(value):
    return "–" if value is None else f"{value:.3f}"


CELLS = {
    "regression": _number_cells,
    "similarity": _similarity_cells,
    "choices": _choice_cells,
    "answers": _answer_cells,
    "tags": _tag_cells,
    "texts": _text_cells,
    "ranks": _rank_cells,
    "blocks": _block_cells,
}
