"""Checkpoints into TensorFlow models, without PyTorch.

transformers 4.57 cannot do this itself any more (see `repairs`), and never said in one line what it
had loaded. Reads PyTorch-format safetensors (one file or shards; float32, float16, bfloat16),
TensorFlow-format safetensors and HDF5. Variables are always float32.
"""

import contextlib
import functools
import math
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfhf.errors import UserError
from tfhf.models import intake, tensors
from tfhf.models.names import places
from tfhf.models.sources import Source, load_config

# What old files carry beside the weights: positions, masks and counters that models compute.
BUFFERS = re.compile(
    r"position_ids$|\.attn\.(masked_)?bias$|num_batches_tracked$|relative_position_index$"
    r"|EncDecAttention\.relative_attention_bias\.weight$"
)
# Where files repeat a weight that the model keeps once, in two places.
COPIES = re.compile(r"(decoder|lm_head|embed_tokens|vocab_projector)\.(weight|bias)$")
# Names that PyTorch gave up: converted checkpoints' norms, and weight normalisation's two parts.
FORMER = [
    ("LayerNorm.gamma", "LayerNorm.weight"),
    ("LayerNorm.beta", "LayerNorm.bias"),
    ("parametrizations.weight.original0", "weight_g"),
    ("parametrizations.weight.original1", "weight_v"),
]


@dataclass(frozen=True)
class LoadReport:
    """Which of a model's weights came from the checkpoint.

    Attributes:
        loaded: PyTorch names of the weights that were read.
        new: names of those the checkpoint does not have; they start as the model initialises them.
        reshaped: names of those the checkpoint has in another shape; they start anew, too.
        unused: names in the checkpoint that the model has no place for.
        parameters: how many numbers were read.
        prefix: the family's name for its base model, left out where weights are listed.
    """

    loaded: list
    new: list
    reshaped: list
    unused: list
    parameters: int
    prefix: str

    def line(self):
        """Says it in one plain line, grouped by module; groups that are empty are left out."""
        total = len(self.loaded) + len(self.new) + len(self.reshaped)
        parts = [f"loaded {len(self.loaded)} of {total} weights ({self.parameters:,} parameters)"]
        for word, names in [
            ("new", self.new),
            ("new because the shape differs", self.reshaped),
            ("unused", self.unused),
        ]:
            modules = Counter(self._module(name) for name in names)
            if modules:
                listed = ", ".join(f"{module} ({n})" for module, n in sorted(modules.items()))
                parts.append(f"{word}: {listed}")
        return "; ".join(parts)

    def _module(self, name):
        """The part of the model a weight belongs to; unused names may be TensorFlow's, with /."""
        return name.replace("/", ".").removeprefix(self.prefix).split(".")[0]


@dataclass(frozen=True)
class Stored:
    """One weight in a file: its shape, its NumPy type, and how to read it."""

    shape: tuple
    kind: str
    read: object


def load_backbone(source, auto_class, **config_changes):
    """Builds a TensorFlow model and fills it from a checkpoint.

    Args:
        source: the Source, from `resolve`.
        auto_class: name of the transformers class that picks the model, such as
            `"TFAutoModelForSequenceClassification"`.
        **config_changes: settings that differ from the checkpoint's config, such as `num_labels=3`.

    Returns:
        `(model, report)`: the transformers model, in float32, and a LoadReport. Weights the
        checkpoint lacks start as PyTorch starts them, drawn from Keras's global seed.

    Raises:
        UserError: if the family has no such head, the config and the weights contradict each other,
            or nothing of the backbone is in the checkpoint.
    """
    config = load_config(source)
    config.update({**config_changes, "dtype": "float32"})
    model = _build(config, auto_class, source)
    with _open(intake.weight_files(source.folder)) as (stored, is_tensorflow):
        report = _fill(model, stored, is_tensorflow, source)
    _start_anew(model, {*report.new, *report.reshaped})
    if model.generation_config is not None:
        _load_generation_config(model, source)
    return model, report


def restore_weights(backbone, folder):
    """Fills a model from a folder that `save_backbone` made of it.

    Args:
        backbone: the transformers model, its variables built.
        folder: its own earlier state.

    Raises:
        UserError: if the folder lacks any of the model's weights.
    """
    source = Source(Path(folder), str(folder))
    with _open(intake.weight_files(source.folder)) as (stored, is_tensorflow):
        report = _fill(backbone, stored, is_tensorflow, source)
    if report.new or report.reshaped:
        raise UserError(f"model: {folder} holds another model: {report.line()}")


def count_parameters(source):
    """Counts the numbers in a checkpoint's weights from the file headers alone."""
    with _open(intake.weight_files(source.folder)) as (stored, _):
        return sum(math.prod(weight.shape) for weight in stored.values() if weight.kind == "f")


def _build(config, auto_class, source):
    """Makes the model with fresh variables."""
    import transformers

    chosen = getattr(transformers, auto_class)
    if type(config) not in chosen._model_mapping:
        raise UserError(
            f"model: {source.name} is a {config.model_type}, which has no {auto_class} in"
            f" transformers 4.57; it has {', '.join(_auto_classes(config))}"
        )
    with _without_advice():
        model = chosen.from_config(config)
        model.build_in_name_scope()
    return model


@contextlib.contextmanager
def _without_advice():
    """Holds back the advice to leave TensorFlow, and Keras's about T5's shared initialiser."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The initializer RandomNormal is unseeded")
            yield
    finally:
        logging.set_verbosity(verbosity)


def _auto_classes(config):
    """The names of the TFAuto classes that know a config's family."""
    import transformers

    return [
        name
        for name in sorted(dir(transformers))
        if re.fullmatch(r"TFAutoModel(For\w+)?", name)
        and type(config) in getattr(transformers, name)._model_mapping
    ]


