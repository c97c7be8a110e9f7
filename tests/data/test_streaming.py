"""Streams: parts, windows and positions; what is refused, with its place."""

from dataclasses import asdict

import datasets
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from tfhf.data.parts import Part, file_parts
from tfhf.data.streaming import Position, Stream
from tfhf.errors import UserError

FEATURES = Features({"text": Value("string"), "label": ClassLabel(names=["a", "b"])})


def rows(name, count):
    return [{"text": f"{name} {number}", "label": "ab"[number % 2]} for number in range(count)]


@pytest.fixture
def stream(load_files, write):
    """stream({name: rows}, **options) → the loaded set; its validation split is one row."""

    def stream(files, **options):
        for name, content in files.items():
            write(name, content)
        write("v.jsonl", rows("v", 2))
        options = {"window": 4, "labels": ["a", "b"]} | options
        return load_files(*files, validation="v.jsonl", **options)

    return stream


def texts(found, epochs=1):
    """The texts of some epochs, window by window, and where each window begins."""
    windows = []
    for at, window in found.windows(Position()):
        if at.epoch == epochs:
            return windows
        windows.append((at, window["text"][:]))


def test_every_row_once_an_epoch_in_an_order_of_its_own(stream):
    counts = {"p": 5, "q": 3, "r": 1, "s": 6}
    files = {f"{name}.jsonl": rows(name, count) for name, count in counts.items()}
    loaded = stream(files)
    windows = texts(loaded.stream, epochs=3)
    assert [len(found) for _, found in windows] == [4, 4, 4, 3] * 3
    orders = []
    for epoch in range(3):
        found = [text for at, some in windows for text in some if at.epoch == epoch]
        assert sorted(found) == sorted(row["text"] for one in files.values() for row in one)
        for name in "pqrs":  # inside a file, as the rows lie there
            assert [text for text in found if text[0] == name] == [
                row["text"] for row in files[f"{name}.jsonl"]
            ]
        orders.append(list(dict.fromkeys(text[0] for text in found)))
    assert orders[0] != orders[1] or orders[1] != orders[2]
    assert texts(stream(files).stream, epochs=3) == windows
    assert texts(stream(files, seed=7).stream, epochs=3) != windows


def test_it_begins_again_at_every_position(stream):
    loaded = stream({f"{name}.jsonl": rows(name, 5) for name in "pqr"})
    windows = texts(loaded.stream, epochs=2)
    for number, (at, _) in enumerate(windows):
        start, later = Position(**asdict(at)), []
        for position, window in loaded.stream.windows(start):
            if position.epoch == 2:
                break
            later.append((position, window["text"][:]))
        assert later == windows[number:]


def test_what_is_known_before(stream):
    loaded = stream({"p.jsonl": rows("p", 6)}, rows=5)
    assert loaded.splits["train"]["text"][:] == ["p 0", "p 1", "p 2", "p 3"]
    assert loaded.splits["train"].features == FEATURES
    assert (loaded.stream.rows, loaded.stream.looked_at) == (5, 4)
    assert [len(found) for _, found in texts(loaded.stream)] == [4, 1]
    assert loaded.notes == []
    assert stream({"q.jsonl": rows("q", 6)}).stream.rows is None


@pytest.mark.parametrize("format", ["parquet", "arrow", "txt"])
def test_other_formats(format, folder, load_files, write):
    made = Dataset.from_dict(
        {"text": [f"x {n}" for n in range(9)], "label": [0, 1, 1] * 3}, FEATURES
    )
    if format == "parquet":
        made.to_parquet("p.parquet")
    elif format == "arrow":
        with pa.OSFile("p.arrow", "wb") as sink, pa.ipc.new_file(sink, made.data.schema) as file:
            file.write_table(made.data.table)
    else:
        write("p.txt", "".join(f"{text}\n" for text in made["text"]))
        parts, known = file_parts([folder / "p.txt"])
        found = Stream(parts, known, window=4, seed=0)
        first = found.first_tables()
        assert first[0].column("text").to_pylist() == ["x 0", "x 1", "x 2", "x 3"]
        assert (first[0].where(2), found.rows) == (f"{folder}/p.txt:3", None)
        return
    write("v.jsonl", [{"text": "v", "label": "a"}])
    loaded = load_files(f"p.{format}", validation="v.jsonl", window=4)
    assert [text for _, found in texts(loaded.stream) for text in found] == made["text"][:]
    assert loaded.splits["train"].features == FEATURES  # which names the classes
    assert loaded.stream.rows == (9 if format == "parquet" else None)


def test_rows_without_a_label_may_be_dropped(stream):
    content = rows("p", 10)
    content[5]["label"] = None
    loaded = stream({"p.jsonl": content}, on_unlabeled="drop")
    found = texts(loaded.stream)
    assert [len(window) for _, window in found] == [4, 3, 2]
    assert loaded.stream.drops


