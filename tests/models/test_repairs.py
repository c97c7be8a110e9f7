"""Each repair: transformers fails without it (else it is no longer needed), and works with it."""

import numpy as np
import pytest

from tfhf.models import repairs


@pytest.fixture
def unrepaired(monkeypatch):
    """transformers as installed, whatever ran before; restored afterwards."""
    from transformers import modeling_tf_pytorch_utils as module

    loader = module.load_pytorch_state_dict_in_tf2_model
    monkeypatch.setattr(
        module, "load_pytorch_state_dict_in_tf2_model", getattr(loader, "__wrapped__", loader)
    )
    monkeypatch.setattr(repairs, "_done", set())


def test_iterate_safetensors(bert, unrepaired):
    from transformers import TFAutoModelForSequenceClassification as Auto

    with pytest.raises(TypeError, match="'builtins.safe_open' object is not iterable"):
        Auto.from_pretrained(bert)
    assert repairs.repair() == ["iterate safetensors"]
    assert repairs.repair() == ["iterate safetensors"]
    found = Auto.from_pretrained(bert)
    values = found.bert.pooler.dense.kernel.numpy()

    from tfhf.models import load_backbone, resolve

    ours, _ = load_backbone(resolve(bert), "TFAutoModelForSequenceClassification")
    np.testing.assert_array_equal(values, ours.bert.pooler.dense.kernel.numpy())


def test_a_sound_version_is_left_alone(unrepaired, monkeypatch):
    import transformers
    from transformers import modeling_tf_pytorch_utils as module

    before = module.load_pytorch_state_dict_in_tf2_model
    monkeypatch.setattr(transformers, "__version__", "5.0.0")
    assert repairs.repair() == []
    assert module.load_pytorch_state_dict_in_tf2_model is before
