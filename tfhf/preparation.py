"""From a recipe to data and a task, without TensorFlow: what every verb does first.

The order is that of cost: the recipe is checked already, then files, columns and labels of every
row, then the checkpoint's files and its tokenizer.
"""

from dataclasses import dataclass
from typing import Any

from tfhf import data, models, tasks
from tfhf.data.tokens import TokenStore, describe_lengths


@dataclass
class Prepared:
    """Data, checkpoint and task of a recipe.

    Attributes:
        splits: split → `datasets.Dataset` with columns named by role.
        source: the checkpoint's checked folder.
        task: the Task.
        notes: what is unusual about the data, a line each.
    """

    splits: dict[str, Any]
    source: Any
    task: Any
    notes: list[str]


def prepare(recipe, phases, model=None, labels=None):
    """Loads and checks the data, the checkpoint's files and the tokenizer.

    Args:
        recipe: a checked Recipe.
        phases: `console.Phases`, told of each phase.
        model: checkpoint in place of the recipe's.
        labels: label names in place of the recipe's, for a model that has learned them already.

    Returns:
        Prepared.

    Raises:
        UserError: for anything wrong with files, columns, labels or the checkpoint.
    """
    task = tasks.get(recipe.task)
    with phases("loading data") as found:
        loaded = load_data(recipe, task, labels)
        found.append(", ".join(f"{len(s):,} {name}" for name, s in loaded.splits.items()))
    with phases("checking the model") as found:
        source = models.resolve(model or recipe.model, recipe.revision)
        tokenizer = models.load_tokenizer(source)
        found.append(source.name)
    features = next(iter(loaded.splits.values())).features
    notes = loaded.notes + models.tokenizer_notes(tokenizer)
    return Prepared(loaded.splits, source, task(tokenizer, features, **recipe.options), notes)


def load_data(recipe, task, labels=None):
    """The recipe's data with columns named by role, every row checked; see `data.load`."""
    spec = recipe.data
    return data.load(
        task.columns(**recipe.options),
        path=spec.path,
        name=spec.name,
        revision=spec.revision,
        files=spec.files or None,
        columns=spec.columns,
        labels=labels or spec.labels,
        limit=spec.limit,
        encoding=spec.encoding,
        separator=spec.separator,
        field=spec.field,
        on_unlabeled=spec.on_unlabeled,
        on_empty=spec.on_empty,
        seed=recipe.train.seed,
    )


def tokenize(prepared, folder, phases):
    """Encodes every split into a token store under `folder`; split → TokenStore."""
    stores = {}
    with phases("tokenizing") as found:
        for split, dataset in prepared.splits.items():
            stores[split] = TokenStore.build(dataset, prepared.task, folder / split)
        tokens = sum(int(store.lengths.sum()) for store in stores.values())
        found.append(f"{tokens:,} tokens")
    return stores


def describe(prepared, stores):
    """What data.json says: rows, labels and token lengths per split, and the notes."""
    splits = {}
    for split, dataset in prepared.splits.items():
        splits[split] = data.describe(dataset) | {"lengths": describe_lengths(stores[split])}
    return {
        "model": {"name": prepared.source.name, "revision": prepared.source.revision},
        "splits": splits,
        "max_length": prepared.task.max_length,
        "notes": prepared.notes,
    }
