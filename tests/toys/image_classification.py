"""Toy images: bright ones, and dark ones with a bright corner."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np

OPTIONS = {}
LABELS = ["bright", "dark"]


@functools.cache
def folder():
    """A folder that lives as long as the tests."""
    made = tempfile.mkdtemp(prefix="tfhf-toys-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def rows(name=None, count=18):
    import PIL.Image

    found = []
    for index in range(count):
        path = folder() / f"{index}.png"
        if not path.exists():
            pixels = np.full((12 + index % 3, 16, 3), 200 if index % 2 == 0 else 40, np.uint8)
            pixels[:4, : 2 + index % 5] = 255
            PIL.Image.fromarray(pixels).save(path)
        found.append({"image": str(path), "label": LABELS[index % 2]})
    return found


def model(tiny_bert_folder, folder):
    """A vision transformer of one layer for 8 by 8 pixels."""
    import tf_keras
    from transformers import TFViTModel, ViTConfig, ViTImageProcessor

    from tfhf import models

    tf_keras.utils.set_random_seed(0)
    config = ViTConfig(
        image_size=8,
        patch_size=4,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.2,
    )
    backbone = TFViTModel(config, add_pooling_layer=False)
    backbone.build_in_name_scope()
    processor = ViTImageProcessor(size={"height": 8, "width": 8})
    models.save_backbone(backbone, processor, folder)
    return folder
