"""A trained model as a SavedModel that takes raw text, proven before it is published."""

import itertools
import os
import shutil
import tempfile
import time
import uuid
from pathlib import Path

import tensorflow as tf

from tfhf.errors import StorageError, UserError
from tfhf.exports import ExportError, tokenizers, verification
from tfhf.exports.tokenizers.comparison import HARD_TEXTS, differences


def publish(model, folder, rows, expected, *, about=None):
    """Exports a model as the next version of `folder`, once it has proven itself.

    The version is written under a name that TensorFlow Serving ignores. It counts, and gets its
    number by one rename, after (1) its graph tokenizer gave the tokenizer's ids on `rows` and on
    texts chosen to be hard, (2) every op turned out to be one that TensorFlow Serving runs, and
    (3) a fresh process that imports only TensorFlow gave `expected` on `rows`.

    Args:
        model: a `tfhf.Model`.
        folder: holds one folder per version: `1`, `2`, …; made if absent.
        rows: dict from serving role (`text`, `text_pair`) to a list of strings.
        expected: dict of what the model gives on `rows`, as `task.outputs` names it (arrays).
        about: JSON for `assets.extra/task.json`, from which `tfhf predict` knows the task.

    Returns:
        dict with `version` (int), `path`, `rows` compared, `max_difference` of any number
        (relative above 1), `token_rows` compared with the tokenizer, `ops` (sorted names),
        `size_bytes` and `seconds`.

    Raises:
        UserError: if the tokenizer has no form in TensorFlow ops.
        StorageError: if the folder cannot be written.
        ExportError: if any of the three proofs fails; `folder` is then as it was.
    """
    start, folder = time.perf_counter(), Path(folder)
    graph_tokenizer = tokenizers.in_graph(model.task.processor)
    token_rows = _check_tokens(graph_tokenizer, model.task, rows)
    aside = folder / f".tmp-{uuid.uuid4().hex}"
    try:
        save(model, graph_tokenizer, aside, about=about)
        problems = verification.check(aside)
        if problems:
            raise ExportError(f"the export needs what TensorFlow Serving lacks: {problems}")
        difference = verification.verify(aside, rows, expected, tolerance=_tolerance(model))
        ops = verification.operations(aside)
        size = sum(path.stat().st_size for path in aside.rglob("*") if path.is_file())
        path = _rename_to_next_version(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return {
        "version": int(path.name),
        "path": str(path),
        "rows": len(next(iter(rows.values()))),
        "max_difference": difference,
        "token_rows": token_rows,
        "ops": ops,
        "size_bytes": size,
        "seconds": round(time.perf_counter() - start, 2),
    }


def save(model, graph_tokenizer, folder, *, about=None):
    """Writes a SavedModel that holds the weights, the tokenizer's tables and the signatures.

    - `serving_default`: the task's texts `(B,)` string → `task.outputs`, such as `label` `(B,)`
      string, `score` `(B,)` and `probabilities` `(B, C)` float32; a regression's `score` only.
    - `tokens`: what the tokenizer gives, `(B, T)` int32 → what the model gives: `logits` float32.
    - `classify`: `inputs` `(B,)`, serialized `tf.Example`s with the texts as features → `classes`
      `(B, C)` string and `scores` `(B, C)` float32. For a regression instead
      `regress`: `inputs` → `outputs` `(B,)` float32.

    Class order is also in `assets/labels.txt`, one label per line.

    Args:
        model: a `tfhf.Model`; only the variables of its backbone are written.
        graph_tokenizer: from `tokenizers.in_graph`.
        folder: where to write; must not exist.
        about: as for `publish`.

    Raises:
        UserError: if a label contains a line break.
        StorageError: if the folder cannot be written.
    """
    folder, labels = Path(folder), model.task.labels
    exported = tf.Module(name="export")
    exported.weights = model.backbone.variables
    exported.tokenizer = graph_tokenizer
    signatures = _signatures(model.backbone, model.task, graph_tokenizer)
    with tempfile.TemporaryDirectory() as assets:
        if labels:
            exported.labels = tf.saved_model.Asset(_labels_file(labels, Path(assets)))
        try:
            folder.mkdir(parents=True)
            tf.saved_model.save(exported, str(folder), signatures)
            if about is not None:
                (folder / "assets.extra").mkdir()
                (folder / "assets.extra" / "task.json").write_text(about, encoding="utf-8")
        except (
            OSError,
            tf.errors.ResourceExhaustedError,
            tf.errors.PermissionDeniedError,
        ) as error:
            reason = str(error).splitlines()[0]
            raise StorageError(f"cannot write the export to {folder}: {reason}") from error


def _signatures(backbone, task, graph_tokenizer):
    """Signature name → concrete function."""
    texts = {role: tf.TensorSpec([None], tf.string, role) for role in task.serving_roles}
    encode = _traced(lambda **texts: task.encode_in_graph(graph_tokenizer, texts), texts)
    tokens = {
        name: tf.TensorSpec(tensor.shape, tensor.dtype, name)
        for name, tensor in encode.structured_outputs.items()
    }
    # Traced once; the signatures call it.
    forward = _traced(lambda **tokens: _as_float32(task.forward(backbone, tokens, False)), tokens)

    def serve(**texts):
        inputs = encode(**texts)
        return _as_float32(task.outputs(forward(**inputs), inputs, backbone))

    def parsed(inputs):
        features = {role: tf.io.FixedLenFeature([], tf.string) for role in texts}
        return serve(**tf.io.parse_example(inputs, features))

    def classify(inputs):
        scores = parsed(inputs)["probabilities"]
        classes = tf.broadcast_to(tf.constant(task.labels), tf.shape(scores))
        return {"classes": classes, "scores": scores}

    def regress(inputs):
        return {"outputs": parsed(inputs)["score"]}

    signatures = {"serving_default": _traced(serve, texts), "tokens": forward}
    examples = {"inputs": tf.TensorSpec([None], tf.string, "inputs")}
    if task.problem == "regression":
        signatures["regress"] = _traced(regress, examples)
    elif task.labels:
        signatures["classify"] = _traced(classify, examples)
    return signatures


def _traced(function, inputs):
    """A concrete function of keyword arguments; `inputs` maps their names to specs."""
    return tf.function(function).get_concrete_function(**inputs)


def _as_float32(results):
    """TensorFlow Serving's REST knows no half precision."""
    return {
        name: tf.cast(value, tf.float32) if value.dtype.is_floating else value
        for name, value in results.items()
    }


def _labels_file(labels, folder):
    """Writes `labels.txt` and returns its path."""
    for label in labels:
        if len(label.splitlines()) > 1:
            raise UserError(f"labels: a label must be one line to be exported; received {label!r}")
    path = folder / "labels.txt"
    path.write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    return str(path)


def _check_tokens(graph_tokenizer, task, rows):
    """Compares ids on the rows and on hard texts, and how many; pairs where the task has them."""
    tokenizer = task.processor
    columns = [rows[role] for role in task.serving_roles]
    batches = [(list(itertools.chain(HARD_TEXTS, *columns)), None)]
    if len(columns) == 2:
        batches.append(([*HARD_TEXTS, *columns[0]], [*HARD_TEXTS[::-1], *columns[1]]))
    for texts, pairs in batches:
        wrong = differences(graph_tokenizer, tokenizer, texts, pairs, max_length=task.max_length)
        if wrong:
            raise ExportError(
                f"the tokenizer in the graph differs from {type(tokenizer).__name__} on "
                f"{len(wrong)} of {len(texts)} texts, first on {texts[wrong[0]]!r}"
            )
    return sum(len(texts) for texts, _ in batches)


def _tolerance(model):
    """How far the fresh process, on a CPU in its own batches, may be from the trained model."""
    if model.backbone.compute_dtype != "float32":
        return 2e-2  # sums of bfloat16 depend on their order
    if tf.config.list_logical_devices("GPU"):
        return 2e-3  # matrix products in TensorFloat-32
    return 1e-5


def _rename_to_next_version(aside, folder):
    """Publishes atomically; another process may publish at the same time."""
    while True:
        taken = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
        path = folder / str(max(taken, default=0) + 1)
        try:
            os.rename(aside, path)
            return path
        except OSError as error:
            if not path.exists():
                raise StorageError(f"cannot write {path}: {error.strerror}") from error
