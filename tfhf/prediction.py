"""`tfhf predict` and `tfhf.pipeline`: a trained model on new rows."""

import tempfile
from pathlib import Path

from tfhf import data, exporting, models, tasks
from tfhf.data.tokens import TokenStore
from tfhf.errors import UserError
from tfhf.run import Run, is_run


def predict(model, rows, *, task=None, batch_size=32):
    """Answers rows with everything the task knows of them.

    Args:
        model: a Run, a run's folder, a model folder, a Hub id, or an exported version's folder.
        rows: a list of texts or of dictionaries from role to text, or a `datasets.Dataset` with
            the task's roles among its columns.
        task: the task's name; by default a run's own, or what the model's config says.
        batch_size: rows per batch; texts of like lengths share one.

    Returns:
        A list with one dictionary per row: for classification `label`, `score`, `probabilities`.

    Raises:
        UserError: if the model or a role is missing.
    """
    answering = opened(model, task, batch_size)
    dataset = data.from_rows(rows, answering.task.serving_roles)
    results = answering.results(dataset)
    return [answering.task.decode(results, index, row) for index, row in enumerate(dataset)]


def opened(model, task=None, batch_size=32):
    """A Pipeline over a run or a model, or an export's `Servable`; both give `results`."""
    if not isinstance(model, Run) and (Path(model) / "saved_model.pb").exists():
        return exporting.Servable(model)
    if isinstance(model, Run) or is_run(str(model)):
        run = model if isinstance(model, Run) else Run(model)
        kind = tasks.get(task or run.recipe.task)
    elif task is not None:
        kind = tasks.get(task)
    else:
        kind = tasks.by_config(models.load_config(models.resolve(str(model))))
    return Pipeline(load(model, kind), batch_size)


def pipeline(task, model=None, *, revision=None, batch_size=32, **options):
    """Makes a function from texts to answers, with the names transformers' pipelines made usual.

    Args:
        task: `sentiment-analysis` or `text-classification`.
        model: a Run, a run's folder, a model folder or a Hub id; the task's usual checkpoint
            where there is none.
        revision: branch, tag or commit of a Hub id.
        batch_size: rows per batch; texts of like lengths share one.
        **options: the task's options, such as `max_length=64`.

    Returns:
        A Pipeline.

    Raises:
        UserError: if there is no such task or model.

    Example:
        >>> classify = pipeline("sentiment-analysis", "runs/quickstart")
        >>> classify("Where is my parcel?")
        [{'label': 'delivery', 'score': 0.98}]
    """
    kind = tasks.by_pipeline(task)
    if model is None:
        model, revision = kind.default_model
    return Pipeline(load(model, kind, revision, options), batch_size)


class Pipeline:
    """A trained model, called with rows.

    Args:
        model: a `tfhf.Model`.
        batch_size: rows per batch.
    """

    def __init__(self, model, batch_size=32):
        from tfhf.learning.scoring import Scorer

        self.model = model
        self.task = model.task
        self._scorer = Scorer(model, batch_size)

    def __call__(self, rows, **choices):
        """Answers rows.

        Args:
            rows: a text, a dictionary from role to text (`{"text", "text_pair"}`), or a list.
            **choices: what the task's `present` takes; for classification `top_k`,
                `threshold`, `function_to_apply`.

        Returns:
            For a list of rows a list with each row's answer; for one row its answer. Where one
            label was asked for, an answer in a list stands by itself, as in transformers.

        Raises:
            UserError: if a role is missing or no text.
        """
        many = isinstance(rows, list | tuple)
        dataset = data.from_rows(rows if many else [rows], self.task.serving_roles)
        results = self.results(dataset)
        answers = [
            self.task.present(results, index, row, **choices) for index, row in enumerate(dataset)
        ]
        if not many:
            return answers[0]
        if "top_k" in choices:
            return answers
        return [answer[0] if len(answer) == 1 else answer for answer in answers]

    def results(self, dataset):
        """The named results (name → array) of a dataset's rows, in their order."""
        if not len(dataset):
            return {}
        with tempfile.TemporaryDirectory() as scratch:
            store = TokenStore.build(dataset, self.task, f"{scratch}/tokens")
            return self._scorer(store).results


def load(model, kind, revision=None, options=None):
    """A trained model for a task, from a run, a folder or the Hub, as a `tfhf.Model`."""
    from tfhf.pieces import trained

    if isinstance(model, Run) or is_run(str(model)):
        model = (model if isinstance(model, Run) else Run(model)).model
    source = models.resolve(str(model), revision)
    config = models.load_config(source)
    task = kind.from_config(models.load_tokenizer(source), config, **(options or {}))
    loaded = trained(source, task)
    if loaded.load_report.new:
        raise UserError(
            f"{source.name} was not trained for {kind.name()}: it has no weights for "
            f"{', '.join(loaded.load_report.new)}; train it first"
        )
    return loaded
