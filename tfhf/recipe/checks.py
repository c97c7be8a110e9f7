"""What no schema says of a recipe: which keys go together, and what its task takes."""

from tfhf import custom, tasks
from tfhf.errors import UserError, did_you_mean
from tfhf.learning.arguments import OPTIMIZERS, SCHEDULES
from tfhf.recipe import values

BATCH_SIZE = 32  # rows, where a recipe says neither rows nor tokens
SHUFFLE_WINDOW = 10_000  # rows of a stream that are mixed together


def complete(recipe, where):
    """Checks what keys say together, and fills in every default that hangs on another key.

    Args:
        recipe: a Recipe whose keys each hold a value of their kind.
        where: its file, for messages.

    Raises:
        UserError: if keys contradict each other, or do not fit the task.
    """
    task = tasks.get(recipe.task)
    recipe.options = values.check_options(task, recipe.options, where)
    train = recipe.train
    train.optimizer = values.check_named(OPTIMIZERS, train.optimizer, where, "train.optimizer")
    train.schedule = values.check_named(SCHEDULES, train.schedule, where, "train.schedule")
    for key, place in _own_code(train):
        custom.check(place, f"{where}: {key}")
    _check_source(recipe.data, where)
    _check_roles(recipe, task.columns(**recipe.options), where)
    _check_model(recipe, where)
    task.check_accumulate(train.accumulate, **recipe.options)
    _check_batches(train, where)
    _check_streaming(recipe, where)
    late = [epoch for epoch in train.unfreeze if epoch > train.epochs]
    if late:
        raise UserError(
            f"{where}: train.unfreeze: there is no epoch {late[0]}; train.epochs is {train.epochs}"
        )


def _own_code(train):
    """Key and place of the user's own code that a training names."""
    yield from (("train.metrics", place) for place in train.metrics)
    yield from (("train.callbacks", one.get("name")) for one in train.callbacks)
    if train.loss is not None:
        yield "train.loss", train.loss.get("name")


def _check_source(data, where):
    """Rows come from one place: a path, or files."""
    if data.path and data.files:
        raise UserError(f"{where}: data.path and data.{next(iter(data.files))} exclude each other")
    if not data.path and not data.train:
        raise UserError(f"{where}: data needs a path (Hub id or folder), or train: FILE")


def _check_roles(recipe, roles, where):
    """Columns are named for the roles of the task."""
    for role in recipe.data.columns:
        if role not in roles:
            hint = did_you_mean(role, roles)
            raise UserError(
                f"{where}: data.columns: {recipe.task} has no role {role!r}{hint}; "
                f"roles: {', '.join(roles)}"
            )


def _check_model(recipe, where):
    """A checkpoint has its own tokenizer; a model from scratch needs a family."""
    if recipe.tokenizer is not None and isinstance(recipe.model, str):
        raise UserError(
            f"{where}: tokenizer: is for a model trained from scratch (model: {{model_type: …}}); "
            f"{recipe.model} has its own; received {recipe.tokenizer!r}"
        )
    if isinstance(recipe.model, dict) and "model_type" not in recipe.model:
        raise UserError(f"{where}: model.model_type is missing; name a family, such as gpt2")


def _check_batches(train, where):
    """Batches are of a number of rows or of tokens, and can be cut into slices."""
    if train.batch_tokens is None:
        train.batch_size = train.batch_size or BATCH_SIZE
    elif train.batch_size is not None:
        raise UserError(
            f"{where}: train.batch_size and train.batch_tokens exclude each other; "
            f"received {train.batch_size} and {train.batch_tokens}"
        )
    if train.batch_size is not None and train.batch_size % train.accumulate:
        raise UserError(
            f"{where}: train.accumulate must divide train.batch_size; "
            f"received {train.accumulate} and {train.batch_size}"
        )


def _check_streaming(recipe, where):
    """Keys that only a stream has a use for, and those that it cannot serve."""
    data, train = recipe.data, recipe.train
    streams = {
        "data.shuffle_window": data.shuffle_window,
        "data.rows": data.rows,
        "train.steps_per_epoch": train.steps_per_epoch,
    }
    drawn = "a stream is not drawn from; data.rows: N reads the first N rows"
    others = {
        "data.limit.train": (data.limit.get("train"), drawn),
        "data.field": (data.field, "of a stream every line is a row; leave it out"),
        "train.shapes": (
            train.shapes,
            "they are chosen from the lengths of all rows; leave it out",
        ),
        "train.jit_compile": (
            train.jit_compile or None,
            "each length would be compiled, and a stream has any; leave it out",
        ),
        "options.class_weights": (
            "balanced" if recipe.options.get("class_weights") == "balanced" else None,
            "it counts the labels of all rows; give the weights: {label: weight}",
        ),
    }
    if data.streaming:
        data.shuffle_window = data.shuffle_window or SHUFFLE_WINDOW
        for key, (value, remedy) in others.items():
            if value is not None:
                raise UserError(f"{where}: {key}: {remedy}; received {value!r}")
    for key, value in ({} if data.streaming else streams).items():
        if value is not None:
            raise UserError(
                f"{where}: {key}: is for streams; set data.streaming: true, or leave it out; "
                f"received {value!r}"
            )
