"""`tfhf predict` and `tfhf.pipeline`: a trained model on new rows."""

import contextlib
import inspect
import json
import sys
import tempfile
from pathlib import Path

from tfhf import data, models, storage, tasks
from tfhf.console import load_tensorflow, say
from tfhf.data import writing
from tfhf.data.tokens import TokenStore
from tfhf.errors import UserError, did_you_mean
from tfhf.run import Run, is_run

AT_ONCE = 10_000  # rows read, encoded, scored and written before the next are; their order stays


def predict(model, rows, *, task=None, batch_size=None):
    """Answers rows with everything the task knows of them.

    Args:
        model: a Run, a run's folder, a model folder, a Hub id, or an exported version's folder.
        rows: a list of texts or of dictionaries from role to text, or a `datasets.Dataset` with
            the task's roles among its columns.
        task: the task's name; by default a run's own, or what the model's config says.
        batch_size: rows per batch; by default as many as a number of tokens allows. Texts of like
            lengths share one.

    Returns:
        A list with one dictionary per row: for classification `label`, `score`, `probabilities`.

    Raises:
        UserError: if the model or a role is missing.
    """
    answering = opened(model, task, batch_size)
    dataset = data.from_rows(rows, answering.task.inputs)
    return [answer for _, answers in _answered(answering, dataset) for answer in answers]


def _answered(answering, dataset, task=None):
    """Answers a dataset part by part, so that its size does not matter.

    Args:
        answering: what `opened` gave.
        dataset, task: as for `Pipeline.results`.

    Yields:
        The number of the first row of a part, and the answers to its rows in their order.
    """
    cut = 0
    for first in range(0, len(dataset), AT_ONCE):
        part = dataset.select(range(first, min(first + AT_ONCE, len(dataset))))
        results, cut_here = answering.score(part, task, first)
        cut += cut_here
        yield first, [answering.answer(results, i, row, task) for i, row in enumerate(part)]
    _say_cut(cut, len(dataset), task or answering.task)


def _say_cut(cut, rows, task):
    if cut:
        say(
            f"  note: {cut} of {rows} rows are longer than max_length {task.max_length}; only "
            "their beginnings are read"
        )


def opened(model, task=None, batch_size=None, choices=None):
    """A Pipeline over a run or a model, or an export's `Servable`; both give `results`.

    Args:
        model, task, batch_size: as for `predict`.
        choices: a dictionary of which the options of the task are taken out and used.
    """
    if not isinstance(model, Run) and (Path(model) / "saved_model.pb").exists():
        return Servable(model, batch_size or 32)
    if isinstance(model, Run) or is_run(str(model)):
        run = model if isinstance(model, Run) else Run(model)
        kind = tasks.get(task or run.recipe.task)
    elif task is not None:
        kind = tasks.get(task)
    else:
        kind = tasks.by_config(models.load_config(models.resolve(str(model))))
    choices = {} if choices is None else choices
    options = {name: choices.pop(name) for name in kind.options() if name in choices}
    return Pipeline(load(model, kind, options=options), batch_size)


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
        _say_cut(cut, len(dataset), task or self.task)
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


