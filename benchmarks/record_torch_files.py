"""Records files that PyTorch's `torch.save` wrote, and what is in them.

Run in an environment with PyTorch (not tfhf's own):

    python benchmarks/record_torch_files.py

It writes `tests/models/facts/torch_files.json`: per file its bytes (base64) and, per tensor, type,
shape and values.
"""

import base64
import collections
import io
from pathlib import Path

import torch
from record_names import lines

FACTS = Path(__file__).resolve().parents[1] / "tests" / "models" / "facts" / "torch_files.json"
KINDS = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"]


def weights():
    """A state dict with every kind of number, views, and storages that tensors share."""
    base = torch.arange(24, dtype=torch.float32) / 8 - 1
    held = collections.OrderedDict(
        (kind, torch.tensor([[1, 2, 3], [4, 5, 60]]).to(getattr(torch, kind))) for kind in KINDS
    )
    held["bool"] = torch.tensor([True, False, True])
    held["scalar"] = torch.tensor(2.5)
    held["empty"] = torch.zeros(0, 3)
    held["transposed"] = base.view(4, 6).T
    held["every second"] = base[3::2]
    held["one column"] = base.view(4, 6)[:, 2:3]
    held["tied"] = held["float32"]
    held["parameter"] = torch.nn.Parameter(base[:2].clone())
    held._metadata = collections.OrderedDict([("", {"version": 1})])
    return held


def saved(held, **options):
    """The bytes of `torch.save`, base64."""
    file = io.BytesIO()
    torch.save(held, file, **options)
    return base64.b64encode(file.getvalue()).decode()


def main():
    held = weights()
    module = torch.nn.Linear(2, 2)
    facts = {
        "torch": torch.__version__,
        "tensors": {
            name: [str(one.dtype).removeprefix("torch."), list(one.shape), one.tolist()]
            for name, one in held.items()
        },
        "files": {
            "zip": saved(held),
            "zip of a plain dictionary, protocol 4": saved(dict(held), pickle_protocol=4),
            "before 1.6": saved(held, _use_new_zipfile_serialization=False),
        },
        "others": {
            "nested": saved({"model": held, "epoch": 3}),
            "a module": saved(module),
            "a list": saved([torch.zeros(1)]),
            "quantized": saved({"w": torch.quantize_per_tensor(torch.ones(2), 1, 0, torch.qint8)}),
        },
    }
    FACTS.write_text(lines(facts, depth=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
