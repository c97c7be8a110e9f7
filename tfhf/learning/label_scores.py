"""Scores of labels, from what a model gives of each.

Shapes: N texts, K labels.
"""

import numpy as np

from tfhf.errors import UserError


def of_logits(logits, function):
    """Scores of the classes that a model was trained on, as a call of its pipeline asks for them.

    Args:
        logits: `(K,)` float.
        function: `softmax`, `sigmoid` or `none`; a call's `function_to_apply`.

    Returns:
        `(K,)` float64.

    Raises:
        UserError: if the function is something else.
    """
    logits = logits.astype(np.float64)
    if function == "softmax":
        return _softmax(logits)
    if function == "sigmoid":
        return 1.0 / (1.0 + np.exp(-logits))
    if function == "none":
        return logits
    raise UserError(f"function_to_apply: must be softmax, sigmoid or none; received {function!r}")


def entailed(evidence, multi_label):
    """Scores of labels named in a call, from the logits of contradiction and entailment.

    Args:
        evidence: `(N, K, 2)` logits of N texts and K labels.
        multi_label: whether each label is weighed against its own contradiction; so is a label
            that stands alone. Otherwise the labels are weighed against each other.

    Returns:
        `(N, K)` scores in [0, 1].
    """
    if multi_label or evidence.shape[1] == 1:
        return _softmax(evidence)[..., 1]
    return _softmax(evidence[..., 1])


def nearness(cosines, multi_label, temperature):
    """Scores of labels named in a call, from how near they are to texts.

    Args:
        cosines: `(N, K)` cosines of N texts and K labels.
        multi_label: whether each label's score is its own cosine, 0 where that is negative.
            Otherwise the labels are weighed against each other.
        temperature: divides the cosines before the softmax.

    Returns:
        `(N, K)` scores in [0, 1].
    """
    if multi_label:
        return np.clip(cosines, 0.0, 1.0)
    return _softmax(cosines / temperature)


def _softmax(values):
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
