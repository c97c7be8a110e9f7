"""From a recipe to data and a task, without TensorFlow: what every verb does first.

The order is that of cost: the recipe is checked already, then files, columns and labels of every
row, then the checkpoint's files and its tokenizer.
"""

import atexit
import shutil
import tempfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfhf import data, models, tasks
from tfhf.data import cache
from tfhf.data.streaming import named, whole_batches
from tfhf.data.tokens import describe_lengths
from tfhf.tasks.base import ENDLESS

CUT = 0.5  # of the training rows are longer than max_length: worth a note
UNKNOWN = 0.05  # of the training tokens are unknown: likewise


@dataclass
class Prepared:
    """Data, checkpoint and task of a recipe.

    Attributes:
        splits: split → `datasets.Dataset` with columns named by role.
        where: split → function from a row's number to its place in the files.
        source: the checkpoint's checked folder.
        task: the Task.
        asked: roles whose texts tell a row from another.
        notes: what is unusual about the data, a line each.
        facts: split → what `survey` found.
        stream: the `data.streaming.Stream` of train, of which the splits hold the first window;
            None where they hold all of it.
    """

    splits: dict[str, Any]
    where: dict[str, Any]
    source: Any
    task: Any
    asked: list[str]
    notes: list[str]
    facts: dict[str, dict] = field(default_factory=dict)
    stream: Any = None

    @property
    def looked_at(self):
        """What of train is known before the training, as notes call it."""
        return "data.train" if self.stream is None else named(0, self.stream.looked_at)


def prepare(recipe, phases, trained=None):
    """Loads and checks the data, the checkpoint's files and the tokenizer.

    Args:
        recipe: a checked Recipe.
        phases: `console.Phases`, told of each phase.
        trained: a trained model (folder or Hub id) in place of the recipe's checkpoint; the labels
            it has learned take the place of the recipe's, and what it was tuned to holds.

    Returns:
        Prepared.

    Raises:
        UserError: for anything wrong with files, columns, labels or the checkpoint.
    """
    kind = tasks.get(recipe.task)
    labels = tuned = None
    if trained is not None:
        config = models.load_config(models.resolve(trained))
        labels, tuned = kind.learned_labels(config), kind.saved(config)
    with phases("loading data") as found:
        loaded = load_data(recipe, kind, labels)
        counts = {name: f"{len(split):,}" for name, split in loaded.splits.items()}
        if loaded.stream is not None:
            counts["train"] = "streamed"
        found.append(", ".join(f"{count} {name}" for name, count in counts.items()))
    with phases("checking the model") as found:
        if trained is not None:
            source = models.resolve(trained)
        elif isinstance(recipe.model, dict):
            source = new_model(recipe, kind, loaded.splits["train"])
        else:
            source = models.resolve(recipe.model, recipe.revision)
        processor = kind.load_processor(source)
        added = []
        if trained is None:
            if not source.scratch:  # a new model's tokenizer has them
                added += models.add_tokens(processor, recipe.add_tokens, recipe.add_special_tokens)
            if loaded.stream is None:
                added += _unseen(recipe, kind, loaded.splits["train"])
            elif isinstance(recipe.tokenizer, dict) or recipe.tokenizer == "characters":
                added.append(f"tokenizer: made from {named(0, loaded.stream.looked_at)} alone")
        found.append(source.name)
    features = next(iter(loaded.splits.values())).features
    task = kind(processor, features, **recipe.options)
    if trained is None:
        task.weigh(loaded.splits["train"])
    elif tuned:
        task.adopt(tuned)
    notes = loaded.notes + kind.notes(processor) + added
    asked = _asked(task, kind.columns(**recipe.options), features)
    return Prepared(loaded.splits, loaded.where, source, task, asked, notes, stream=loaded.stream)


def _asked(task, kinds, features):
    """Roles whose texts tell a row from another: of tasks that write, only what is answered.

    Lines of prose repeat as they like.
    """
    roles = [role for role in task.inputs if role in features] if task.generates else []
    return [one for one in roles or features if not (kinds[one].blank or kinds[one].target)]


def survey(prepared, phases):
    """Looks at all texts and labels once more, for what is legal and may be a mistake all the same.

    Adds to the notes and facts of `prepared`; see `data.survey`. Of a stream it says what is left
    out.
    """
    if prepared.stream is not None:
        prepared.notes.append(
            f"data.train: streamed, mixed in windows of {prepared.stream.window:,} rows; not "
            "looked for: repeated rows, rows of validation or test in train, texts with different "
            "labels, the balance of the labels"
        )
        return
    with phases("surveying the data") as found:
        prepared.facts, notes = data.survey(prepared.splits, prepared.asked, prepared.where)
        found.append(f"{len(notes)} notes" if notes else "nothing unusual")
    prepared.notes += notes


