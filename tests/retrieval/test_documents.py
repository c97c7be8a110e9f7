"""Text, Markdown and PDF files as documents."""

import sys

import pytest

from tests.retrieval.conftest import GUIDE, pdf
from tfhf.errors import UserError
from tfhf.retrieval import read_documents


def test_a_folder_is_read_with_the_folders_in_it(documents):
    pytest.importorskip("pypdf")
    found = {one.file.rpartition("/")[2]: one for one in read_documents(documents)}
    assert list(found) == ["guide.md", "note.txt", "plan.pdf"]
    assert found["guide.md"].text == GUIDE
    assert found["note.txt"].text == "Café opens at nine.\r\n\r\nIt closes late."


def test_headings_are_those_of_markdown(documents):
    (guide,) = read_documents(documents / "guide.md")
    assert [path for _, _, path in guide.headings] == [
        "Returns",
        "Returns > Refunds",
        "Returns > Delivery",
    ]
    lines = [guide.text[start:end] for start, end, _ in guide.headings]
    assert lines == ["# Returns", "## Refunds", "Delivery\n--------"]
    assert guide.page(3) is None


def test_pages_are_those_of_the_pdf_file(documents):
    pytest.importorskip("pypdf")
    (plan,) = read_documents([documents / "plan.pdf"])
    assert plan.page(plan.text.index("Gold")) == 1
    assert plan.page(plan.text.index("stored in Paris.") + 15) == 1
    assert plan.page(plan.text.index("Silver")) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"caf\xe9", "is not UTF-8 (byte 3); save it as UTF-8"),
        ("a.md", b" \n", "is empty; leave it out"),
        ("a.docx", b"x", "want a file that ends in .txt, .text, .md, .markdown, .pdf"),
        ("a.pdf", b"no", "is no readable PDF file"),
        ("b.pdf", pdf([""]), "holds no text, only pictures of it; run text recognition on it"),
    ],
)
def test_files_that_cannot_be_read_are_named(name, content, message, tmp_path):
    if name.endswith("pdf"):
        pytest.importorskip("pypdf")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_documents(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value) and message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_hidden_files_are_left_out(documents):
    for name in (".cache/a.md", "inner/.note.txt"):
        (documents / name).parent.mkdir(exist_ok=True)
        (documents / name).write_text("hidden")
    (documents / "plan.pdf").unlink()
    assert len(read_documents(documents)) == 2


def test_a_damaged_pdf_file_is_one_line(documents, monkeypatch):
    pypdf = pytest.importorskip("pypdf")
    monkeypatch.setattr(pypdf.PageObject, "extract_text", lambda page: {}["/Length\nof it"])
    with pytest.raises(UserError) as caught:
        read_documents(documents / "plan.pdf")
    assert str(caught.value).endswith("plan.pdf is no readable PDF file: '/Length\\nof it'")


def test_a_missing_file_and_an_empty_folder_are_refused(tmp_path):
    for path, message in ((tmp_path / "no", "is no file or folder"), (tmp_path, "no file in")):
        with pytest.raises(UserError, match=message):
            read_documents(path)


def test_a_missing_pypdf_is_one_line(documents, monkeypatch):
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(UserError, match=r"need pypdf: pip install 'tfhf\[retrieval\]'"):
        read_documents(documents / "plan.pdf")
