from pathlib import Path

import pytest

from tfhf.data import conll_rows, load
from tfhf.data.columns import Tags, Text, Words
from tfhf.data.tables import read_table
from tfhf.errors import UserError

NER = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

\t
Peter NNP B-NP B-PER\r
"""
UNIVERSAL = """# newdoc id = a
# sent_id = 1
# text = vámonos al mar
1-2	vámonos	_	_	_	_	_	_	_	_
1	vamos	ir	VERB	_	Number=Plur	0	root	_	_
2	nos	nosotros	PRON	_	_	1	obj	_	_
2.1	al	a	ADP	_	_	_	_	_	_
3	New York	New York	PROPN	NNP	_	1	obl	_	_

# sent_id = 2
1	#	#	SYM	_	_	0	root	_	_
"""


def line(name):
    with pytest.raises(UserError) as caught:
        read_table(Path(name))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_columns_between_spaces(write):
    read = read_table(Path(write("a.conll", NER.replace("\t", ""))))
    assert read.dataset.to_list() == [
        {
            "tokens": ["EU", "rejects"],
            "tags": ["B-ORG", "O"],
            "column2": ["NNP", "VBZ"],
            "column3": ["B-NP", "B-VP"],
        },
        {"tokens": ["Peter"], "tags": ["B-PER"], "column2": ["NNP"], "column3": ["B-NP"]},
    ]
    assert [read.where(row) for row in (0, 1)] == ["a.conll:3", "a.conll:7"]


@pytest.mark.parametrize("suffix", ["bio", "iob", "iob2", "bioes", "conll.gz"])
def test_words_between_tabs_may_hold_spaces(write, suffix):
    import gzip

    content = "New York\tB-LOC\n# 1\tO\n\nx\u00a0y\tO".encode()
    name = write(f"a.{suffix}", gzip.compress(content) if suffix.endswith("gz") else content)
    assert read_table(Path(name)).dataset.to_list() == [
        {"tokens": ["New York", "# 1"], "tags": ["B-LOC", "O"]},
        {"tokens": ["x\u00a0y"], "tags": ["O"]},
    ]


def test_only_spaces_part_words(write):
    name = write("a.conll", "a\u00a0b   O\n\u3000 O\n")
    assert read_table(Path(name)).dataset[0] == {
        "tokens": ["a\u00a0b", "\u3000"],
        "tags": ["O"] * 2,
    }


def test_comments_and_the_word_that_looks_like_one(write):
    content = "# id 7\tdomain=en\n# O\n1 B-x\n\n# a long comment\n#tag O\n"
    name = write("a.conll", content)
    assert read_table(Path(name)).dataset.to_list() == [
        {"tokens": ["#", "1"], "tags": ["O", "B-x"]},
        {"tokens": ["#tag"], "tags": ["O"]},
    ]


def test_words_alone_have_no_tags(write):
    assert read_table(Path(write("a.conll", "a\nb\n\nc\n"))).dataset.to_list() == [
        {"tokens": ["a", "b"]},
        {"tokens": ["c"]},
    ]


def test_universal_dependencies(write):
    read = read_table(Path(write("a.conllu", UNIVERSAL)))
    assert read.dataset.to_list() == [
        {
            "tokens": ["vamos", "nos", "New York"],
            "lemma": ["ir", "nosotros", "New York"],
            "upos": ["VERB", "PRON", "PROPN"],
            "xpos": ["_", "_", "NNP"],
            "feats": ["Number=Plur", "_", "_"],
            "text": "vámonos al mar",
        },
        {
            "tokens": ["#"],
            "lemma": ["#"],
            "upos": ["SYM"],
            "xpos": ["_"],
            "feats": ["_"],
            "text": None,
        },
    ]
    assert read.where(1) == "a.conllu:11"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.conll", "a O\n\nb\n", "a.conll:3: expected 2 columns between spaces, found 1"),
        ("a.bio", "a\tO\nb\tO\tx\n", "a.bio:2: expected 2 columns between tabs, found 3"),
        ("a.conllu", "1\ta\n", "a.conllu:1: expected 10 columns between tabs, found 2"),
        (
            "a.conllu",
            "x" + "\ta" * 9,
            "a.conllu:1: 'x' is no number of a word; CoNLL-U numbers the words of a sentence from "
            "1",
        ),
        ("a.conll", "-DOCSTART- O\n", "a.conll has no sentences"),
        ("a.conllu", "# nothing\n", "a.conllu has no sentences"),
        ("a.conll", b"caf\xe9 O\n", None),
    ],
)
def test_lines_that_cannot_be(write, name, content, expected):
    found = line(write(name, content))
    assert found == expected or found.startswith("a.conll: byte 0xe9 at line 1 is not UTF-8")


def test_sentences_in_several_batches(write, monkeypatch):
    monkeypatch.setattr(conll_rows, "AT_ONCE", 2)
    name = write("a.conll", "".join(f"w{i} O\n\n" for i in range(5)))
    assert read_table(Path(name)).dataset["tokens"][:] == [[f"w{i}"] for i in range(5)]


def test_conll_is_loaded_by_role(write):
    write("d/train.bio", "EU\tB-ORG\nsays\tO\n\nPeter\tB-PER\n")
    write("d/test.bio", "EU\tB-ORG\n")
    write("d/dev.bio", "EU\tO\n\nx\tB-LOC\n")
    kinds = {"tokens": Words(), "tags": Tags()}
    with pytest.raises(UserError) as caught:
        load(kinds, path="d")
    assert str(caught.value).startswith("d/dev.bio:3: unknown label 'B-LOC'; the labels are ['O', ")
    write("d/dev.bio", "EU\tO\n")
    found = load(kinds, path="d")
    assert found.splits["train"].features["tags"].feature.names == ["O", "B-ORG", "B-PER"]
    assert found.splits["test"][0] == {"tokens": ["EU"], "tags": [1]}


def test_parts_of_speech_and_text_of_universal_dependencies(write):
    name = write("a.conllu", UNIVERSAL.replace("# sent_id = 2", "# text = #"))
    kinds = {"tokens": Words(), "tags": Tags(), "text": Text(optional=True)}
    files = {"train": name, "validation": name}
    found = load(kinds, files=files, columns={"tags": "upos"}).splits["train"]
    assert found.features["tags"].feature.names == ["PRON", "PROPN", "SYM", "VERB"]
    assert found["text"][:] == ["vámonos al mar", "#"]