def new_model(recipe, kind, rows):
    """A folder with the config and the tokenizer of a model that is to be trained from scratch.

    Args:
        recipe: its `model` is a config (`{model_type: gpt2, n_layer: 4}`), its `tokenizer` a
            folder or Hub id, or a kind of tokenizer that is made from the training texts.
        kind: the task's class.
        rows: the train split.

    Returns:
        A Source whose folder lives as long as the process.
    """
    folder = tempfile.mkdtemp(prefix="tfhf-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    tokenizer = None
    if recipe.tokenizer is not None:
        tokenizer = models.new_tokenizer(recipe.tokenizer, _texts(kind, recipe, rows))
    models.add_tokens(tokenizer, recipe.add_tokens, recipe.add_special_tokens)
    return models.create(recipe.model, folder, tokenizer)


def _texts(kind, recipe, rows):
    """Yields every text of the split: what a tokenizer learns its vocabulary from."""
    for role in kind.columns(**recipe.options):
        if role in rows.column_names:
            for value in rows[role]:
                yield from data.texts_in(value)


def _unseen(recipe, kind, rows):
    """Added tokens that no training text holds, a line each: nothing is learned of them."""
    left = [*recipe.add_tokens, *recipe.add_special_tokens]
    for text in _texts(kind, recipe, rows) if left else ():
        left = [one for one in left if one not in text]
        if not left:
            break
    return [f"add_tokens: no training text holds {one!r}; nothing is learned of it" for one in left]


def load_data(recipe, kind, labels=None):
    """The recipe's data with columns named by role, every row checked; see `data.load`."""
    spec = recipe.data
    return data.load(
        kind.columns(**recipe.options),
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
        window=whole_batches(spec.shuffle_window, recipe.train.batch_size),
        rows=spec.rows,
    )


def tokenize(prepared, folder, phases):
    """Encodes every split into a token store under `folder`; split → TokenStore.

    Notes what the tokenizer makes of train, where that is unusual.
    """
    stores, cached = {}, True
    with phases("tokenizing") as found:
        for split, dataset in prepared.splits.items():
            stores[split], known = cache.token_store(dataset, prepared.task, folder / split)
            cached &= known
        tokens = sum(int(store.lengths.sum()) for store in stores.values())
        found.append(f"{tokens:,} {'tokens' if prepared.task.padding else 'examples'}")
        if cached:
            found.append("from the cache")
    if "train" in stores:
        name = prepared.looked_at
        prepared.notes += _cut_notes(name, prepared.task, stores["train"])
        prepared.notes += _unknown_notes(name, prepared.task.processor, stores["train"])
    return stores


def _cut_notes(name, task, store):
    """Whether `max_length` cuts most texts."""
    lengths, most = describe_lengths(store), task.settings().get("max_length")
    if not lengths or most is None or lengths["truncated"] < CUT:
        return []
    limit = task.processor.model_max_length
    remedy = "raise it" if limit >= ENDLESS else f"raise it, to {limit:,} at most"
    if most >= limit:
        remedy = "the model reads no more, so shorten or split them"
    return [
        f"{name}: {lengths['truncated']:.0%} of the rows are longer than options.max_length, "
        f"{most} tokens, and lose their end; {remedy}"
    ]


def _unknown_notes(name, tokenizer, store):
    """Whether the tokenizer was made for other texts; byte-level ones know every text."""
    unknown = getattr(tokenizer, "unk_token_id", None)
    ends = ("eos_token_id", "bos_token_id", "pad_token_id")
    if unknown is None or unknown in [getattr(tokenizer, name) for name in ends]:
        return []
    if "input_ids" not in store.arrays:
        return []
    share = float(np.mean(store.array("input_ids") == unknown))
    if share < UNKNOWN:
        return []
    return [
        f"model: its tokenizer knows {share:.0%} of the tokens of {name} only as "
        f"{tokenizer.unk_token}; it was made for other texts, so take a model of their language"
    ]


def describe(prepared, stores):
    """What data.json says: rows, labels and token lengths per split, and the notes."""
    splits = {}
    for split, dataset in prepared.splits.items():
        counted = data.describe(dataset) | prepared.facts.get(split, {})
        splits[split] = counted | {"lengths": describe_lengths(stores[split])}
    if prepared.stream is not None:
        splits["train"] = _described_stream(prepared.stream, splits["train"])
    return {
        "model": {"name": prepared.source.name, "revision": prepared.source.revision},
        "splits": splits,
        "max_length": prepared.task.settings().get("max_length"),
        "notes": prepared.notes,
    }


def _described_stream(stream, first):
    """What is known of a streamed train; what was counted says of which rows."""
    return {"rows": stream.rows, "streamed": True, "window": stream.window, "first": first}
