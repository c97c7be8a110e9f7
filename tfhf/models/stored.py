"""The files that hold a model's weights, opened under one form.

PyTorch-format safetensors and older files of torch.save (one file or shards; float32, float16,
bfloat16), TensorFlow-format safetensors, and HDF5.
"""

import contextlib
import functools
from dataclasses import dataclass

import numpy as np

from tfhf.models import tensors, torch_files

# Names that PyTorch gave up: converted checkpoints' norms, and weight normalisation's two parts.
FORMER = [
    ("LayerNorm.gamma", "LayerNorm.weight"),
    ("LayerNorm.beta", "LayerNorm.bias"),
    ("parametrizations.weight.original0", "weight_g"),
    ("parametrizations.weight.original1", "weight_v"),
]


@dataclass(frozen=True)
class Stored:
    """One weight in a file: its shape, its NumPy type, and how to read it."""

    shape: tuple
    kind: str
    read: object


@contextlib.contextmanager
def open_weights(files):
    """Yields what the files hold, name → Stored, and whether names and layouts are TensorFlow's.

    Args:
        files: paths, from `intake.weight_files`.
    """
    with contextlib.ExitStack() as stack:
        stored, is_tensorflow = {}, False
        for file in files:
            if file.suffix == ".h5":
                import h5py

                stored.update(_h5_weights(stack.enter_context(h5py.File(file, "r"))))
                is_tensorflow = True
            elif file.suffix == ".bin":
                stored.update(
                    _under_present_names(file, torch_files.read_header(file), torch_files.read)
                )
            else:
                entries, metadata = tensors.read_header(file)
                stored.update(_under_present_names(file, entries, tensors.read))
                is_tensorflow = metadata.get("format") == "tf"
        yield stored, is_tensorflow


def _under_present_names(file, entries, read):
    """The weights of a file under PyTorch's names of today; `read(file, entry)` reads one."""
    found = {}
    for name, entry in entries.items():
        for former, present in FORMER:
            if name.endswith(former):
                name = name.removesuffix(former) + present
        kind = "f" if entry.dtype == "BF16" else np.dtype(tensors.DTYPES[entry.dtype]).kind
        found[name] = Stored(entry.shape, kind, functools.partial(read, file, entry))
    return found


def _h5_weights(file):
    """The weights of an open HDF5 file: a group per layer, in it datasets by variable name."""
    import h5py
    from transformers.modeling_tf_utils import strip_model_name_and_prefix

    found = {}

    def visit(path, item):
        if isinstance(item, h5py.Dataset):
            name = strip_model_name_and_prefix(path.split("/", 1)[-1])
            found[name] = Stored(item.shape, item.dtype.kind, functools.partial(np.asarray, item))

    file.visititems(visit)
    return found
