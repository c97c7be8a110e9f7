"""What is known about TensorFlow's ops: from which version on they exist, and what they reach."""

import fnmatch
import functools
import json
from pathlib import Path

# What an op can do besides computing: patterns of names → said in words. The first that fits
# counts. From the ops that TensorFlow 2.21 registers.
_REACHING = {
    "run Python": ("*PyFunc*",),
    "stop the server": ("Abort",),
    "reach other machines": (
        "Rpc*", "DataService*", "RegisterDataset*", "RemoteCall", "Send", "Recv",
        "CollectiveBcast*",
    ),
    "write files": (
        "WriteFile", "Save", "SaveV2", "SaveSlices", "SaveDataset*", "DistributedSave",
        "MergeV2Checkpoints", "*DatasetToTFRecord", "CreateSummary*", "Write*Summary",
        "WriteSummary", "ImportEvent", "DumpTensor", "Debug*", "SnapshotDataset*",
        "CacheDataset*", "CalibrationStatisticsSaver", "FileSystemSetConfiguration",
    ),
    "read files": (
        "ReadFile", "*MatchingFiles*", "Restore*", "DTensorRestore*", "LoadDataset",
        "*Snapshot*", "*LMDB*", "*SqlDataset", "*CSVDataset*", "TextLineDataset",
        "TFRecordDataset*", "FixedLengthRecordDataset*", "*FileReader*", "*LineReader*",
        "*RecordReader*", "RecordInput", "InitializeTableFromTextFile*", "ImmutableConst",
        "LoadAndRemapMatrix", "GenerateVocabRemapping",
    ),
}  # fmt: skip
# Ops with which every SavedModel saves and restores its own variables.
CHECKPOINT_OPS = {"SaveV2", "RestoreV2", "MergeV2Checkpoints", "Save", "Restore"}


def reach(place):
    """What an op can do besides computing, such as `"read files"`; None if nothing.

    Args:
        place: a `graphs.Place`; the attributes of an op that prints or decodes tell whether it
            names a file.
    """
    stream = place.attributes.get("output_stream")
    if place.op in ("Print", "PrintV2"):
        written = stream is not None and stream.s.startswith(b"file:")
        return "write files" if written else "print"
    source = place.attributes.get("descriptor_source")
    if place.op in ("EncodeProto", "DecodeProtoV2"):
        inside = source is None or source.s.startswith((b"local://", b"bytes://"))
        return None if inside else "read files"
    for words, patterns in _REACHING.items():
        if any(fnmatch.fnmatchcase(place.op, pattern) for pattern in patterns):
            return words
    return None


@functools.cache
def _table():
    """`op_versions.json`, written by `benchmarks/record_ops.py`."""
    path = Path(__file__).with_name("op_versions.json")
    return json.loads(path.read_text(encoding="utf-8"))


def oldest_recorded():
    """The oldest version that the table knows; an op it does not name is at least that old."""
    return _table()["oldest"]


def is_text_op(op):
    """Whether an op is one of tensorflow-text that TensorFlow Serving links."""
    return op in _table()["text_in_serving"]


def is_known(op):
    """Whether an op is TensorFlow's own, whatever else is loaded now."""
    import tensorflow as tf

    return hasattr(tf.raw_ops, op)


def first_version(place):
    """First TensorFlow Serving that knows an op and all attributes its node carries.

    Args:
        place: a `graphs.Place`.

    Returns:
        Such as `"2.20"`; the oldest version recorded where the op is at least as old as that.
    """
    table = _table()
    versions = [table["oldest"]]
    versions.append(table["ops"].get(place.op, table["oldest"]))
    versions.append(table["text_in_serving"].get(place.op, table["oldest"]))
    for name in place.attributes:
        versions.append(table["attributes"].get(f"{place.op}.{name}", table["oldest"]))
    return max(versions, key=version_key)


def version_key(version):
    """Orders versions as numbers: 2.9 before 2.20."""
    return tuple(int(part) for part in version.split("."))
