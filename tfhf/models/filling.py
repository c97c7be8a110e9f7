"""A checkpoint's weights into the variables of a built model."""

import math
import re

import numpy as np

from tfhf.errors import UserError
from tfhf.models.growth import with_rows
from tfhf.models.names import places, tensorflow_name
from tfhf.models.report import LoadReport

# What old files carry beside the weights: positions, masks and counters that models compute.
BUFFERS = re.compile(
    r"position_ids$|\.attn\.(masked_)?bias$|num_batches_tracked$|relative_position_index$"
    r"|EncDecAttention\.relative_attention_bias\.weight$"
)
# Where files repeat a weight that the model keeps once, in two places.
COPIES = re.compile(
    r"(decoder|lm_head|embed_tokens|vocab_projector|lm_loss|generator_lm_head)\.(weight|bias)$"
)
# TensorFlow classes that turn states into words, and use the embeddings for it.
SPEAKERS = re.compile(r"LM|PreTraining|ConditionalGeneration|MTModel")


def fill(model, stored, is_tensorflow, source, held=None):
    """Assigns every stored weight that has a place, one at a time, and reports the rest.

    Args:
        model: the transformers model, its variables built.
        stored: name → Stored, from `open_weights`.
        is_tensorflow: whether names and layouts are TensorFlow's.
        source: the Source, for messages.
        held: tokens that the checkpoint has rows for, where the model has more; see `growth`.

    Returns:
        A LoadReport.

    Raises:
        UserError: if the weights are another model's, quantized, or untied where TensorFlow ties.
    """
    prefix = f"{model.base_model_prefix}."
    is_bare = not is_tensorflow and not any(name.startswith(prefix) for name in stored)
    found = [place for place in places(model) if not place.is_integer]
    backbone = {place.name for place in found if place.name.startswith(prefix)}
    backbone = backbone or {place.name for place in found}  # T5's names have no prefix
    loaded, reshaped, new, parameters = {}, {}, [], 0  # the first two: our name → the file's
    grown, count = [], getattr(model.config, "vocab_size", None)
    for place in found:
        name = _stored_name(place, stored, is_tensorflow, prefix, is_bare)
        shape = tuple(place.variable.shape) if is_tensorflow else place.shape
        weight = with_rows(stored[name], shape, held, count) if name and held else None
        if weight is not None:
            _assign(place, name, weight, is_tensorflow, source)
            loaded[place.name] = name
            grown.append(place.name)
            parameters += math.prod(stored[name].shape)
        elif name is None:
            if not place.computed:
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
    twins = {tensorflow_name(twin) for place in found for twin in place.twins}
    unused = _unused(stored, set(loaded.values()), {*reshaped.values(), *twins})
    _refuse_untied(model, unused, stored, source, held or count)
    return LoadReport(list(loaded), new, list(reshaped), unused, parameters, prefix, grown)


def _stored_name(place, stored, is_tensorflow, prefix, is_bare):
    """The name under which a checkpoint keeps a place's values, or None.

    A body's file leaves out the prefix; some of T5's heads have it, though its body's names do not.
    """
    if is_tensorflow:
        name = tensorflow_name(place.variable)
        candidates = [name, name.replace("embeddings:0", "weight:0")]  # either, by age of the file
    else:
        names = (place.name, *place.others)
        candidates = [name.removeprefix(prefix) for name in names] if is_bare else [*names]
        candidates += [f"{prefix}{name}" for name in names]
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
    place.assign(values)


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


def _refuse_untied(model, unused, stored, source, words):
    """Refuses a second matrix of embeddings, for output or for a decoder, that would be lost."""
    kind, config = type(model).__name__, model.config
    for name in unused:
        is_input = name.endswith("embed_tokens.weight")
        if (
            COPIES.search(name)
            and len(stored[name].shape) == 2
            and stored[name].shape[0] == words
            and (is_input or SPEAKERS.search(kind))
        ):
            remedy = "take a checkpoint with tied embeddings"
            if config.model_type in ("t5", "mt5") and not is_input:
                remedy = "if that is meant, state tie_word_embeddings: false in its config.json"
            raise UserError(
                f"model: {name} of {source.name} differs from the embeddings, but {kind} uses the"
                f" embeddings in its place; {remedy}"
            )
