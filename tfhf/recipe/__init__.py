"""Recipe: what was asked for. A YAML file and `key=value` overrides, checked into plain values.

Nothing here imports TensorFlow: a misspelt key is answered in well under a second. The schema of
`options` is the keywords of the task's constructor, so a new task needs no change here.
"""

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from tfhf.recipe.checks import complete
from tfhf.recipe.overrides import overridden, parse_overrides
from tfhf.recipe.reading import find, read, shipped
from tfhf.recipe.sections import Data, Texts, Train
from tfhf.recipe.values import Section, validated

__all__ = ["Recipe", "find", "parse_overrides", "shipped"]


class Recipe(Section):
    """One training, wholly described.

    `model` is a checkpoint (`minilm`, a folder, a Hub id), or the config of a model to be trained
    from scratch (`{model_type: gpt2, n_layer: 4}`). Such a model's `tokenizer` is that of another
    checkpoint, or made from the training texts: `characters`, or `{kind: bpe, vocab_size: 1000}`
    (`wordpiece` likewise). `add_tokens` and `add_special_tokens` are texts that shall be one token
    each, as with transformers' methods of those names; the model's embeddings grow.

    Example:
        >>> recipe = Recipe.load({"task": "text_classification", "data": {"train": "a.csv"}})
        >>> recipe.model, recipe.train.epochs
        ('minilm', 3)
    """

    task: str
    model: str | dict[str, Any] = "minilm"
    tokenizer: str | dict[str, Any] | None = None
    revision: str | None = None
    add_tokens: Texts = Field(default_factory=list)
    add_special_tokens: Texts = Field(default_factory=list)
    data: Data
    options: dict[str, Any] = Field(default_factory=dict)
    train: Train = Field(default_factory=Train)

    @classmethod
    def load(cls, source, overrides=()):
        """Reads and checks a recipe.

        Args:
            source: a YAML file, the name of a shipped recipe (`quickstart`,
                `text_classification/sst2`), a dictionary, or a Recipe.
            overrides: `key=value` strings (`train.epochs=1`; the value is YAML), or a
                dictionary from dotted keys to values.

        Returns:
            The checked Recipe, with every default filled in.

        Raises:
            UserError: for a missing file, an unknown key or a value out of range.
        """
        if isinstance(source, Recipe):
            source = source.model_dump(exclude_unset=True)
        if isinstance(source, dict):
            where, values = "recipe", source
        else:
            where = find(source)
            values = read(where)
        changes = overrides if isinstance(overrides, dict) else parse_overrides(overrides)
        recipe = validated(cls, overridden(values, changes), where)
        complete(recipe, where)
        return recipe

    def to_yaml(self):
        """The recipe as YAML text, every value written out and files as absolute paths."""
        values = self.model_dump(exclude_none=True)
        for split, files in self.data.files.items():
            values["data"][split] = [os.path.abspath(file) for file in files]
        path = self.data.path
        if path and Path(path).exists():
            values["data"]["path"] = os.path.abspath(path)
        for key in ("model", "tokenizer"):
            name = values.get(key)
            if isinstance(name, str) and Path(name).exists():
                values[key] = os.path.abspath(name)
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