class Servable:
    """An exported version, answering as a `Pipeline` does but through its own signature.

    Args:
        folder: a version's folder.

    Raises:
        UserError: if it is no export of tfhf.
    """

    def __init__(self, folder, batch_size=32):
        load_tensorflow()
        import tensorflow as tf
        from transformers import PretrainedConfig

        about = Path(folder) / "assets.extra" / "task.json"
        if not about.is_file():
            raise UserError(f"{folder} is no export of tfhf: assets.extra/task.json is missing")
        about = json.loads(about.read_text(encoding="utf-8"))
        if about["task"] not in tasks.names():  # a file's word imports nobody's code
            raise UserError(
                f"{folder} was made by a task of your own, {about['task']}; ask it as a SavedModel"
            )
        kind = tasks.get(about["task"])
        self.task = kind.from_config(None, PretrainedConfig(**about["config"])).as_served()
        self.batch_size = batch_size
        self._loaded = tf.saved_model.load(str(folder))

    def configured(self, **choices):
        """Takes the choices of a call that the signature has an input for: `candidate_labels`.

        Raises:
            UserError: if there is another, which the export has fixed.
        """
        names_labels = "candidate_labels" in self.task.serving_inputs
        for name, value in choices.items():
            if not (names_labels and name == "candidate_labels"):
                only = "; a call may choose candidate_labels" if names_labels else ""
                raise UserError(
                    f"{name}: an export answers as it was exported{only}; received {value!r}"
                )
        return self.task.configured(**choices)

    def results(self, dataset, task=None):
        """The named results (name → array) of a dataset's rows, in their order."""
        return self.score(dataset, task)[0]

    def score(self, dataset, task=None, first=0):
        """As `Pipeline.score`; an export does not tell what it cuts."""
        import numpy as np
        import tensorflow as tf

        from tfhf.exports import NUMBER, rehearsal, warmup

        serve = self._loaded.signatures["serving_default"]
        task = task or self.task
        rows = task.served_rows(dataset)
        for name, kind in task.serving_inputs.items():
            if kind == NUMBER:
                rows[name] = [first + number for number in rows[name]]
        taken = serve.structured_input_signature[1]
        rows = {name: warmup.rectangular(rows[name]) for name in rows if name in taken}
        # Texts of like lengths share a batch; characters will do to tell.
        texts = [repr(values) for values in zip(*rows.values(), strict=True)]
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        rows = {name: [values[row] for row in order] for name, values in rows.items()}

        def call(part):
            found = serve(**{name: tf.constant(values) for name, values in part.items()})
            return {name: value.numpy() for name, value in found.items()}

        found = rehearsal.ask(call, rows, self.batch_size)
        back = np.argsort(order)
        return {name: values[back] for name, values in found.items()}, 0

    def answer(self, results, index, row, task=None):
        """A row's answer, as the task's `read_served` words it."""
        return self.task.read_served(results, index, row)


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


def predict_to(model, *, texts=(), file=None, output=None, task=None, choices=None):
    """Answers texts or a file's rows and writes them: what `tfhf predict` does.

    Args:
        model, task: as for `predict`.
        texts: texts, for a model of one text.
        file: a file of rows in place of texts; all its columns are kept, and a part of the answer
            whose name a column has already is called `predicted_…`. Columns are found under the
            names a run's recipe gives them, else under the roles' own.
        output: a `.jsonl` or `.csv` file; standard output by default: plain lines for texts, JSON
            lines for a file.
        choices: a dictionary of options of the task, and of what its `configured` takes:
            `{"max_new_tokens": 40}`.

    Raises:
        UserError: if a column is missing, or a choice or the output's format is unknown.
        StorageError: if the output cannot be written.
    """
    suffix = Path(output).suffix if output else None
    if suffix not in (None, ".jsonl", ".csv"):
        raise UserError(f"--output: must end in .jsonl or .csv; received {output!r}")
    choices = dict(choices or {})
    answering = opened(model, task, choices=choices)
    task, rest = answering.configured(**choices)
    if rest:
        raise UserError(f"--option: {task.name()} has no option {next(iter(rest))!r} here")
    if file:
        columns = Run(model).recipe.data.columns if is_run(str(model)) else {}
        columns = {role: name for role, name in columns.items() if role in task.inputs}
        kept, dataset = data.read_inputs(file, task.inputs, columns)
    else:
        dataset = data.from_rows(_named(texts, task), task.inputs)
        kept = dataset
    parts = _answered(answering, dataset, task)
    if not output and not file:
        for first, answers in parts:
            for row, answer in enumerate(answers, first):
                print(task.line(dataset[row], answer))
        return
    with storage.writing(output) if output else contextlib.nullcontext(sys.stdout.write) as append:
        add = writing.as_csv(append) if suffix == ".csv" else writing.as_lines(append)
        for first, answers in parts:
            add(writing.beside(kept.select(range(first, first + len(answers))), answers))


def _named(texts, task):
    """The command line's texts as rows: one each, or together one of a task of several roles.

    `question="…" context="…"` is one row of a task that needs both.
    """
    needed = [role for role, kind in task.inputs.items() if not kind.optional]
    if len(needed) < 2:
        return list(texts)
    row = {}
    for text in texts:
        role, _, value = text.partition("=")
        if role not in task.inputs or role in row:
            wanted = " ".join(f'{role}="…"' for role in needed)
            raise UserError(f"predict: {task.name()} takes {wanted}; received {text[:60]!r}")
        kind = task.inputs[role]
        row[role] = kind.from_text(value) if kind.nested else value
    return [row]
