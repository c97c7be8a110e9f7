from pathlib import Path

import pytest

from tfhf.data.files import format_of, is_local, path_files, split_files
from tfhf.errors import UserError


def line(function, *arguments):
    with pytest.raises(UserError) as caught:
        function(*arguments)
    return str(caught.value)


def test_missing_file(write):  # row 1
    assert line(split_files, {"train": "a.csv"}) == "data.train: no such file: a.csv"
    write("reviews/train.csv", "x")
    assert line(split_files, {"train": "reviews/trian.csv"}) == (
        "data.train: no such file: reviews/trian.csv; did you mean 'train.csv'?"
    )


def test_glob_without_match():  # row 2
    assert line(split_files, {"train": "z*.csv"}) == "data.train: z*.csv matches no file"


def test_folder_instead_of_file(folder):  # row 3
    (folder / "reviews").mkdir()
    assert line(split_files, {"train": "reviews"}) == (
        "data.train: reviews is a folder without class sub-folders of .txt files or images; name a "
        "file"
    )


def test_lists_keep_their_order_and_globs_are_sorted(write):
    for name in ("c.csv", "b.csv", "a.csv"):
        write(name, "x")
    found = split_files({"train": ["c.csv", "[ab].csv"], "validation": "a.csv", "test": None})
    assert found == {
        "train": [Path("c.csv"), Path("a.csv"), Path("b.csv")],
        "validation": [Path("a.csv")],
    }


def test_unknown_split():
    assert line(split_files, {"trian": "a.csv"}) == (
        "data.trian: unknown split; the splits are train, validation, test; did you mean 'train'?"
    )


def test_no_training_file():
    assert line(split_files, {"test": "a.csv"}) == (
        "data.train: no training file, received {'test': 'a.csv'}"
    )


def test_formats():
    assert [format_of(name) for name in ("a.TSV", "b.json.gz", "c.ndjson", "d.txt")] == [
        "csv",
        "json",
        "json",
        "text",
    ]
    assert line(format_of, "a.jsnl") == (
        "a.jsnl: unknown format '.jsnl'; use one of .csv, .tsv, .json, .jsonl, .ndjson, .parquet, "
        ".arrow, .txt, .conll, .bio, .iob, .iob2, .bioes, .conllu, .npz; did you mean '.jsonl'?"
    )


def test_path_of_one_file(write):
    assert path_files(write("a.csv", "x")) == {"train": [Path("a.csv")]}


def test_path_of_split_files_and_shards(write):
    for name in ("train-00001-of-00002.csv", "train-00000-of-00002.csv", "dev.csv", "labels.txt"):
        write(f"d/{name}", "x")
    assert path_files("d") == {
        "train": [Path("d/train-00000-of-00002.csv"), Path("d/train-00001-of-00002.csv")],
        "validation": [Path("d/dev.csv")],
    }


def test_path_of_class_folders(write):
    write("d/train/pos/1.txt", "x")
    write("d/test/pos/1.txt", "x")
    assert path_files("d") == {"train": [Path("d/train")], "test": [Path("d/test")]}
    assert path_files("d/train") == {"train": [Path("d/train")]}


def test_path_of_image_folders(write):
    write("d/train/cat/1.jpg", "x")
    write("d/val/cat/1.PNG", "x")
    assert path_files("d") == {"train": [Path("d/train")], "validation": [Path("d/val")]}
    write("d/train/dog/1.txt", "x")
    assert line(path_files, "d") == (
        "d/train: its class sub-folders hold .txt files (1.txt) and images (1.jpg); keep one kind"
    )


def test_path_with_two_candidates(write):
    write("d/train.csv", "x")
    write("d/train.jsonl", "x")
    assert line(path_files, "d") == (
        "data.path: ['train.csv', 'train.jsonl'] could each be train; name files instead of a path"
    )


def test_path_without_training_data(write):
    write("d/reviews.csv", "x")
    assert line(path_files, "d") == (
        "data.path: d has no train file such as train.csv or train.jsonl, and no sub-folder per "
        "class; found ['reviews.csv']"
    )
    assert line(path_files, "./none") == "data.path: no such file or folder: ./none"


def test_what_is_local(folder):
    assert all(map(is_local, ("./a", "/a/b", "~/a", "a.csv", "a/b/c")))
    assert not is_local("nyu-mll/glue")
    (folder / "imdb").mkdir()
    assert is_local("imdb")
