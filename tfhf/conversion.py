"""`tfhf export --lite`: the trained model as LiteRT files, and what each costs and saves."""

import importlib.util
import tempfile
import time
from pathlib import Path

from tfhf import data, evaluation, preparation, reporting, storage, tasks
from tfhf.console import Phases, load_tensorflow, say
from tfhf.data import batches
from tfhf.data.tokens import TokenStore
from tfhf.errors import UserError
from tfhf.run import Run

PRECISIONS = ("float32", "float16", "int8")
ROWS = 100  # rows answered one by one, by the trained model and each file in turn
WARM_UP = 3  # rows whose times do not count


def convert(run, precisions, *, to=None):
    """Writes a run's model as LiteRT files, once they have answered as the model does.

    Args:
        run: a Run or a run's folder.
        precisions: some of `float32`, `float16` and `int8`; a file each.
        to: folder of a folder per file; `export/<run's name>/lite` in the run by default, where
            TensorFlow Serving ignores it.

    Returns:
        Paths of the files, in the order of `precisions`.

    Raises:
        UserError: if the task writes text, LiteRT lacks an operation of the model, or a file's
            answers are too far from the model's. Nothing is written then.
        StorageError: if a file cannot be written.
    """
    run = run if isinstance(run, Run) else Run(run)
    recipe, precisions = run.recipe, tuple(dict.fromkeys(precisions))
    _check(tasks.get(recipe.task), precisions)
    phases = Phases()
    prepared = preparation.prepare(recipe, phases, trained=str(run.model))
    with phases("loading the model"):
        load_tensorflow()
        from tfhf.pieces import trained

        model = trained(prepared.source, prepared.task)
    rows, batch_size = prepared.splits["validation"], recipe.train.batch_size
    files, measured = examine(model, rows, precisions, batch_size, phases)
    monitor = run.metrics.get("monitor", model.task.monitor)
    folder = Path(to) if to else run.exports / "lite"
    paths = [_write(folder, model, files, measured, one, monitor) for one in precisions]
    if not to:
        reporting.report(run)  # it tells of the run's exports
    say(_table(measured, monitor))
    return paths


def _check(kind, precisions):
    """Refuses what cannot be had, before anything is loaded."""
    for precision in precisions:
        if precision not in PRECISIONS:
            raise UserError(f"--lite: must be float32, float16 or int8; received {precision!r}")
    if kind.generates:
        raise UserError(
            f"--lite: {kind.name()} writes token by token, which one run of a LiteRT file cannot; "
            "export a SavedModel"
        )
    if importlib.util.find_spec("ai_edge_litert") is None:
        raise UserError("--lite needs LiteRT's interpreter: pip install 'tfhf[lite]'")


def examine(model, rows, precisions, batch_size, phases):
    """Converts a model, and measures it and the files side by side on the same rows.

    Args:
        model: a `tfhf.Model`.
        rows: a split's `datasets.Dataset`, targets included.
        precisions: as for `convert`, each once.
        batch_size: rows per batch where metrics are measured.
        phases: `console.Phases`.

    Returns:
        Precision → `exports.lite.Converted`, and what was measured: `model` and each precision →
        dict of `metrics` (name → float, as `tfhf evaluate` gives them; None for tasks that are
        measured on more than a prediction reads), `size_bytes`, `p50_ms` (median milliseconds for
        one row), and, but for `model`, `difference` (`exports.lite.difference`).

    Raises:
        UserError: as for `convert`.
    """
    from tfhf.exports import lite
    from tfhf.learning.scoring import Scorer

    with tempfile.TemporaryDirectory() as scratch:
        with phases("tokenizing"):
            store = TokenStore.build(rows, model.task, Path(scratch) / "split")
            single = _one_by_one(model.task, rows, Path(scratch) / "single")
        with phases("converting"):
            files = lite.convert(model, single.element_spec[0], precisions)
        with phases("comparing") as found:
            calls = {"model": lite.original(model, files[precisions[0]])} | files
            measured = _side_by_side(calls, single)
            found.append(f"one row at a time, {len(single)} rows")
        for precision in precisions:
            _check_difference(precision, measured[precision]["difference"])
        scorers = {"model": Scorer(model, batch_size)}
        scorers |= {name: lite.LiteScorer(model, files[name], batch_size) for name in files}
        comparable = scorers[precisions[0]].measures(_measured_on(store, model.task))
        for name, scorer in scorers.items():
            measured[name]["metrics"] = None
            if comparable:
                with phases(f"evaluating: {name}"):
                    values, _ = evaluation.measure(scorer, store, rows)
                measured[name]["metrics"] = {k: v for k, v in values.items() if _is_number(v)}
    weights = model.backbone.variables
    measured["model"]["size_bytes"] = sum(w.shape.num_elements() * w.dtype.size for w in weights)
    for precision, file in files.items():
        measured[precision]["size_bytes"] = len(file.content)
    return files, measured


