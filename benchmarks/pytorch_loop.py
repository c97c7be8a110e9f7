"""The loop of a recipe in PyTorch, which the scripts of single tasks share.

AdamW without decay on biases and layer norms, clipping, linear decay after the warm-up, a new
random order every epoch, and the weights of the best validation epoch at the end.
"""

import argparse
import copy
import json
import random
import sys
import time
from pathlib import Path

import torch
import transformers


def parser(description, files, *, model=True, **defaults):
    """A command line with a recipe's names and defaults.

    Args:
        description: what the script does.
        files: what the files of the splits are, such as "JSONL file".
        model: whether a checkpoint is named; `minilm` by default.
        **defaults: of `train:` and `options:` keys, where others than a recipe's.
    """
    found = argparse.ArgumentParser(description=description)
    add = found.add_argument
    if model:
        add("--model", default="minilm", help="folder, Hub id, or minilm")
        add("--max-length", type=int, default=128)
    for split in ("train", "validation", "test"):
        add(f"--{split}", required=True, help=files)
    add("--epochs", type=int, default=3)
    add("--batch-size", type=int, default=32)
    add("--learning-rate", type=float, default=5e-5)
    add("--warmup-ratio", type=float, default=0.0)
    add("--weight-decay", type=float, default=0.01)
    add("--global-clipnorm", type=float, default=1.0)
    add("--seed", type=int, default=42)
    add("--threads", type=int, default=2)
    found.set_defaults(**defaults)
    return found


def begin(args):
    """Threads and seeds."""
    torch.set_num_threads(args.threads)
    random.seed(args.seed)
    torch.manual_seed(args.seed)


def read_lines(args):
    """Split → its rows, from JSONL files."""
    found = {}
    for split in ("train", "validation", "test"):
        lines = Path(getattr(args, split)).read_text(encoding="utf-8").splitlines()
        found[split] = [json.loads(line) for line in lines]
    return found


def build_optimizer(model, args, steps):
    """AdamW and its linear schedule; biases and layer norms are not decayed."""
    norms = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, torch.nn.LayerNorm)
        for parameter in module.parameters()
    }
    decayed, plain = [], []
    for name, parameter in model.named_parameters():
        (plain if name.endswith("bias") or id(parameter) in norms else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": args.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=args.learning_rate, eps=1e-8, fused=False)
    warmup = int(args.warmup_ratio * steps)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, warmup, steps)
    return optimizer, schedule


def fine_tune(model, count, loss_of, measure, args, monitor):
    """Trains, and puts the weights of the best epoch back.

    Args:
        model: a PyTorch model, changed in place.
        count: of training rows (or of windows of them).
        loss_of: numbers of a batch's rows, as a tensor, → its mean loss.
        measure: nothing → the figures of the validation rows.
        monitor: the figure whose highest value makes an epoch the best.

    Returns:
        What the script prints: `best_epoch`, `validation` of that, all epochs, seconds, settings
        and versions.
    """
    optimizer, schedule = build_optimizer(model, args, args.epochs * -(-count // args.batch_size))
    history, weights, seconds = [], None, 0.0
    for epoch in range(1, args.epochs + 1):
        start = time.perf_counter()
        loss = _epoch(model, count, loss_of, optimizer, schedule, args)
        seconds += time.perf_counter() - start
        history.append(measured(model, measure))
        print(f"epoch {epoch}: loss {loss:.4f}, validation {history[-1]}", file=sys.stderr)
        values = [one[monitor] for one in history]
        if values[-1] > max(values[:-1], default=float("-inf")):
            best, weights = epoch, copy.deepcopy(model.state_dict())
    model.load_state_dict(weights)
    return {
        "best_epoch": best,
        "validation": history[best - 1],
        "validation_per_epoch": [round(value, 4) for value in values],
        "training_seconds": round(seconds, 1),
        "rows_per_second": round(count * args.epochs / seconds, 1),
        "settings": vars(args),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }


def measured(model, measure, *given):
    """What `measure` finds of a model that is not in training."""
    model.eval()
    with torch.no_grad():
        return measure(*given)


def _epoch(model, count, loss_of, optimizer, schedule, args):
    """One pass over the rows in a new random order; returns the mean loss of its batches."""
    model.train()
    losses = []
    for rows in torch.randperm(count).split(args.batch_size):
        loss = loss_of(rows)
        update(model, loss, optimizer, schedule, args.global_clipnorm)
        losses.append(loss.item())
    return sum(losses) / len(losses)


def update(model, loss, optimizer, schedule, clip):
    """One update of a model by the slopes of a loss, which are cut at a norm of `clip`."""
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
