"""Toy data, one module per task: what every recipe of the task is trained on in the tests.

Each module has

- `rows(name)`: 18 or more dictionaries from role to value, for the recipe of that name;
- `model(tiny_bert_folder, folder)`: a tiny checkpoint for the task, made in `folder` where the
  tiny BERT will not do;
- `OPTIONS`: overrides of the recipe, such as `{"options.max_length": 16}`.
"""

import importlib


def of(task):
    """The toy module of a task."""
    return importlib.import_module(f"{__name__}.{task}")
