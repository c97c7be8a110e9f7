"""Loss of the first 100 steps against PyTorch: same weights, batches, hyperparameters; dropout 0.

    .venv/bin/python benchmarks/loss_parity.py record FOLDER SHARED     # in tfhf's environment
    pytorch/bin/python benchmarks/loss_parity.py compare FOLDER         # torch + transformers

`record` writes, per case, the start model (which PyTorch opens), every batch and tfhf's losses;
`compare` repeats the steps with PyTorch's model, AdamW, clipping and schedule and prints a table.
`--task NAME`, once or several times, takes only the cases of that task. SHARED holds the folders
`data` and `checkpoints`; the cases stand in `loss_parity_cases.py`.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from loss_parity_cases import CASES

STEPS = 100
TOTAL_STEPS = 300  # what the schedule thinks the training has
DROPOUTS = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"),
    *("resid_pdrop", "embd_pdrop", "attn_pdrop", "summary_first_dropout"),
    *("dropout", "attention_dropout", "activation_dropout", "encoder_layerdrop"),
    *("decoder_layerdrop", "dropout_rate"),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=["record", "compare"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("shared", type=Path, nargs="?", help="for record")
    parser.add_argument("--task", action="append", help="only the cases of this task")
    given = parser.parse_args()
    wanted = given.task or {case.task for case in CASES.values()}
    chosen = {name: case for name, case in CASES.items() if case.task in wanted}
    if given.verb == "record":
        for name, case in chosen.items():
            print(f"== {name}", flush=True)
            record(given.folder / name, given.shared, case)
    else:
        compare(given.folder, chosen)


# === In tfhf's environment ===


def record(folder, shared, case):
    """Trains 100 steps and keeps what PyTorch needs to repeat them."""
    import tf_keras

    import tfhf
    from tfhf import models
    from tfhf.console import Phases
    from tfhf.data import batches, orders
    from tfhf.learning.model import Model
    from tfhf.learning.optimizers import undecayed
    from tfhf.preparation import prepare, tokenize
    from tfhf.recipe import Recipe

    tf_keras.utils.set_random_seed(case.seed)
    prepared = prepare(Recipe.load(case.recipe(shared)), Phases())
    task = prepared.task
    config = models.load_config(prepared.source)
    still = {name: 0.0 for name in DROPOUTS if getattr(config, name, None) is not None}
    backbone, _ = models.load_backbone(
        prepared.source, task.auto_class, **task.model_config() | still
    )
    task.set_up(backbone)
    model = Model(backbone, task)
    rate = tfhf.warmup_schedule("linear", peak=case.learning_rate, steps=TOTAL_STEPS)
    model.compile(
        tfhf.AdamW(
            rate,
            weight_decay=case.weight_decay,
            global_clipnorm=case.clip,
            exclude=undecayed(backbone),
        )
    )
    models.save_backbone(backbone, task.processor, folder / "start")
    losses, fed = [], {}
    with tempfile.TemporaryDirectory() as scratch:
        store = tokenize(prepared, Path(scratch), Phases())["train"]
        plan = orders.plan(store, task, seed=case.seed, batch_size=case.batch_size)
        train_set = batches.training_dataset(store, task, plan, epochs=None)
        for step, batch in enumerate(train_set.take(STEPS)):
            model.reset_metrics()
            losses.append(float(model.train_on_batch(*batch, return_dict=True)["loss"]))
            for name, values in case.feed(task, *_real(batch)).items():
                fed[f"{step}.{name}"] = values
    np.savez_compressed(folder / "batches.npz", **fed)
    (folder / "losses.json").write_text(json.dumps(losses))


def _real(batch):
    """Inputs and targets of a batch as arrays, without the rows that only fill it up."""
    import tensorflow as tf

    inputs, targets, weights = batch
    real = weights.numpy() > 0
    return tf.nest.map_structure(lambda tensor: tensor.numpy()[real], (inputs, targets))


# === In PyTorch's environment ===


def compare(folder, cases):
    """Repeats every case's steps and prints a Markdown table of the differences."""
    import torch
    import transformers

    torch.set_num_threads(2)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}\n")
    print("| case | task | model | loss, step 1 | step 100 | largest relative difference | mean |")
    print("|---|---|---|---|---|---|---|")
    for name, case in cases.items():
        if not (folder / name / "losses.json").is_file():
            continue
        ours = np.array(json.loads((folder / name / "losses.json").read_text()))
        theirs = pytorch_losses(folder / name, case)
        relative = np.abs(ours - theirs) / np.abs(theirs)
        print(
            f"| {name} | {case.task} | {case.model} | {theirs[0]:.4f} | {theirs[-1]:.4f} | "
            f"{relative.max():.1e} | {relative.mean():.1e} |",
            flush=True,
        )


def pytorch_losses(folder, case):
    import torch
    import transformers
    from pytorch_loop import update

    model = getattr(transformers, case.head).from_pretrained(folder / "start")
    model.train()
    optimizer = torch.optim.AdamW(
        _groups(model, case.weight_decay), lr=case.learning_rate, eps=1e-8
    )
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, 0, TOTAL_STEPS)
    losses = []
    with np.load(folder / "batches.npz") as batches:
        for step in range(STEPS):
            prefix = f"{step}."
            names = [name for name in batches.files if name.startswith(prefix)]
            batch = {name.removeprefix(prefix): _tensor(batches[name]) for name in names}
            loss = case.loss(model, batch)
            update(model, loss, optimizer, schedule, case.clip)
            losses.append(loss.item())
    return np.array(losses)


def _tensor(array):
    import torch

    tensor = torch.from_numpy(array)
    return tensor.long() if tensor.dtype == torch.int32 else tensor


def _groups(model, weight_decay):
    """Parameters with and without decay; biases and normalisation layers go without."""
    normalises = {
        f"{name}.{own}"
        for name, module in model.named_modules()
        if "norm" in type(module).__name__.lower()
        for own, _ in module.named_parameters(recurse=False)
    }
    groups = {True: [], False: []}
    for name, parameter in model.named_parameters():
        groups[parameter.ndim < 2 or name in normalises].append(parameter)
    return [
        {"params": groups[False], "weight_decay": weight_decay},
        {"params": groups[True], "weight_decay": 0.0},
    ]


if __name__ == "__main__":
    main()
