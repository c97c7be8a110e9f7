"""Labels as hypotheses about a text, and the classes by which a model judges those."""

from tfhf.errors import UserError


def checked_labels(labels):
    """Candidate labels as a list.

    Args:
        labels: a list, one string with commas between them, or None.

    Raises:
        UserError: if they are none, or no texts.
    """
    if labels is None:
        return None
    if isinstance(labels, str):
        labels = [label.strip() for label in labels.split(",")]
        labels = [label for label in labels if label]
    if not labels or not all(isinstance(label, str) and label.strip() for label in labels):
        raise UserError(f"candidate_labels: expected one or more texts, received {labels!r}")
    return list(labels)


def checked_template(template):
    """What is made of a label, unless it has no place for one.

    Raises:
        UserError: if it holds no `{}`.
    """
    if not isinstance(template, str) or "{}" not in template:
        raise UserError(
            f"hypothesis_template: must hold {{}} where the label goes; received {template!r}"
        )
    return template


def entailment(labels):
    """The number of the class that means entailment.

    Raises:
        UserError: if none does.
    """
    for number, label in enumerate(labels):
        if label.lower().startswith("entail"):
            return number
    raise UserError(
        "options.method: entailment needs a model, or data, with a class whose name begins with "
        f"'entail'; the classes are {', '.join(labels) or 'none'}"
    )


def contradiction(labels):
    """The number of the class that means contradiction; where none says so, as in transformers."""
    for number, label in enumerate(labels):
        if label.lower().startswith("contra"):
            return number
    return len(labels) - 1 if entailment(labels) == 0 else 0