# === Refused ===


def refused(stream, files, **options):
    with pytest.raises(UserError) as caught:
        texts(stream(files, **options).stream)
    return str(caught.value)


def test_damaged_rows_are_named(stream, write):
    good = "".join('{"text": "x", "label": "a"}\n' for _ in range(6))
    broken = {"p.jsonl": good + '{"text": oops}\n' + good}
    assert refused(stream, broken) == "p.jsonl:7: not valid JSON: Expecting value"
    latin = {"q.jsonl": good.encode() + '{"text": "é", "label": "a"}\n'.encode("latin-1")}
    assert refused(stream, latin) == (
        "q.jsonl:7: column 'text' is not valid Unicode: byte 0xe9 (half a surrogate pair, or text "
        "in another encoding); rewrite it as UTF-8"
    )
    content = rows("p", 9)
    content[6]["label"] = "c"
    assert refused(stream, {"r.jsonl": content}) == (
        "r.jsonl:7: unknown label 'c'; the labels are ['a', 'b']"
    )
    content[6]["label"] = None
    assert refused(stream, {"s.jsonl": content}) == (
        "data.train, rows 5 to 8: 1 of 4 rows has no label (first: s.jsonl:7); label them, or set "
        "data.on_unlabeled: drop"
    )


def test_a_parquet_file_that_is_cut_short(folder, stream):
    Dataset.from_dict({"text": ["x"] * 9, "label": [0] * 9}, FEATURES).to_parquet("p.parquet")
    whole = (folder / "p.parquet").read_bytes()
    assert refused(stream, {"p.parquet": whole[:-20]}) == (
        "p.parquet: not a readable Parquet file: cut short, damaged, or of another format; write "
        "it again"
    )


def test_a_part_nobody_can_explain_is_named_with_its_row():
    def broken():
        yield {"text": "x", "label": 0}
        raise ConnectionError("no answer from https://a/b?signature=1 at all")

    part = Part("a/b train part 1 of 1", datasets.IterableDataset.from_generator(broken), str)
    with pytest.raises(UserError) as caught:
        list(part.tables(0))
    assert str(caught.value) == (
        "a/b train part 1 of 1: cannot be read on after row 0: no answer from https://a/b… at all; "
        "try again later"
    )


@pytest.mark.parametrize("count", [3, 9])
def test_a_stream_that_ends_early(count, stream):
    assert refused(stream, {"p.jsonl": rows("p", count)}, rows=10) == (
        f"data.train: the stream ends after {count} rows, but data.rows says 10; lower it, or "
        "leave it out and set train.steps_per_epoch"
    )


def test_classes_must_be_named(stream):
    assert refused(stream, {"p.jsonl": rows("p", 3)}, labels=None) == (
        "data.labels is missing: a stream is not searched for its classes, so name them in their "
        "order; the first 3 rows have 'a', 'b'"
    )


def test_numbers_need_no_names(load_files, write):
    for name in ("p.jsonl", "v.jsonl"):
        write(name, [{"text": "x", "label": 0.5}] * 9)
    loaded = load_files("p.jsonl", validation="v.jsonl", window=4, problem="regression")
    assert loaded.splits["train"].features["label"] == Value("float32")


def test_no_split_is_set_aside(load_files, write):
    write("p.jsonl", rows("p", 3))
    with pytest.raises(UserError) as caught:
        load_files("p.jsonl", window=4, labels=["a", "b"])
    assert str(caught.value) == (
        "data.validation: none is set aside of a stream; name data.validation"
    )


@pytest.mark.parametrize(
    ("files", "line"),
    [
        (
            {"p.csv": "text,label\nx,a\n"},
            "data.train: p.csv is not streamed; write it as Parquet or JSON lines (.jsonl), or "
            "leave data.streaming out",
        ),
        ({"p.jsonl": ""}, "p.jsonl is empty"),
        ({"p.jsonl": "\n\n"}, "data.train: p.jsonl has no rows"),
        (
            {"p.jsonl": rows("p", 2), "q.txt": "x\n"},
            "data.train: files of several formats are not streamed together; received ['.jsonl', "
            "'.txt']",
        ),
        (
            {"p.jsonl": [{"text": "x", "label": "a"}], "q.jsonl": [{"texts": "x", "label": "a"}]},
            "q.jsonl: cannot be read on after row 0: the rows before had no column 'texts'; mend "
            "the file, or leave it out",
        ),
        (
            {"p.jsonl": [{"text": "x", "label": "a"}], "q.jsonl": [{"text": ["x"], "label": "a"}]},
            "q.jsonl: cannot be read on after row 0: Couldn't cast array of type list<item: string>"
            " to string; mend the file, or leave it out",
        ),
    ],
)
def test_files_that_are_no_stream(files, line, stream):
    assert refused(stream, files) == line
