"""What every task must do, checked from its rows to the served answers."""

import json
import math

import numpy as np

from tfhf import exporting, pieces, prediction, preparation, tasks
from tfhf.console import Phases
from tfhf.learning.optimizers import AdamW
from tfhf.recipe import Recipe


def check_task(name, recipe, rows, folder):
    """Encodes, fits two steps, predicts, saves, restores, exports and serves.

    Args:
        name: the task's name.
        recipe: what the recipe needs beside task and data: `model`, `options` …
        rows: dictionaries from role to value, eight or more.
        folder: an empty folder.

    Returns:
        The restored `tfhf.Model`, the rows as a dataset, and the named results of all rows.
    """
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    data = {"train": str(file), "validation": str(file)}
    checked = Recipe.load(recipe | {"task": name, "data": data})
    prepared = preparation.prepare(checked, Phases())
    task, dataset = prepared.task, prepared.splits["validation"]

    model = pieces.trained(prepared.source, task)
    model.compile(AdamW(1e-2))
    batches = pieces.to_tf_dataset(dataset, model, batch_size=4, shuffle=True)
    losses = model.fit(batches.take(2), verbose=0).history["loss"]
    assert all(math.isfinite(loss) for loss in losses)

    results = prediction.Pipeline(model, raw=False).results(dataset)
    check_answers(task, dataset, results)

    model.save_pretrained(folder / "model")
    restored = prediction.load(folder / "model", tasks.get(name))
    assert restored.task.model_config() == task.model_config()
    # It compares the export with the restored model; below, the export with the trained one.
    published = exporting.publish(folder / "export", restored, dataset)
    served = prediction.Servable(published.path)
    assert served.task.serving_roles == task.serving_roles
    check_equal(served.results(dataset), results)
    return restored, dataset, results


def check_answers(task, dataset, results):
    """Every row is answered in JSON, and every metric that may be monitored is a number."""
    answers = [task.decode(results, index, row) for index, row in enumerate(dataset)]
    assert len(json.loads(json.dumps(answers))) == len(dataset)
    assert len(json.loads(json.dumps(task.expected(dataset)))) == len(dataset)
    scores = task.score(dataset, results)
    assert task.monitor in task.metric_names
    assert all(isinstance(scores[metric], float) for metric in task.metric_names)


def check_equal(found, expected):
    """The same names; strings equal, numbers to rounding."""
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        if values.dtype.kind == "f":
            assert found[name].dtype == np.float32
            np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)
        else:
            assert found[name].tolist() == values.tolist(), name
