"""From a recipe's `data` to checked rows by role: the one way in for every task.

Places in messages: `a.csv row 17` counts rows from 1 without the header; `a.jsonl:17` is a line, in
formats that have one row per line; a file that cannot be parsed is always named with the line.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc

from tfhf.data.files import SPLITS, is_local, path_files, split_files
from tfhf.data.hub import read_hub, stream_hub
from tfhf.data.parts import file_parts, first_rows, hub_parts
from tfhf.data.reading import check_rows
from tfhf.data.rows import Rows
from tfhf.data.splits import set_aside, subset
from tfhf.data.streaming import Stream, check_named, named
from tfhf.data.tables import read_table
from tfhf.errors import UserError, did_you_mean


@dataclass(frozen=True)
class Loaded:
    """Rows ready for a task.

    Args:
        splits: "train", "validation" and, only where there is one, "test" → `datasets.Dataset`
            whose columns are the roles; texts are memory-mapped, labels encoded.
        where: split → function from the number of a row, from 0, to its place in the files.
        notes: what a person should know, one line each.
        stream: the `streaming.Stream` of a streamed set, whose "train" among the splits is its
            first window; else None.
    """

    splits: dict
    where: dict
    notes: list[str] = field(default_factory=list)
    stream: Stream | None = None


def load(
    kinds,
    *,
    path=None,
    name=None,
    revision=None,
    files=None,
    columns=None,
    labels=None,
    limit=None,
    encoding=None,
    separator=None,
    field=None,
    on_unlabeled="error",
    on_empty="keep",
    seed=42,
    window=None,
    rows=None,
):
    """Loads every split, checks every row, and encodes the labels. TensorFlow is not imported.

    Args:
        kinds: role → kind (`tfhf.data.columns`), as the task says.
        path: a dataset id of the Hub, a file, a folder with a file or sub-folder per split, or a
            folder with one sub-folder of `.txt` files per class.
        name, revision: of a dataset on the Hub.
        files: split → path, list of paths, or glob; replaces `path`.
        columns: role → column name (`translation.en` is a value inside an object); a list of 0/1
            columns for a label, or of columns for `Texts`, of which the first there is counts.
        labels: label names or values in order of class number; None derives them from train.
        limit: split → number of rows, at least 1, drawn with the seed after all rows are checked.
        encoding: of text files; None means UTF-8.
        separator: of CSV files; None means a comma, or a tab in `.tsv`.
        field: the field that holds the rows of a JSON file.
        on_unlabeled: "error", or "drop" to leave out rows without a label.
        on_empty: "keep", or "drop" to leave out rows with an empty text.
        seed: decides which rows `limit` draws and which are set aside for validation.
        window: streams train, so many rows at a time: of train no more is checked than the first
            window, whose labels must be named; the other splits are read whole from files, and as
            many of their first rows as `limit` says from the Hub. None reads everything.
        rows: of a streamed train, rows per epoch; None where nobody knows.

    Returns:
        `Loaded`. Without a validation split, a tenth of train is set aside, by label where each row
        has one. A test split of a Hub dataset without labels is left out.

    Raises:
        UserError: one line that says what is wrong, where, and what to change.
    """
    _check_choices(on_unlabeled, on_empty, limit)
    reading = {"encoding": encoding, "separator": separator, "field": field}
    stream = None
    if window is None:
        tables, notes = _read_splits(path, name, revision, files, reading)
    else:
        train, tables, notes = _stream_splits(path, name, revision, files, reading, limit or {})
        stream = Stream(*train, window=window, seed=seed, told=rows)
        tables["train"] = stream.first_tables()
    splits = {
        split: Rows(_called(split, stream), tables[split], kinds, columns)
        for split in SPLITS
        if split in tables
    }
    _check_listed(splits, kinds, columns or {})
    _check_same_roles(splits)
    if stream is not None:
        check_named(splits["train"], kinds, labels)
    learned, more = _decide(splits["train"], kinds, labels)
    if stream is None:
        notes += more
    else:
        stream.settle(splits["train"], kinds, columns, learned, on_unlabeled, on_empty)
    if files is None and "test" in splits:
        notes += _leave_out_unlabeled(splits, kinds)
    checked, kept = {}, {}
    for split, part in splits.items():
        checked[split], kept[split], more = check_rows(part, kinds, learned, on_unlabeled, on_empty)
        notes += more
    notes += _choose(kept, _classes(checked["train"]), limit or {}, seed)
    checked.setdefault("validation", checked["train"])
    splits.setdefault("validation", splits["train"])
    there = [split for split in SPLITS if split in kept]
    return Loaded(
        {split: _select(checked[split], kept[split]) for split in there},
        {split: _places(splits[split], kept[split]) for split in there},
        notes,
        stream,
    )


def describe(dataset):
    """Counts rows, and rows per label.

    Args:
        dataset: one of `Loaded.splits`.

    Returns:
        `{"rows": N}`, with `"labels": {name: rows}` in order of class number where it has classes.
    """
    import datasets

    counted = {"rows": len(dataset)}
    for column, feature in dataset.features.items():
        label = feature.feature if isinstance(feature, datasets.List) else feature
        if isinstance(label, datasets.ClassLabel):
            values = _column(dataset, column)
            flat = pc.list_flatten(values) if label is not feature else values
            counts = np.bincount(flat.to_numpy(), minlength=label.num_classes)
            counted["labels"] = dict(zip(label.names, counts.tolist(), strict=True))
    return counted


def _called(split, stream):
    """What messages call a split: of a stream, the rows that were looked at."""
    return named(0, stream.looked_at) if stream and split == "train" else f"data.{split}"


def _check_choices(on_unlabeled, on_empty, limit):
    for key, value, allowed in (
        ("on_unlabeled", on_unlabeled, ("error", "drop")),
        ("on_empty", on_empty, ("keep", "drop")),
    ):
        if value not in allowed:
            raise UserError(
                f"data.{key}: expected {' or '.join(allowed)}, received {value!r}"
                + did_you_mean(value, allowed)
            )
    for split, rows in (limit or {}).items():
        if split not in SPLITS:
            raise UserError(
                f"data.limit: unknown split {split!r}; the splits are {', '.join(SPLITS)}"
                + did_you_mean(split, SPLITS)
            )
        if not isinstance(rows, int) or rows < 1:
            raise UserError(f"data.limit.{split}: expected at least 1 row, received {rows!r}")


def _read_splits(path, name, revision, files, reading):
    """Split → list of `Table`, and notes."""
    if not _check_used(path, name, revision, files, reading):
        tables, notes = read_hub(str(path), name, revision)
        return {split: [table] for split, table in tables.items()}, notes
    found = path_files(str(path)) if files is None else split_files(files)
    tables = {split: [read_table(one, **reading) for one in found[split]] for split in found}
    return tables, []


def _stream_splits(path, name, revision, files, reading, limit):
    """The parts of train and how many rows they have; split → list of `Table`; and notes."""
    notes = []
    if _check_used(path, name, revision, files, reading):
        found = path_files(str(path)) if files is None else split_files(files)
        train = file_parts(found.pop("train"), reading["encoding"])
        tables = {split: [read_table(one, **reading) for one in found[split]] for split in found}
        missing = "name data.validation"
    else:
        found, notes = stream_hub(str(path), name, revision)
        train = hub_parts(*found.pop("train"))
        read = [split for split in found if split in limit]
        tables = {split: [first_rows(*found[split], limit[split])] for split in read}
        missing = "set data.limit.validation, so many of its first rows are read"
        if "validation" not in found:
            missing = f"{path} has none, so name files: data.train and data.validation"
        if "test" in found and "test" not in limit:
            notes.append("data.test: left out; data.limit.test says how many first rows to read")
    if "validation" not in tables:
        raise UserError(f"data.validation: none is set aside of a stream; {missing}")
    return train, tables, notes


def _check_used(path, name, revision, files, reading):
    """Whether the rows are in files here; refuses keys that such a source has no use for."""
    if files is None and path is None:
        raise UserError("data: nothing to read; set data.path, or data.train and other files")
    local = files is not None or is_local(str(path))
    for key, value in (reading if not local else {"name": name, "revision": revision}).items():
        if value is not None:
            wanted = "data sets of the Hub, and these are files" if local else "files of your own"
            raise UserError(f"data.{key}: is for {wanted}; leave it out; received {value!r}")
    return local


def _check_listed(splits, kinds, columns):
    """Refuses a column that is named beside others and is nowhere: its texts would be missed."""
    tables = [table for rows in splits.values() for table in rows.tables]
    there = {name for table in tables for name in [*table.dataset.column_names, *table.inner]}
    for role, listed in columns.items():
        for name in listed if kinds[role].joins and isinstance(listed, list) else []:
            if name not in there:
                hint = did_you_mean(name, there)
                raise UserError(f"data.columns.{role}: no split has a column {name!r}{hint}")


def _check_same_roles(splits):
    train = splits["train"].matched
    for split, rows in splits.items():
        for role in set(train) ^ set(rows.matched):
            has, lacks = ("train", split) if role in train else (split, "train")
            raise UserError(
                f"data.{lacks}: column {role!r} not found, but data.{has} has it; give all splits "
                "the same columns"
            )


def _decide(train, kinds, labels):
    """What train decides, by role, and notes."""
    if labels is not None and not any(kind.classes for kind in kinds.values()):
        raise UserError("data.labels: this task has no classes; leave data.labels out")
    learned, notes = {}, []
    for role in train.matched:
        learned[role], more = kinds[role].decide(train, role, labels)
        notes += more
    return learned, notes


def _leave_out_unlabeled(splits, kinds):
    """Takes out a test split that has nothing to compare with; returns notes."""
    test = splits["test"]
    if not any(kinds[role].is_unlabeled(test, role) for role in test.matched):
        return []
    del splits["test"]
    return [f"data.test: none of its {len(test)} rows has a label; left out"]


def _column(dataset, name):
    """One column as an Arrow array, in the order of the dataset's rows."""
    table = dataset.select_columns([name]).with_format("arrow")[:]
    return table[name].combine_chunks()