@contextlib.contextmanager
def _open(files):
    """Yields what the files hold, name → Stored, and whether names and layouts are TensorFlow's."""
    with contextlib.ExitStack() as stack:
        stored, is_tensorflow = {}, False
        for file in files:
            if file.suffix == ".h5":
                import h5py

                stored.update(_h5_weights(stack.enter_context(h5py.File(file, "r"))))
                is_tensorflow = True
            else:
                entries, metadata = tensors.read_header(file)
                stored.update(_safetensors_weights(file, entries))
                is_tensorflow = metadata.get("format") == "tf"
        yield stored, is_tensorflow


def _safetensors_weights(file, entries):
    """The weights of one safetensors file, under the names of today."""
    found = {}
    for name, entry in entries.items():
        for former, present in FORMER:
            if name.endswith(former):
                name = name.removesuffix(former) + present
        kind = "f" if entry.dtype == "BF16" else np.dtype(tensors.DTYPES[entry.dtype]).kind
        found[name] = Stored(entry.shape, kind, functools.partial(tensors.read, file, entry))
    return found


def _h5_weights(file):
    """The weights of an open HDF5 file: a group per layer, in it datasets by variable name."""
    import h5py
    from transformers.modeling_tf_utils import strip_model_name_and_prefix

    found = {}

    def visit(path, item):
        if isinstance(item, h5py.Dataset):
            name = strip_model_name_and_prefix(path.split("/", 1)[-1])
            found[name] = Stored(item.shape, item.dtype.kind, functools.partial(np.asarray, item))

    file.visititems(visit)
    return found


def _fill(model, stored, is_tensorflow, source):
    """Assigns every stored weight that has a place, one at a time, and reports the rest."""
    prefix = f"{model.base_model_prefix}."
    is_bare = not is_tensorflow and not any(name.startswith(prefix) for name in stored)
    found = places(model)
    backbone = {place.name for place in found if place.name.startswith(prefix)}
    backbone = backbone or {place.name for place in found}  # T5's names have no prefix
    loaded, reshaped, new, parameters = {}, {}, [], 0  # the first two: our name → the file's
    for place in found:
        name = _stored_name(place, stored, is_tensorflow, prefix if is_bare else "")
        shape = tuple(place.variable.shape) if is_tensorflow else place.shape
        if name is None:
            new.append(place.name)
        elif _without_ones(stored[name].shape) == _without_ones(shape):
            _assign(place, name, stored[name], is_tensorflow, source)
            loaded[place.name] = name
            parameters += math.prod(shape)
        elif place.name in backbone:
            raise UserError(
                f"model: config.json and the weights of {source.name} contradict each other:"
                f" {name} is {stored[name].shape}, the config wants {shape}"
            )
        else:
            reshaped[place.name] = name
    if not backbone & loaded.keys():
        raise UserError(
            f"model: the weights of {source.name} hold nothing of a {model.config.model_type}"
            f" (their first name is {min(stored, default='missing')!r})"
        )
    unused = _unused(stored, set(loaded.values()), set(reshaped.values()))
    return LoadReport(list(loaded), new, list(reshaped), unused, parameters, prefix)


def _start_anew(model, names):
    """Draws new matrices from the normal distribution that PyTorch's classes use.

    TensorFlow's classes cut it off at two standard deviations, so their heads start an eighth
    smaller; where a training is short, that is seen in what it reaches.
    """
    import tensorflow as tf

    deviation = getattr(model.config, "initializer_range", None)
    if deviation is None:
        deviation = getattr(model.config, "init_std", None)
    if deviation is None:
        return  # T5 scales every matrix by its own width, in both frameworks alike
    for place in places(model):
        variable = place.variable
        if place.name in names and variable.shape.rank == 2 and not place.name.endswith(".bias"):
            variable.assign(tf.random.normal(variable.shape, stddev=deviation))


def _stored_name(place, stored, is_tensorflow, prefix):
    """The name under which a checkpoint keeps a place's values, or None."""
    if is_tensorflow:
        name = place.tensorflow_name
        candidates = [name, name.replace("embeddings:0", "weight:0")]  # either, by age of the file
    else:
        candidates = [name.removeprefix(prefix) for name in (place.name, *place.others)]
    return next((name for name in candidates if name in stored), None)


def _without_ones(shape):
    """A shape without its dimensions of 1, which the frameworks place differently."""
    return [size for size in shape if size != 1]


def _assign(place, name, weight, is_tensorflow, source):
    """Copies one weight into its variable, as float32."""
    if weight.kind != "f":
        raise UserError(
            f"model: {name} of {source.name} is stored as integers: quantized checkpoints cannot be"
            " fine-tuned; use the original one"
        )
    values = np.asarray(weight.read(), np.float32)
    if is_tensorflow:
        values = values.reshape(tuple(place.variable.shape))
    else:
        values = place.to_tensorflow(values)
    place.variable.assign(values)


def _unused(stored, loaded, reshaped):
    """The stored weights without a place, leaving out buffers and copies of loaded weights."""
    unused = []
    for name in sorted(stored.keys() - loaded - reshaped):
        weight = stored[name]
        if weight.kind != "f" or BUFFERS.search(name):
            continue
        twins = (stored[other] for other in loaded if stored[other].shape == weight.shape)
        if COPIES.search(name) and any(np.array_equal(weight.read(), t.read()) for t in twins):
            continue
        unused.append(name)
    return unused


def _load_generation_config(model, source):
    """Takes over the checkpoint's own settings for generation, if it has any."""
    from transformers import GenerationConfig

    if (source.folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(source.folder)
