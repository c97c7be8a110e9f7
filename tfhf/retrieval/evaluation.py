"""How well an embedding model finds what people judged relevant: folders as BEIR has them."""

import json
from dataclasses import dataclass
from pathlib import Path

from tfhf.errors import UserError


@dataclass(frozen=True)
class Judgements:
    """Passages, queries and which passages are relevant to which query.

    Attributes:
        passages: id → text.
        queries: id → text, of the queries that have a relevant passage.
        relevant: query id → {passage id: grade above 0}.
    """

    passages: dict
    queries: dict
    relevant: dict


def read_judgements(folder, split="test", *, titles=False):
    """Reads a folder of BEIR's layout.

    Args:
        folder: holds `corpus.jsonl` (`_id`, `title`, `text`), `queries.jsonl` or
            `queries.<split>.jsonl` (`_id`, `text`), and `qrels/<split>.tsv` or `qrels.<split>.tsv`
            with a header and the columns query, passage and grade.
        split: such as `test`.
        titles: whether a passage's title stands before its text.

    Returns:
        Judgements.

    Raises:
        UserError: if a file is missing, an id comes twice, or a judgement names what does not
            exist; names the row.

    Source: https://github.com/beir-cellar/beir/wiki/Load-your-custom-dataset
    """
    folder = Path(folder)
    passages = _texts(folder / "corpus.jsonl", titles)
    queries = _texts(_first(folder, split, "queries", "jsonl"))
    file, relevant = _first(folder, split, "qrels", "tsv"), {}
    for number, line in _lines(file):
        row = line.split("\t")
        if number == 1 and row[0] not in queries:
            continue  # the names of the columns
        try:
            query, passage, grade = row[0], row[1], float(row[2])
        except (IndexError, ValueError):
            raise UserError(f"{file}:{number}: want query, passage and a number") from None
        if query not in queries or passage not in passages:
            raise UserError(f"{file}:{number}: no query {query!r} or no passage {passage!r}")
        if grade > 0:
            relevant.setdefault(query, {})[passage] = grade
    if not relevant:
        raise UserError(f"{file}: no query has a relevant passage")
    return Judgements(passages, {query: queries[query] for query in relevant}, relevant)


def evaluate(folder, embedder, *, split="test", titles=False):
    """Searches all passages for every query, exactly, and measures what comes first.

    Args:
        folder, split, titles: as for `read_judgements`.
        embedder: an Embedder.

    Returns:
        `ndcg_at_10`, `mrr_at_10`, `recall_at_1`, `recall_at_5` and `recall_at_10`, each in [0, 1].
    """
    judged = read_judgements(folder, split, titles=titles)
    passages = embedder.passages(judged.passages.values())
    queries = embedder.queries(judged.queries.values())

    from tfhf.learning import retrieval_metrics

    numbers = {name: number for number, name in enumerate(judged.passages)}
    return retrieval_metrics.Ranking().compute(
        predictions=retrieval_metrics.nearest(queries, passages),
        references=[[numbers[one] for one in ones] for ones in judged.relevant.values()],
        grades=[list(ones.values()) for ones in judged.relevant.values()],
    )


def _first(folder, split, name, suffix):
    """The first of a file's usual places that is there."""
    usual = [f"{name}.{split}.{suffix}", f"{name}/{split}.{suffix}", f"{name}.{suffix}"]
    found = [folder / one for one in usual if (folder / one).is_file()]
    if not found:
        raise UserError(f"{folder}: none of {', '.join(usual)} is there")
    return found[0]


def _texts(file, titles=False):
    """Id → text of the rows of a JSONL file."""
    found = {}
    for number, line in _lines(file):
        try:
            row = json.loads(line)
            name, text, title = str(row["_id"]), row["text"], row.get("title")
        except (ValueError, KeyError, TypeError):
            text = None
        if not isinstance(text, str):
            raise UserError(f"{file}:{number}: want an object with _id and text")
        if name in found:
            raise UserError(f"{file}:{number}: the _id {name!r} comes twice")
        found[name] = f"{title} {text}".strip() if titles and title else text
    return found


def _lines(file):
    """Yields `(number, line)` for the lines of a file that are not blank."""
    if not file.is_file():
        raise UserError(f"{file} is missing")
    with open(file, "rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                raise UserError(f"{file}:{number}: not UTF-8; save it as UTF-8") from None
            if text.strip():
                yield number, text