def _classes(dataset):
    """The class of every row, where it has exactly one."""
    import datasets

    for role, feature in dataset.features.items():
        if isinstance(feature, datasets.ClassLabel):
            return _column(dataset, role).to_numpy()
    return None


def _choose(kept, classes, limit, seed):
    """Draws the rows `limit` allows and sets validation rows aside, in `kept`; returns notes.

    The first seed in each list is the recipe's; the second tells the draws apart.
    """
    if "train" in limit:
        kept["train"] = subset(kept["train"], limit["train"], [seed, 0])
    notes = []
    if "validation" not in kept:
        rows = kept["train"]
        train, aside = set_aside(rows, None if classes is None else classes[rows], [seed, 3])
        if not len(aside):
            raise UserError(
                f"data.train: too few rows ({len(rows)}) to set some aside for validation; "
                "name data.validation"
            )
        kept["train"], kept["validation"] = train, aside
        how = "at random" if classes is None else "by label"
        notes.append(
            f"data.validation: {len(aside)} of {len(rows)} training rows set aside {how}, "
            f"seed {seed}"
        )
    for draw, split in enumerate(("validation", "test"), start=1):
        if split in kept and split in limit:
            kept[split] = subset(kept[split], limit[split], [seed, draw])
    return notes


def _places(rows, kept):
    return lambda row: rows.where(int(kept[row]))


def _select(dataset, rows):
    return dataset if len(rows) == len(dataset) else dataset.select(rows)
