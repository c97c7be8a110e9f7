"""Model folders of the tests: loaded, read and written."""

import zipfile

import numpy as np

from tfhf.models import load_backbone, resolve, tensors

CLASSIFIER = "TFAutoModelForSequenceClassification"


def load(folder, auto_class=CLASSIFIER, **changes):
    return load_backbone(resolve(folder), auto_class, **changes)


def stored(folder):
    """name → values of a folder's safetensors file."""
    path = folder / "model.safetensors"
    entries, _ = tensors.read_header(path)
    return {name: np.array(tensors.read(path, entry)) for name, entry in entries.items()}


def write(folder, values, name="model.safetensors"):
    tensors.write(folder / name, {key: (v.shape, lambda v=v: v) for key, v in values.items()})


def write_pickled(path, values):
    """Writes float32 arrays as `torch.save` does: by hand, an archive and its pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        items = b""
        for number, (name, array) in enumerate(values.items()):
            strides = [step // 4 for step in np.ascontiguousarray(array).strides]
            storage = text("storage") + b"ctorch\nFloatStorage\n" + text(number) + text("cpu")
            items += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(("
            items += storage + whole(array.size) + b"tQ" + whole(0)
            items += b"".join(b"(" + b"".join(map(whole, n)) + b"t" for n in (array.shape, strides))
            items += b"\x89ccollections\nOrderedDict\n)RtR"
            archive.writestr(f"archive/data/{number}", array.astype("<f4").tobytes())
        archive.writestr("archive/data.pkl", b"\x80\x02}(" + items + b"u.")


def text(value):
    encoded = str(value).encode()
    return b"X" + len(encoded).to_bytes(4, "little") + encoded


def whole(number):
    return b"J" + number.to_bytes(4, "little")


def same_weights(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)