def _is_number(value):
    """Whether a metric is one number; the others are tables."""
    return isinstance(value, int | float)


def _one_by_one(task, rows, folder):
    """Batches of one row each (or of one of its windows), as a prediction feeds them."""
    task = task.as_served()
    rows = rows.select(range(min(ROWS, len(rows))))
    store = TokenStore.build(data.from_rows(task.proof_rows(rows), task.inputs), task, folder)
    order = batches.in_order(min(ROWS, store.features), batch_size=1)
    return batches.evaluation_dataset(store, task, order, "predict")


def _measured_on(store, task):
    """What the model is fed where it is measured: name → `TensorSpec`."""
    order = batches.in_order(store.features, batch_size=1)
    return batches.evaluation_dataset(store, task, order).element_spec[0]


def _side_by_side(calls, single):
    """Answers row after row by each call in turn, so that all meet the same machine.

    Args:
        calls: name → function from arrays to arrays; the first is what all are compared to.
        single: batches of one row.

    Returns:
        Name → dict of `p50_ms`, and `difference` but for the first.
    """
    import numpy as np

    from tfhf.exports.lite import difference

    answers, times = {name: [] for name in calls}, {name: [] for name in calls}
    for inputs, _, _ in single.as_numpy_iterator():
        for name, call in calls.items():
            start = time.perf_counter()
            answers[name].append(call(inputs))
            times[name].append(1000 * (time.perf_counter() - start))
    found = {
        name: {"p50_ms": round(float(np.median(own[WARM_UP:] or own)), 3)}
        for name, own in times.items()
    }
    first, *others = calls
    for name in others:
        found[name]["difference"] = difference(answers[name], answers[first])
    return found


def _check_difference(precision, difference):
    from tfhf.exports.lite import BOUNDS

    if not difference <= BOUNDS[precision]:
        raise UserError(
            f"--lite {precision}: answers differ from the trained model's by {difference:.1e} of "
            f"their size, more than {BOUNDS[precision]:.0e}; nothing was written, try another "
            "precision"
        )


def _write(folder, model, files, measured, precision, monitor):
    """Writes a file, what reads text for it, and last, so that it vouches for them, `lite.json`."""
    from tfhf.exports.lite import SIGNATURE

    folder, file, task = folder / precision, files[precision], model.task
    with storage.storing(folder):
        (folder / "lite.json").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        task.processor.save_pretrained(scratch)
        for path in sorted(Path(scratch).iterdir()):
            storage.write(folder / path.name, path.read_bytes())
    storage.write(folder / "model.tflite", file.content)
    about = {
        "task": task.name(),
        "precision": precision,
        "labels": task.labels,
        "signature": SIGNATURE,
        "inputs": _described(file.inputs, file.length),
        "outputs": _described(file.outputs, file.length),
        "fills": file.fills,
        "settings": task.settings(),
        "monitor": monitor,
        "model": measured["model"],
        "file": measured[precision],
    }
    storage.write_json(folder / "lite.json", about)
    return folder / "model.tflite"


def _described(specs, length):
    """Name → type and shape, with null for a dimension of any size."""
    found = {}
    for name, spec in specs.items():
        shape = spec.shape.as_list()
        if len(shape) > 1 and shape[1] is None:
            shape[1] = length
        found[name] = {"type": spec.dtype.name, "shape": shape}
    return found


def _table(measured, monitor):
    """What was measured as aligned lines."""
    lines = [f"  {'':<9}{monitor:>12}{'size':>12}{'one row':>12}{'difference':>12}"]
    for name, facts in measured.items():
        metric = (facts["metrics"] or {}).get(monitor)
        shown = "–" if metric is None else f"{metric:.4f}"
        size, milliseconds = f"{facts['size_bytes'] / 1e6:.1f} MB", f"{facts['p50_ms']:.1f} ms"
        far = f"{facts['difference']:.1e}" if "difference" in facts else "–"
        lines.append(f"  {name:<9}{shown:>12}{size:>12}{milliseconds:>12}{far:>12}")
    return "\n".join(lines)
