"""What PyTorch calls a TensorFlow variable, and how it lays it out.

transformers derives PyTorch's names from TensorFlow's by rule. The rules are its own; what they
leave open is settled here. `tests/models/facts/names.json` holds the names that PyTorch really
writes, for eight families and every head.
"""

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


@dataclass(frozen=True)
class Place:
    """One variable of a model, and where a checkpoint keeps its values.

    Attributes:
        variable: the TensorFlow variable.
        name: PyTorch's name for it in a model with a head, such as `bert.pooler.dense.weight`.
        others: further names that PyTorch's or older files may use.
        transpose: how the layouts differ (transformers' `TransposeType`).
    """

    variable: object
    name: str
    others: tuple
    transpose: object

    @property
    def shape(self):
        """The shape in PyTorch's layout."""
        return self.to_pytorch(np.broadcast_to(np.float32(0), tuple(self.variable.shape))).shape

    @property
    def tensorflow_name(self):
        """The name in files that TensorFlow's `save_pretrained` wrote."""
        from transformers.modeling_tf_utils import strip_model_name_and_prefix

        return strip_model_name_and_prefix(self.variable.name)

    def to_pytorch(self, values):
        """Turns values laid out as the variable's into PyTorch's layout (a view)."""
        from transformers.modeling_tf_pytorch_utils import apply_transpose

        values = apply_transpose(self.transpose, values, pt_to_tf=False)
        if self.name.endswith(".bias") and values.ndim == 2:
            values = values[0]  # GPT-2's Conv1D keeps its biases as (1, D)
        return values

    def to_tensorflow(self, values):
        """Turns values laid out as PyTorch's into the variable's layout."""
        from transformers.modeling_tf_pytorch_utils import apply_transpose

        values = apply_transpose(self.transpose, values.reshape(self.shape))
        return values.reshape(tuple(self.variable.shape))


def places(model):
    """Lists the variables of a built model under their PyTorch names, tied ones once."""
    from transformers.modeling_tf_pytorch_utils import convert_tf_weight_name_to_pt_weight_name

    rename = getattr(model, "tf_to_pt_weight_rename", lambda name: (name,))
    found = []
    for variable in model.weights:
        name, transpose = convert_tf_weight_name_to_pt_weight_name(
            variable.name, tf_weight_shape=variable.shape
        )
        stem, _, last = name.rpartition(".")
        name, *others = rename(f"{stem}.{MOMENTS[last]}" if last in MOMENTS else name)
        for tied, twins in TIES:
            if name.endswith(tied):
                others += [name.removesuffix(tied) + twin for twin in twins]
        found.append(Place(variable, name, tuple(others), transpose))
    return found


def is_base(model):
    """Whether the model is a family's base model, whose names PyTorch writes without a prefix."""
    from transformers.models.auto.modeling_tf_auto import TF_MODEL_MAPPING_NAMES

    bases = TF_MODEL_MAPPING_NAMES.get(model.config.model_type, ())
    return type(model).__name__ in ((bases,) if isinstance(bases, str) else bases)
