"""What all peers train alike: the same rows in one file, the same start weights in one folder.

A set is a shipped recipe. Its rows come from `--data FOLDER` (a folder per set, JSONL in it) or,
without that, from the Hub; `quickstart` makes its own and needs neither.
"""

from dataclasses import dataclass, field
from pathlib import Path

from loss_parity import DROPOUTS

# Weights drawn, not trained: how fast a step is does not hang on them, and BART-base would take two
# slow cores a second per row.
BART = {
    "model_type": "bart",
    "d_model": 256,
    "encoder_layers": 3,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 1024,
    "decoder_ffn_dim": 1024,
    "max_position_embeddings": 512,
}


@dataclass(frozen=True)
class Set:
    """A set of rows and how it is trained.

    Attributes:
        recipe: the shipped recipe.
        columns: role → column of the set's local files; none where the rows are made.
        batch_size: rows per step.
        options: the recipe's options, for all peers.
        model: settings of a model from scratch, which reads with MiniLM's tokenizer; MiniLM if
            empty.
    """

    recipe: str
    columns: dict
    batch_size: int
    options: dict
    model: dict = field(default_factory=dict)


SETS = {
    "quickstart": Set("quickstart", {}, 32, {"max_length": 64}),
    "sst2": Set(
        "text_classification/sst2", {"text": "text", "label": "label"}, 32, {"max_length": 64}
    ),
    "go_emotions": Set(
        "text_classification/go_emotions",
        {"text": "text", "label": "labels"},
        32,
        {"max_length": 64},
    ),
    "wnut17": Set(
        "token_classification/wnut17",
        {"tokens": "tokens", "tags": "tags"},
        16,
        {"max_length": 128},
    ),
    "dialogsum": Set(
        "summarization/dialogsum",
        {"source": "dialogue", "target": "summary"},
        8,
        {"max_length": 512, "max_target_length": 96},
        BART,
    ),
}


def prepare(name, folder, *, data=None, rows, dropout=True):
    """Writes rows and start weights for every peer.

    Args:
        name: a key of `SETS`.
        folder: where to.
        data: the folder of `--data`, or None for the Hub.
        rows: how many, drawn with a fixed seed; fewer where the set has fewer.
        dropout: whether the model drops out while it is trained.

    Returns:
        The job, ready for JSON. `rows` is a JSONL file with columns named by role and labels as
        numbers, `model` a folder that PyTorch opens, too. Of the `count` rows, a multiple of the
        batch size, every step is full. `tokens` are the real ones of all rows, `kernels` the shapes
        of the matrices that multiply each of them (None where some do not).
    """
    import tf_keras

    from tfhf import models, tasks
    from tfhf.console import Phases
    from tfhf.preparation import prepare as checked
    from tfhf.recipe import Recipe

    folder, chosen = Path(folder), SETS[name]
    tf_keras.utils.set_random_seed(42)
    recipe = Recipe.load(chosen.recipe, _changes(chosen, folder, data, rows))
    found = checked(recipe, Phases())
    task, config = found.task, models.load_config(found.source)
    still = {} if dropout else {one: 0.0 for one in DROPOUTS if hasattr(config, one)}
    settings = task.model_config() | still
    backbone, _ = models.load_backbone(found.source, tasks.get(recipe.task).auto_class, **settings)
    task.set_up(backbone)
    models.save_backbone(backbone, task.processor, folder / "model")
    dataset = found.splits["train"]
    dataset = dataset.select(range(len(dataset) // chosen.batch_size * chosen.batch_size))
    dataset.to_json(folder / "rows.jsonl")
    ids = task.encode(dataset[:])["input_ids"]
    if len(ids) != len(dataset):
        raise SystemExit(f"{name}: a row is longer than max_length, and peers know no windows")
    return {
        "task": recipe.task,
        "problem": task.problem,
        "labels": task.labels,
        "rows": str(folder / "rows.jsonl"),
        "model": str(folder / "model"),
        "count": len(dataset),
        "tokens": sum(map(len, ids)),
        "kernels": None if config.is_encoder_decoder else _kernels(backbone),
        "batch_size": chosen.batch_size,
        "options": chosen.options,
        "learning_rate": 5e-5,
        "weight_decay": 0.01,
        "clip": 1.0,
    }


def _changes(chosen, folder, data, rows):
    """What is set otherwise than in the recipe."""
    from tfhf import models
    from tfhf.data import supportdesk

    changes = {f"options.{name}": value for name, value in chosen.options.items()}
    changes["data.limit.train"] = rows
    if chosen.model:
        changes |= {"model": chosen.model, "tokenizer": str(models.resolve("minilm").folder)}
    if not chosen.columns:
        files = supportdesk.write(folder / "made")
        changes |= {f"data.{split}": str(path) for split, path in files.items()}
    elif data is not None:
        place = Path(data) / Path(chosen.recipe).name
        for split in ("train", "validation"):
            changes[f"data.{split}"] = str(place / f"{split}.jsonl")
        changes["data.columns"] = chosen.columns
    return changes


def _kernels(backbone):
    """The shapes of the matrices in dense layers, `[in, out]`; embeddings are looked up."""
    names = {v.name: v for v in backbone.trainable_variables}
    kernels = [v for name, v in names.items() if "/encoder/" in name and "/kernel" in name]
    return [kernel.shape.as_list() for kernel in kernels]
