import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from datasets import ClassLabel

from tfhf.data import image_files, load
from tfhf.data.columns import Image, Label
from tfhf.data.tables import read_table
from tfhf.errors import UserError

KINDS = {"image": Image(), "label": Label()}
LABELS = np.array([1, 0, 2], np.uint8)


def pixels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize(
    ("shape", "mode"),
    [
        ((3, 5, 4), "L"),
        ((3, 5, 4, 1), "L"),
        ((3, 5, 4, 2), "LA"),
        ((3, 5, 4, 3), "RGB"),
        ((3, 5, 4, 4), "RGBA"),
    ],
)
def test_arrays_become_images_without_loss(folder, monkeypatch, shape, mode):
    monkeypatch.setattr(image_files, "AT_ONCE", 2)
    images = pixels(*shape)
    np.savez_compressed("a.npz", images=images, labels=LABELS)
    rows = load(KINDS, files={"train": "a.npz", "validation": "a.npz"}).splits["train"]
    assert rows.features["label"] == ClassLabel(names=["0", "1", "2"])
    assert rows["label"][:] == [1, 0, 2]
    assert [row["image"].mode for row in rows] == [mode] * 3
    read = np.stack([np.asarray(row["image"]) for row in rows])
    assert np.array_equal(read.reshape(shape), images)


def test_labels_may_be_unsigned(folder):
    np.savez("a.npz", images=pixels(3, 5, 4), labels=np.array([1, 2**63, 0], np.uint64))
    labels = read_table(Path("a.npz")).dataset["label"][:]
    assert labels[::2] == [1, 0] and labels[1] < 0  # which no class is


def test_labels_may_be_texts(folder):
    np.savez("a.npz", images=pixels(3, 5, 4), labels=np.array(["b", "a", "b"]))
    read = read_table(Path("a.npz"))
    assert read.dataset["label"][:] == ["b", "a", "b"]
    assert read.where(1) == "a.npz row 2"


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"x": LABELS}, "expected arrays images and labels, found ['x']"),
        (
            {"images": np.zeros((3, 5, 4)), "labels": LABELS},
            "images are float64, expected uint8 from 0 to 255",
        ),
        (
            {"images": pixels(3, 5), "labels": LABELS},
            "images have the shape (3, 5), expected (N, height, width) or (N, height, width, "
            "channels) with 1 to 4 channels",
        ),
        (
            {"images": pixels(3, 5, 4, 5), "labels": LABELS},
            "images have the shape (3, 5, 4, 5), expected (N, height, width) or (N, height, "
            "width, channels) with 1 to 4 channels",
        ),
        (
            {"images": pixels(2, 5, 4), "labels": LABELS},
            "labels have the shape (3,), expected (2,), one for each image",
        ),
        (
            {"images": pixels(3, 5, 4), "labels": np.array([0.5, 1, 2])},
            "labels are float64, expected integers or texts",
        ),
        (
            {"images": pixels(3, 5, 4), "labels": np.array([{}, None, 2], object)},
            "holds Python objects, which are not read, because that runs code; write arrays of "
            "numbers",
        ),
    ],
)
def test_arrays_that_cannot_be(folder, arrays, expected):
    np.savez("a.npz", **arrays)
    with pytest.raises(UserError) as caught:
        read_table(Path("a.npz"))
    assert str(caught.value) == f"a.npz: {expected}"


def test_no_images(folder):
    np.savez("a.npz", images=pixels(0, 5, 4), labels=LABELS[:0])
    with pytest.raises(UserError) as caught:
        read_table(Path("a.npz"))
    assert str(caught.value) == "a.npz has no images"


def damaged():
    with open("a.npz", "rb") as file:
        whole = file.read()
    yield whole[: len(whole) // 2]
    yield b"nonsense"
    yield b""
    yield b"\x80\x04N."  # a pickle
    at = whole.index(b"images.npy") + 140
    yield whole[:at] + bytes(40) + whole[at + 40 :]
    with zipfile.ZipFile("other.npz", "w") as file:
        file.writestr("images.npy", b"x")
        file.writestr("labels.npy", b"x")
    yield Path("other.npz").read_bytes()
    np.save("array.npy", LABELS)
    yield Path("array.npy").read_bytes()


def test_damaged_files(folder):
    np.savez_compressed("a.npz", images=pixels(30, 5, 4), labels=np.zeros(30, int))
    for number, content in enumerate(damaged()):
        Path(f"b{number}.npz").write_bytes(content)
        with pytest.raises(UserError) as caught:
            read_table(Path(f"b{number}.npz"))
        assert str(caught.value) == (
            f"b{number}.npz: not a readable NPZ file: cut short, damaged, or of another format"
        )


@pytest.mark.parametrize(("mode", "format_name"), [("RGB", "PNG"), ("CMYK", "TIFF"), ("F", "TIFF")])
def test_every_mode_is_stored_without_loss(mode, format_name):
    import io

    image = PIL.Image.fromarray(pixels(5, 4, 3)).convert(mode)
    read = PIL.Image.open(io.BytesIO(image_files.encoded(image)))
    assert (read.format, read.mode) == (format_name, mode)
    assert np.array_equal(np.asarray(read), np.asarray(image))
