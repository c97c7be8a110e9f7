"""The kinds of problem tfhf solves: one file each, found by its name.

A task is a module of this folder that holds one subclass of `Task`; adding the file adds the task.
A recipe may also name one of the user's own: `module:name`.
"""

import importlib
import pkgutil

from tfhf import custom
from tfhf.errors import UserError, did_you_mean
from tfhf.tasks.base import Task


def names():
    """Names of all tasks, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "base")


def get(name):
    """Finds a task's class by its file name.

    Args:
        name: such as `text_classification`; or the place of a user's own, which is imported.

    Returns:
        The subclass of `Task` in that file, or of that name.

    Raises:
        UserError: if there is no such task.
    """
    if ":" in name:
        own = custom.load(name, "task")
        if not (isinstance(own, type) and issubclass(own, Task)):
            raise UserError(f"task: {name} must be a class derived from tfhf.tasks.Task")
        return own
    if name not in names():
        hint = did_you_mean(name, names())
        raise UserError(f"task: unknown task {name!r}{hint}; tasks: {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{name}")
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    own = [one for one in classes if issubclass(one, Task) and one.__module__ == module.__name__]
    (task,) = own
    return task


def by_pipeline(name):
    """Finds the task behind a name of transformers' pipelines, such as `sentiment-analysis`.

    Raises:
        UserError: if no task has that name.
    """
    for task in names():
        if get(task).named(name) is not None:
            return get(task)
    known = {pipeline for task in names() for pipeline in get(task).pipelines}
    hint = did_you_mean(name, known)
    raise UserError(f"no pipeline {name!r}{hint}; pipelines: {', '.join(sorted(known))}")


def by_config(config):
    """Finds the task that a trained model's config stands for.

    Raises:
        UserError: if no task trains a model of that architecture.
    """
    for name in names():
        if get(name).saved(config):
            return get(name)
    architecture = (config.architectures or ["none"])[0]
    endings = {ending: name for name in names() for ending in get(name).architectures}
    fitting = [ending for ending in endings if architecture.endswith(ending)]
    if fitting:
        return get(endings[max(fitting, key=len)])
    raise UserError(
        f"no task for a model with architecture {architecture}; name one with --task: "
        f"{', '.join(names())}"
    )
