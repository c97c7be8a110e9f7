"""Single settings in place of a recipe's own: `train.epochs=1`."""

import yaml

from tfhf.errors import UserError
from tfhf.recipe.reading import parse


def parse_overrides(texts):
    """Turns the command line's `key=value` strings into a dictionary.

    Args:
        texts: strings such as `train.epochs=1`; the value is YAML.

    Returns:
        Dotted key → value.

    Raises:
        UserError: if a string has no `=`, or its value is no YAML.

    Example:
        >>> parse_overrides(["train.epochs=1", "data.columns={text: review}"])
        {'train.epochs': 1, 'data.columns': {'text': 'review'}}
    """
    changes = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UserError(f"overrides look like train.epochs=1; received {text!r}")
        try:
            changes[key] = parse(value)
        except yaml.YAMLError as error:
            raise UserError(f"{key}: the value is not valid YAML; received {value!r}") from error
    return changes


def overridden(values, changes):
    """A recipe's keys and values with some of them changed.

    Args:
        values: a dictionary, which stays as it is.
        changes: dotted key → value.

    Raises:
        UserError: if a key lies below one that holds a single value.
    """
    values = _copied(values)
    _give_way(values, changes)
    # The training set first: it clears what the other overrides may set.
    for key, value in sorted(changes.items(), key=lambda pair: pair[0] != "data.train"):
        _override(values, key, value)
    return values


def _copied(values):
    return {k: _copied(v) if isinstance(v, dict) else v for k, v in values.items()}


def _give_way(values, changes):
    """Of the two sizes of a batch, an override of one takes the place of the recipe's other."""
    for mine, other in (("batch_tokens", "batch_size"), ("batch_size", "batch_tokens")):
        if f"train.{mine}" in changes and isinstance(values.get("train"), dict):
            values["train"].pop(other, None)


def _override(values, key, value):
    # A new training set replaces where the data came from; otherwise the splits of one set would
    # silently be validated and tested on those of another.
    if key == "data.train":
        for source in ("path", "name", "revision", "rows", "labels", "validation", "test"):
            if isinstance(values.get("data"), dict):
                values["data"].pop(source, None)
    *parents, last = key.split(".")
    section = values
    for parent in parents:
        section = section.setdefault(parent, {})
        if not isinstance(section, dict):
            raise UserError(f"{key}: {parent!r} holds a single value, not keys")
    section[last] = value
