"""A trained model as a SavedModel that takes raw text, proven before it is published."""

import itertools
import os
import shutil
import tempfile
import time
import uuid
from pathlib import Path

import tensorflow as tf

from tfhf.errors import StorageError, UserError, reason
from tfhf.exports import (
    TEXT,
    ExportError,
    comparison,
    inspection,
    kit,
    records,
    rehearsal,
    warmup,
)
from tfhf.exports.answers import generated
from tfhf.exports.tokenizers.comparison import HARD_TEXTS, differences

# What the signature `continue` takes beside the texts, and the model beside their tokens.
SO_FAR = {
    "so_far": tf.TensorSpec([None], tf.string, "so_far"),
    "steps": tf.TensorSpec([None], tf.int32, "steps"),
}
BEGUN = {
    "begun": tf.TensorSpec([None, None], tf.int32, "begun"),
    "steps": tf.TensorSpec([], tf.int32, "steps"),
}


def publish(model, folder, rows, expected, *, asked, about=None, card=None):
    """Exports a model as the next version of `folder`, once it has proven itself.

    The version is written under a name that TensorFlow Serving ignores. It counts, and gets its
    number by one rename, after (1) its graph tokenizer gave the tokenizer's ids on `rows` and on
    texts chosen to be hard, (2) nothing in its graph was found that TensorFlow Serving cannot run,
    and (3) a fresh process that imports only TensorFlow loaded it, answered its warm-up requests,
    and gave `expected` on `rows`.

    Args:
        model: a `tfhf.Model`.
        folder: holds one folder per version: `1`, `2`, …; made if absent.
        rows: input of `serving_default` → its values, what `task.served_rows` gave.
        expected: a dictionary per row, what `task.decode` says of the model's own results.
        asked: the rows as dictionaries from role to value.
        about: JSON for `assets.extra/task.json`, from which `tfhf predict` knows the task.
        card: the model card, for `assets.extra/README.md`.

    Returns:
        dict with `version` (int), `path`, `curl` (the command that asks for the first row), and
        what `export.json` says of the version: `rows` compared and those of them that are
        `different` (`first_different` tells of one), `max_difference` of any number in the others
        (relative above 1), `token_rows` compared with the tokenizer, `loads_from`,
        `size_bytes`, `load_seconds`, `latency` and `seconds`.

    Raises:
        UserError: if the tokenizer has no form in TensorFlow ops.
        StorageError: if the folder cannot be written.
        ExportError: if any of the three proofs fails; `folder` is then as it was.
    """
    start, folder, task = time.perf_counter(), Path(folder), model.task.as_served()
    rows = {name: rows[name] for name in task.serving_inputs}
    graph_tokenizer = task.graph_tokenizer()
    token_rows = _check_tokens(graph_tokenizer, task, rows)
    aside = folder / f".tmp-{uuid.uuid4().hex}"
    try:
        save(model, graph_tokenizer, aside, about=about)
        problems = inspection.check(aside)
        if problems:
            raise ExportError(f"the export needs what TensorFlow Serving lacks: {problems}")
        tried = _rehearsed(aside, rows, task)
        found = [task.read_served(tried["answers"], index, row) for index, row in enumerate(asked)]
        agreement = comparison.compare(
            found, expected, tolerance=_tolerance(model), agreement=task.agreement
        )
        if card:
            kit.add_card(aside, card)
        facts = {
            "rows": agreement.rows,
            "different": agreement.different,
            "first_different": agreement.first,
            "max_difference": agreement.largest,
            "token_rows": token_rows,
            "loads_from": inspection.oldest_serving(aside),
            "size_bytes": sum(path.stat().st_size for path in aside.rglob("*") if path.is_file()),
            "load_seconds": tried["load_seconds"],
            "latency": tried["latency"],
            "seconds": round(time.perf_counter() - start, 2),
        }
        records.write(aside, facts)
        path = _rename_to_next_version(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    records.collect(folder)
    curl = kit.write(folder, rows)
    return {"version": int(path.name), "path": str(path), "curl": curl} | facts


def _rehearsed(folder, rows, task):
    """What a fresh process gives on the rows, once it has answered the warm-up requests."""
    # A text of many tokens takes seconds to generate, and every request delays the version.
    warmup.write(folder, rows, batches=(1,) if task.generates else warmup.BATCHES)
    try:
        tried = rehearsal.rehearse(folder, rows=rows, warmup=warmup.read(folder))
    except RuntimeError as error:
        raise ExportError(f"a fresh process cannot use the export: {error}") from error
    failed = [answer for answer in tried["warmup"] if isinstance(answer, str)]
    if failed:
        raise ExportError(f"the export fails on a warm-up request: {failed[0]}")
    return tried


def save(model, graph_tokenizer, folder, *, about=None):
    """Writes a SavedModel that holds the weights, the tokenizer's tables and the signatures.

    - `serving_default`: the task's `serving_inputs` → its `answers_in_graph`; such as `text`
      `(B,)` string → `label` `(B,)` string, `score` `(B,)` and `probabilities` `(B, C)` float32.
    - `tokens`: what the tokenizer gives, `(B, T)` int32 → what the model gives: `logits` float32,
      or generated tokens.
    - `continue`, for tasks with `continues`: what `serving_default` takes, `so_far` `(B,)` string
      and `steps` `(B,)` int32 → the answers so far, `so_far`, and `finished` `(B,)` bool.
    - `classify`: `inputs` `(B,)`, serialized `tf.Example`s with the texts as features → `classes`
      `(B, C)` string and `scores` `(B, C)` float32. For a regression instead
      `regress`: `inputs` → `outputs` `(B,)` float32. Neither for tasks without classes of a row.

    Class order is also in `assets/labels.txt`, one label per line.

    Args:
        model: a `tfhf.Model`; only the variables of its backbone are written.
        graph_tokenizer: from the task's `graph_tokenizer`.
        folder: where to write; must not exist.
        about: as for `publish`.

    Raises:
        UserError: if a label contains a line break.
        StorageError: if the folder cannot be written.
    """
    folder, task = Path(folder), model.task.as_served()
    exported = tf.Module(name="export")
    exported.weights = model.backbone.variables
    if graph_tokenizer is not None:
        exported.tokenizer = graph_tokenizer
    signatures = _signatures(model.backbone, task, graph_tokenizer)
    with tempfile.TemporaryDirectory() as assets:
        if task.served_labels:
            exported.labels = tf.saved_model.Asset(_labels_file(task.served_labels, Path(assets)))
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
            raise StorageError(f"cannot write the export to {folder}: {reason(error)}") from error


def _signatures(backbone, task, graph_tokenizer):
    """Signature name → concrete function."""
    kinds = {"string": tf.string, "int32": tf.int32}
    texts = {
        role: tf.TensorSpec([None] * rank, kinds[kind], role)
        for role, (kind, rank) in task.serving_inputs.items()
    }
    encode = _traced(lambda **texts: task.encode_in_graph(graph_tokenizer, texts), texts)
    tokens = {
        name: tf.TensorSpec(tensor.shape, tensor.dtype, name)
        for name, tensor in task.fed(encode.structured_outputs).items()
    }
    # Traced once; the signatures call it.
    begun = BEGUN if task.continues else {}
    model = _traced(lambda **fed: _as_float32(_forward(task, backbone, fed)), tokens | begun)
    forward = _traced(_from_the_start(model), tokens) if begun else model

    def serve(**texts):
        inputs = encode(**texts)
        results = forward(**task.fed(inputs))
        if not task.generates:
            results = task.outputs(results, inputs, backbone)
        return _as_float32(task.answers_in_graph(results, inputs, texts, graph_tokenizer))

    def go_on(so_far, steps, **texts):
        inputs = encode(**texts)
        results = generated.continued(model, task.fed(inputs), so_far, steps)
        state = {name: results[name] for name in ("so_far", "finished")}
        return task.answers_in_graph(results, inputs, texts, graph_tokenizer) | state

    def parsed(inputs):
        features = {role: tf.io.FixedLenFeature([], texts[role].dtype) for role in texts}
        return serve(**tf.io.parse_example(inputs, features))

    def classify(inputs):
        scores = parsed(inputs)["probabilities"]
        classes = tf.broadcast_to(tf.constant(task.labels), tf.shape(scores))
        return {"classes": classes, "scores": scores}

    def regress(inputs):
        return {"outputs": parsed(inputs)["score"]}

    served = _traced(serve, texts)
    signatures = {"serving_default": served, "tokens": forward}
    if task.continues:
        signatures["continue"] = _traced(go_on, texts | SO_FAR)
    examples = {"inputs": tf.TensorSpec([None], tf.string, "inputs")}
    if task.problem == "regression":
        signatures["regress"] = _traced(regress, examples)
    elif task.served_labels and "probabilities" in served.structured_outputs:
        signatures["classify"] = _traced(classify, examples)
    return signatures


def _forward(task, backbone, tokens):
    """What a model makes of tokens: what `forward` gives, or the tokens it generates."""
    found = task.forward(backbone, tokens, False)
    return task.outputs(found, tokens, backbone) if task.generates else found


def _from_the_start(generate):
    """What goes on with answers as what gives them from their first token to their last."""

    def forward(**tokens):
        none = tf.zeros([tf.shape(tokens["input_ids"])[0], 0], tf.int32)
        return generate(**tokens, begun=none, steps=tf.int32.max)

    return forward


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
    if graph_tokenizer is None:
        return 0
    tokenizer = task.processor
    columns = [rows[role] for role, kind in task.serving_inputs.items() if kind == TEXT]
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
    task = model.task
    if model.backbone.compute_dtype != "float32":
        return 2e-2  # sums of bfloat16 depend on their order
    if tf.config.list_logical_devices("GPU"):
        return 2e-3  # matrix products in TensorFloat-32
    return task.tolerance


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
