"""Records what transformers' own token classification pipeline answers, for the tests to compare.

Runs in an environment of its own (torch, transformers 4.57); tfhf is not imported. Weights are not
stored: each is made from its name and shape by `tests/models/formula.py`, here and in the tests.

    python benchmarks/record_pipelines_token_classification.py

It writes `tests/tasks/facts/token_classification.json`: per model its config, its tokenizer's
files, the names and shapes of its weights, and per call the choices and the answers.
"""

import json
import sys
import tempfile
import warnings
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertTokenizerFast,
    RobertaConfig,
    RobertaTokenizerFast,
    pipeline,
)

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS / "models"))

from formula import weight  # noqa: E402  (found through the line above)

PIECES = "wolf,##gang,lives,in,ber,##lin,with,sarah,##s,jes,##sica,and,the,new,york,##er,.,,,',-"
TEXTS = [
    "Wolfgang lives in Berlin with Sarah.",
    "  The New Yorker, and Jessica's wolf-sarah ☕!",
    "Größe wolfberlin\n\tnewyorker",
    "",
]
LONG = "Wolfgang and Sarahs lives in New York, Berlin with the Yorker. " * 4
WORDS = [
    ["Wolfgang", "lives", "in", "New York", "er", "."],
    ["Sarah", "\u200b", "☕", "Jessica's", "berlin"],
]
TAGS = [[1, 0, 0, 5, 6, 0], [2, 3, 4, 0, 5]]
CALLS = [
    {},
    {"ignore_labels": []},
    *({"aggregation_strategy": name} for name in ("simple", "first", "average", "max")),
    {"aggregation_strategy": "average", "ignore_labels": ["PER", "creative-work"]},
]
STRIDES = [
    {"stride": stride, "aggregation_strategy": name}
    for stride, name in ((6, "simple"), (0, "first"), (6, "average"), (11, "max"))
]
LABELS = ["O", "B-PER", "I-PER", "B-creative-work", "I-creative-work", "S-LOC", "MISC"]
TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "id2label": dict(enumerate(LABELS)),
    "label2id": {label: number for number, label in enumerate(LABELS)},
}


def bert(folder):
    """A tiny BERT whose WordPiece vocabulary knows a few words and pieces of words."""
    known = [piece if piece else "," for piece in PIECES.split(",")]
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(known), "g", "##r"]
    (folder / "vocab.txt").write_text("\n".join(entries), encoding="utf-8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=24)
    config = BertConfig(vocab_size=len(entries), max_position_embeddings=24, **TINY)
    return tokenizer, config


def roberta(folder):
    """A tiny RoBERTa with a byte-level vocabulary of a few merges."""
    trained = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    texts = [*TEXTS, LONG]
    trained.train_from_iterator(texts, vocab_size=300, min_frequency=2, special_tokens=special)
    trained.save_model(str(folder))
    files = (str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer = RobertaTokenizerFast(*files, model_max_length=32)
    config = RobertaConfig(vocab_size=300, max_position_embeddings=34, **TINY)
    return tokenizer, config


def loss_of(model, tokenizer):
    """The model's own loss over both rows of words, the first sub-token of each word labelled."""
    batch = tokenizer(WORDS, is_split_into_words=True, padding=True, return_tensors="pt")
    labels = torch.full(batch["input_ids"].shape, -100)
    for row, tags in enumerate(TAGS):
        words = batch.word_ids(row)
        for place, word in enumerate(words):
            if word is not None and word not in words[:place]:
                labels[row, place] = tags[word]
    with torch.no_grad():
        return model.eval()(**batch, labels=labels).loss.item()


def record(make, folder):
    """One model's files, and the answers of its pipeline."""
    tokenizer, config = make(folder)
    model = transformers.AutoModelForTokenClassification.from_config(config)
    with torch.no_grad():
        for place, values in model.state_dict().items():
            values.copy_(torch.from_numpy(weight(place, tuple(values.shape))))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    with safe_open(folder / "model.safetensors", "pt") as file:
        weights = {place: list(file.get_slice(place).get_shape()) for place in file.keys()}  # noqa: SIM118
    ask = pipeline("token-classification", model=str(folder), device="cpu")
    spaced = AutoTokenizer.from_pretrained(folder, add_prefix_space=True)
    tell = pipeline("token-classification", model=str(folder), tokenizer=spaced, device="cpu")
    files = ("config.json", "tokenizer.json", "tokenizer_config.json")
    return {
        "files": {file: json.loads((folder / file).read_text()) for file in files},
        "weights": weights,
        "loss": loss_of(model, spaced),
        "texts": [ask(TEXTS, **choices) for choices in CALLS],
        "words": [tell(WORDS, is_split_into_words=True, **choices) for choices in CALLS],
        "long": [ask(LONG, **choices) for choices in STRIDES],
    }


def main():
    warnings.simplefilter("ignore")  # byte-level vocabularies do not know words
    facts = {"transformers": transformers.__version__, "models": {}}
    facts |= {
        "texts": TEXTS,
        "words": WORDS,
        "tags": TAGS,
        "long": LONG,
        "calls": CALLS,
        "strides": STRIDES,
    }
    for make in (bert, roberta):
        with tempfile.TemporaryDirectory() as folder:
            facts["models"][make.__name__] = record(make, Path(folder))
    path = TESTS / "tasks" / "facts" / "token_classification.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(facts, default=float) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
