"""A trained model called with rows, by the names transformers' pipelines made usual."""

import inspect
import tempfile

from tfhf import data, models, tasks
from tfhf.console import say
from tfhf.data.tokens import TokenStore
from tfhf.errors import UserError, did_you_mean
from tfhf.run import Run, is_run


def pipeline(task, model=None, *, revision=None, batch_size=None, **options):
    """Makes a function from texts to answers, with the names transformers' pipelines made usual.

    Args:
        task: a name of transformers' pipelines: `sentiment-analysis`, `ner`, `fill-mask` …
        model: a Run, a run's folder, a model folder or a Hub id; the task's usual checkpoint
            where there is none.
        revision: branch, tag or commit of a Hub id.
        batch_size: rows per batch; by default as many as a number of tokens allows. Texts of like
            lengths share one.
        **options: the task's options, such as `max_length=64`.

    Returns:
        A Pipeline.

    Raises:
        UserError: if there is no such task or model.

    Example:
        >>> classify = pipeline("sentiment-analysis", "runs/quickstart")  # doctest: +SKIP
        >>> classify("Where is my parcel?")  # doctest: +SKIP
        [{'label': 'delivery', 'score': 0.98}]
    """
    kind = tasks.by_pipeline(task)
    options = kind.named(task) | options
    if model is None and kind.default_model is None:
        raise UserError(f"pipeline {task!r} has no usual checkpoint; name a model")
    if model is None:
        model, revision = kind.default_model
    return Pipeline(load(model, kind, revision, options), batch_size, shown=True)


class Pipeline:
    """A trained model, called with rows.

    Args:
        model: a `tfhf.Model`.
        batch_size: rows per batch; by default as many as a number of tokens allows. Texts of like
            lengths share one.
        shown: whether `results` hold what the task's `present` needs, which calls do, too.
    """

    def __init__(self, model, batch_size=None, *, shown=False):
        from tfhf.learning.scoring import Scorer

        self.model = model
        self.task = model.task
        self._scorer = Scorer(model, batch_size, shown=shown)

    def __call__(self, rows=None, **choices):
        """Answers rows.

        Args:
            rows: a text, a dictionary from role to value (`{"text", "text_pair"}`), or a list; a
                row's values may also be given by role: `ask(question="…", context="…")`.
            **choices: what transformers' pipeline of the task takes beside its rows, such as
                `top_k`; the task's `configured` and `present` name them. `truncation` may be
                True.

        Returns:
            For a list of rows a list with each row's answer; for one row its answer.

        Raises:
            UserError: if a role is missing or holds something else than it should, or there is no
                such choice.
        """
        if rows is None:
            rows = {role: choices.pop(role) for role in self.task.inputs if role in choices}
        task, rest = self.configured(**_without_truncation(choices))
        _check_choices(task, rest)
        rows, many = task.as_rows(rows)
        dataset = data.from_rows(rows, task.inputs)
        results = self.results(dataset, task)
        answers = [task.present(results, index, row, **rest) for index, row in enumerate(dataset)]
        return task.arrange(answers, **rest) if many else answers[0]

    def configured(self, **choices):
        """The task as the choices of a call make it, and the choices that are left; see `Task`."""
        return self.task.configured(**choices)

    def results(self, dataset, task=None):
        """The named results (name → array) of a dataset's rows, in their order.

        Args:
            dataset: a `datasets.Dataset` with the columns of the task's `inputs`.
            task: the model's own task, or what its `configured` gave.
        """
        if not len(dataset):
            return {}
        results, cut = self.score(dataset, task)
        say_cut(cut, len(dataset), task or self.task)
        return results

    def score(self, dataset, task=None, first=0):
        """The results, as `results` gives them, and how many rows were too long.

        Args:
            dataset, task: as for `results`; one row or more.
            first: the number of the dataset's first row, where it is a part of another one.
        """
        task = task or self.task
        with tempfile.TemporaryDirectory() as scratch:
            store = TokenStore.build(dataset, task, f"{scratch}/tokens")
            scores = self._scorer(store, "predict", task, first=first)
            return scores.results, len(store.cut_rows())

    def answer(self, results, index, row, task=None):
        """A row's answer, as the task's `decode` words it."""
        return (task or self.task).decode(results, index, row)


def load(model, kind, revision=None, options=None):
    """A trained model for a task, from a run, a folder or the Hub, as a `tfhf.Model`."""
    from tfhf.pieces import trained

    if isinstance(model, Run) or is_run(str(model)):
        model = (model if isinstance(model, Run) else Run(model)).model
    source = models.resolve(str(model), revision)
    config = models.load_config(source)
    task = kind.from_config(kind.load_processor(source), config, **(options or {}))
    loaded = trained(source, task)
    missing = [one for one in loaded.load_report.new if not task.unread_by(one)]
    if missing:
        raise UserError(
            f"{source.name} was not trained for {kind.name()}: it has no weights for "
            f"{', '.join(missing)}; train it first"
        )
    return loaded


def _without_truncation(choices):
    """A call's choices without transformers' `truncation=True`, which is always so here."""
    if choices.get("truncation", True) is not True:
        raise UserError(
            "truncation: must be True, because a text is always cut at the task's max_length; "
            f"received {choices['truncation']!r}"
        )
    return {name: value for name, value in choices.items() if name != "truncation"}


def _check_choices(task, choices):
    """Refuses a choice that `present` does not take, before anything is computed."""
    parameters = inspect.signature(task.present).parameters
    known = [name for name in parameters if name not in ("results", "index", "row")]
    for name, value in choices.items():
        if name not in known:
            takes = f"; it takes {', '.join(known)}" if known else ""
            hint = did_you_mean(name, known)
            raise UserError(
                f"{task.name()}: a call has no choice {name!r}{hint or takes}; received {value!r}"
            )


def say_cut(cut, rows, task):
    """Says how many of some rows were too long for a task, if any were."""
    if cut:
        say(
            f"  note: {cut} of {rows} rows are longer than max_length {task.max_length}; only "
            "their beginnings are read"
        )
