"""causal_lm beside its peers: what a small GPT-2 reaches on tiny_shakespeare, and decoding's speed.

    .venv/bin/python benchmarks/causal_lm.py speed FOLDER CHECKPOINTS      # in tfhf's environment
    pytorch/bin/python benchmarks/causal_lm.py speed-pytorch FOLDER CHECKPOINTS
    .venv/bin/python benchmarks/causal_lm.py blocks FOLDER DATA train.epochs=3
    pytorch/bin/python benchmarks/causal_lm.py shakespeare-pytorch FOLDER SEED

`speed` generates the pronunciation of words with `bart-g2p-en-us` (batches of 32, greedy and with
4 beams) by tfhf's decoding and by transformers' TensorFlow `generate`, in turns; `speed-pytorch` by
PyTorch's. `blocks` writes the tokens that `recipes/causal_lm/tiny_shakespeare.yaml` trains on, with
any overrides of it, and `shakespeare-pytorch` trains PyTorch's GPT-2 on them with the recipe's
settings: the shape, batch size, AdamW, clipping, schedule and epochs, but its own weights and
order. CHECKPOINTS and DATA hold `bart-g2p-en-us` and `tiny_shakespeare`.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

BATCH = 32
WORDS = 256
SETTINGS = {"greedy": {"num_beams": 1}, "4 beams": {"num_beams": 4}}


def word_batches(checkpoints):
    """Words of the reference, over and over, as padded batches of ids and masks."""
    folder = Path(checkpoints) / "bart-g2p-en-us"
    reference = json.loads((folder / "reference_outputs.json").read_text())["greedy"]
    ids = [reference[i % len(reference)]["input_ids"] for i in range(WORDS)]
    for start in range(0, WORDS, BATCH):
        part = ids[start : start + BATCH]
        width = max(map(len, part))
        yield {
            "input_ids": np.array([[*one, *[0] * (width - len(one))] for one in part], np.int32),
            "attention_mask": np.array(
                [[1] * len(one) + [0] * (width - len(one)) for one in part], np.int32
            ),
        }


def timed(generate, batches):
    """Best of three: seconds for all batches, after one that is not counted."""
    generate(batches[0])
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        for batch in batches:
            generate(batch)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def report(name, setting, seconds, tokens):
    print(f"{name:<34} {setting:<8} {tokens / seconds:>8,.0f} tokens/s  {seconds:.2f} s")


def speed(folder, checkpoints):
    import tensorflow as tf

    from tfhf import models
    from tfhf.learning.decoding.generation import generate
    from tfhf.learning.decoding.settings import Generation

    source = models.resolve(str(Path(checkpoints) / "bart-g2p-en-us"))
    model, _ = models.load_backbone(source, "TFAutoModelForSeq2SeqLM")
    batches = list(word_batches(checkpoints))
    shape = tf.TensorSpec([None, None], tf.int32)
    told = {}
    for name, chosen in SETTINGS.items():
        settings = Generation.of(model.generation_config, **chosen)

        @tf.function(input_signature=[shape, shape], autograph=False)
        def ours(input_ids, attention_mask, settings=settings):
            inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
            return generate(model, inputs, settings)

        tokens = sum(int(ours(**batch)["lengths"][:, 0].numpy().sum()) for batch in batches)
        told[name] = tokens
        report("tfhf", name, timed(lambda batch, run=ours: run(**batch), batches), tokens)
        eager = timed(lambda batch, c=chosen: model.generate(**batch, **c), batches)
        report("transformers TensorFlow", name, eager, tokens)
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / "tokens.json").write_text(json.dumps(told))


def speed_pytorch(folder, checkpoints):
    import torch
    from transformers import AutoModelForSeq2SeqLM

    torch.set_num_threads(2)
    model = AutoModelForSeq2SeqLM.from_pretrained(Path(checkpoints) / "bart-g2p-en-us").eval()
    told = json.loads((Path(folder) / "tokens.json").read_text())
    batches = [
        {name: torch.from_numpy(value).long() for name, value in batch.items()}
        for batch in word_batches(checkpoints)
    ]
    for name, chosen in SETTINGS.items():
        seconds = timed(lambda batch, c=chosen: model.generate(**batch, **c), batches)
        report(f"PyTorch {torch.__version__}", name, seconds, told[name])


def shakespeare_recipe(data, *overrides):
    from tfhf.recipe import Recipe

    folder = Path(data) / "tiny_shakespeare"
    files = {f"data.{split}": str(folder / f"{split}.txt") for split in ("train", "validation")}
    chosen = dict(one.split("=", 1) for one in overrides)
    return Recipe.load("causal_lm/tiny_shakespeare", files | chosen)


def blocks(folder, data, *overrides):
    from tfhf import preparation
    from tfhf.console import Phases

    recipe = shakespeare_recipe(data, *overrides)
    prepared = preparation.prepare(recipe, Phases())
    arrays = {}
    for split, rows in prepared.splits.items():
        encoded = prepared.task.encode(rows[:])
        for name in ("input_ids", "label"):
            arrays[f"{split}.{name}"] = _padded(encoded[name], 0 if name == "input_ids" else -100)
        arrays[f"{split}.characters"] = np.array(encoded["characters"])
    Path(folder).mkdir(parents=True, exist_ok=True)
    np.savez_compressed(Path(folder) / "blocks.npz", **arrays)
    config = json.loads((prepared.source.folder / "config.json").read_text())
    about = {"config": config, "train": recipe.train.model_dump()}
    (Path(folder) / "recipe.json").write_text(json.dumps(about))


def _padded(lists, fill):
    width = max(map(len, lists))
    return np.array([[*one, *[fill] * (width - len(one))] for one in lists])


def shakespeare_pytorch(folder, seed):
    import torch
    from pytorch_loop import update
    from transformers import GPT2Config, GPT2LMHeadModel, get_cosine_schedule_with_warmup

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(int(seed))
    about = json.loads((Path(folder) / "recipe.json").read_text())
    settings = about["train"]
    model = GPT2LMHeadModel(GPT2Config(**about["config"]))
    data = np.load(Path(folder) / "blocks.npz")
    inputs, labels = (torch.from_numpy(data[f"train.{name}"]) for name in ("input_ids", "label"))
    steps = -(-len(inputs) // settings["batch_size"]) * settings["epochs"]
    groups = [
        {
            "params": [p for p in model.parameters() if (p.ndim < 2) == bare],
            "weight_decay": 0.0 if bare else settings["weight_decay"],
        }
        for bare in (False, True)
    ]
    optimizer = torch.optim.AdamW(groups, lr=settings["learning_rate"], eps=1e-8, fused=True)
    schedule = get_cosine_schedule_with_warmup(
        optimizer, int(steps * settings["warmup_ratio"]), steps
    )
    begin = time.perf_counter()
    for epoch in range(settings["epochs"]):
        model.train()
        for rows in torch.randperm(len(inputs)).split(settings["batch_size"]):
            loss = _loss(model, inputs[rows], labels[rows], "mean")
            update(model, loss, optimizer, schedule, settings["global_clipnorm"])
        print(
            f"epoch {epoch + 1}  {_nats_per_character(model, data):.4f} nats per character  "
            f"{time.perf_counter() - begin:.0f} s",
            flush=True,
        )


def _loss(model, inputs, labels, reduction):
    import torch

    logits = model(inputs).logits
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), reduction=reduction
    )


def _nats_per_character(model, data):
    import torch

    model.eval()
    with torch.no_grad():
        parts = zip(data["validation.input_ids"], data["validation.label"], strict=True)
        total = sum(
            _loss(model, torch.from_numpy(x)[None], torch.from_numpy(y)[None], "sum").item()
            for x, y in parts
        )
    return total / data["validation.characters"].sum()


if __name__ == "__main__":
    {
        "speed": speed,
        "speed-pytorch": speed_pytorch,
        "blocks": blocks,
        "shakespeare-pytorch": shakespeare_pytorch,
    }[sys.argv[1]](*sys.argv[2:])
