"""Records which ops TensorFlow and tensorflow-text have, from which version on.

Run once in an environment of each version (tensorflow or tensorflow-cpu, and the tensorflow-text
that belongs to it; also the ones that TensorFlow Serving is built with, see `SERVING_TEXT`):

    python benchmarks/record_ops.py dump ops_2.18.json

and then, anywhere, over the files of all versions:

    python benchmarks/record_ops.py merge ops_2.12.json ops_2.18.json … ops_2.21.json

The second writes `tfhf/exports/op_versions.json`: only what is newer than the oldest version that
TensorFlow Serving images are recorded of, so that the table stays short.
"""

import json
import sys
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "tfhf" / "exports" / "op_versions.json"
# TensorFlow Serving → the tensorflow-text it links. Source: tensorflow_serving/workspace.bzl at
# the tags 2.18.0, 2.19.0, 2.19.1 and 2.20.0, https://github.com/tensorflow/serving
SERVING_TEXT = {"2.18": "2.12", "2.19": "2.12", "2.20": "2.20"}


def dump(path):
    """Writes the ops of this environment: name → names of attributes, by library."""
    import tensorflow as tf

    core = _registered()
    import tensorflow_text  # noqa: F401

    text = {name: names for name, names in _registered().items() if name not in core}
    found = {"version": ".".join(tf.__version__.split(".")[:2]), "tensorflow": core, "text": text}
    Path(path).write_text(json.dumps(found), encoding="utf-8")


def _registered():
    """Op → names of its attributes, of all that is loaded now."""
    from tensorflow.core.framework.op_def_pb2 import OpList
    from tensorflow.python.client import pywrap_tf_session

    ops = OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return {op.name: sorted(attribute.name for attribute in op.attr) for op in ops.op}


def merge(paths):
    """Writes the table from the files of all versions."""
    found = [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]
    dumps = {one["version"]: one for one in sorted(found, key=lambda one: _key(one["version"]))}
    versions = [version for version in dumps if _key(version) >= _key(min(SERVING_TEXT, key=_key))]
    ops, attributes = {}, {}
    for older, newer in zip(versions, versions[1:], strict=False):
        before, after = dumps[older]["tensorflow"], dumps[newer]["tensorflow"]
        ops |= {name: newer for name in after if name not in before}
        attributes |= {
            f"{op}.{name}": newer
            for op, names in after.items()
            for name in names
            if op in before and name not in before[op]
        }
    latest = dumps[versions[-1]]["tensorflow"]
    table = {
        "oldest": versions[0],
        "newest": versions[-1],
        "ops": {name: version for name, version in sorted(ops.items()) if name in latest},
        "attributes": dict(sorted(attributes.items())),
        "text_in_serving": _text_in_serving(dumps),
    }
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _text_in_serving(dumps):
    """Op of tensorflow-text → first recorded TensorFlow Serving that links it."""
    first = {}
    for serving, text in SERVING_TEXT.items():
        for op in dumps[text]["text"]:
            first.setdefault(op, serving)
    return dict(sorted(first.items()))


def _key(version):
    return tuple(map(int, version.split(".")))


if __name__ == "__main__":
    action, *files = sys.argv[1:]
    dump(*files) if action == "dump" else merge(files)
