"""Trains a small vision transformer in PyTorch: the figure a tfhf recipe is held against.

Runs in an environment of its own (torch, transformers); tfhf is not imported. The model starts from
scratch, and the loop is the recipe's: AdamW without decay on biases and layer norms, clipping,
warm-up and linear decay, a new order and new shifts every epoch, and the weights of the best
validation epoch at the end. The files are NPZ with `images` (uint8, N × H × W) and `labels`.

    python benchmarks/image_classification.py --train train.npz --validation validation.npz \
        --test test.npz --epochs 20 --batch-size 64 --learning-rate 1e-3 --seed 42

The last line on stdout is one JSON object: accuracy per split, seconds and settings.
"""

import json

import numpy as np
import pytorch_loop
import torch
from torch.nn import functional
from transformers import ViTConfig, ViTForImageClassification


def parse_arguments():
    """The command line, with the defaults of the recipe for handwritten digits."""
    usual = {"epochs": 20, "batch_size": 64, "learning_rate": 1e-3, "warmup_ratio": 0.1}
    parser = pytorch_loop.parser(__doc__.splitlines()[0], "NPZ file", model=False, **usual)
    add = parser.add_argument
    add("--patch-size", type=int, default=4)
    add("--hidden-size", type=int, default=64)
    add("--layers", type=int, default=4)
    add("--heads", type=int, default=4)
    add("--intermediate-size", type=int, default=128)
    add("--shift", type=float, default=0.1, help="farthest random move, as a part of the size")
    return parser.parse_args()


def read_images(path):
    """Images `(N, 1, H, W)` from -1 to 1, and their classes."""
    with np.load(path) as file:
        images, labels = file["images"], file["labels"]
    pixels = torch.from_numpy(images).float()[:, None] / 127.5 - 1
    return pixels, torch.from_numpy(labels.astype(np.int64))


def shifted(images, largest):
    """Moves each image by up to `largest` of its size; the edge is repeated."""
    moves = (torch.rand(len(images), 2, 1) * 2 - 1) * largest * 2  # the grid goes from -1 to 1
    affine = torch.cat([torch.eye(2).repeat(len(images), 1, 1), moves], 2)
    grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def accuracy(model, images, labels):
    """The share of images whose class is recognised."""
    guesses = [model(pixel_values=part).logits.argmax(-1) for part in images.split(256)]
    return float((torch.cat(guesses) == labels).float().mean())


def main():
    """Trains, keeps the best epoch by validation, and prints the figures."""
    args = parse_arguments()
    pytorch_loop.begin(args)
    data = {split: read_images(getattr(args, split)) for split in ("train", "validation", "test")}
    images, labels = data["train"]
    config = ViTConfig(
        image_size=images.shape[-1],
        num_channels=1,
        patch_size=args.patch_size,
        hidden_size=args.hidden_size,
        num_hidden_layers=args.layers,
        num_attention_heads=args.heads,
        intermediate_size=args.intermediate_size,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        num_labels=int(labels.max()) + 1,
    )
    model = ViTForImageClassification(config)

    def loss_of(rows):
        batch = shifted(images[rows], args.shift) if args.shift else images[rows]
        return model(pixel_values=batch, labels=labels[rows]).loss

    def measure(split="validation"):
        return {"accuracy": accuracy(model, *data[split])}

    result = pytorch_loop.fine_tune(model, len(images), loss_of, measure, args, "accuracy")
    result["parameters"] = sum(parameter.numel() for parameter in model.parameters())
    print(json.dumps(result | {"test": pytorch_loop.measured(model, measure, "test")}))


if __name__ == "__main__":
    main()
