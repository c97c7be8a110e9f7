"""Losses of classes against their definitions in float64, and thresholds against all there are."""

import numpy as np
import pytest

from tfhf.learning.losses import ClassLoss
from tfhf.learning.thresholds import best_thresholds

LABELS = ["a", "b", "c"]


@pytest.fixture
def drawn():
    generator = np.random.default_rng(0)
    return 3 * generator.normal(size=(8, 3)).astype(np.float32), generator.integers(0, 3, 8)


def definition(logits, targets, weights=(1, 1, 1), smoothing=0.0, gamma=0.0):
    """Row by row: cross-entropy with a smoothed target, and what multiplies it."""
    losses = []
    for row, target in zip(logits.astype(np.float64), targets, strict=True):
        shares = np.exp(row) / np.exp(row).sum()
        wanted = (1 - smoothing) * np.eye(3)[target] + smoothing / 3
        entropy = -(wanted * np.log(shares)).sum()
        losses.append(weights[target] * (1 - shares[target]) ** gamma * entropy)
    return losses


@pytest.mark.parametrize(
    ("options", "defined"),
    [
        ({}, {}),
        ({"class_weights": {"b": 2.5, "c": 0.1}}, {"weights": (1, 2.5, 0.1)}),
        ({"label_smoothing": 0.2}, {"smoothing": 0.2}),
        ({"focal_gamma": 1.5}, {"gamma": 1.5}),
        ({"focal_gamma": 2.0, "class_weights": {"a": 3.0}}, {"gamma": 2.0, "weights": (3, 1, 1)}),
    ],
)
def test_of_classes(options, defined, drawn):
    logits, targets = drawn
    found = ClassLoss(LABELS, **options).of_classes(targets.astype(np.int32), logits)
    np.testing.assert_allclose(found, definition(logits, targets, **defined), rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_of_sets(gamma, drawn):
    logits, _ = drawn
    targets = (np.arange(24).reshape(8, 3) % 5 == 0).astype(np.float32)
    weights = np.array([1.0, 4.0, 1.0])
    shares = 1 / (1 + np.exp(-logits.astype(np.float64)))
    right = np.where(targets == 1, shares, 1 - shares)
    expected = -np.log(right) * (1 - right) ** gamma * np.where(targets == 1, weights, 1)
    loss = ClassLoss(LABELS, class_weights={"b": 4.0}, focal_gamma=gamma)
    np.testing.assert_allclose(loss.of_sets(targets, logits), expected.mean(1), rtol=1e-5)


def test_a_smoothed_set_is_half_unsure_of_each_class(drawn):
    logits, _ = drawn
    targets = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2, 0, 1]]
    shares = 1 / (1 + np.exp(-logits.astype(np.float64)))
    wanted = 0.9 * targets + 0.05
    expected = -(wanted * np.log(shares) + (1 - wanted) * np.log(1 - shares))
    found = ClassLoss(LABELS, label_smoothing=0.1).of_sets(targets, logits)
    np.testing.assert_allclose(found, expected.mean(1), rtol=1e-5)


def test_balanced_classes_have_equal_parts_in_the_loss():
    from sklearn.utils.class_weight import compute_class_weight

    targets = [0] * 6 + [1] * 3 + [2]
    loss = ClassLoss(LABELS, class_weights="balanced")
    assert loss.needs_counts
    loss.balance(targets)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    assert list(loss.class_weights.values()) == pytest.approx(expected.tolist())
    sets = ClassLoss(LABELS, class_weights="balanced")
    sets.balance([0, 0, 0, 1, 2, 2, 2, 2], rows=4)  # the third in every row
    assert sets.class_weights == {"a": pytest.approx(1 / 3), "b": 3.0, "c": 1.0}


def test_thresholds_are_the_best_there_are():
    from sklearn.metrics import f1_score

    generator = np.random.default_rng(3)
    probabilities = generator.random((40, 4)).round(1).astype(np.float32)  # with ties
    references = (generator.random((40, 4)) < [0.5, 0.1, 1.0, 0.0]).astype(int)
    found = best_thresholds(references, probabilities)
    assert found[3] == 0.5
    cuts = np.linspace(0.01, 0.99, 99)  # none of them is a probability that occurs, but for tenths
    cuts = cuts[np.abs(cuts * 10 - np.round(cuts * 10)) > 0.05]
    for label in range(3):
        scores, present = probabilities[:, label], references[:, label]
        reached = f1_score(present, scores >= found[label])
        assert reached == pytest.approx(max(f1_score(present, scores >= cut) for cut in cuts))
