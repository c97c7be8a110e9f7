"""TensorFlow models into checkpoints that PyTorch opens."""

import copy
import os
import shutil
from pathlib import Path

import numpy as np

from tfhf.models import tensors
from tfhf.models.hub import FETCHED
from tfhf.models.names import is_base, places
from tfhf.storage import storing

# By these, sentence-transformers would take the model for one of its own.
OF_SENTENCES = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")


def save_backbone(backbone, tokenizer, folder):
    """Saves a model the way PyTorch's `save_pretrained` does: names, layouts and ties.

    Every file is written aside and renamed into place, the weights last: a reader, or a run that
    was killed, never meets half of one. What an earlier model left in the folder and this one does
    not write (another tokenizer's tables, settings for generation) is removed at the end.

    Args:
        backbone: the transformers TensorFlow model, its variables built.
        tokenizer: its transformers tokenizer.
        folder: where `model.safetensors` (float32), `config.json`, the tokenizer's files and, for
            models that generate, `generation_config.json` shall be; made if absent.

    Raises:
        StorageError: if the system refuses (no space, no permission).
    """
    folder = Path(folder)
    held_model = (folder / "config.json").is_file()
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
            if held_model:
                _remove_stale(folder, {file.name for file in finished})
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _remove_stale(folder, written):
    """Removes an earlier model's configs and tokenizer files, which would be read with this one's.

    Args:
        folder: a folder that held a model before.
        written: names of the files just saved.
    """
    for file in folder.iterdir():
        of_a_model = FETCHED.fullmatch(file.name) or file.name in OF_SENTENCES
        if of_a_model and file.name not in written and file.is_file():
            file.unlink()


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
    """Every weight under the name PyTorch writes: name → (shape, how to read its values, type)."""
    prefix = f"{backbone.base_model_prefix}." if is_base(backbone) else ""
    weights = {}
    for place in places(backbone):
        name = place.name.removeprefix(prefix)
        if place.saved:
            kind = "I64" if place.is_integer else "F32"
            weights[name] = (place.shape, lambda place=place: _values(place), kind)
        if name.endswith(".running_mean"):  # PyTorch counts what it averaged; nothing reads it
            count = name.replace("running_mean", "num_batches_tracked")
            weights[count] = ((), lambda: np.zeros(()), "I64")
    return weights


def _values(place):
    """A variable's values in PyTorch's layout, also where a strategy mirrors it."""
    return place.to_pytorch(place.variable.read_value().numpy())
