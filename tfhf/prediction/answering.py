"""Rows of any number, from Python or a file, answered by whatever can answer them."""

import contextlib
import sys
from pathlib import Path

from tfhf import data, storage, tasks
from tfhf.data import writing
from tfhf.errors import UserError
from tfhf.prediction.pipelines import Pipeline, kind_of, load, say_cut
from tfhf.prediction.servable import Servable
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


def opened(model, task=None, batch_size=None, choices=None):
    """A Pipeline over a run or a model, or an export's `Servable`; both give `results`.

    Args:
        model, task, batch_size: as for `predict`.
        choices: a dictionary of which the options of the task are taken out and used.
    """
    if not isinstance(model, Run) and (Path(model) / "saved_model.pb").exists():
        return Servable(model, batch_size or 32)
    kind = kind_of(model) if task is None else tasks.get(task)
    choices = {} if choices is None else choices
    options = {name: choices.pop(name) for name in kind.options() if name in choices}
    return Pipeline(load(model, kind, options=options), batch_size)


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
    say_cut(cut, len(dataset), task or answering.task)


def _named(texts, task):
    """The command line's texts as rows: one each, or together one of a task of several roles.

    `question="…" context="…"` is one row of a task that needs both, and so is `text="…"
    text_pair="…"` of one that may have both.
    """
    needed = [role for role, kind in task.inputs.items() if not kind.optional]
    named = len(task.inputs) > 1 and all(text.partition("=")[0] in task.inputs for text in texts)
    if len(needed) < 2 and not named:
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
