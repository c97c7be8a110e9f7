import gzip
import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfhf.data import tables
from tfhf.data.tables import read_table
from tfhf.errors import StorageError, UserError

ROWS = [{"text": "a", "label": 1}, {"text": "b", "label": 0}]


def line(name, **options):
    with pytest.raises(UserError) as caught:
        read_table(Path(name), **options)
    return str(caught.value)


def write_arrow(name, table, kind):
    if kind == "parquet":
        pq.write_table(table, name)
    else:
        new = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
        with new(name, table.schema) as writer:
            writer.write_table(table)
    return Path(name)


@pytest.mark.parametrize("kind", ["parquet", "file", "stream"])
def test_arrow_and_parquet(folder, kind):
    table = pa.table(
        {
            "text": pa.array(["a", "b"], pa.large_string()),
            "label": pa.array(["x", "y"]).dictionary_encode(),
        }
    )
    name = "a.parquet" if kind == "parquet" else "a.arrow"
    read = read_table(write_arrow(name, table, kind))
    assert read.dataset.to_list() == [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
    assert {feature.dtype for feature in read.dataset.features.values()} == {"string"}
    assert read.where(1) == f"{name} row 2"


def test_class_label_of_parquet_is_kept(folder):
    import datasets

    feature = datasets.ClassLabel(names=["neg", "pos"])
    features = datasets.Features({"text": datasets.Value("string"), "label": feature})
    datasets.Dataset.from_list(ROWS, features=features).to_parquet("a.parquet")
    assert read_table(Path("a.parquet")).dataset.features["label"] == feature


def test_types_that_no_dataset_has(folder):
    pairs = pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))
    pq.write_table(pa.table({"text": ["a"], "counts": pairs}), "a.parquet")
    assert line("a.parquet").startswith("a.parquet: column 'counts' has the type map<string, int64")


def test_text_lines(write):
    read = read_table(Path(write("a.txt", "a\r\n\nb\u2028c")))
    assert read.dataset["text"][:] == ["a", "", "b\u2028c"]
    assert read.where(2) == "a.txt:3"


def test_class_folders(write):
    write("d/pos/1.txt", "good\n")
    write("d/neg/2.txt", "bad")
    write("d/neg/1.txt", "")
    read = read_table(Path("d"))
    assert read.dataset.to_list() == [
        {"text": "", "label": "neg"},
        {"text": "bad", "label": "neg"},
        {"text": "good", "label": "pos"},
    ]
    assert read.where(2) == "d/pos/1.txt"
    write("d/pos/2.txt", b"a\n\xe9")
    assert line("d").startswith("d/pos/2.txt: byte 0xe9 at line 2 is not UTF-8")


def test_tsv_and_gzip(write):
    write("a.tsv.gz", gzip.compress(b"text\tlabel\na, b\t1\n"))
    assert read_table(Path("a.tsv.gz")).dataset.to_list() == [{"text": "a, b", "label": "1"}]


@pytest.mark.parametrize("suffix, format_name", [("parquet", "Parquet"), ("arrow", "Arrow")])
@pytest.mark.parametrize("content", [b"nonsense", b"PAR1 nonsense", b"ARROW1 nonsense"])
def test_damaged_file(write, suffix, format_name, content):  # row 21
    assert line(write(f"a.{suffix}", content)) == (
        f"a.{suffix}: not a readable {format_name} file: cut short, damaged, or of another format; "
        "write it again"
    )


def test_offsets_that_point_elsewhere(folder):  # row 21; Arrow reads on where they point
    path = write_arrow("a.arrow", pa.table({"text": ["aa", "bb"]}), "stream")
    offsets = struct.pack("<3i", 0, 2, 4)
    assert path.read_bytes().count(offsets) == 1
    path.write_bytes(path.read_bytes().replace(offsets, struct.pack("<3i", 0, 2**30, 4)))
    assert line("a.arrow") == (
        "a.arrow: not a readable Arrow file: cut short, damaged, or of another format; write it "
        "again"
    )


def test_parquet_without_rows(write):
    assert line(write("a.parquet", b"")) == "a.parquet is empty"
    assert line(
        write_arrow("b.parquet", pa.table({"text": pa.array([], pa.string())}), "parquet")
    ) == ("b.parquet has no rows")


def test_parquet_with_duplicate_columns(folder):  # row 20
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["text", "text"])
    assert line(write_arrow("a.parquet", table, "parquet")) == (
        "a.parquet: two columns are called 'text'; rename one of them"
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", "text,label\0\na,0\n"), ("a.jsonl", [{"text": "a", "label\0": {"b": 1}}])],
)
def test_nul_in_the_name_of_a_column(write, name, content):
    assert line(write(name, content)) == (
        f"{name}: a NUL is in the name of column 'label\\x00'; rename it"
    )


def test_field_and_separator_where_they_do_not_belong(write):
    assert line(write("a.csv", "text\na\n"), field="data") == (
        "data.field: only JSON files have fields; a.csv is .csv"
    )
    assert line("a.csv", separator="||") == (
        'data.separator: expected one ASCII character such as "," or "\\t", received \'||\''
    )


def test_separator_as_yaml_writes_it(write):
    name = write("a.csv", "text\tlabel\na\t1\n")
    assert read_table(Path(name), separator="\\t").dataset.column_names == ["text", "label"]


def test_cache_follows_the_content(write, monkeypatch):
    path = Path(write("a.csv", "text\na\n"))
    first = read_table(path).dataset
    assert first.cache_files  # memory-mapped
    write("copy.csv", "text\na\n")
    monkeypatch.setattr(tables, "csv_rows", lambda *_: pytest.fail("read again"))
    assert read_table(Path("copy.csv")).dataset.cache_files == first.cache_files
    monkeypatch.undo()


def test_changed_file_is_read_again(write):
    path = Path(write("a.csv", "text\na\n"))
    assert read_table(path).dataset["text"][:] == ["a"]
    write("a.csv", "text\nb\n")
    assert read_table(path).dataset["text"][:] == ["b"]


def test_cache_that_cannot_be_written(write, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(StorageError) as caught:
        read_table(Path(write("a.csv", "text\na\n")))
    assert str(caught.value).startswith(f"cannot write the data cache {tmp_path}/cache/tfhf: ")
    assert str(caught.value).endswith("; free space there or set HF_DATASETS_CACHE")
