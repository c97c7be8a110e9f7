import io
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
from datasets import ClassLabel
from datasets import Image as ImageFeature

from tfhf.data import load
from tfhf.data.columns import Image, Label
from tfhf.data.tokens import TokenStore
from tfhf.errors import UserError

KINDS = {"image": Image(), "label": Label()}
PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


def png(pixels=PIXELS):
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_paths_are_relative_to_the_file(write, monkeypatch, tmp_path):
    write("data/images/a.png", png())
    write("data/train.csv", "image,label\nimages/a.png,x\nimages/a.png,y\n")
    rows = load(KINDS, files={"train": "data/train.csv", "validation": "data/train.csv"})
    train = rows.splits["train"]
    assert train.features["image"] == ImageFeature()
    monkeypatch.chdir(tmp_path)  # images are opened when they are needed
    assert np.array_equal(np.asarray(train[0]["image"]), PIXELS)


def test_bytes_and_image_features(folder):
    import pyarrow as pa
    from datasets import Dataset, Features

    with pa.ipc.new_file("a.arrow", pa.schema({"image": pa.binary()})) as writer:
        writer.write_table(pa.table({"image": [png()]}))
    features = Features({"image": ImageFeature()})
    images = {"image": [PIL.Image.fromarray(PIXELS)]}
    Dataset.from_dict(images, features=features).to_parquet("b.parquet")
    for name in ("a.arrow", "b.parquet"):
        found = load({"image": Image()}, files={"train": name, "validation": name}).splits["train"]
        assert found.features["image"] == ImageFeature()
        assert np.array_equal(np.asarray(found[0]["image"]), PIXELS)


def test_folders_of_classes(write):
    for split, count in (("train", 2), ("validation", 1), ("test", 1)):
        for name in ("cat", "dog"):
            for number in range(count):
                write(f"pets/{split}/{name}/{number}.PNG", png())
    write("pets/train/cat/.hidden.png", b"what a file manager leaves")
    found = load(KINDS, path="pets")
    assert [len(rows) for rows in found.splits.values()] == [4, 2, 2]
    assert found.splits["train"].features["label"] == ClassLabel(names=["cat", "dog"])
    assert found.splits["train"]["label"][:] == [0, 0, 1, 1]
    assert found.splits["train"][0]["image"].size == (4, 3)
    assert found.notes == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"not an image",
            "no image, or one that is cut short, damaged or of an unknown format: {folder}/b.png",
        ),
        (
            png()[:20],
            "no image, or one that is cut short, damaged or of an unknown format: {folder}/b.png",
        ),
        (None, "no such file: {folder}/b.png"),
    ],
)
def test_a_file_that_is_no_image(write, folder, content, reason):
    write("a.png", png())
    if content is not None:
        write("b.png", content)
    write("a.jsonl", [{"image": "a.png", "label": 0}, {"image": "b.png", "label": 1}])
    with pytest.raises(UserError) as caught:
        load(KINDS, files={"train": "a.jsonl"})
    assert str(caught.value) == f"a.jsonl:2: {reason.format(folder=folder)}"


def test_rows_without_an_image_and_columns_of_something_else(write):
    write("a.png", png())
    write("a.jsonl", [{"image": "a.png", "label": 0}, {"image": None, "label": 1}])
    with pytest.raises(UserError) as caught:
        load(KINDS, files={"train": "a.jsonl"})
    assert str(caught.value) == (
        "a.jsonl:2: column 'image' (image) holds no image; name one or remove the row"
    )
    write("b.csv", "image,label\na.png,0\n,1\n")
    with pytest.raises(UserError, match=r"^b.csv row 2: column 'image' \(image\) holds no image"):
        load(KINDS, files={"train": "b.csv"})
    write("b.jsonl", [{"image": [1, 2], "label": 0}])
    with pytest.raises(UserError) as caught:
        load(KINDS, files={"train": "b.jsonl"})
    assert str(caught.value) == (
        "data.columns: column 'image' (image) has type list of number, not image (b.jsonl:1: "
        "[1, 2]); name the column of images or of their paths"
    )


def test_too_large_an_image(write, monkeypatch):
    write("a.png", png())
    write("a.jsonl", [{"image": "a.png", "label": 0}])
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 2)
    with pytest.raises(UserError) as caught:
        load(KINDS, files={"train": "a.jsonl"})
    assert str(caught.value).startswith("a.jsonl:1: too large an image: ")


def test_an_image_whose_end_is_missing(write, folder, tmp_path):
    whole = png(np.random.default_rng(0).integers(0, 255, (90, 90), np.uint8))
    write("b.png", whole[: len(whole) // 2])  # the header can be read
    write("a.png", whole)
    write("a.jsonl", [{"image": name, "label": 0} for name in ("a.png", "b.png", "a.png")])
    rows = load(KINDS, files={"train": "a.jsonl", "validation": "a.jsonl"}).splits["train"]
    task = SimpleNamespace(padding={}, rows_at_once=2, encode=lambda rows: {"label": rows["label"]})
    with pytest.raises(UserError) as caught:
        TokenStore.build(rows, task, tmp_path / "store")
    assert str(caught.value).startswith(f"{folder}/b.png: cannot be decoded: ")
    assert str(caught.value).endswith("; write the file again or leave it out")
