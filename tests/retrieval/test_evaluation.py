"""Judged folders of BEIR's layout."""

import json

import pytest

from tfhf.errors import UserError
from tfhf.retrieval import Embedder, evaluate, read_judgements

CORPUS = [("d1", "gold in Paris"), ("d2", "silver in Rome"), ("d3", "copper and tin")]
QUERIES = [("q1", "where is gold"), ("q2", "copper Rome"), ("q3", "nobody asks")]
JUDGED = [("q1", "d1", 1), ("q2", "d2", 1), ("q2", "d3", 2), ("q3", "d1", 0)]


@pytest.fixture
def folder(tmp_path):
    for name, rows in (("corpus", CORPUS), ("queries", QUERIES)):
        lines = [json.dumps({"_id": one, "title": "Metal", "text": text}) for one, text in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    (tmp_path / "qrels").mkdir()
    lines = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in JUDGED)]
    (tmp_path / "qrels/test.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_queries_without_a_relevant_passage_are_not_counted(folder):
    judged = read_judgements(folder)
    assert list(judged.queries) == ["q1", "q2"]
    assert judged.relevant["q2"] == {"d2": 1.0, "d3": 2.0}
    assert judged.passages["d1"] == "gold in Paris"
    assert read_judgements(folder, titles=True).passages["d1"] == "Metal gold in Paris"


def test_metrics_of_a_folder(folder, embedder):
    values = evaluate(folder, embedder)
    assert values["mrr_at_10"] == values["recall_at_10"] == 1.0
    assert values["recall_at_1"] == 0.75
    assert 0.9 < values["ndcg_at_10"] <= 1.0


def test_what_does_not_belong_together_is_named(folder):
    file = folder / "qrels/test.tsv"
    file.write_text(file.read_text() + "q9\td1\t1\n")
    with pytest.raises(UserError, match=r"test.tsv:6: no query 'q9' or no passage 'd1'"):
        read_judgements(folder)
    file.write_text("query-id\tcorpus-id\tscore\nq1\td1\n")
    with pytest.raises(UserError, match="test.tsv:2: want query, passage and a number"):
        read_judgements(folder)
    file.unlink()
    with pytest.raises(UserError, match=r"none of qrels.test.tsv, qrels/test.tsv, qrels.tsv"):
        read_judgements(folder)
    for line in ('{"id": 1}', '{"_id": 1}', '{"_id": 1, "text": 2}', "[1]", "no"):
        (folder / "corpus.jsonl").write_text(line)
        with pytest.raises(UserError, match="corpus.jsonl:1: want an object with _id and text"):
            read_judgements(folder)
    (folder / "corpus.jsonl").write_text('{"_id": 1, "text": "a"}\n{"_id": "1", "text": "b"}')
    with pytest.raises(UserError, match="corpus.jsonl:2: the _id '1' comes twice"):
        read_judgements(folder)
    (folder / "corpus.jsonl").write_bytes(b'{"_id": 1, "text": "caf\xe9"}')
    with pytest.raises(UserError, match="corpus.jsonl:1: not UTF-8; save it as UTF-8"):
        read_judgements(folder)


def test_judgements_without_the_names_of_the_columns(folder):
    file = folder / "qrels/test.tsv"
    whole = read_judgements(folder)
    file.write_text(file.read_text().partition("\n")[2])
    assert read_judgements(folder) == whole


# As sentence-transformers measures it: benchmarks/retrieval.py --engine sentence-transformers.
THEIRS = {"ndcg_at_10": 0.82445, "mrr_at_10": 0.78291, "recall_at_10": 0.95146}


@pytest.mark.slow
def test_minilm_finds_what_it_finds_in_sentence_transformers(shared):
    values = evaluate(shared / "data/squad_retrieval", Embedder("minilm"))
    assert {name: values[name] for name in THEIRS} == pytest.approx(THEIRS, abs=0.002)
