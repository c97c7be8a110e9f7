import os
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import ClassLabel, List, Value

import tfhf
from tfhf.data import describe, load, read_inputs
from tfhf.data.columns import Label, Tags, Text, Words
from tfhf.errors import UserError

KINDS = {"text": Text(), "text_pair": Text(optional=True), "label": Label()}
ROWS = [{"text": f"text {i}", "label": "ab"[i % 2], "id": i} for i in range(40)]


def test_columns_become_roles(write):
    write("t.jsonl", [{"a": "x", "b": "y", "c": "z", "d": 1}])
    columns = {"text": "b", "text_pair": "a", "label": "c"}
    loaded = load(KINDS, files={"train": "t.jsonl", "validation": "t.jsonl"}, columns=columns)
    assert loaded.splits["train"].to_list() == [{"text": "y", "text_pair": "x", "label": 0}]


def test_a_role_may_be_another_column_name(write):
    write("t.jsonl", [{"text": "x", "label": "y"}])
    columns = {"text": "label", "label": "text"}
    loaded = load(KINDS, files={"train": "t.jsonl", "validation": "t.jsonl"}, columns=columns)
    assert loaded.splits["train"][0] == {"text": "y", "label": 0}
    assert loaded.splits["train"].features["label"] == ClassLabel(names=["x"])


def test_texts_stay_memory_mapped(write, load_files):
    rows = load_files(write("t.jsonl", ROWS)).splits["train"]
    assert rows.cache_files and rows.cache_files[0]["filename"].endswith(".arrow")


def test_validation_is_set_aside(write, load_files):
    loaded = load_files(write("t.jsonl", ROWS))
    assert {split: len(rows) for split, rows in loaded.splits.items()} == {
        "train": 36,
        "validation": 4,
    }
    assert describe(loaded.splits["validation"]) == {"rows": 4, "labels": {"a": 2, "b": 2}}
    assert loaded.notes == ["data.validation: 4 of 40 training rows set aside by label, seed 42"]
    again, other = load_files("t.jsonl"), load_files("t.jsonl", seed=43)
    texts = [one.splits["validation"]["text"][:] for one in (loaded, again, other)]
    assert texts[0] == texts[1] != texts[2]
    assert not set(texts[0]) & set(loaded.splits["train"]["text"][:])


def test_too_few_rows_to_set_aside(write, error_of):
    assert error_of(write("t.jsonl", ROWS[:2])) == (
        "data.train: too few rows (2) to set some aside for validation; name data.validation"
    )


def test_limit_draws_the_same_rows(write, load_files):
    write("t.jsonl", ROWS)
    limit = {"train": 10, "validation": 5, "test": 100}
    loaded = load_files("t.jsonl", validation="t.jsonl", test="t.jsonl", limit=limit)
    assert [len(rows) for rows in loaded.splits.values()] == [10, 5, 40]
    again = load_files("t.jsonl", validation="t.jsonl", limit=limit)
    assert again.splits["train"]["text"][:] == loaded.splits["train"]["text"][:]
    assert loaded.splits["train"]["text"][:5] != loaded.splits["validation"]["text"][:]


def test_limit_comes_before_setting_aside_and_after_labels(write, load_files):
    rows = [{"text": f"text {i}", "label": str(i % 20)} for i in range(60)]
    loaded = load_files(write("t.jsonl", rows), limit={"train": 30})
    assert [len(rows) for rows in loaded.splits.values()] == [27, 3]
    assert loaded.splits["train"].features["label"].num_classes == 20


def test_several_files_and_their_places(write, load_files, error_of):
    write("a.csv", "text,label\nx y,0\nz,1\n")
    write("b.csv", "label,text\n1,v w\n")
    rows = load_files("a.csv", "b.csv", validation="a.csv").splits["train"]
    assert rows["text"][:] == ["x y", "z", "v w"]
    write("c.csv", "text,label\nx,0\ny,\n")
    assert error_of("a.csv", "b.csv", "c.csv") == (
        "data.train: 1 of 5 rows has no label (first: c.csv row 2); label them, or set "
        "data.on_unlabeled: drop"
    )


