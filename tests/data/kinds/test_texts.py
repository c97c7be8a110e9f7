import json

import pytest
from datasets import List, Value

from tfhf.data.columns import Text, Texts, Words

TEXTS = List(Value("string"))


def rows(*values):
    return [{"choices": value} for value in values]


def csv(*cells):
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    return "id,choices\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(quoted))


def test_blank_lines_are_nothing_unusual_in_prose(write, loaded):
    kinds = {"text": Text(blank=True)}
    given = [{"text": "a "}, {"text": ""}, {"text": " b"}]
    found = loaded(kinds, given)
    assert found.splits["train"]["text"][:] == ["a ", "", " b"]
    assert found.notes == []
    found = loaded(kinds, given, on_empty="drop")
    assert found.splits["train"]["text"][:] == ["a ", " b"]
    assert found.notes[0].endswith("(first: a.jsonl:2); left out")


def test_lists_of_texts(loaded):
    found = loaded({"choices": Texts()}, rows(["a", "b"], ["c"])).splits["train"]
    assert found.features["choices"] == TEXTS
    assert found["choices"][:] == [["a", "b"], ["c"]]
    assert found.cache_files  # memory-mapped


def test_lists_of_texts_in_csv_are_json(loaded, fails):
    found = loaded({"choices": Texts()}, csv('["a, b", "c"]', ' ["d"] '))
    assert found.splits["train"]["choices"][:] == [["a, b", "c"], ["d"]]
    assert found.splits["train"].features["choices"] == TEXTS
    for cell in ("plain text", '"text"', "[1, 2]", '{"a": 1}', "[]x"):
        assert fails({"choices": Texts()}, csv('["a"]', cell)) == (
            f"a.csv row 2: column 'choices' (choices) holds {cell!r}, not a list of texts; write "
            'it as JSON, such as ["one", "two"]'
        )
    assert fails({"choices": Texts()}, csv('["a"]', "")) == (
        "data.train: 1 of 2 rows has no list of texts in column 'choices' (first: a.csv row 2); "
        "write one or remove them"
    )


@pytest.mark.parametrize(
    "given",
    [
        rows("a", "b c"),
        rows(["a"], ["b c"]),
        rows("a", ["b c"]),  # mixed in one file
        csv("a", "b c"),
        csv('["a"]', "b c"),
    ],
)
def test_a_plain_text_may_be_a_list_of_one(loaded, given):
    found = loaded({"choices": Texts(single=True)}, given).splits["train"]
    assert found["choices"][:] == [["a"], ["b c"]]
    assert found.features["choices"] == TEXTS


def test_a_plain_text_stays_what_it_is(train):
    cells = ("[1] is a citation", '"quoted"', "[sic", "7")
    found = train({"choices": Texts(single=True)}, csv(*cells))
    assert [row["choices"] for row in found] == [[cell] for cell in cells]


def test_a_plain_text_is_no_list_unless_asked_for(fails):
    assert fails({"choices": Texts()}, rows("a", "b")) == (
        "data.columns: column 'choices' (choices) has type text, not list of text (a.jsonl:1: a); "
        "name the column of lists of texts"
    )
    assert fails({"choices": Texts()}, rows("a", ["b"])) == (
        "a.jsonl: 'choices' is text on line 1, list of text on line 2; write one type throughout"
    )


def test_one_split_may_have_one_text_and_another_several(loaded):
    columns = {"text": ["summary", "summaries"]}
    found = loaded(
        {"text": Texts(single=True)},
        [{"summary": "a"}, {"summary": "b"}],
        test=[{"summaries": ["c", "d"]}],
        columns=columns,
    )
    assert {str(split.features) for split in found.splits.values()} == {f"{{'text': {TEXTS}}}"}
    assert found.splits["test"]["text"][:] == [["c", "d"]]


def test_none_of_the_named_columns(fails):
    assert fails({"text": Texts()}, rows(["a"]), columns={"text": ["summary", "summaries"]}) == (
        "a.jsonl: column 'summary' (text) not found; expected columns ['summary', 'summaries'], "
        "found columns ['choices']; set data.columns"
    )
    assert fails({"text": Texts()}, rows(["a"]), columns={"text": []}) == (
        "data.columns.text: expected a column name or a list of them, received []"
    )


def test_several_columns_hold_the_texts_together(loaded, fails):
    columns = {"choices": ["first", "others"]}
    found = loaded(
        {"choices": Texts(least=2)},
        [{"first": "a", "others": ["b", "c"]}, {"first": None, "others": ["d", "e"]}],
        columns=columns,
    )
    assert found.splits["train"]["choices"][:] == [["a", "b", "c"], ["d", "e"]]
    given = [{"first": "a", "others": 3}]
    assert fails({"choices": Texts()}, given, columns=columns) == (
        "data.columns.choices: column 'others' of a.jsonl has type number, not text or list of text"
    )
    given = [{"first": "a", "others": "b"}]
    columns = {"choices": ["first", "other"]}
    assert fails({"choices": Texts()}, given, columns=columns) == (
        "data.columns.choices: no split has a column 'other'; did you mean 'others'?"
    )


