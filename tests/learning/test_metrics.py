"""Metrics against hand-computed values and their undefined cases."""

import math

import numpy as np
import pytest

from tfhf.errors import UserError
from tfhf.learning import likelihood_metrics, metrics


def test_classes():
    # confusion (rows true): a: 2 right, 1 as b; b: 1 right; c: 1 as a, never predicted
    truth, said = [0, 0, 0, 1, 2], [0, 0, 1, 1, 0]
    found = metrics.Classes(["a", "b", "c"]).compute(references=truth, predictions=said)
    assert found["accuracy"] == pytest.approx(0.6)
    assert found["f1_micro"] == pytest.approx(0.6)
    assert found["per_class"]["a"]["precision"] == pytest.approx(2 / 3)
    assert found["per_class"]["b"] == pytest.approx(
        {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1.0}
    )
    assert found["per_class"]["c"]["f1"] == 0.0
    assert found["f1_macro"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    # MCC from the definition: (c·s − Σ p_k t_k) / sqrt((s² − Σ p_k²)(s² − Σ t_k²))
    assert found["mcc"] == pytest.approx((3 * 5 - 11) / math.sqrt((25 - 13) * (25 - 11)))


def test_label_sets():
    truth, said = [[1, 0, 1], [0, 1, 0]], [[1, 0, 0], [0, 1, 1]]
    found = metrics.LabelSets(["a", "b", "c"]).compute(references=truth, predictions=said)
    assert found["exact_match"] == 0.0
    assert found["f1_micro"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert found["f1_macro"] == pytest.approx(2 / 3)
    assert found["per_class"]["c"]["support"] == 1.0


def test_numbers():
    found = metrics.Numbers().compute(references=[1.0, 2.0, 3.0], predictions=[1.0, 2.0, 5.0])
    assert found["mse"] == pytest.approx(4 / 3)
    assert found["mae"] == pytest.approx(2 / 3)
    assert found["spearman"] == pytest.approx(1.0)
    assert found["pearson"] == pytest.approx(np.corrcoef([1, 2, 3], [1, 2, 5])[0, 1])


def test_a_correlation_with_a_constant_is_undefined_and_no_error():
    found = metrics.Numbers().compute(references=[1.0, 2.0], predictions=[3.0, 3.0])
    assert math.isnan(found["pearson"]) and math.isnan(found["spearman"])


def test_better_knows_which_way_is_up():
    assert metrics.better("accuracy", 0.9, 0.8)
    assert not metrics.better("loss", 0.9, 0.8)
    assert metrics.better("loss", 0.7, 0.8)
    assert metrics.better("mse", 0.7, None)
    assert not metrics.better("accuracy", math.nan, None)


def test_likelihoods_are_means_over_tokens():
    found = likelihood_metrics.TokenLikelihood().compute(
        losses=[6.0, 0.0, 1.0], tokens=[3, 0, 1], correct=[1, 0, 1]
    )
    assert found == pytest.approx({"perplexity": math.exp(7 / 4), "accuracy": 2 / 4, "tokens": 4})


def test_likelihoods_of_no_token():
    with pytest.raises(UserError) as caught:
        likelihood_metrics.TokenLikelihood().compute(
            losses=[0.0] * 2, tokens=[0, 0], correct=[0, 0]
        )
    assert str(caught.value) == (
        "data: none of the 2 examples to evaluate on has a token to predict; give this split more"
        " text"
    )