def test_columns_differ_between_files(write, error_of):  # rows 9 and 10
    write("a.csv", "text,label\nx,0\n")
    write("b.csv", "text,sentiment\nx,0\n")
    assert error_of("a.csv", "b.csv") == (
        "b.csv has columns ['text', 'sentiment'], a.csv has columns ['text', 'label']; the files "
        "of data.train need the same columns"
    )
    write("a.jsonl", [{"text": "x", "label": 0}])
    write("b.jsonl", [{"text": "x", "text_pair": "y", "label": 0}])
    assert error_of("a.jsonl", "b.jsonl") == (
        "b.jsonl has columns ['text', 'text_pair', 'label'], a.jsonl has columns ['text', "
        "'label']; the files of data.train need the same columns"
    )


def test_columns_nobody_asked_for_may_differ(write, load_files):
    write("a.jsonl", [{"text": "x", "label": 0, "id": 1}, {"text": "x", "label": 0, "id": "b"}])
    write("b.jsonl", [{"text": "x", "label": 0, "more": 1}])
    assert len(load_files("a.jsonl", "b.jsonl", validation="b.jsonl").splits["train"]) == 3


def test_columns_differ_between_splits(write, error_of):
    write("a.jsonl", [{"text": "x", "text_pair": "y", "label": 0}])
    write("b.jsonl", [{"text": "x", "label": 0}])
    assert error_of("a.jsonl", validation="b.jsonl") == (
        "data.validation: column 'text_pair' not found, but data.train has it; give all splits the "
        "same columns"
    )


def test_path_of_class_folders(write):
    for split, count in (("train", 4), ("test", 2)):
        for label in ("neg", "pos"):
            for i in range(count):
                write(f"imdb/{split}/{label}/{i}.txt", f"{label} {split} {i}")
    loaded = load(KINDS, path="imdb")
    assert [len(rows) for rows in loaded.splits.values()] == [7, 1, 4]
    assert loaded.splits["test"][3] == {"text": "pos test 1", "label": 1}
    assert loaded.splits["test"].features["label"] == ClassLabel(names=["neg", "pos"])


def test_unlabeled_test_split_of_files(write, load_files, error_of):  # row 26
    write("a.csv", "text,label\nx y,0\nz,1\n")
    write("t.csv", "text,label\nx y,-1\nz,-1\n")
    assert error_of("a.csv", validation="a.csv", test="t.csv") == (
        "t.csv row 1: label -1 means unlabeled test data (2 of 2 rows); use a labeled file, or set "
        "data.on_unlabeled: drop"
    )


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"on_empty": "keeep"}, "data.on_empty: expected keep or drop, received 'keeep'"),
        ({"on_unlabeled": 1}, "data.on_unlabeled: expected error or drop, received 1"),
        ({"limit": {"train": 0}}, "data.limit.train: expected at least 1 row, received 0"),
        (
            {"limit": {"trian": 1}},
            "data.limit: unknown split 'trian'; the splits are train, validation, test; did you "
            "mean 'train'?",
        ),
    ],
)
def test_options_that_cannot_be(error_of, options, expected):
    assert error_of("a.csv", **options).startswith(expected)


def test_nothing_to_read():
    with pytest.raises(UserError) as caught:
        load(KINDS)
    assert str(caught.value) == (
        "data: nothing to read; set data.path, or data.train and other files"
    )


def test_read_rows_keeps_everything(write, read):
    name = write("a.jsonl", [{"id": 7, "text": "x", "when": "2020-01-01", "tags": ["a"]}])
    assert read(name).to_list() == [{"id": 7, "text": "x", "when": "2020-01-01", "tags": ["a"]}]
    name = write("a.csv", "id,sentence\n007,x\n")
    rows = read(name, {"text": "sentence", "label": "not there"})
    assert rows.to_list() == [{"id": "007", "sentence": "x"}]
    assert read(write("a.txt", "x\n\ny")).to_list() == [{"text": "x"}, {"text": ""}, {"text": "y"}]


