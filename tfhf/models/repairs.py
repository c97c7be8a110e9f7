"""What transformers 4.57 does wrong on TensorFlow, put right from outside.

Each repair is named, guarded by version and linked to its report; a test fails when transformers no
longer needs it. tfhf's own loading needs none of them: they are for plain transformers code.
"""


class _Listed:
    """An open safetensors file that can be iterated, as transformers expects: over its names."""

    def __init__(self, archive):
        self._archive = archive

    def __iter__(self):
        return iter(self._archive.keys())

    def get_tensor(self, name):
        return self._archive.get_tensor(name)


def _iterate_safetensors():
    """`TFAutoModel.from_pretrained` of a PyTorch-format safetensors file raises TypeError.

    Since 4.55 transformers writes `for key in archive`, which safetensors' archives refuse.
    https://github.com/huggingface/transformers/issues/40028
    """
    import functools

    from transformers import modeling_tf_pytorch_utils as module

    original = module.load_pytorch_state_dict_in_tf2_model

    @functools.wraps(original)
    def load(model, weights, *args, **kwargs):
        iterable = hasattr(weights, "__iter__")
        return original(model, weights if iterable else _Listed(weights), *args, **kwargs)

    module.load_pytorch_state_dict_in_tf2_model = load


# name → (the first transformers that needs it, the first that does not, the repair)
REPAIRS = {"iterate safetensors": ("4.55", "5", _iterate_safetensors)}

_done = set()


def repair():
    """Repairs the installed transformers for TensorFlow, as far as its version needs it.

    Afterwards `TFAutoModel.from_pretrained(folder)` reads PyTorch-format safetensors. Calling it
    again does nothing.

    Returns:
        The names of all repairs in force, sorted.
    """
    import transformers
    from packaging.version import Version

    version = Version(transformers.__version__)
    for name, (first, sound, apply) in REPAIRS.items():
        if name not in _done and Version(first) <= version < Version(sound):
            apply()
            _done.add(name)
    return sorted(_done)
