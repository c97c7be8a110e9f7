import pytest
from datasets import ClassLabel, List

from tfhf.data import describe, load
from tfhf.data.columns import Tags, Words

KINDS = {"tokens": Words(), "tags": Tags()}


def tagged(*tags):
    return [
        {
            "tokens": [f"w{i}" for i in range(len(one or "x"))],
            "tags": one if one is None else list(one),
        }
        for one in tags
    ]


def names(loaded):
    return loaded.splits["train"].features["tags"].feature.names


def test_tags(loaded):
    found = loaded(KINDS, tagged(["O", "B-x", "I-x"], ["O", "O"]))
    rows = found.splits["train"]
    assert rows.features["tags"] == List(ClassLabel(names=["O", "B-x", "I-x"]))
    assert rows["tags"][:] == [[0, 1, 2], [0, 0]]
    assert describe(rows) == {"rows": 2, "labels": {"O": 3, "B-x": 1, "I-x": 1}}
    assert found.notes == []


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (
            ["I-a", "B-b", "O", "B-a-c", "I-b", "B-a"],
            ["O", "B-a", "I-a", "B-a-c", "B-b", "I-b"],
        ),
        (["S-a", "E-a", "I-a", "B-a", "O"], ["O", "B-a", "E-a", "I-a", "S-a"]),
        (["person", "O", "group"], ["O", "group", "person"]),
        (["VERB", "NOUN", "X-RAY"], ["NOUN", "VERB", "X-RAY"]),
        ([2, 0], ["0", "1", "2"]),
    ],
)
def test_order_of_the_names(loaded, tags, expected):
    assert names(loaded(KINDS, tagged(tags))) == expected


def test_names_may_be_given(loaded, fails):
    given = ["O", "I-x", "B-x"]
    found = loaded(KINDS, tagged(["O", "B-x"]), labels=given)
    assert names(found) == given
    assert found.splits["train"]["tags"][:] == [[0, 2]]
    assert found.notes == ["data.train: no row has the label 'I-x'"]
    assert fails(KINDS, tagged(["O", "B-x"]), labels=["O", "B-y"]) == (
        "a.jsonl:1: unknown label 'B-x'; the labels are ['O', 'B-y']; did you mean 'B-y'?"
    )


def test_names_of_a_feature_are_kept(folder):
    from datasets import Dataset, Features, Value

    feature = List(ClassLabel(names=["O", "PER", "LOC"]))
    features = Features({"tokens": List(Value("string")), "ner_tags": feature})
    rows = Dataset.from_dict({"tokens": [["a", "b"]], "ner_tags": [[2, 0]]}, features=features)
    rows.to_parquet("a.parquet")
    files = {"train": "a.parquet", "validation": "a.parquet"}
    found = load(KINDS, files=files, columns={"tags": "ner_tags"})
    assert found.splits["train"].features["tags"] == feature
    assert found.splits["train"]["tags"][:] == [[2, 0]]


def test_one_tag_for_each_word(fails):
    rows = tagged(["O", "O"], ["O"])
    rows[1]["tokens"] = ["a", "b", "c"]
    expected = "a.jsonl:2: 3 tokens but 1 tags; write one tag for each word"
    assert fails(KINDS, rows) == expected
    rows[1] |= {"tokens": ["a"], "tags": []}
    assert fails(KINDS, rows) == "a.jsonl:2: 1 tokens but 0 tags; write one tag for each word"


@pytest.mark.parametrize("empty", [None, "", " "])
def test_a_tag_that_is_empty(fails, empty):
    assert fails(KINDS, tagged(["O"], ["O", empty])) == (
        "a.jsonl:2: tag 2 of column 'tags' is empty; write one"
    )


def test_a_tag_that_train_has_not(loaded, fails):
    assert fails(KINDS, tagged(["O", "B-person"]), test=tagged(["O"], ["B-persn"])) == (
        "test.jsonl:2: unknown label 'B-persn'; the labels are ['O', 'B-person']; did you mean "
        "'B-person'?"
    )
    assert fails(KINDS, tagged([0, 1], [-100, 0])).startswith("a.jsonl:2: label -100 marks what")


def test_rows_without_tags(fails, loaded):
    assert fails(KINDS, tagged(["O"], None)) == (
        "data.train: 1 of 2 rows has no list of tags (first: a.jsonl:2); label them, or set "
        "data.on_unlabeled: drop"
    )
    found = loaded(KINDS, tagged(["O"], None, ["B"]), on_unlabeled="drop")
    assert found.splits["train"]["tags"][:] == [[0], [1]]


def test_no_tags_at_all(fails):
    assert fails(KINDS, tagged(None, None)) == "data.train: no row has a tag in 'tags'"


def test_one_value_per_row(fails):
    assert fails(KINDS, [{"tokens": ["a"], "tags": "O"}]) == (
        "data.columns: 'tags' holds one value per row (a.jsonl:1), not a list of tags; name the "
        "column with a tag for each word"
    )


def test_tags_of_csv(train, fails):
    table = 'tokens,tags\n"[""a"", ""b""]","[""O"", ""X""]"\n"[""a""]",{}\n'
    assert train(KINDS, table.format('"[""O""]"'))[0] == {"tokens": ["a", "b"], "tags": [0, 1]}
    assert fails(KINDS, table.format("O")) == (
        "a.csv row 2: column 'tags' (tags) holds 'O', not a list of tags; write it as JSON, such "
        'as ["O", "B-person"]'
    )
    assert fails(KINDS, table.format("[1]")) == (
        "a.csv row 2: column 'tags' (tags) holds [1], whose values are of other types than those "
        "before; write one type throughout"
    )


def test_tags_may_be_optional_and_of_another_role(train):
    kinds = {"words": Words(), "tags": Tags(of="words", optional=True)}
    assert train(kinds, [{"words": ["a"]}]) == [{"words": ["a"]}]
    assert train(kinds, [{"words": ["a"], "tags": ["O"]}]) == [{"words": ["a"], "tags": [0]}]


def test_test_split_of_the_hub_without_tags(monkeypatch):
    import datasets

    rows = [{"tokens": ["a"], "tags": ["O"]}, {"tokens": ["b"], "tags": ["B"]}]
    train = datasets.Dataset.from_list(rows)
    bare = datasets.Dataset.from_dict({"tokens": [["a"]], "tags": [[]]})
    splits = datasets.DatasetDict(train=train, validation=train, test=bare)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: splits)
    found = load(KINDS, path="a/b")
    assert list(found.splits) == ["train", "validation"]
    assert found.notes[-1:] == ["data.test: none of its 1 rows has a label; left out"]
