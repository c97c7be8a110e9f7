"""Recipe: what was asked for. A YAML file and `key=value` overrides, checked into plain values.

Nothing here imports TensorFlow: a misspelt key is answered in well under a second. The schema of
`options` is the keywords of the task's constructor, so a new task needs no change here.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from tfhf import custom, tasks
from tfhf.errors import UserError, did_you_mean
from tfhf.learning.arguments import OPTIMIZERS, SCHEDULES

BATCH_SIZE = 32  # rows, where a recipe says neither rows nor tokens
SHUFFLE_WINDOW = 10_000  # rows of a stream that are mixed together
LARGEST_RECIPE = 1_000_000  # bytes; a recipe is a page of text, not a data set


def _listed(value):
    return value if isinstance(value, list) else [value]


Texts = list[Annotated[str, MinLen(1)]]
Files = Annotated[list[str], BeforeValidator(_listed)]
Patterns = Annotated[Texts, BeforeValidator(_listed)]
# A name, or a name and its arguments: `Lion`, `{name: Lion, beta_1: 0.95}`.
Named = Annotated[
    dict[str, Any],
    BeforeValidator(lambda value: {"name": value} if isinstance(value, str) else value),
]
Split = Literal["train", "validation", "test"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Data(_Section):
    """Where the rows come from: a `path` (Hub id or folder), or files per split."""

    path: str | None = None
    name: str | None = None
    revision: str | None = None
    train: Files | None = None
    validation: Files | None = None
    test: Files | None = None
    columns: dict[str, str | list[str]] = Field(default_factory=dict)
    labels: list[str | int] | None = None
    limit: dict[Split, Annotated[int, Gt(0)]] = Field(default_factory=dict)
    encoding: str | None = None
    separator: str | None = None
    field: str | None = None
    on_unlabeled: Literal["error", "drop"] = "error"
    on_empty: Literal["keep", "drop"] = "keep"
    streaming: bool = False
    shuffle_window: Annotated[int, Gt(0)] | None = None
    rows: Annotated[int, Gt(0)] | None = None

    @property
    def files(self):
        """Files by split, for the splits that name some."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {split: files for split, files in named.items() if files}


class Train(_Section):
    """How to train. A batch is what one update sees, over all replicas and accumulated steps.

    Its size is either `batch_size` rows, 32 unless said otherwise, or `batch_tokens` tokens.
    """

    epochs: Annotated[int, Gt(0)] = 3
    steps_per_epoch: Annotated[int, Gt(0)] | None = None
    batch_size: Annotated[int, Gt(0)] | None = None
    batch_tokens: Annotated[int, Gt(0)] | None = None
    shapes: Annotated[int, Gt(0)] | None = None
    accumulate: Annotated[int, Gt(0)] = 1
    learning_rate: Annotated[float, Gt(0), Le(10)] = 5e-5
    optimizer: Named = Field(default_factory=dict)
    schedule: Named = Field(default_factory=dict)
    warmup_ratio: Annotated[float, Ge(0), Lt(1)] = 0.0
    weight_decay: Annotated[float, Ge(0)] = 0.01
    global_clipnorm: Annotated[float, Gt(0)] | None = 1.0
    freeze: Patterns = Field(default_factory=list)
    unfreeze: dict[Annotated[int, Gt(1)], Patterns] = Field(default_factory=dict)
    layer_decay: Annotated[float, Gt(0), Le(1)] | None = None
    ema: Annotated[float, Gt(0), Lt(1)] | None = None
    seed: Annotated[int, Ge(0), Lt(2**31)] = 42
    loss: Named | None = None
    metrics: Texts = Field(default_factory=list)
    callbacks: list[Named] = Field(default_factory=list)
    monitor: str | None = None
    patience: Annotated[int, Gt(0)] | None = None
    dtype_policy: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    jit_compile: bool = False
    log_every: Annotated[int, Gt(0)] = 10


class Recipe(_Section):
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
            where, values = "recipe", _copied(source)
        else:
            where = find(source)
            values = _read(where)
        changes = overrides if isinstance(overrides, dict) else parse_overrides(overrides)
        _give_way(values, changes)
        # The training set first: it clears what the other overrides may set.
        for key, value in sorted(changes.items(), key=lambda pair: pair[0] != "data.train"):
            _override(values, key, value)
        return _check(cls, values, where)

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
            changes[key] = _parse(value)
        except yaml.YAMLError as error:
            raise UserError(f"{key}: the value is not valid YAML; received {value!r}") from error
    return changes


def shipped():
    """Names of the recipes that come with tfhf, such as `text_classification/sst2`."""
    folder = _shipped_folder()
    return sorted(
        file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob("*.yaml")
    )


def find(name):
    """Finds a recipe by file name or by the name of a shipped recipe.

    Raises:
        UserError: if there is neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    if path.is_dir():
        raise UserError(f"recipe: {name} is a folder; name a YAML file in it")
    by_name = _shipped_folder() / (name if name.endswith(".yaml") else f"{name}.yaml")
    if by_name.is_file():
        return by_name
    hint = did_you_mean(name.removesuffix(".yaml"), shipped())
    raise UserError(f"recipe: no such file or shipped recipe{hint}; received {name!r}")


def _shipped_folder():
    """Inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


class _Loader(yaml.SafeLoader):
    """Safe YAML without anchors (a short file must stay short), tags and repeated keys."""

    def compose_node(self, parent, index):
        event = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"line {line}: aliases are not allowed in a recipe")
        if getattr(event, "tag", None) is not None:
            raise yaml.YAMLError(f"line {line}: tags such as {event.tag} are not allowed")
        return super().compose_node(parent, index)

    def construct_object(self, node, deep=False):
        try:
            return super().construct_object(node, deep)
        except (ValueError, IndexError) as error:  # 2026-02-31, 0b, 1:_ and the like
            line = node.start_mark.line + 1
            raise yaml.YAMLError(
                f"line {line}: {node.value!r} is no number or date; put it in quotes"
            ) from error

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool | None):
                raise yaml.YAMLError(f"line {key_node.start_mark.line + 1}: a key must be a word")
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: the key {key!r} stands twice")
            seen.add(key)
        return super().construct_mapping(node, deep)


