"""Records what transformers' own image pipeline answers, for the tests to compare with.

Runs in an environment of its own (torch, transformers 4.57, pillow); tfhf is not imported. Weights
and images are not stored: `tests/models/formula.py` makes them from their names, here and in the
tests.

    python benchmarks/record_pipelines_image.py

It writes `tests/tasks/facts/image_classification.json`: per family its config, its image
processor's settings, the names and shapes of its weights, and the answers.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import PIL.Image
import torch
import transformers
from safetensors import safe_open
from transformers import ImageClassificationPipeline

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS / "models"))

from formula import weight  # noqa: E402  (found through the line above)

LABELS = {0: "cat", 1: "dog", 2: "ship"}
# name → mode of pillow, and the shape of its array
IMAGES = {"wide": ("RGB", (20, 33, 3)), "grey": ("L", (31, 31)), "clear": ("RGBA", (40, 24, 4))}
NARROW = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "image_size": 16,
    "patch_size": 8,
}
FAMILIES = {
    "vit": (NARROW, {"size": {"height": 16, "width": 16}}),
    "deit": (
        NARROW,
        {"size": {"height": 20, "width": 20}, "crop_size": {"height": 16, "width": 16}},
    ),
    "swin": (
        {
            "image_size": 16,
            "patch_size": 2,
            "embed_dim": 8,
            "depths": [1, 1],
            "num_heads": [2, 2],
            "window_size": 2,
        },
        {"size": {"height": 16, "width": 16}, "resample": 3},
    ),
    "convnext": (
        {
            "image_size": 32,
            "patch_size": 2,
            "num_stages": 2,
            "hidden_sizes": [8, 12],
            "depths": [1, 1],
        },
        {"size": {"shortest_edge": 32}, "crop_pct": 0.875},
    ),
}
CLASSES = {
    "vit": ("ViTForImageClassification", "ViTImageProcessor"),
    "deit": ("DeiTForImageClassification", "DeiTImageProcessor"),
    "swin": ("SwinForImageClassification", "ViTImageProcessor"),
    "convnext": ("ConvNextForImageClassification", "ConvNextImageProcessor"),
}


def image(name):
    """A picture of noise."""
    mode, shape = IMAGES[name]
    values = weight(name, shape) + 0.5
    return PIL.Image.fromarray(np.floor(values * 256).clip(0, 255).astype(np.uint8), mode)


def record(family, folder):
    """One model's files, and the answers of its pipeline."""
    settings, processing = FAMILIES[family]
    model_class, processor_class = (getattr(transformers, name) for name in CLASSES[family])
    config = transformers.AutoConfig.for_model(family, **settings, id2label=LABELS)
    config.label2id = {label: number for number, label in LABELS.items()}
    model = model_class(config).eval()
    with torch.no_grad():
        for place, values in model.named_parameters():
            values.copy_(torch.from_numpy(weight(place, tuple(values.shape))))
    processor = processor_class(**processing)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    with safe_open(folder / "model.safetensors", "pt") as file:
        shapes = {place: list(file.get_slice(place).get_shape()) for place in file.keys()}  # noqa: SIM118
    learned = {place for place, _ in model.named_parameters()}
    ask = ImageClassificationPipeline(model=model, image_processor=processor, device="cpu")
    files = ("config.json", "preprocessor_config.json")
    pictures = [image(name) for name in IMAGES]
    return {
        "files": {file: json.loads((folder / file).read_text()) for file in files},
        "weights": {place: shape for place, shape in shapes.items() if place in learned},
        "answers": ask(pictures),
        "one": ask(pictures[0], top_k=2, function_to_apply="sigmoid"),
    }


def main():
    facts = {"transformers": transformers.__version__, "images": IMAGES, "models": {}}
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            facts["models"][family] = record(family, Path(folder))
    path = TESTS / "tasks" / "facts" / "image_classification.json"
    path.write_text(json.dumps(facts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
