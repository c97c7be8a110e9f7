"""Documents cut into passages that know their place."""

import pytest

from tfhf.errors import UserError
from tfhf.retrieval import Document, read_documents, split
from tfhf.retrieval.passages import sentences


def tokens(embedder, text):
    return len(embedder.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def test_sentences():
    text = 'One. Two is "here." Three?\n\nno stop\n  \n日本。東京！」Last 3.5 of it…'
    found = [text[start:end] for start, end in sentences(text)]
    assert found == [
        "One.", 'Two is "here."', "Three?", "no stop", "日本。", "東京！」", "Last 3.5 of it…",
    ]  # fmt: skip
    assert sentences(" \n ") == []


def test_passages_are_parts_of_their_document(documents, embedder):
    (guide,) = read_documents(documents / "guide.md")
    passages = split([guide], embedder, max_tokens=24, overlap=0)
    for passage in passages:
        assert passage.text == guide.text[passage.start : passage.end]
        assert tokens(embedder, passage.text) <= 24
    headings = [passage.heading for passage in passages]
    assert list(dict.fromkeys(headings)) == [
        None,
        "Returns",
        "Returns > Refunds",
        "Returns > Delivery",
    ]
    assert passages[-1].embedded == f"Returns > Delivery\n{passages[-1].text}"
    text = guide.text
    for start, end, _ in reversed(guide.headings):
        text = text[:start] + text[end:]
    kept = "".join("".join(passage.text.split()) for passage in passages)
    assert kept == "".join(text.split())  # nothing lost, nothing twice


def test_passages_overlap_by_whole_sentences(embedder):
    words = ["lovely", "dull", "story", "film", "cold", "warm"]
    text = " ".join(f"a {word}." for word in words)  # three tokens each
    document = Document("a.txt", text)
    found = [one.text for one in split([document], embedder, max_tokens=9, overlap=3)]
    assert found == [
        "a lovely. a dull. a story.",
        "a story. a film. a cold.",
        "a cold. a warm.",
    ]
    alone = [one.text for one in split([document], embedder, max_tokens=9, overlap=0)]
    assert alone == ["a lovely. a dull. a story.", "a film. a cold. a warm."]


def test_a_passage_ends_with_a_paragraph_if_it_can(embedder):
    text = "a film. a story.\n\na cold film. a warm film."
    found = [one.text for one in split([Document("a", text)], embedder, max_tokens=11, overlap=0)]
    assert found == ["a film. a story.", "a cold film. a warm film."]


def test_a_long_sentence_is_cut_between_words(embedder):
    text = "a lovely story and a great film and a dull story."
    found = split([Document("a.txt", text)], embedder, max_tokens=4, overlap=2)
    assert [one.text for one in found] == [
        "a lovely story and",
        "a great film and",
        "a dull story.",
    ]
    assert all(text[one.start : one.end] == one.text for one in found)
    word = split([Document("a.txt", "zzzzzzzzzz")], embedder, max_tokens=4, overlap=0)
    assert [one.text for one in word] == ["zzzz", "zzzz", "zz"]


def test_pages_are_known(embedder):
    document = Document("a.pdf", "a film. a story.\n\na film.", pages=(0, 8))
    first, second = split([document], embedder, max_tokens=6, overlap=0)
    assert (first.page, first.last_page) == (1, 2)
    assert (second.page, second.last_page) == (2, 2)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"max_tokens": 31}, "max_tokens: word counts reads passages of 1 to 30 tokens"),
        ({"max_tokens": 10, "overlap": 10}, "overlap: must be less than max_tokens, 10"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes, message, embedder):
    with pytest.raises(UserError, match=message):
        split([Document("a.txt", "a")], embedder, **sizes)
