"""What `loss_parity.py` compares: one case per task and problem, and how PyTorch reads its batches.

A new task is one more line in `CASES`: the data it trains on, PyTorch's class, and two functions,
`feed` (our batch → what PyTorch's model takes, as arrays) and, where PyTorch's model has no loss of
its own, `loss`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

BERT = {
    "model_type": "bert",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}
GPT2 = {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128}
VIT = {
    **{name: value for name, value in BERT.items() if name != "model_type"},
    "model_type": "vit",
    "image_size": 28,
    "patch_size": 7,
    "num_channels": 1,
}
SMALL = {"bert-2x64": BERT, "gpt2-2x64": GPT2, "vit-2x64": VIT}
TOKENIZERS = {"bert-2x64": "bert-base-uncased", "gpt2-2x64": "gpt2"}


# === Our batches → PyTorch's ===


def plain(task, inputs, targets):
    """What our model reads, and the labels."""
    return task.fed(inputs) | {"labels": targets}


def spans(task, inputs, targets):
    names = ("input_ids", "attention_mask", "token_type_ids")
    fed = {name: inputs[name] for name in names if name in inputs}
    return fed | {"start_positions": targets["start"], "end_positions": targets["end"]}


def choices(task, inputs, targets):
    """Choices end to end → `(B, C, T)`; all rows of the set have two."""
    from tfhf.learning.choices import fold

    lengths = inputs["choice_length"]
    rows, count = lengths.shape
    names = [name for name in inputs if name not in ("choice_length", "feature")]
    fed = {name: fold(inputs[name], lengths, 0).numpy() for name in names}
    return {name: value.reshape(rows, count, -1) for name, value in fed.items()} | {
        "labels": targets
    }


def hidden_tokens(task, inputs, targets):
    """Labels in a list of places → labels under the tokens, as PyTorch wants them."""
    labels = np.full(inputs["input_ids"].shape, -100, np.int32)
    for row, (places, wanted) in enumerate(zip(inputs["asked"], targets, strict=True)):
        labels[row, places[wanted >= 0]] = wanted[wanted >= 0]
    names = ("input_ids", "attention_mask")
    return {name: inputs[name] for name in names} | {"labels": labels}


def next_tokens(task, inputs, targets):
    """Labels that already stand under the token before; PyTorch's own loss would shift them."""
    names = ("input_ids", "attention_mask")
    return {name: inputs[name] for name in names} | {"next": targets}


def sequences(task, inputs, targets):
    names = ("input_ids", "attention_mask", "decoder_input_ids")
    return {name: inputs[name] for name in names} | {"labels": targets}


def pixels(task, inputs, targets):
    values = inputs["pixels"].transpose(0, 3, 1, 2).astype(np.float32) / 255.0
    return {"pixel_values": (values - 0.5) / 0.5, "labels": targets}


def towers(task, inputs, targets):
    return {name: value for name, value in inputs.items() if name.endswith(("_ids", "_mask"))}


# === Losses of PyTorch's models ===


def own(model, batch):
    if "labels" in batch and batch["labels"].dtype.is_floating_point:
        batch["labels"] = batch["labels"].float()
    return model(**batch).loss


def span_loss(model, batch):
    """PyTorch's own would count padding among the places of an answer, ours does not."""
    from torch.nn.functional import cross_entropy

    targets = [batch.pop(f"{side}_positions") for side in ("start", "end")]
    outputs = model(**batch)
    sides = zip((outputs.start_logits, outputs.end_logits), targets, strict=True)
    real = batch["attention_mask"] > 0
    return sum(cross_entropy(logits.where(real, -1e9), places) for logits, places in sides) / 2


def next_token_loss(model, batch):
    from torch.nn.functional import cross_entropy

    labels = batch.pop("next")
    return cross_entropy(model(**batch).logits.flatten(0, 1), labels.flatten())


