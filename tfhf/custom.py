"""A user's own code, named in a recipe as `module:name`.

Importing a module runs it. So it is imported only for a recipe that a user trains, checks or
evaluates by, never for what a model's or an export's files say.
"""

import importlib
import os
import sys
import traceback

from tfhf.errors import UserError, did_you_mean


def check(place, key):
    """Makes sure that a place is written as one; imports nothing.

    Args:
        place: such as `my_metrics:kappa`; the module may be `package.module`.
        key: the recipe's key that holds it, for errors.

    Returns:
        The module's name, and the name in it.

    Raises:
        UserError: if it is written otherwise.
    """
    module, _, name = place.partition(":") if isinstance(place, str) else ("", "", "")
    if not all(part.isidentifier() for part in (*module.split("."), name)):
        raise UserError(
            f"{key}: your own code is named module:name, such as my_metrics:kappa; received "
            f"{place!r}"
        )
    return module, name


def load(place, key):
    """Imports what a place names, from the environment or the working folder.

    Args:
        place, key: as for `check`.

    Raises:
        UserError: if there is no such module or name in it, or the module fails.
    """
    module, name = check(place, key)
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # last: a data.py that lies here must not hide another
    importlib.invalidate_caches()
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and f"{module}.".startswith(f"{error.name}."):
            raise UserError(
                f"{key}: there is no module {module} in this environment or in {os.getcwd()}; "
                f"received {place!r}"
            ) from error
        raise UserError(f"{key}: {module} cannot be imported: {error}") from error
    except Exception as error:
        line = traceback.extract_tb(error.__traceback__)[-1]
        raise UserError(
            f"{key}: {module} cannot be imported: {type(error).__name__}: {error} "
            f"({os.path.basename(line.filename)}:{line.lineno})"
        ) from error
    if not hasattr(found, name):
        hint = did_you_mean(name, [known for known in vars(found) if known[0] != "_"])
        raise UserError(f"{key}: the module {module} has no {name!r}{hint}")
    return getattr(found, name)


def make(spec, kind, key):
    """An object of the user's own class, or the object itself where the place holds one.

    Args:
        spec: `{"name": place, argument: value, …}`.
        kind: the class it must be an object of.
        key: as for `check`.

    Raises:
        UserError: as `load` does; if it is nothing of the kind, or does not take the arguments.
    """
    arguments = dict(spec)
    place = arguments.pop("name", None)
    found = load(place, key)
    if isinstance(found, kind) and not arguments:
        return found
    if not (isinstance(found, type) and issubclass(found, kind)):
        expected = f"{kind.__module__.split('.')[0]}'s {kind.__name__}"
        raise UserError(f"{key}: {place} must be a class derived from {expected}")
    try:
        return found(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"{key}: {place} does not take these arguments: {error}") from error
