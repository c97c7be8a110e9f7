"""Loss of the first 100 steps against PyTorch: same weights, batches, hyperparameters; dropout 0.

    .venv/bin/python benchmarks/loss_parity.py record FOLDER DATA        # in tfhf's environment
    pytorch/bin/python benchmarks/loss_parity.py compare FOLDER          # torch + transformers

`record` writes, per case, the start model (which PyTorch opens), every batch and tfhf's losses;
`compare` repeats the steps with PyTorch's model, AdamW, clipping and schedule. DATA holds the
folders `sst2`, `stsb` and `go_emotions`, each with a train file.
"""

import json
import sys
from pathlib import Path

import numpy as np

STEPS = 100
TOTAL_STEPS = 300  # what the schedule thinks the training has
SETTINGS = {"batch_size": 32, "learning_rate": 5e-5, "weight_decay": 0.01, "clip": 1.0, "seed": 42}
CASES = {
    "sst2": {"file": "train.jsonl", "columns": {}},
    "stsb": {
        "file": "train.csv",
        "columns": {"text": "sentence1", "text_pair": "sentence2", "label": "score"},
        "problem": "regression",
    },
    "go_emotions": {"file": "train.jsonl", "columns": {}},
}


def record(folder, data):
    for case, about in CASES.items():
        record_case(Path(folder) / case, Path(data) / case / about["file"], about)


def record_case(folder, file, about):
    import tempfile

    import tf_keras

    import tfhf
    from tfhf import models
    from tfhf.console import Phases
    from tfhf.data import batches
    from tfhf.learning.model import Model
    from tfhf.learning.optimizers import undecayed
    from tfhf.preparation import prepare, tokenize
    from tfhf.recipe import Recipe

    options = {"max_length": 64}
    if "problem" in about:
        options["problem"] = about["problem"]
    recipe = Recipe.load(
        {
            "task": "text_classification",
            "data": {"train": str(file), "columns": about["columns"]},
            "options": options,
        }
    )
    prepared = prepare(recipe, Phases())
    tf_keras.utils.set_random_seed(SETTINGS["seed"])
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    backbone, _ = models.load_backbone(
        prepared.source, prepared.task.auto_class, **prepared.task.model_config(), **no_dropout
    )
    model = Model(backbone, prepared.task)
    rate = tfhf.warmup_schedule("linear", peak=SETTINGS["learning_rate"], steps=TOTAL_STEPS)
    model.compile(
        tfhf.AdamW(
            rate,
            weight_decay=SETTINGS["weight_decay"],
            global_clipnorm=SETTINGS["clip"],
            exclude=undecayed(backbone),
        )
    )
    model.save_pretrained(folder / "start")
    losses, fed = [], {}
    with tempfile.TemporaryDirectory() as scratch:
        store = tokenize(prepared, Path(scratch), Phases())["train"]
        dataset = batches.training_dataset(
            store, prepared.task, batch_size=SETTINGS["batch_size"], seed=SETTINGS["seed"], epochs=1
        )
        for step, batch in enumerate(dataset.take(STEPS)):
            losses.append(model.train_on_batch(*batch, return_dict=True)["step_loss"])
            model.reset_metrics()
            inputs, labels, weights = batch
            real = weights.numpy() > 0  # the rows that fill up a last batch are not PyTorch's
            for name, value in inputs.items():
                if name != "feature":
                    fed[f"{step}.{name}"] = value.numpy()[real]
            fed[f"{step}.labels"] = labels.numpy()[real]
    np.savez_compressed(folder / "batches.npz", **fed)
    (folder / "losses.json").write_text(json.dumps([float(loss) for loss in losses]))


def compare(folder):
    import torch
    import transformers

    torch.set_num_threads(2)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}")
    for case in CASES:
        ours = np.array(json.loads((Path(folder) / case / "losses.json").read_text()))
        theirs = pytorch_losses(Path(folder) / case)
        relative = np.abs(ours - theirs) / np.abs(theirs)
        print(
            f"{case:<12} steps {len(ours)}  first {theirs[0]:.6f}  last {theirs[-1]:.6f}  "
            f"largest relative difference {relative.max():.2e}  mean {relative.mean():.2e}"
        )


def pytorch_losses(folder):
    import torch
    from transformers import AutoModelForSequenceClassification, get_linear_schedule_with_warmup

    model = AutoModelForSequenceClassification.from_pretrained(folder / "start")
    model.train()
    spared = ("bias", "LayerNorm.weight")
    groups = [
        {
            "params": [p for n, p in model.named_parameters() if n.endswith(spared) == bare],
            "weight_decay": 0.0 if bare else SETTINGS["weight_decay"],
        }
        for bare in (False, True)
    ]
    optimizer = torch.optim.AdamW(groups, lr=SETTINGS["learning_rate"], eps=1e-8)
    schedule = get_linear_schedule_with_warmup(optimizer, 0, TOTAL_STEPS)
    losses = []
    with np.load(folder / "batches.npz") as batches:
        for step in range(STEPS):
            prefix = f"{step}."
            batch = {
                name.removeprefix(prefix): torch.from_numpy(batches[name])
                for name in batches.files
                if name.startswith(prefix)
            }
            labels = batch.pop("labels")
            labels = labels.long() if labels.dtype == torch.int32 else labels.float()
            inputs = {name: value.long() for name, value in batch.items()}
            loss = model(**inputs, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), SETTINGS["clip"])
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    return np.array(losses)


if __name__ == "__main__":
    {"record": record, "compare": compare}[sys.argv[1]](*sys.argv[2:])
