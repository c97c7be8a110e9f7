"""Weights that nobody has to store: a number for every place, made from the weight's name.

PyTorch (`benchmarks/record_names.py`) and TensorFlow (the tests) each make the same weights from
this formula, so that their answers can be compared without a checkpoint in the repository.
"""

import math
import zlib

import numpy as np


def weight(name, shape):
    """Makes the weight called `name`: a hash of name and place, spread over [-0.5, 0.5).

    Args:
        name: the weight's PyTorch name.
        shape: its PyTorch shape.

    Returns:
        float32 array. One-dimensional `…weight`s are scales of a normalisation: 1 is added.
    """
    mask = np.uint64(0xFFFFFFFF)
    place = np.arange(math.prod(shape), dtype=np.uint64)
    bits = (place * np.uint64(2654435761) + np.uint64(zlib.crc32(name.encode()))) & mask
    bits = ((bits ^ (bits >> np.uint64(16))) * np.uint64(0x45D9F3B)) & mask
    bits ^= bits >> np.uint64(16)
    values = bits.astype(np.float64) / 2**32 - 0.5
    scale_of_a_norm = len(shape) == 1 and name.endswith("weight")
    return (values + scale_of_a_norm).astype(np.float32).reshape(shape)


def inputs(head, config):
    """The fixed inputs of a head, as NumPy arrays: 2 rows of 5 tokens, the second padded with 1s.

    Args:
        head: name of the auto class without its `TF`, such as `AutoModelForMaskedLM`.
        config: the model's config: it tells images from texts, and whether a decoder reads
            `decoder_input_ids`.
    """
    if hasattr(config, "num_channels"):
        size = getattr(config, "image_size", 32)
        return {"pixel_values": weight("pixels", (2, config.num_channels, size, size))}
    ids = np.array([[5, 9, 12, 7, 3], [8, 4, 3, 1, 1]])
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    if head == "AutoModelForMultipleChoice":
        ids, mask = np.stack([ids, ids[::-1]], axis=1), np.stack([mask, mask[::-1]], axis=1)
    features = {"input_ids": ids, "attention_mask": mask}
    if config.model_type == "longformer":  # one token sees all others
        features["global_attention_mask"] = (np.arange(5) == 0).astype(int) * np.ones_like(ids)
    if config.is_encoder_decoder and head in ("AutoModel", "AutoModelForSeq2SeqLM"):
        features["decoder_input_ids"] = np.array([[2, 6, 10], [2, 13, 14]])
    return features
