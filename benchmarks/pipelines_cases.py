"""What `pipelines.py` compares. A new pipeline is one more line in `CASES`."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

WIDTH = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "initializer_range": 0.4,  # so that no two scores are nearly the same
}
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
T5 = {
    "model_type": "t5",
    "d_model": 32,
    "d_kv": 16,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 2,
    "initializer_factor": 2.0,
    "tie_word_embeddings": False,  # tied ones repeat one token for ever
}


def labelled(names):
    """The part of a config that names classes."""
    return {
        "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
    }


@dataclass(frozen=True)
class Drawn:
    """A small model: its config, transformers' class, and the folder of its tokenizer."""

    config: dict
    auto_class: str
    words: str


def bert(head, **config):
    return Drawn(
        {"model_type": "bert", **WIDTH, **config}, f"TFAutoModel{head}", "bert-base-uncased"
    )


# Checkpoints of SHARED or `minilm`, and models that are drawn.
MODELS = {
    "minilm": "minilm",
    "bart-g2p": "bart-g2p-en-us",
    "bert, two classes": bert("ForSequenceClassification", **labelled(["NEGATIVE", "POSITIVE"])),
    "bert, entailment": bert(
        "ForSequenceClassification", **labelled(["contradiction", "neutral", "entailment"])
    ),
    "bert, tags": bert("ForTokenClassification", **labelled(TAGS)),
    "bert, spans": bert("ForQuestionAnswering"),
    "bert, masks": bert("ForMaskedLM"),
    "gpt2": Drawn(
        {
            "model_type": "gpt2",
            "n_embd": 32,
            "n_layer": 2,
            "n_head": 2,
            "n_positions": 256,
            "initializer_range": 0.4,
        },
        "TFAutoModelForCausalLM",
        "gpt2",
    ),
    "t5": Drawn(T5, "TFAutoModelForSeq2SeqLM", "t5"),
}


# === Rows ===


def jsonl(path, make, count):
    """A function from SHARED to rows, made of the lines of a JSONL file below `data`."""

    def rows(shared):
        lines = (shared / "data" / path).read_text(encoding="utf-8").splitlines()
        made = (make(json.loads(line)) for line in lines)
        return [row for row in made if row][:count]

    return rows


def with_mask(row):
    """A text with the word in its middle hidden."""
    words = row["text"].split()
    words[len(words) // 2] = "[MASK]"
    return " ".join(words)


SENTENCES = jsonl("sst2/validation.jsonl", lambda row: row["text"], 50)
PROMPTS = jsonl("sst2/validation.jsonl", lambda row: row["text"][:60].strip(), 20)
TWEETS = jsonl("wnut17/validation.jsonl", lambda row: " ".join(row["tokens"]), 40)
MASKED = jsonl("sst2/validation.jsonl", with_mask, 50)
QUESTIONS = jsonl(
    "squad2_small/validation.jsonl",
    lambda row: {"question": row["question"], "context": row["context"]},
    40,
)
DIALOGUES = jsonl("dialogsum/validation.jsonl", lambda row: row["dialogue"][:800], 20)
ENGLISH = jsonl("multi30k_en_de/validation.jsonl", lambda row: row["en"], 30)
WORDS = jsonl("g2p_en_us/validation.jsonl", lambda row: row["word"], 50)


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        name: of its file.
        pipeline: its name in tfhf.
        model: a name in `MODELS`.
        rows: SHARED → the rows asked, as both take them.
        choices: keywords of the call, for both.
        options: of `tfhf.pipeline`, where its default differs from transformers'.
        theirs: its name in transformers, where that says more (`translation_en_to_de`).
    """

    name: str
    pipeline: str
    model: str
    rows: Callable
    choices: dict = field(default_factory=dict)
    options: dict | None = None
    theirs: str | None = None


LABELS = ["film", "politics", "cooking", "a love story"]
GREEDY = {"do_sample": False, "max_new_tokens": 20}
TEXT = {**GREEDY, "num_beams": 1}
BEAMS = {**GREEDY, "num_beams": 4}
CASES = [
    Case("sentiment", "sentiment-analysis", "bert, two classes", SENTENCES),
    Case("sentiment_all", "sentiment-analysis", "bert, two classes", SENTENCES, {"top_k": None}),
    Case("entities", "ner", "bert, tags", TWEETS),
    *(
        Case(f"entities_{name}", "ner", "bert, tags", TWEETS, {"aggregation_strategy": name})
        for name in ("simple", "first", "average", "max")
    ),
    Case("questions", "question-answering", "bert, spans", QUESTIONS),
    Case(
        "questions_impossible",
        "question-answering",
        "bert, spans",
        QUESTIONS,
        {"top_k": 3, "handle_impossible_answer": True},
    ),
    Case("fill_mask", "fill-mask", "bert, masks", MASKED),
    Case("fill_mask_targets", "fill-mask", "bert, masks", MASKED, {"targets": ["good", "bad"]}),
    Case("generation", "text-generation", "gpt2", PROMPTS, TEXT),
    Case("generation_beams", "text-generation", "gpt2", PROMPTS, BEAMS),
    Case("summarization", "summarization", "t5", DIALOGUES, TEXT),
    Case("summarization_beams", "summarization", "t5", DIALOGUES, BEAMS),
    Case("translation", "translation", "t5", ENGLISH, TEXT, theirs="translation_en_to_de"),
    Case("text2text", "text2text-generation", "t5", ENGLISH, TEXT),
    Case(
        "pronunciation",
        "text2text-generation",
        "bart-g2p",
        WORDS,
        {"num_beams": 1, "return_tensors": True},
    ),
    Case(
        "zero_shot",
        "zero-shot-classification",
        "bert, entailment",
        SENTENCES,
        {"candidate_labels": LABELS},
    ),
    Case(
        "zero_shot_multi",
        "zero-shot-classification",
        "bert, entailment",
        SENTENCES,
        {"candidate_labels": LABELS, "multi_label": True},
    ),
    Case("features", "feature-extraction", "minilm", SENTENCES),
]
