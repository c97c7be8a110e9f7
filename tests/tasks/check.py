"""What every task must do, checked from its rows to the served answers."""

import json
import math

import numpy as np
import pytest

from tests.conftest import prove_here
from tfhf import data, evaluation, exporting, pieces, prediction, preparation, tasks
from tfhf.console import Phases
from tfhf.data.tokens import TokenStore
from tfhf.learning.optimizers import AdamW
from tfhf.learning.scoring import Scorer
from tfhf.recipe import Recipe


def check_task(name, recipe, rows, folder, asked=None):
    """Encodes, fits two steps, measures, predicts, saves, restores, and exports where it can.

    Args:
        name: the task's name.
        recipe: what the recipe needs beside task and data: `model`, `options` …
        rows: dictionaries from role to value, eight or more.
        folder: an empty folder.
        asked: rows to predict on, where they are none that are learned from.

    Returns:
        The restored `tfhf.Model`, the rows as a dataset, and the named results of all rows.
    """
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    files = {"train": str(file), "validation": str(file)}
    checked = Recipe.load(recipe | {"task": name, "data": files})
    prepared = preparation.prepare(checked, Phases())
    task, dataset = prepared.task, prepared.splits["validation"]

    model = pieces.trained(prepared.source, task)
    model.compile(AdamW(1e-2))
    batches = pieces.to_tf_dataset(dataset, model, batch_size=4, shuffle=True)
    losses = model.fit(batches.take(2), verbose=0).history["loss"]
    assert all(math.isfinite(loss) for loss in losses)

    check_measures(model, dataset, folder)
    asked = task.asked(dataset) if asked is None else data.from_rows(asked, task.inputs)
    results = prediction.Pipeline(model).results(asked)
    answers = [task.decode(results, index, row) for index, row in enumerate(asked)]
    assert len(json.loads(json.dumps(answers))) == len(asked)
    lines = [task.line(row, answer) for row, answer in zip(asked, answers, strict=True)]
    assert all(isinstance(line, str) for line in lines)

    model.save_pretrained(folder / "model")
    restored = prediction.load(folder / "model", tasks.get(name))
    assert restored.task.settings() == task.settings()
    check_equal(prediction.Pipeline(restored).results(asked), results)
    check_export(restored, dataset, folder / "export")
    return restored, dataset, results


def check_export(model, rows, folder):
    """An export is published, which proves it, and its answers are read as the model's are."""
    with pytest.MonkeyPatch.context() as patch:
        prove_here(patch)
        published = exporting.publish(folder, model, rows)
    assert published.facts["different"] == 0
    served = prediction.Servable(published.path)
    task = model.task.as_served()
    asked = data.from_rows(task.proof_rows(rows), task.inputs)
    assert served.task.serving_inputs == task.serving_inputs
    answers = served.results(asked)
    lines = [task.line(row, served.answer(answers, i, row)) for i, row in enumerate(asked)]
    assert len(lines) == len(asked)
    if task.continues:
        check_parts(published.path, task.served_rows(asked))


def check_parts(folder, rows):
    """A text that is generated in parts is the text that is generated at once."""
    import tensorflow as tf

    signatures = tf.saved_model.load(str(folder)).signatures
    whole, go_on = signatures["serving_default"], signatures["continue"]
    taken = whole.structured_input_signature[1]
    asked = {name: tf.constant(values[:3]) for name, values in rows.items() if name in taken}
    expected = whole(**asked)
    so_far, finished, calls = tf.constant([""] * 3), [False], 0
    while not all(finished):
        # Rows that have come differently far go on together.
        found = go_on(**asked, so_far=so_far, steps=tf.constant([5, 1 + calls, 40]))
        so_far, finished, calls = found["so_far"], found["finished"].numpy(), calls + 1
        assert calls < 50
    assert calls > 1
    for name, values in expected.items():
        assert found[name].numpy().tolist() == values.numpy().tolist(), name


def check_measures(model, dataset, folder):
    """Every row is in the records, and every metric that may be monitored is a number."""
    task = model.task
    scorer, store = Scorer(model, 4), TokenStore.build(dataset, task, folder / "tokens")
    values, scores = evaluation.measure(scorer, store, dataset)
    assert math.isfinite(values["loss"])
    assert task.monitor in ("loss", *task.metric_names)
    assert all(isinstance(values[metric], float) for metric in task.metric_names)
    records = list(task.records(dataset, scores.results))
    assert json.loads(json.dumps(records))
    # Fuller batches, and so other padding, change nothing.
    scorer.batch_size = len(dataset)
    whole, _ = evaluation.measure(scorer, store, dataset)
    for metric in task.metric_names:
        np.testing.assert_allclose(whole[metric], values[metric], atol=1e-5, err_msg=metric)


def check_equal(found, expected):
    """The same names; strings equal, numbers to rounding."""
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        if values.dtype.kind == "f":
            assert found[name].dtype == np.float32
            np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)
        else:
            assert found[name].tolist() == values.tolist(), name