def test_too_few_texts(fails):
    expected = "column 'choices' (choices) holds 1 text, expected at least 2"
    assert fails({"choices": Texts(least=2)}, rows(["a", "b"], ["c"])) == f"a.jsonl:2: {expected}"
    assert fails({"choices": Texts()}, rows(["a"], [])) == (
        "a.jsonl:2: column 'choices' (choices) holds 0 texts, expected at least 1"
    )


def test_null_among_texts(fails):
    assert fails({"choices": Texts()}, rows(["a"], ["b", None])) == (
        "a.jsonl:2: column 'choices' (choices) holds null among its texts; write a text or remove "
        "it"
    )
    assert fails({"choices": Texts(single=True)}, rows("a", None)) == (
        "data.train: 1 of 2 rows has no list of texts in column 'choices' (first: a.jsonl:2); "
        "write one or remove them"
    )


def test_blank_texts_of_a_list_are_told(loaded):
    found = loaded({"choices": Texts()}, rows(["a", " "], ["b"]))
    assert found.notes[0] == (
        "data.train: 1 of 2 rows has an empty text in column 'choices' (first: a.jsonl:1); kept; "
        "data.on_empty: drop leaves them out"
    )
    found = loaded({"choices": Texts(single=True)}, csv("", "b"), on_empty="drop")
    assert found.splits["train"]["choices"][:] == [["b"]]


def test_numbers_are_no_texts(fails):
    assert fails({"choices": Texts()}, rows([1, 2])) == (
        "data.columns: column 'choices' (choices) has type list of number, not list of text "
        "(a.jsonl:1: [1, 2]); name the column of lists of texts"
    )


def test_words(loaded):
    found = loaded({"tokens": Words()}, [{"tokens": ["New York", "\u200b", " "]}]).splits["train"]
    assert found["tokens"][:] == [["New York", "\u200b", " "]]
    assert found.features["tokens"] == TEXTS


def test_words_of_csv(train):
    table = 'tokens\n"[""a"", ""b""]"\n'
    assert train({"tokens": Words()}, table) == [{"tokens": ["a", "b"]}]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (
            ["a", "", "b"],
            "a.jsonl:2: word 2 of column 'tokens' (tokens) is empty; remove it, and its tag",
        ),
        ([], "a.jsonl:2: column 'tokens' (tokens) holds no words; remove the row"),
        (
            [None],
            "a.jsonl:2: column 'tokens' (tokens) holds null among its words; write a text or "
            "remove it",
        ),
        (
            None,
            "data.train: 1 of 3 rows has no list of words in column 'tokens' (first: a.jsonl:2); "
            "write one or remove them",
        ),
    ],
)
def test_words_that_cannot_be(fails, tokens, expected):
    given = [{"tokens": one} for one in (["a"], tokens, ["b"])]
    assert fails({"tokens": Words()}, given) == expected


def test_a_text_is_no_list_of_words(fails):
    assert fails({"tokens": Words()}, [{"tokens": "a b"}]) == (
        "data.columns: column 'tokens' (tokens) has type text, not list of text (a.jsonl:1: a b); "
        "name the column of lists of words"
    )


def test_invalid_unicode_in_a_list(folder, fails):
    import numpy as np
    import pyarrow as pa

    from tfhf.data import load
    from tfhf.errors import UserError

    offsets = pa.py_buffer(np.array([0, 1, 4], np.int32).tobytes())
    bad = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"a\xed\xa0\x80")])
    table = pa.table({"tokens": pa.ListArray.from_arrays([0, 1, 2], bad)})
    with pa.ipc.new_file("a.arrow", table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(UserError) as caught:
        load({"tokens": Words()}, files={"train": "a.arrow"})
    assert str(caught.value) == (
        "a.arrow row 2: column 'tokens' is not valid Unicode: byte 0xed (half a surrogate pair, or "
        "text in another encoding); rewrite it as UTF-8"
    )


def test_values_inside_objects(loaded, fails):
    given = [{"translation": {"en": "a", "de": "b"}}, {"translation": {"en": "c", "de": "d"}}]
    kinds = {"source": Text(), "target": Texts(single=True)}
    columns = {"source": "translation.en", "target": "translation.de"}
    found = loaded(kinds, given, columns=columns).splits["train"]
    assert found[:] == {"source": ["a", "c"], "target": [["b"], ["d"]]}
    assert fails(kinds, given, columns=columns | {"source": "translation.e"}) == (
        "a.jsonl: column 'translation.e' (source) not found; expected columns ['translation.e', "
        "'translation.de'], found columns ['translation']; set data.columns; did you mean "
        "'translation.en'?"
    )
    assert fails(kinds, [*given, {"translation": None}], columns=columns) == (
        "data.train: 1 of 3 rows has no text in column 'translation.en' (first: a.jsonl:3); write "
        "a text or remove them"
    )


def test_a_column_with_a_dot_in_its_name(train):
    given = [{"a.b": "x", "a": {"b": "y"}}]
    assert train({"text": Text()}, given, columns={"text": "a.b"}) == [{"text": "x"}]


def test_json_of_the_examples_is_right():
    from tfhf.data.cells import EXAMPLES
    from tfhf.data.columns import Answers, Messages, Tags

    for kind in (Texts(), Words(), Tags(), Answers(), Messages()):
        assert kind.from_text(EXAMPLES[kind.called]) == json.loads(EXAMPLES[kind.called])
