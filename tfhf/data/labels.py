"""From the label values found in files to class numbers: what train decides, every split obeys."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tfhf.data.label_values import read_labels, read_numbers
from tfhf.errors import UserError, did_you_mean

MAX_CLASSES = 100_000  # a larger class number is taken for a mistake


@dataclass(frozen=True)
class Labels:
    """What the labels of the training rows decided.

    Args:
        problem: "single_label", "multi_label", "tags" or "regression".
        names: class names by class number; None for regression.
        ids: label value, as text → class number.
    """

    problem: str
    names: list[str] | None = None
    ids: dict[str, int] | None = None

    @classmethod
    def of(cls, feature):
        """The labels that a feature stands for, as `feature()` gave it; see `feature`.

        Integers are taken for class numbers, unless the names are numbers themselves.
        """
        names = getattr(getattr(feature, "feature", feature), "names", None)
        if names is None:
            return cls("regression")
        problem = "multi_label" if hasattr(feature, "feature") else "single_label"
        return cls(problem, list(names), _numbers_or_names(names))

    def feature(self):
        """The `datasets` feature of the encoded column."""
        import datasets

        if self.problem == "regression":
            return datasets.Value("float32")
        label = datasets.ClassLabel(names=self.names)
        return label if self.problem == "single_label" else datasets.List(label)


def decide(rows, column, problem=None, given=None):
    """Finds the problem and the classes from the training rows.

    Integers stay what they are, strings are sorted, names of a `ClassLabel` feature keep their
    order; `given` overrides all three.

    Args:
        rows: `Rows` of train.
        column: the label column, or a list of 0/1 columns.
        problem: as in `Label`; None finds out.
        given: `data.labels`: the names or values in order of class number; None derives them.

    Returns:
        `Labels` and a list of notes, one line each.

    Raises:
        UserError: if the values do not fit the problem, or one of them is no class.
    """
    if problem == "regression":
        if given is not None:
            raise UserError("data.labels: regression has no classes; leave data.labels out")
        return Labels(problem), []
    found = read_labels(rows, column, mixed_allowed=given is not None)
    if not found.values:
        what = "no label" if found.missing.all() else "an empty list of labels"
        raise UserError(
            f"{rows.name}: all {len(rows)} rows have {what} in {column!r}; name the column of "
            "labels in data.columns"
        )
    if found.listed and problem == "single_label":
        raise UserError(
            f"data.columns: {column!r} holds a list per row ({rows.where(0)}), but "
            "options.problem: single_label needs one label; set options.problem: multi_label"
        )
    if not found.listed and problem == "multi_label":
        raise UserError(
            f"data.columns: {column!r} holds one label per row ({rows.where(0)}), but "
            "options.problem: multi_label needs a list per row, or several 0/1 columns as a list"
        )
    names, ids = classes(found, given)
    labels = Labels("multi_label" if found.listed else "single_label", names, ids)
    return labels, notes(labels, found, given)


def classes(found, given=None, order=None):
    """Finds class names and numbers.

    Args:
        found: `LabelValues` of the training rows.
        given: `data.labels`; None derives them from the values.
        order: sorts names that are derived from strings, as the `key` of `sorted`.

    Returns:
        The class names by class number, and label value, as text → class number.

    Raises:
        UserError: if a value is no class.
    """
    return _derived(found, order) if given is None else _named(given, found)


def encode(rows, column, labels, *, unlabeled="error"):
    """Turns the label column of one split into class numbers, or float32 for regression.

    Args:
        rows: `Rows` of one split.
        column: its label column, or list of 0/1 columns.
        labels: `Labels`, as train decided.
        unlabeled: "error", or "drop" if a row labeled -1 counts as one without a label.

    Returns:
        An Arrow array for `labels.feature()`, and `(N,)` bool: the row has no label.

    Raises:
        UserError: if a value is none of the classes; names the row.
    """
    if labels.problem == "regression":
        return read_numbers(rows, column)
    found = read_labels(rows, column, mixed_allowed=True)
    if found.listed != (labels.problem == "multi_label"):
        shape = "a list per row" if found.listed else "one value per row"
        raise UserError(f"{rows.name}: {column!r} holds {shape}, unlike data.train")
    missing = found.missing.copy()
    if unlabeled == "drop" and -1 in found.values and "-1" not in labels.ids:
        missing[found.rows[found.codes == found.values.index(-1)]] = True
        encoded = numbers(found, labels, unlabeled=-1)[found.codes]
    else:
        encoded = numbers(found, labels)[found.codes]
    if not found.listed:
        return pa.array(encoded), missing
    _check_twice(found, encoded, len(labels.names))
    offsets = np.concatenate([[0], np.cumsum(found.lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(encoded)), missing


def numbers(found, labels, unlabeled=None):
    """The class number of each of `found.values`.

    Args:
        found: `LabelValues` of one split.
        labels: `Labels`, as train decided.
        unlabeled: a value that may be none of the classes.

    Returns:
        `(values + 1,)` int; the last is 0 and stands for "no value", code -1.

    Raises:
        UserError: if a value is none of the classes; names the row.
    """
    ids = np.zeros(len(found.values) + 1, np.int64)
    for code, value in enumerate(found.values):
        if str(value) in labels.ids:
            ids[code] = labels.ids[str(value)]
        elif unlabeled is None or value != unlabeled:
            raise _no_class(value, found, labels)
    return ids


def _derived(found, order=None):
    """Class names and numbers from the values alone."""
    if found.names is not None:
        names = found.names
    elif any(isinstance(value, str) for value in found.values):
        names = sorted(map(str, found.values), key=order)
    else:
        for value in found.values:
            if isinstance(value, float) or not -1 <= value < MAX_CLASSES:
                raise _no_class(value, found)
        names = [str(number) for number in range(max(found.values, default=-1) + 1)]
    if len(names) > MAX_CLASSES:
        raise UserError(
            f"{found.place(found.values[0])}: {len(names)} different labels, such as "
            f"{str(found.values[0])[:40]!r}; name the column of labels in data.columns"
        )
    return names, {name: number for number, name in enumerate(names)}


def _named(given, found):
    """Class names and numbers from `data.labels`."""
    if not isinstance(given, list | tuple) or not given:
        raise UserError(f"data.labels: expected a list of names, received {given!r}")
    names = [str(int(one) if isinstance(one, float) and one.is_integer() else one) for one in given]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"data.labels: {name!r} is listed twice")
    numbers = all(not isinstance(value, str) for value in found.values) and found.names is None
    if numbers:
        return names, _numbers_or_names(names)
    return names, {name: number for number, name in enumerate(names)}


def _numbers_or_names(names):
    """Label value, as text → class number, where values are class numbers as well as names."""
    ids = {name: number for number, name in enumerate(names)}
    if all(name.lstrip("-").isdigit() for name in names):
        return ids
    return {str(number): number for number in range(len(names))} | ids


def _no_class(value, found, labels=None):
    """The error for a label value that is none of the classes."""
    place = found.place(value)
    if isinstance(value, float):
        return UserError(
            f"{place}: label {value!r} is no class number; to predict numbers set "
            "options.problem: regression"
        )
    if value == -1:
        return no_label(found)
    if value == -100:
        return UserError(
            f"{place}: label -100 marks what training ignores and is no class; remove these rows"
        )
    if labels is None:
        return UserError(
            f"{place}: label {value} is no class number, which is 0 to {MAX_CLASSES - 1}; list the "
            "values used in data.labels"
        )
    known = labels.names
    counted = found.names or all(str(number) in labels.ids for number in range(len(known)))
    if not isinstance(value, str) and counted:
        return UserError(f"{place}: label {value} outside 0..{len(known) - 1}")
    shown = f"{known[:10]}" + (f" and {len(known) - 10} more" if len(known) > 10 else "")
    return UserError(
        f"{place}: unknown label {value!r}; the labels are {shown}{did_you_mean(value, known)}"
    )


def no_label(found):
    """The error for rows labeled -1."""
    return UserError(
        f"{found.place(-1)}: label -1 means unlabeled test data ({found.count(-1)} of "
        f"{len(found.missing)} rows); use a labeled file, or set data.on_unlabeled: drop"
    )


def _check_twice(found, encoded, classes):
    """Refuses a row that lists one label twice, as rows of 0 and 1 for every class do."""
    valid = found.codes >= 0
    entry_rows, codes = found.rows[valid], found.codes[valid]
    _, first, counts = np.unique(
        entry_rows * classes + encoded[valid], return_index=True, return_counts=True
    )
    if (counts > 1).any():
        entry = first[(counts > 1).argmax()]
        raise UserError(
            f"{found.where(int(entry_rows[entry]))}: label {found.values[codes[entry]]!r} is "
            "listed twice; list each label of a row once (a 0 or 1 per class belongs in columns of "
            "its own)"
        )


def notes(labels, found, given):
    """What a person should know of the classes, one line each."""
    present = {labels.ids[str(value)] for value in found.values if str(value) in labels.ids}
    absent = [name for number, name in enumerate(labels.names) if number not in present]
    lines = []
    if len(present) == 1 and labels.problem == "single_label":
        only = labels.names[present.pop()]
        lines.append(
            f"data.train: every row has the label {only!r}; there is nothing to tell apart"
        )
    elif absent and given is None and found.names is None and len(found.values) <= 1000:
        used = sorted(value for value in found.values if value != -1)
        lines.append(
            f"data.train: no row of class {', '.join(absent[:10])}; "
            f"data.labels: {used} leaves {'it' if len(absent) == 1 else 'them'} out"
        )
    elif absent:
        lines.append(f"data.train: no row has the label {', '.join(map(repr, absent[:10]))}")
    alike = {}
    for name in labels.names:
        other = alike.setdefault(name.strip().casefold(), name)
        if other != name:
            lines.append(
                f"data.train: the labels {other!r} and {name!r} differ in capitals or blanks alone;"
                " if they are one, write it in one way"
            )
            break
    return lines
