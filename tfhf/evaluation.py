"""`tfhf evaluate`: metrics of a trained model on a split, every row counted once."""

import numbers
import tempfile
from pathlib import Path

from tfhf import custom, models, preparation
from tfhf.console import Phases, load_tensorflow, say
from tfhf.errors import UserError
from tfhf.recipe import Recipe
from tfhf.run import Run, is_run


def evaluate(model, *, recipe=None, split=None, **overrides):
    """Measures a run or a model on the data of a recipe.

    Args:
        model: a run's folder, a Run, or a trained model (folder or Hub id) with a recipe.
        recipe: the recipe whose data are used; a run has its own.
        split: `train`, `validation` or `test`; by default test where there is one.
        **overrides: dotted keys of the recipe, such as `**{"data.test": "more.csv"}`.

    Returns:
        Metric name → value, tables such as `per_class` as dictionaries. A run's metrics.json and
        predictions are brought up to date where its own recipe was used as it stands.

    Raises:
        UserError: if the recipe, the model or the split is missing.
    """
    run = model if isinstance(model, Run) else Run(model) if is_run(str(model)) else None
    if run is None and recipe is None:
        raise UserError(f"{model} is no run: say with --recipe which data to use")
    checked = Recipe.load(recipe if recipe is not None else run.recipe, overrides)
    folder = str(run.model if run is not None else model)
    phases = Phases()
    prepared = preparation.prepare(checked, phases, trained=folder)
    if recipe is not None:
        for note in _differences(prepared):
            say(f"  note: {note}")
    name = split or ("test" if "test" in prepared.splits else "validation")
    if name not in prepared.splits:
        raise UserError(f"--split: the data have {', '.join(prepared.splits)}; received {name!r}")
    if name == "train" and prepared.stream is not None:
        raise UserError("--split: train is streamed and has no end to measure; name another split")
    prepared.splits = {name: prepared.splits[name]}
    with tempfile.TemporaryDirectory() as scratch:
        stores = preparation.tokenize(prepared, Path(scratch), phases)
        with phases("loading the model"):
            load_tensorflow()
            from tfhf.learning.scoring import Scorer
            from tfhf.pieces import trained

            model = trained(prepared.source, prepared.task)
            size = checked.train.batch_size
            scorer = Scorer(model, size, batch_tokens=checked.train.batch_tokens)
        with phases("evaluating"):
            own = checked.train.metrics
            values, scores = measure(scorer, stores[name], prepared.splits[name], own)
    if run is not None and recipe is None and not overrides:
        record(run, name, values, scores, prepared.splits[name], prepared.task)
    return values


def _differences(prepared):
    """What a recipe says otherwise than the model it measures was trained with, a line each."""
    task = prepared.task
    trained, now = task.saved(models.load_config(prepared.source)), task.settings()
    return [
        f"options.{name} is {now[name]!r} in the recipe; the model was trained with "
        f"{trained[name]!r}"
        for name in task.options()
        if name in now and name in trained and now[name] != trained[name]
    ]


def measure(scorer, store, dataset, own=()):
    """Scores a split and computes its metrics.

    Args:
        scorer: a `learning.scoring.Scorer`.
        store: the split's TokenStore.
        dataset: the split's rows.
        own: places of metrics of the user's own, see `figures`.

    Returns:
        The metrics (name → value, `loss` first), and the Scores.

    Raises:
        UserError: if there is nothing to measure on: no label, no token to guess.
    """
    task = scorer.model.task
    scores = scorer(store, "evaluate")
    if scores.loss is None:
        raise UserError(
            f"data: none of the {len(dataset)} rows to evaluate on has anything to predict; give"
            " this split more data"
        )
    return {"loss": scores.loss} | figures(task, dataset, scores.results, own), scores


def figures(task, dataset, results, own=()):
    """The metrics of a split: the task's, and those of the user's own.

    Args:
        task, dataset, results: as for `task.score`.
        own: places (`module:name`) of functions that take a list of the rows of
            `predictions/<split>.jsonl`, dictionaries, and give a number; more is better.

    Raises:
        UserError: if such a function fails, or gives something else.
    """
    values = task.score(dataset, results)
    rows = list(task.records(dataset, results)) if own else []
    for place in own:
        function = custom.load(place, "train.metrics")
        try:
            value = function(rows)
        except Exception as error:
            raise UserError(
                f"train.metrics: {place} failed: {type(error).__name__}: {error}; it is called "
                "with a list of rows, as they stand in predictions/validation.jsonl"
            ) from error
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise UserError(f"train.metrics: {place} must give a number; it gave {value!r}")
        values[place.partition(":")[2]] = float(value)
    return values


def record(run, split, values, scores, dataset, task):
    """Writes a split's metrics and predictions into a run."""
    run.update("metrics.json", {split: values})
    run.write_predictions(split, task.records(dataset, scores.results))
