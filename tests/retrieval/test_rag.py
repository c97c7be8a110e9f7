"""recipes/rag.py: files in, answers with the place they come from out."""

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "recipes" / "rag.py"


def test_every_quote_stands_where_its_citation_says(tiny_bert_folder, tmp_path, capsys):
    pytest.importorskip("faiss")
    script = runpy.run_path(str(SCRIPT))
    answers = script["main"](folder=tmp_path, model=str(tiny_bert_folder), max_tokens=24)
    printed = capsys.readouterr().out
    assert len(answers) == len(script["QUESTIONS"])
    for answer in answers:
        (citation,) = answer.citations
        text = Path(citation.file).read_text(encoding="utf-8")
        assert text[citation.start : citation.end] == citation.quote == answer.text
        assert citation.place() in printed
    assert (tmp_path / "index" / "index.json").is_file()
