"""Records what transformers' own question answering pipeline says, for the tests to compare with.

Runs in an environment of its own (torch, transformers 4.57); tfhf is not imported. Weights are not
stored: each is made from its name and shape by `tests/models/formula.py`, here and in the tests.

    python benchmarks/record_pipelines_question_answering.py

It writes `tests/tasks/facts/question_answering.json`: per model its config, its tokenizer's files,
the names and shapes of its weights, and per call the choices and the answers.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    BertConfig,
    DistilBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    pipeline,
)

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS / "models"))

from formula import weight  # noqa: E402  (found through the line above)

STORY = (
    "The museum opened in 1887, when the unfinished station was sold. Its architect, Marguerite "
    "Delacroix-Ündell, had wanted a glass roof; the town paid for slate. In 1921 the roof was "
    "replaced after all, and visitors came from Zürich, Kraków and overseas. "
)
ROWS = [
    {"question": "When did it open?", "context": "The museum opened in 1887."},
    {"question": "Who drew the unbuildable roof?", "context": STORY * 2},
    {"question": "Где музей?", "context": "Музей в Кракове 😀, 東京 or القاهرة: " + STORY},
]
CALLS = [
    {},
    {"top_k": 3},
    {"top_k": 8, "handle_impossible_answer": True},
    {"top_k": 4, "align_to_words": False, "max_answer_len": 4},
    {"top_k": 3, "max_seq_len": 40, "doc_stride": 12},
]
TINY = {"vocab_size": 400, "max_position_embeddings": 66}
CONFIGS = {
    "bert": BertConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        pad_token_id=1,
        **TINY,
    ),
    "distilbert": DistilBertConfig(
        dim=16, n_layers=1, n_heads=2, hidden_dim=24, pad_token_id=1, **TINY
    ),
    "roberta": RobertaConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        **TINY,
    ),
}
SPECIAL = ["[CLS]", "[PAD]", "[SEP]", "[UNK]"]  # TensorFlow's RoBERTa knows no padding but 1


def make_tokenizer(family):
    """A tokenizer of parts of words, learned from the rows, of the family's kind."""
    texts = [text for row in ROWS for text in row.values()]
    options = {"vocab_size": 400, "special_tokens": SPECIAL, "show_progress": False}
    if family == "roberta":
        inner = Tokenizer(models.BPE())
        inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        inner.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(initial_alphabet=alphabet, **options)
        inner.train_from_iterator(texts, trainer)
        inner.post_processor = processors.RobertaProcessing(
            ("[SEP]", 2), ("[CLS]", 0), trim_offsets=True, add_prefix_space=False
        )
    else:
        inner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        inner.normalizer = normalizers.BertNormalizer()
        inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        inner.train_from_iterator(texts, trainers.WordPieceTrainer(**options | {"vocab_size": 140}))
        inner.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 0), ("[SEP]", 2)],
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
        model_max_length=64,
        model_input_names=inputs,
    )


def record(name, config, folder):
    """One model's files, and the answers of its pipeline."""
    model = transformers.AutoModelForQuestionAnswering.from_config(config)
    with torch.no_grad():
        for place, values in model.state_dict().items():
            # Wider than the formula's, so that some spans stand out.
            scale = 6.0 if place == "qa_outputs.weight" else 1.0
            values.copy_(scale * torch.from_numpy(weight(place, tuple(values.shape))))
    model.save_pretrained(folder)
    make_tokenizer(name).save_pretrained(folder)
    with safe_open(folder / "model.safetensors", "pt") as file:
        weights = {place: list(file.get_slice(place).get_shape()) for place in file.keys()}  # noqa: SIM118
    ask = pipeline("question-answering", model=str(folder), device="cpu")
    files = ("config.json", "tokenizer.json", "tokenizer_config.json")
    return {
        "files": {file: json.loads((folder / file).read_text()) for file in files},
        "weights": weights,
        "answers": [[ask(**row, **choices) for row in ROWS] for choices in CALLS],
    }


def main():
    facts = {"transformers": transformers.__version__, "rows": ROWS, "calls": CALLS, "models": {}}
    for name, config in CONFIGS.items():
        with tempfile.TemporaryDirectory() as folder:
            facts["models"][name] = record(name, config, Path(folder))
    path = TESTS / "tasks" / "facts" / "question_answering.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(facts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
