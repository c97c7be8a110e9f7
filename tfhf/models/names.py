"""What PyTorch calls a TensorFlow variable, and how it lays it out.

transformers derives PyTorch's names from TensorFlow's by rule. The rules are its own; what they
leave open is settled here. `tests/models/facts/names.json` holds the names that PyTorch really
writes, for every family that a task needs and every head.
"""

import re
from dataclasses import dataclass

import numpy as np

# TensorFlow's batch normalisation calls its moments otherwise than PyTorch's.
MOMENTS = {"moving_mean": "running_mean", "moving_variance": "running_var"}

# Weights that PyTorch ties: some writers keep one name of the pair, some the other.
TIES = [
    ("shared.weight", ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"]),
    ("predictions.bias", ["predictions.decoder.bias"]),
    ("lm_head.bias", ["lm_head.decoder.bias"]),
]
# Positions that follow from a formula; files need not hold them.
COMPUTED = {
    "marian": re.compile(r"embed_positions\.weight$"),
    "pegasus": re.compile(r"embed_positions\.weight$"),
}
# By TensorFlow class: layers that PyTorch's class leaves out, and that no output depends on.
ABSENT = {
    f"TFMPNetFor{head}": re.compile(r"^mpnet\.pooler\.")
    for head in ("MaskedLM", "SequenceClassification", "TokenClassification", "QuestionAnswering")
}
# By TensorFlow class: computed positions that PyTorch's class does not save.
UNSAVED = {"TFMarianMTModel": COMPUTED["marian"]}


@dataclass(frozen=True)
class Place:
    """One variable of a model, and where a checkpoint keeps its values.

    Attributes:
        variable: the TensorFlow variable.
        name: PyTorch's name for it in a model with a head, such as `bert.pooler.dense.weight`.
        others: further names that PyTorch's or older files may use.
        transpose: how the layouts differ (transformers' `TransposeType`).
        twins: further variables that hold the same values, though nothing reads them.
        computed: whether the values follow from a formula, which the model has followed already.
        saved: whether PyTorch's class saves it.
    """

    variable: object
    name: str
    others: tuple
    transpose: object
    twins: tuple = ()
    computed: bool = False
    saved: bool = True

    @property
    def shape(self):
        """The shape in PyTorch's layout."""
        return self.to_pytorch(np.broadcast_to(np.float32(0), tuple(self.variable.shape))).shape

    @property
    def is_integer(self):
        """Whether it is a table of indices, no weight."""
        return self.variable.dtype.is_integer

    def to_pytorch(self, values):
        """Turns values laid out as the variable's into PyTorch's layout (a view)."""
        from transformers.modeling_tf_pytorch_utils import apply_transpose

        values = apply_transpose(self.transpose, values, pt_to_tf=False)
        return values.reshape(_pytorch_shape(self.name, values.shape))

    def to_tensorflow(self, values):
        """Turns values laid out as PyTorch's into the variable's layout."""
        from transformers.modeling_tf_pytorch_utils import apply_transpose

        ours = np.broadcast_to(np.float32(0), tuple(self.variable.shape))
        between = apply_transpose(self.transpose, ours, pt_to_tf=False).shape
        values = apply_transpose(self.transpose, values.reshape(between))
        return values.reshape(tuple(self.variable.shape))

    def assign(self, values):
        """Fills the variable with values in its own layout."""
        for variable in (self.variable, *self.twins):
            variable.assign(values)


def tensorflow_name(variable):
    """The name of a variable in files that TensorFlow's `save_pretrained` wrote."""
    from transformers.modeling_tf_utils import strip_model_name_and_prefix

    return strip_model_name_and_prefix(variable.name)


def places(model):
    """Lists the variables of a built model under their PyTorch names, tied ones once."""
    from transformers.modeling_tf_pytorch_utils import convert_tf_weight_name_to_pt_weight_name

    rename = getattr(model, "tf_to_pt_weight_rename", lambda name: (name,))
    kind, family = type(model).__name__, model.config.model_type
    found = {}
    for variable in model.weights:
        name, transpose = convert_tf_weight_name_to_pt_weight_name(
            variable.name, tf_weight_shape=variable.shape
        )
        stem, _, last = name.rpartition(".")
        name, *others = rename(f"{stem}.{MOMENTS[last]}" if last in MOMENTS else name)
        for tied, twins in TIES:
            if name.endswith(tied):
                others += [name.removesuffix(tied) + twin for twin in twins]
        if kind in ABSENT and ABSENT[kind].search(name):
            continue
        found[name] = Place(
            variable,
            name,
            tuple(others),
            transpose,
            computed=family in COMPUTED and bool(COMPUTED[family].search(name)),
            saved=kind not in UNSAVED or not UNSAVED[kind].search(name),
        )
    return list(_without_twins(found).values())


def _without_twins(found):
    """Joins a head's two biases, where TensorFlow keeps both and reads the decoder's alone."""
    joined = dict(found)
    for name in found:
        tied = name.removesuffix("decoder.bias") + "bias"
        if name.endswith("predictions.decoder.bias") and tied in found:
            used, unused = joined.pop(name), joined[tied]
            joined[tied] = Place(
                used.variable, tied, (name,), used.transpose, twins=(unused.variable,)
            )
    return joined


def _pytorch_shape(name, shape):
    """PyTorch's shape of a weight, which may have its dimensions of 1 in other places."""
    if name.endswith("key_conv_attn_layer.bias"):  # ConvBERT's
        return (shape[0], 1)
    if name.endswith("depthwise.weight") and len(shape) == 3:
        return (shape[1], shape[0], shape[2])
    if name.endswith(".bias") and len(shape) == 2:  # GPT-2's Conv1D keeps (1, D)
        return (shape[1],)
    return tuple(shape)


def is_base(model):
    """Whether the model is a family's base model, whose names PyTorch writes without a prefix."""
    from transformers.models.auto.modeling_tf_auto import TF_MODEL_MAPPING_NAMES

    bases = TF_MODEL_MAPPING_NAMES.get(model.config.model_type, ())
    return type(model).__name__ in ((bases,) if isinstance(bases, str) else bases)
