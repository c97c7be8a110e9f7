"""TensorFlow models into checkpoints that PyTorch opens."""

import copy
import os
import shutil
from pathlib import Path

from tfhf.models import tensors
from tfhf.models.names import is_base, places
from tfhf.storage import storing


def save_backbone(backbone, tokenizer, folder):
    """Saves a model the way PyTorch's `save_pretrained` does: names, layouts and ties.

    Every file is written aside and renamed into place, the weights last: a reader, or a run that
    was killed, never meets half of one.

    Args:
        backbone: the transformers TensorFlow model, its variables built.
        tokenizer: its transformers tokenizer.
        folder: where `model.safetensors` (float32), `config.json`, the tokenizer's files and, for
            models that generate, `generation_config.json` shall be; made if absent.

    Raises:
        StorageError: if the system refuses (no space, no permission).
    """
    folder = Path(folder)
    aside = folder / f".saving.{os.getpid()}"
    with storing(folder):
        aside.mkdir(parents=True, exist_ok=True)
        try:
            tokenizer.save_pretrained(aside)
            _write_configs(backbone, aside)
            finished = sorted(aside.iterdir())
            tensors.write(aside / "model.safetensors", _weights(backbone))
            for file in [*finished, aside / "model.safetensors"]:
                os.replace(file, folder / file.name)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _write_configs(backbone, folder):
    """Writes config.json, naming PyTorch's class, and generation_config.json where there is one."""
    config = copy.deepcopy(backbone.config)
    config.architectures = [type(backbone).__name__.removeprefix("TF")]
    config.dtype = "float32"
    (folder / "config.json").write_text(config.to_json_string(), encoding="utf-8")
    if backbone.generation_config is not None:
        text = backbone.generation_config.to_json_string()
        (folder / "generation_config.json").write_text(text, encoding="utf-8")


def _weights(backbone):
    """Every weight under the name PyTorch writes: name → (shape, how to read its values)."""
    prefix = f"{backbone.base_model_prefix}." if is_base(backbone) else ""
    return {
        place.name.removeprefix(prefix): (place.shape, lambda place=place: _values(place))
        for place in places(backbone)
    }


def _values(place):
    """A variable's values in PyTorch's layout, also where a strategy mirrors it."""
    return place.to_pytorch(place.variable.read_value().numpy())
