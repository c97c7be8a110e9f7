"""Settings that TensorFlow's classes do not follow are refused, not passed over."""

import importlib
import inspect

import pytest
import transformers

from tests.models.folders import load
from tfhf.errors import UserError
from tfhf.models.ignored_settings import IGNORED, check_settings

CASES = [(name, family) for name, (_, families) in IGNORED.items() for family in families]


@pytest.mark.parametrize(("setting", "family"), CASES)
def test_every_setting_of_every_family(setting, family):
    config = transformers.CONFIG_MAPPING[family]()
    check_settings(config, "x")
    setattr(config, setting, "relative_key" if IGNORED[setting][0] else {"type": "linear"})
    with pytest.raises(UserError, match=f"^model: x has {setting} .*, and TensorFlow's {family} "):
        check_settings(config, "x")


@pytest.mark.parametrize(("setting", "family"), CASES)
def test_only_pytorch_reads_them(setting, family):
    name = family.replace("-", "_")
    module = importlib.import_module(f"transformers.models.{name}.modeling_tf_{name}")
    # Once this fails, TensorFlow's class follows the setting and the row can go.
    assert f"config.{setting}" not in inspect.getsource(module)


def test_a_checkpoint_with_such_a_setting(bert):
    with pytest.raises(UserError) as caught:
        load(bert, position_embedding_type="relative_key")
    assert str(caught.value) == (
        f"model: {bert} has position_embedding_type 'relative_key', and TensorFlow's bert knows"
        " 'absolute' alone; take another checkpoint"
    )


def test_a_config_that_no_class_can_follow(bert):
    with pytest.raises(UserError) as caught:
        load(bert, hidden_act="relu7")
    assert str(caught.value).startswith(f"model: the config of {bert} makes no model: ")
    with pytest.raises(UserError, match="hidden size .* multiple of the number of attention heads"):
        load(bert, num_attention_heads=5)
