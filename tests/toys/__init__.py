"""Toy data, one module per task: what every recipe of the task is trained on in the tests.

Each module has

- `rows(name)`: 18 or more dictionaries from role to value, for the recipe of that name;
- `model(tiny_bert_folder, folder)`: a tiny checkpoint for the task, made in `folder` where the
  tiny BERT will not do;
- `OPTIONS`: overrides of the recipe, such as `{"options.max_length": 16}`.
"""

import importlib

from tfhf.recipe import Recipe


def of(task):
    """The toy module of a task."""
    return importlib.import_module(f"{__name__}.{task}")


def rows(name, columns=None):
    """The toy rows of a recipe, under the names that it gives the columns, or others do."""
    recipe = Recipe.load(name)
    columns = recipe.data.columns if columns is None else columns
    return [_renamed(row, columns) for row in of(recipe.task).rows(name)]


def _renamed(row, columns):
    """A row with other columns; a list that several columns hold is spread over them."""
    found = {}
    for role, value in row.items():
        column = columns.get(role, role)
        several = isinstance(column, list)
        found |= dict(zip(column, value, strict=True)) if several else {column: value}
    return found