def test_read_rows_errors(write, read):
    write("x.txt", "x")
    write("y.txt", "y")
    with pytest.raises(UserError) as caught:
        read("*.txt")
    assert str(caught.value) == "file: *.txt matches 2 files; name one of them"
    with pytest.raises(UserError) as caught:
        read("none.csv")
    assert str(caught.value) == "file: no such file: none.csv"
    write("a.csv", "sentence,label\nx,1\n")
    with pytest.raises(UserError) as caught:
        read("a.csv")
    assert str(caught.value) == (
        "a.csv: column 'text' not found; expected columns ['text'], found columns ['sentence', "
        "'label']; set data.columns"
    )
    write("a.jsonl", [{"text": None}])
    with pytest.raises(UserError) as caught:
        read("a.jsonl")
    assert str(caught.value) == (
        "a.jsonl: the only row has no text in column 'text' (first: a.jsonl:1); write a text or "
        "remove them"
    )


def test_read_inputs_gives_rows_as_they_are_and_by_role(write):
    name = write("a.csv", 'id,words,gold\n7,"[""a"", ""b""]",x\n')
    kinds = {"tokens": Words(), "text": Text(optional=True), "tags": Tags()}
    kept, inputs = read_inputs(name, kinds, {"tokens": "words", "tags": "gold"})
    assert kept.to_list() == [{"id": "7", "words": '["a", "b"]', "gold": "x"}]
    assert inputs.to_list() == [{"tokens": ["a", "b"]}]


def test_describe(write, load_files):
    rows = [{"text": f"t {i}", "label": ["x", "y"][: i % 3]} for i in range(6)]
    loaded = load_files(write("a.jsonl", rows), validation="a.jsonl")
    assert describe(loaded.splits["train"]) == {"rows": 6, "labels": {"x": 4, "y": 2}}
    write("b.csv", "text,label\nx y,0.5\n")
    loaded = load_files("b.csv", validation="b.csv", problem="regression")
    assert describe(loaded.splits["train"]) == {"rows": 1}


def test_loading_imports_no_tensorflow(write):
    write("a.csv", "text,label\n" + "x y,0\nz,1\n" * 5)
    code = (
        "import sys; from tfhf.data import load; from tfhf.data.columns import Label, Text\n"
        "assert 'datasets' not in sys.modules and 'pandas' not in sys.modules\n"
        "load({'text': Text(), 'label': Label()}, files={'train': 'a.csv'})\n"
        "print([one for one in ('tensorflow', 'torch', 'transformers') if one in sys.modules])"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(tfhf.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    "name, sizes, feature",
    [
        ("sst2", [6920, 872, 1821], ClassLabel(names=["0", "1"])),
        ("banking77", [9000, 1003, 3080], None),
        ("go_emotions", [43410, 5426, 5427], None),
        ("stsb", [5749, 1500, 1379], Value("float32")),
        ("sick", [4500, 500, 4927], ClassLabel(names=["contradiction", "entailment", "neutral"])),
    ],
)
def test_real_data(shared, name, sizes, feature):
    folder = shared / "data" / name
    pairs = {"stsb": ("sentence1", "sentence2"), "sick": ("premise", "hypothesis")}
    columns = dict(zip(("text", "text_pair"), pairs.get(name, ()), strict=False))
    problem, labels = None, None
    if name == "stsb":
        columns["label"], problem = "score", "regression"
    if name in ("go_emotions", "banking77"):
        names = (folder / "labels.txt").read_text().split()
        feature = ClassLabel(names=names)
    if name == "go_emotions":
        labels, feature = names, List(feature)
    kinds = {**KINDS, "label": Label(problem)}
    loaded = load(kinds, path=str(folder), columns=columns, labels=labels)
    assert [len(rows) for rows in loaded.splits.values()] == sizes
    assert {str(rows.features["label"]) for rows in loaded.splits.values()} == {str(feature)}
    assert loaded.notes == []


def test_keys_of_the_other_kind_of_source_are_refused(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("text,label\na,b\nc,d\n")
    kinds = {"text": Text(), "label": Label()}
    with pytest.raises(UserError) as caught:
        load(kinds, files={"train": str(file)}, revision="main")
    assert str(caught.value) == (
        "data.revision: is for data sets of the Hub, and these are files; leave it out; "
        "received 'main'"
    )
    with pytest.raises(UserError) as caught:
        load(kinds, path="user/set", separator=";")
    assert str(caught.value) == (
        "data.separator: is for files of your own; leave it out; received ';'"
    )
