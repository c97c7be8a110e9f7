"""One recipe over several checkpoints: what each scores, how fast it is, how large."""

import gc
import re
import sys
from pathlib import Path

from tfhf import models, tasks, training
from tfhf.comparison import page, table
from tfhf.console import say
from tfhf.errors import StorageError, UserError
from tfhf.recipe import Recipe
from tfhf.run import Run, check_vacant, is_run


def compare(recipe, names, *, out=None, overwrite=False, **overrides):
    """Trains a recipe once for each checkpoint, and writes `comparison.md` with a plot.

    Every checkpoint is found and checked before the first is trained. A run that is there already,
    finished, of the same recipe, is taken as it is: a comparison that was stopped goes on where it
    was, and one more checkpoint costs one more training. A checkpoint whose training fails does
    not lose the others theirs.

    Args:
        recipe: as for `tfhf.train`.
        names: checkpoints: `minilm`, folders, Hub ids.
        out: folder of the runs; `runs/<recipe's name>-models` by default.
        overwrite: whether runs that are there are replaced.
        **overrides: dotted keys of the recipe.

    Returns:
        `(rows, failures)`: a `table.Row` for each trained checkpoint, in the order of the names,
        and checkpoint → line for those that failed.

    Raises:
        UserError: for a mistake in the recipe, and for a checkpoint that does not fit the task.
    """
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None or not names:
        raise UserError(f"--models: name each checkpoint once; received {','.join(names)!r}")
    recipes = {name: _recipe(recipe, name, overrides) for name in names}
    if out is None:
        first = training.default_folder(recipe, recipes[names[0]])
        out = first.with_name(f"{first.name}-models")
    folders = _folders(Path(out), names)
    for name, one in recipes.items():
        if not _is_done(folders[name], one, overwrite):
            check_vacant(folders[name], overwrite)
        _check(one)
    rows, failures = [], {}
    for number, (name, one) in enumerate(recipes.items(), 1):
        say(f"{name} ({number} of {len(names)})")
        if _is_done(folders[name], one, overwrite):
            say(f"  its run is there already: {folders[name]}")
        else:
            failures |= _train(name, one, folders[name], overwrite)
        if name not in failures:
            rows.append(table.read(folders[name], name, closely=True))
    if rows:
        page.write(Path(out), rows, failures)
    return rows, failures


def _recipe(recipe, name, overrides):
    """The recipe for one checkpoint; a revision is that of the recipe's own."""
    own = Recipe.load(recipe, overrides)
    changes = {"model": name} | ({} if name == own.model else {"revision": None})
    return Recipe.load(recipe, overrides | changes)


def _folders(out, names):
    """A folder for each checkpoint, called by the last part of its name."""
    folders = {}
    for name in names:
        stem = re.sub(r"[^\w.-]", "_", name.rstrip("/").rpartition("/")[2]) or "model"
        taken = {folder.name for folder in folders.values()}
        if stem in taken:  # the same name by another owner
            stem = re.sub(r"[^\w.-]", "_", name.strip("/."))
        folders[name] = out / stem
    return folders


def _is_done(folder, recipe, overwrite):
    """Whether a finished run of the very recipe stands in the folder, and may stay."""
    if overwrite or not is_run(folder):
        return False
    run = Run(folder)
    return "validation" in run.metrics and run.recipe.to_yaml() == recipe.to_yaml()


def _check(recipe):
    """Refuses a checkpoint that cannot be trained, before the others are."""
    source, kind = models.resolve(recipe.model, recipe.revision), tasks.get(recipe.task)
    config = models.load_config(source)
    models.check_settings(config, source.name)
    classes = models.auto_classes(config)
    if kind.auto_class not in classes:
        raise UserError(
            f"--models: {recipe.model} is a {config.model_type}, which has no {kind.auto_class}; "
            f"leave it out of {recipe.task}"
        )
    kind.load_processor(source)


def _train(name, recipe, folder, overwrite):
    """Trains one checkpoint; `{name: line}` if that fails by what the user can mend."""
    try:
        training.train(recipe, out=folder, overwrite=overwrite)
    except StorageError:
        raise  # a full disk is full for all of them
    except UserError as error:
        say(f"  {error}")
        return {name: str(error)}
    finally:
        _forget()
    return {}


def _forget():
    """Gives back what Keras and TensorFlow keep of a model that is done with."""
    if "tf_keras" in sys.modules:
        sys.modules["tf_keras"].backend.clear_session()
    gc.collect()
