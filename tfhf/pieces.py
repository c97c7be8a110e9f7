"""The pieces a Keras user takes alone: a model, a tokenizer, a dataset. No recipe, no run."""

import tempfile
import weakref
from pathlib import Path

from tfhf import models, tasks
from tfhf.console import load_tensorflow
from tfhf.errors import UserError
from tfhf.models import intake
from tfhf.models.tokenization import read_tokenizer
from tfhf.recipe.values import check_given
from tfhf.run import Run, is_run


def load_model(
    name,
    task="text_classification",
    *,
    labels=None,
    roles=None,
    revision=None,
    add_tokens=(),
    add_special_tokens=(),
    **options,
):
    """Loads a checkpoint as a Keras model for one task.

    Args:
        name: `minilm`, a folder, or a Hub id; PyTorch's and TensorFlow's safetensors are read.
        task: the task's name, such as `text_classification`.
        labels: label names in the order of the classes, for a head that is to be trained; without
            them the checkpoint's own head and labels are used.
        roles: input columns of the task, `("text",)` for a head that is to be trained; of a trained
            one those that its config tells, which other tools' do not of pairs of texts.
        revision: branch, tag or commit of a Hub id.
        add_tokens, add_special_tokens: texts that shall be one token each; the embeddings grow.
        **options: the task's options, such as `max_length=64`.

    Returns:
        A `tfhf.Model`: compile and fit it like any Keras model.

    Raises:
        UserError: if there is no such checkpoint, task or option, or they do not fit together.

    Example:
        >>> model = load_model("minilm", labels=["negative", "positive"], max_length=48)
        >>> model.task.labels
        ['negative', 'positive']
    """
    kind = tasks.get(task)
    options = check_given(kind, options, "load_model")
    if labels is not None:
        _check_labels(labels)
    source = models.resolve(name, revision)
    processor = kind.load_processor(source)
    models.add_tokens(processor, add_tokens, add_special_tokens)
    if labels is None:
        config = models.load_config(source)
        config = config if roles is None else kind.told(config, roles)
        chosen = kind.from_config(processor, config, **options)
    else:
        features = kind.features_for(labels, roles or ("text",), options.get("problem"))
        chosen = kind(processor, features, **options)
    return trained(source, chosen)


def _check_labels(labels):
    if not isinstance(labels, list | tuple):
        raise UserError(
            f"labels: must be a list of the classes' names, in their order; received {labels!r}"
        )
    twice = [label for place, label in enumerate(labels) if label in labels[:place]]
    if twice:
        raise UserError(f"labels: {twice[0]!r} stands there twice; received {labels!r}")


def trained(source, task, *, accumulate=1, seed=None):
    """A checkpoint's weights under a task's head, as a `tfhf.Model` with a `load_report`."""
    load_tensorflow()
    from tfhf.learning.model import Model

    tokens = len(task.processor) if hasattr(task.processor, "get_vocab") else None
    backbone, report = models.load_backbone(
        source, task.auto_class, tokens=tokens, **task.model_config()
    )
    task.set_up(backbone)
    model = Model(backbone, task, accumulate=accumulate, seed=seed)
    model.load_report = report
    return model


def load_tokenizer(name, revision=None):
    """Loads the fast tokenizer of a checkpoint; its weights are neither fetched nor read.

    Args:
        name: `minilm`, a run's folder, a model's or one that holds a tokenizer alone, or a Hub id.
        revision: branch, tag or commit of a Hub id.

    Returns:
        A `transformers.PreTrainedTokenizerFast` with a padding token, whose `model_max_length` is
        the most the model can read.

    Raises:
        UserError: if there is no such checkpoint.
    """
    name = str(Run(name).model) if is_run(str(name)) else str(name)
    folder = Path(name)
    of_a_model = any((folder / file).exists() for file in ("config.json", "modules.json"))
    if folder.is_dir() and not of_a_model and revision is None:
        intake.check_processors(folder)
        return read_tokenizer(folder, name)
    return models.load_tokenizer(models.resolve(name, revision, weights=False))