def _parse(text):
    """YAML → plain values.

    Raises:
        yaml.YAMLError: for whatever is wrong with it.
    """
    try:
        return yaml.load(text, _Loader)  # a SafeLoader
    except RecursionError:
        raise yaml.YAMLError("lists or keys are nested too deeply") from None


def _read(path):
    if path.stat().st_size > LARGEST_RECIPE:
        raise UserError(f"{path}: too large for a recipe: {path.stat().st_size:,} bytes")
    try:
        values = _parse(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: a recipe is a list of `key: value` lines; received {values!r}")
    return values


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


def _copied(values):
    return {k: _copied(v) if isinstance(v, dict) else v for k, v in values.items()}


def _check(cls, values, where):
    try:
        recipe = cls.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{where}: {_first_line(error, cls)}") from error
    task = tasks.get(recipe.task)
    keywords = {name: (p.annotation, p.default) for name, p in task.options().items()}
    recipe.options = _check_arguments(keywords, recipe.options, where, "options")
    train = recipe.train
    train.optimizer = _check_named(OPTIMIZERS, train.optimizer, where, "train.optimizer")
    train.schedule = _check_named(SCHEDULES, train.schedule, where, "train.schedule")
    for key, place in _own_code(train):
        custom.check(place, f"{where}: {key}")
    data = recipe.data
    if data.path and data.files:
        raise UserError(f"{where}: data.path and data.{next(iter(data.files))} exclude each other")
    if not data.path and not data.train:
        raise UserError(f"{where}: data needs a path (Hub id or folder), or train: FILE")
    roles = task.columns(**recipe.options)
    for role in data.columns:
        if role not in roles:
            hint = did_you_mean(role, roles)
            raise UserError(
                f"{where}: data.columns: {recipe.task} has no role {role!r}{hint}; "
                f"roles: {', '.join(roles)}"
            )
    if recipe.tokenizer is not None and isinstance(recipe.model, str):
        raise UserError(
            f"{where}: tokenizer: is for a model trained from scratch (model: {{model_type: …}}); "
            f"{recipe.model} has its own; received {recipe.tokenizer!r}"
        )
    if isinstance(recipe.model, dict) and "model_type" not in recipe.model:
        raise UserError(f"{where}: model.model_type is missing; name a family, such as gpt2")
    task.check_accumulate(train.accumulate, **recipe.options)
    _check_batches(train, where)
    _check_streaming(recipe, where)
    late = [epoch for epoch in train.unfreeze if epoch > train.epochs]
    if late:
        raise UserError(
            f"{where}: train.unfreeze: there is no epoch {late[0]}; train.epochs is {train.epochs}"
        )
    return recipe


def _own_code(train):
    """Key and place of the user's own code that a training names."""
    yield from (("train.metrics", place) for place in train.metrics)
    yield from (("train.callbacks", one.get("name")) for one in train.callbacks)
    if train.loss is not None:
        yield "train.loss", train.loss.get("name")


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


def _check_arguments(keywords, values, where, key):
    """Values by keyword, checked; keywords are name → (annotation, default)."""
    schema = create_model(key.rpartition(".")[2], __base__=_Section, **keywords)
    try:
        return schema.model_validate(values).model_dump()
    except ValidationError as error:
        raise UserError(f"{where}: {_first_line(error, schema, f'{key}.')}") from error


def _check_named(known, value, where, key):
    """One of several by its name, the first unless it is said, with all its arguments."""
    arguments = dict(value)
    name = arguments.pop("name", next(iter(known)))
    if not isinstance(name, str) or name not in known:
        hint = did_you_mean(name, known)
        raise UserError(
            f"{where}: {key}: must be one of {', '.join(known)}{hint}; received {name!r}"
        )
    return {"name": name} | _check_arguments(known[name], arguments, where, key)


def _first_line(error, schema, prefix=""):
    """The first of pydantic's findings, in one line with the dotted key.

    Of a key that may hold one of several kinds of value, the finding that goes deepest into it;
    where all stop at the key, what each of them expects.
    """
    errors = [(_keys(found["loc"]), found) for found in error.errors()]
    first = errors[0][0]
    about = [pair for pair in errors if pair[0][: len(first)] == first]
    path = max((keys for keys, _ in about), key=len)
    alike = [found for keys, found in about if keys == path]
    found, key = alike[0], prefix + ".".join(path)
    if found["type"] == "extra_forbidden":
        fields = _fields(schema, path[:-1])
        hint = did_you_mean(path[-1], fields)
        known = "" if hint else f"; keys here: {', '.join(fields) or 'none'}"
        return f"unknown key {key!r}{hint}{known}"
    if found["type"] == "missing":
        return f"{key} is missing"
    messages = dict.fromkeys(one["msg"][0].lower() + one["msg"][1:] for one in alike)
    message = " or ".join(messages).replace(" or input should be ", " or ")
    return f"{key}: {message}; received {found['input']!r}"


def _keys(place):
    """Where pydantic found something, without its names for the kinds of value it tried."""
    kinds = r"(literal|dict|list|constrained-\w+|function-\w+)(\[.*\])?|\[key\]|str|int|float|bool"
    return [str(part) for part in place if not re.fullmatch(kinds, str(part))]


def _fields(schema, path):
    for part in path:
        schema = schema.model_fields[part].annotation
    return list(schema.model_fields)
