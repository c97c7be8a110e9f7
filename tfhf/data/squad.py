"""Question-answering files as SQuAD 1.1 and 2.0 are downloaded: articles, paragraphs, questions.

Source: https://rajpurkar.github.io/SQuAD-explorer/.
"""

from tfhf.errors import UserError


def is_squad(value):
    """Whether a JSON value has the layout of SQuAD: `{"data": [{"paragraphs": [...]}]}`."""
    data = value.get("data") if isinstance(value, dict) else None
    return bool(data) and isinstance(data, list) and all(map(_has_paragraphs, data))


def squad_rows(value, path):
    """Lists the questions of a SQuAD file.

    Args:
        value: what the file holds; `is_squad` says yes.
        path: the file, for messages.

    Returns:
        A list of `{"id", "title", "context", "question", "answers"}`, where answers are
        `{"text": [...], "answer_start": [...]}`, empty for a question without an answer, and None
        where the file says nothing of answers.

    Raises:
        UserError: names the paragraph or question that is malformed.
    """
    rows = []
    for number, article in enumerate(value["data"], start=1):
        for place, paragraph in enumerate(article["paragraphs"], start=1):
            where = f"{path} article {number} paragraph {place}"
            context = _part(paragraph, "context", str, where)
            for question in _part(paragraph, "qas", list, where):
                row = {"id": None, "title": article.get("title"), "context": context}
                rows.append(row | _question(question, where))
    return rows


def _question(question, where):
    text = _part(question, "question", str, where)
    where = f"{where} question {question.get('id') or text[:60]!r}"
    answers = None
    if "answers" in question:
        given = _part(question, "answers", list, where)
        answers = {
            "text": [_part(one, "text", str, where) for one in given],
            "answer_start": [_part(one, "answer_start", int, where) for one in given],
        }
        if given and question.get("is_impossible"):
            raise UserError(f"{where}: is_impossible is true, but there are answers; correct one")
    return {"id": question.get("id"), "question": text, "answers": answers}


def _has_paragraphs(article):
    return isinstance(article, dict) and isinstance(article.get("paragraphs"), list)


def _part(value, name, kind, where):
    """One named part of an object, of the kind it must be."""
    part = value.get(name) if isinstance(value, dict) else None
    if not isinstance(part, kind):
        called = {str: "a text", list: "a list", int: "a whole number"}[kind]
        raise UserError(f"{where}: expected {name!r} to be {called}, received {str(part)[:60]!r}")
    return part
