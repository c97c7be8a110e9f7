"""Scores of labels that were named only when a model was asked: what zero-shot answers rest on.

Shapes: N texts, K labels.
"""

import numpy as np


def entailed(evidence, multi_label):
    """Scores of labels from the logits of contradiction and entailment.

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
    """Scores of labels from how near they are to texts.

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