def to_tf_dataset(
    dataset,
    model,
    *,
    batch_size=32,
    batch_tokens=None,
    shapes=None,
    shuffle=False,
    seed=42,
    columns=None,
    shuffle_window=10_000,
):
    """Batches of like lengths as a `tf.data.Dataset`.

    Args:
        dataset: a `datasets.Dataset`, whose rows are tokenized once, into files that TensorFlow
            maps; without `shuffle` it may lack labels, and is then for `predict`. Or a
            `datasets.IterableDataset`, which is read and tokenized on the way in every pass, and of
            which two windows at most are held in memory.
        model: a `tfhf.Model`, or a Task: it says how rows become features.
        batch_size: rows per batch.
        batch_tokens: most tokens per batch in place of a number of rows, padding included; only
            with `shuffle`.
        shapes: most widths that batches may have, for XLA and TPUs, which compile each; likewise,
            and not of a stream.
        shuffle: True gives each pass over the dataset a new order, a function of (seed, pass), in
            batches of like lengths; False keeps the order of the rows.
        seed: seed of the order.
        columns: role → column of `dataset`, where their names differ.
        shuffle_window: of a stream: rows that are mixed and sorted by length together.

    Returns:
        A dataset of `(inputs, targets, weights)` for `fit`, `evaluate` and `predict`, whose
        cardinality is known but for a stream's. The last batch is filled up with rows of weight 0,
        which no loss, metric or prediction counts.

    Raises:
        UserError: if it is none of these, a column is missing or holds something else than the
            task needs, or the task cannot do with batches of that kind.
    """
    import datasets

    from tfhf import data
    from tfhf.data import batches, cache, orders

    if (batch_tokens or shapes) and not shuffle:
        raise UserError(
            "batch_tokens, shapes: need shuffle=True, because they sort rows by length; received "
            f"{batch_tokens} and {shapes}"
        )
    orders.check_batch_size(batch_size)
    task = getattr(model, "task", model)
    sizes = {"batch_size": batch_size, "batch_tokens": batch_tokens}
    if isinstance(dataset, datasets.IterableDataset):
        order = {"shuffle": shuffle, "shapes": shapes, "seed": seed, "window": shuffle_window}
        return _streamed(dataset, task, columns, sizes, **order)
    if not isinstance(dataset, datasets.Dataset):
        raise UserError(
            "to_tf_dataset takes one split, a datasets.Dataset: Dataset.from_list(rows), "
            "Dataset.from_pandas(frame) or load_dataset(...)['train']; received "
            f"{type(dataset).__name__}"
        )
    if not len(dataset):
        raise UserError("to_tf_dataset: the dataset has no rows")
    _check_unread(dataset, task)
    asked = None if shuffle else _without_targets(dataset, task, columns)
    rows = data.conform(dataset, task.columns(), columns, asked or task.features)
    scratch = tempfile.TemporaryDirectory()
    store, _ = cache.token_store(rows, task, f"{scratch.name}/tokens")
    if shuffle:
        plan = orders.plan(store, task, seed=seed, **sizes, shapes=shapes)
        found = batches.shuffled_dataset(store, task, plan)
    else:
        order = batches.in_order(store.features, batch_size=batch_size)
        found = batches.evaluation_dataset(store, task, order, "predict" if asked else "evaluate")
    # The files live as long as the dataset that maps them.
    weakref.finalize(found, scratch.cleanup)
    return found


def _check_unread(dataset, task):
    names = dataset.column_names
    unread = [role for role in task.passed_over(task.features) if role in names]
    if unread:
        roles = (*task.settings()["roles"], *unread)
        raise UserError(
            f"the dataset has {unread[0]!r}, which this model does not read: load it with "
            f"load_model(..., roles={roles}), or remove the column"
        )


def _without_targets(dataset, task, columns):
    """The typed columns of a dataset that has no column to learn from; None where it has one, or
    where the task is asked for something else than it learns from."""
    asked = {role: kind for role, kind in task.features.items() if role in task.inputs}
    enough = all(role in asked or kind.optional for role, kind in task.inputs.items())
    targets = set(task.features) - set(asked)
    named = {*dataset.column_names, *(columns or {})}
    return asked if enough and targets and not targets & named else None


def _streamed(dataset, task, columns, sizes, *, shuffle, shapes, seed, window):
    """What `to_tf_dataset` makes of a stream."""
    from tfhf.data import orders, streaming, windowed
    from tfhf.data.tokens import TokenStore

    if shapes is not None:
        raise UserError(
            "shapes: they are chosen from the lengths of all rows, and a stream's are not known; "
            f"leave it out; received {shapes}"
        )
    windowed.check_longest(task, sizes["batch_tokens"])
    if sizes["batch_tokens"] is None:
        window = streaming.whole_batches(window, sizes["batch_size"])
    mixed = {"window": window, "seed": seed if shuffle else None}
    stream, first = streaming.conform(dataset, task.columns(), columns, task.features, **mixed)
    with tempfile.TemporaryDirectory() as scratch:
        store = TokenStore.build(first, task, f"{scratch}/tokens")
        first_plan = orders.plan(store, task, seed=seed, **sizes)
        plan = windowed.StreamPlan(stream, task, store, first_plan, steps=None)
    return plan.shuffled_dataset() if shuffle else plan.evaluation_dataset()
