"""Model folders of the tests: loaded, read and written."""

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


def same_weights(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)
