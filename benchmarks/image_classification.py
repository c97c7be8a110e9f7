"""Trains a small vision transformer in PyTorch: the figure a tfhf recipe is held against.

Runs in an environment of its own (torch, transformers); tfhf is not imported. The model starts from
scratch, and the loop is the recipe's: AdamW without decay on biases and layer norms, clipping,
warm-up and linear decay, a new order and new shifts every epoch, and the weights of the best
validation epoch at the end. The files are NPZ with `images` (uint8, N × H × W) and `labels`.

    python benchmarks/image_classification.py --train train.npz --validation validation.npz \
        --test test.npz --epochs 20 --batch-size 64 --learning-rate 1e-3 --seed 42

The last line on stdout is one JSON object: accuracy per split, seconds and settings.
"""

import argparse
import copy
import json
import sys
import time

import numpy as np
import torch
import transformers
from pytorch_trainer import build_optimizer
from torch.nn import functional
from transformers import ViTConfig, ViTForImageClassification


def parse_arguments():
    """The command line, with the defaults of the recipe for handwritten digits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    for split in ("train", "validation", "test"):
        add(f"--{split}", required=True, help="NPZ file")
    add("--patch-size", type=int, default=4)
    add("--hidden-size", type=int, default=64)
    add("--layers", type=int, default=4)
    add("--heads", type=int, default=4)
    add("--intermediate-size", type=int, default=128)
    add("--shift", type=float, default=0.1, help="farthest random move, as a part of the size")
    add("--epochs", type=int, default=20)
    add("--batch-size", type=int, default=64)
    add("--learning-rate", type=float, default=1e-3)
    add("--warmup-ratio", type=float, default=0.1)
    add("--weight-decay", type=float, default=0.01)
    add("--global-clipnorm", type=float, default=1.0)
    add("--seed", type=int, default=42)
    add("--threads", type=int, default=2)
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


def train_epoch(model, images, labels, optimizer, schedule, args):
    """One pass over the rows in a new random order; returns the mean loss."""
    model.train()
    order, losses = torch.randperm(len(images)), []
    for rows in order.split(args.batch_size):
        batch = shifted(images[rows], args.shift) if args.shift else images[rows]
        loss = model(pixel_values=batch, labels=labels[rows]).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), args.global_clipnorm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@torch.no_grad()
def accuracy(model, images, labels):
    """The share of images whose class is recognised."""
    model.eval()
    guesses = [model(pixel_values=part).logits.argmax(-1) for part in images.split(256)]
    return float((torch.cat(guesses) == labels).float().mean())


def main():
    """Trains, keeps the best epoch by validation, and prints the figures."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
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
    steps = args.epochs * -(-len(images) // args.batch_size)
    optimizer, schedule = build_optimizer(model, args, steps)
    history, best, seconds = [], None, 0.0
    for epoch in range(1, args.epochs + 1):
        start = time.perf_counter()
        loss = train_epoch(model, images, labels, optimizer, schedule, args)
        seconds += time.perf_counter() - start
        history.append(accuracy(model, *data["validation"]))
        print(f"epoch {epoch}: loss {loss:.4f}, validation {history[-1]:.4f}", file=sys.stderr)
        if best is None or history[-1] > history[best[0] - 1]:
            best = epoch, copy.deepcopy(model.state_dict())
    model.load_state_dict(best[1])
    result = {
        "best_epoch": best[0],
        "validation": history[best[0] - 1],
        "test": accuracy(model, *data["test"]),
        "training_seconds": round(seconds, 1),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "settings": vars(args),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
