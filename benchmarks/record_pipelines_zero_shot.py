"""Records what transformers' own zero-shot pipeline answers, for the tests to compare with.

Runs in an environment of its own (torch, transformers 4.57); tfhf is not imported. Weights are not
stored: each is made from its name and shape by `tests/models/formula.py`, here and in the tests.

    python benchmarks/record_pipelines_zero_shot.py

It writes `tests/tasks/facts/zero_shot_classification.json`: per model its config, its tokenizer's
files, the names and shapes of its weights, and per call the choices and the answers.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BartConfig, BertConfig, PreTrainedTokenizerFast, pipeline

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS / "models"))

from formula import weight  # noqa: E402  (found through the line above)

WORDS = [
    "a",
    "bad",
    "cold",
    "dull",
    "example",
    "film",
    "funny",
    "good",
    "is",
    "it",
    "sport",
    "story",
]
WORDS += ["this", "politics", "was", ".", ",", "!"]
TEXTS = [
    "A good and funny film, it was",
    "dull politics!",
    "it was a cold story. " * 8,  # longer than the models can read
]
LABELS = ["sport", "politics", "film story"]
CALLS = [
    {"candidate_labels": LABELS},
    {"candidate_labels": LABELS, "multi_label": True},
    {"candidate_labels": "sport,  politics", "hypothesis_template": "it is {} !"},
    {"candidate_labels": ["sport"]},
]
TINY = {"vocab_size": 32, "max_position_embeddings": 24}
CONFIGS = {
    "bert": BertConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        id2label={0: "contradiction", 1: "neutral", 2: "entailment"},
        pad_token_id=0,
        **TINY,
    ),
    "bert, entailment first": BertConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        id2label={0: "ENTAILMENT", 1: "NOT_ENTAILMENT"},
        pad_token_id=0,
        **TINY,
    ),
    "bart": BartConfig(
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        id2label={0: "contradiction", 1: "neutral", 2: "entailment"},
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        decoder_start_token_id=3,
        forced_eos_token_id=3,
        **TINY,
    ),
}
TEMPLATES = {
    "bert": ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"),
    "bart": ("[CLS] $A [SEP]", "[CLS] $A [SEP] [SEP] $B [SEP]"),
}


def make_tokenizer(family):
    """A tokenizer of whole words that puts two texts together as its family does."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = {word: number for number, word in enumerate([*special, *WORDS])}
    inner = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    single, pair = TEMPLATES[family]
    inner.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if family == "bert" else [])]
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        bos_token="[CLS]",
        eos_token="[SEP]",
        model_max_length=24,
        model_input_names=inputs,
    )


def record(family, config, folder):
    """One model's files, and the answers of its pipeline."""
    config.label2id = {label: number for number, label in config.id2label.items()}
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for place, values in model.state_dict().items():
            # A weight that stands in several places is saved, and made again, under its first name.
            name = "model.shared.weight" if place.endswith("embed_tokens.weight") else place
            values.copy_(torch.from_numpy(weight(name, tuple(values.shape))))
    model.save_pretrained(folder)
    make_tokenizer(family).save_pretrained(folder)
    with safe_open(folder / "model.safetensors", "pt") as file:
        weights = {place: list(file.get_slice(place).get_shape()) for place in file.keys()}  # noqa: SIM118
    ask = pipeline("zero-shot-classification", model=str(folder), device="cpu")
    files = ("config.json", "tokenizer.json", "tokenizer_config.json")
    return {
        "files": {file: json.loads((folder / file).read_text()) for file in files},
        "weights": weights,
        "answers": [ask(TEXTS, **choices) for choices in CALLS],
        "one": ask(TEXTS[0], **CALLS[0]),
    }


def main():
    facts = {"transformers": transformers.__version__, "texts": TEXTS, "calls": CALLS, "models": {}}
    for name, config in CONFIGS.items():
        with tempfile.TemporaryDirectory() as folder:
            facts["models"][name] = record(name.split(",")[0], config, Path(folder))
    path = TESTS / "tasks" / "facts" / "zero_shot_classification.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(facts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