def in_batch_loss(model, batch):
    """Multiple negatives ranking over mean-pooled, normalised embeddings, scale 20."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    def embedded(prefix):
        names = ("input_ids", "attention_mask", "token_type_ids")
        read = {name: batch[prefix + name] for name in names if prefix + name in batch}
        states = model(**read).last_hidden_state
        mask = read["attention_mask"][..., None].float()
        return normalize((states * mask).sum(1) / mask.sum(1), dim=-1)

    anchors, positives = embedded(""), embedded("positive.")
    return cross_entropy(20.0 * anchors @ positives.T, torch.arange(len(anchors)))


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        task: the task's name.
        head: PyTorch's class.
        model: a checkpoint, a folder of SHARED/checkpoints, or a name in `SMALL`.
        data: the recipe's `data`, its `train` below SHARED/data.
        options: the recipe's `options`.
        feed, loss: see above.
    """

    task: str
    head: str
    model: str
    data: dict
    options: dict = field(default_factory=dict)
    feed: Callable = plain
    loss: Callable = own
    batch_size: int = 32
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 42

    def recipe(self, shared):
        folder = shared / "checkpoints" / self.model
        found = {
            "task": self.task,
            "model": SMALL.get(self.model, str(folder) if folder.is_dir() else self.model),
            "data": self.data | {"train": str(shared / "data" / self.data["train"])},
            "options": self.options,
        }
        if self.model in TOKENIZERS:
            tokenizer = shared / "checkpoints" / "tokenizers" / TOKENIZERS[self.model]
            found["tokenizer"] = str(tokenizer)
        return found


def _classifier(data, **options):
    head = "AutoModelForSequenceClassification"
    options = {"max_length": 64} | options
    return Case("text_classification", head, "minilm", data, options)


STSB = {
    "train": "stsb/train.csv",
    "columns": {"text": "sentence1", "text_pair": "sentence2", "label": "score"},
}
CASES = {
    "sst2": _classifier({"train": "sst2/train.jsonl"}),
    "stsb": _classifier(STSB, problem="regression"),
    "go_emotions": _classifier(
        {"train": "go_emotions/train.jsonl", "columns": {"text": "text", "label": "labels"}}
    ),
    "wnut17": Case(
        "token_classification",
        "AutoModelForTokenClassification",
        "bert-2x64",
        {"train": "wnut17/train.jsonl"},
        {"max_length": 64},
        learning_rate=5e-4,
    ),
    "squad2": Case(
        "question_answering",
        "AutoModelForQuestionAnswering",
        "bert-2x64",
        {"train": "squad2_small/train.jsonl"},
        {"max_length": 192, "stride": 64},
        spans,
        span_loss,
        batch_size=16,
        learning_rate=5e-4,
    ),
    "e_care": Case(
        "multiple_choice",
        "AutoModelForMultipleChoice",
        "bert-2x64",
        {"train": "e_care/train.jsonl", "limit": {"train": 4000}},
        {"max_length": 64},
        choices,
        learning_rate=5e-4,
    ),
    "shakespeare_masked": Case(
        "masked_lm",
        "AutoModelForMaskedLM",
        "bert-2x64",
        {"train": "tiny_shakespeare/train.txt", "limit": {"train": 20_000}},
        {"max_length": 64},
        hidden_tokens,
        batch_size=8,
        learning_rate=5e-4,
    ),
    "translations": Case(
        "embedding",
        "AutoModel",
        "bert-2x64",
        {
            "train": "multi30k_en_de/train.jsonl",
            "columns": {"anchor": "en", "positive": "de"},
            "limit": {"train": 4000},
        },
        {"max_length": 64, "normalise": True},
        towers,
        in_batch_loss,
        learning_rate=5e-4,
    ),
    "mnist": Case(
        "image_classification",
        "AutoModelForImageClassification",
        "vit-2x64",
        {"train": "mnist_small/train.npz"},
        feed=pixels,
        learning_rate=5e-4,
    ),
    "shakespeare": Case(
        "causal_lm",
        "AutoModelForCausalLM",
        "gpt2-2x64",
        {"train": "tiny_shakespeare/train.txt", "limit": {"train": 20_000}},
        {"max_length": 64, "join": "lines"},
        next_tokens,
        next_token_loss,
        batch_size=8,
        learning_rate=5e-4,
    ),
    "g2p": Case(
        "text2text",
        "AutoModelForSeq2SeqLM",
        "bart-g2p-en-us",
        {
            "train": "g2p_en_us/train.jsonl",
            "columns": {"source": "word", "target": "phonemes"},
        },
        {"max_length": 40},
        sequences,
    ),
}
