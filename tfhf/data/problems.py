"""Three kinds of label: one class, any number of classes, or a number.

The typed column of a data set says which it is; so does the config of a classifier.
"""

from typing import Literal

Problem = Literal["single_label", "multi_label", "regression"]

# transformers' names for them, in the config of every classifier.
PROBLEM_TYPES = {
    "single_label": "single_label_classification",
    "multi_label": "multi_label_classification",
    "regression": "regression",
}


def of_column(label):
    """What a typed label column holds.

    Args:
        label: its entry in `datasets.Features`.

    Returns:
        The kind of label, and the names of the classes, None for numbers.
    """
    from datasets import ClassLabel

    if isinstance(label, ClassLabel):
        return "single_label", label.names
    inner = getattr(label, "feature", None)
    if isinstance(inner, ClassLabel):
        return "multi_label", inner.names
    return "regression", None


def column(names, problem):
    """A typed label column; the inverse of `of_column`, but that one class is the default.

    Args:
        names: of the classes, in their order; not read for `regression`.
        problem: the kind of label, or None.
    """
    from datasets import ClassLabel, List, Value

    if problem == "regression":
        return Value("float32")
    label = ClassLabel(names=[str(name) for name in names])
    return List(label) if problem == "multi_label" else label


def of_config(config):
    """The kind of label that a classifier's config stands for; a single class is a number."""
    problems = {kind: problem for problem, kind in PROBLEM_TYPES.items()}
    problem = problems.get(config.problem_type, "single_label")
    return "regression" if config.num_labels == 1 and problem == "single_label" else problem


def class_names(config):
    """Names of a classifier's classes, in their order."""
    return [config.id2label[index] for index in range(config.num_labels)]


def named(names):
    """What a classifier's config says of its classes; the inverse of `class_names`."""
    return {
        "num_labels": len(names),
        "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
    }
