"""Records what transformers' fill-mask pipeline answers, on PyTorch with known weights.

Run in an environment with PyTorch and transformers 4.57 (not tfhf's own):

    python benchmarks/record_pipelines_masked_lm.py

It writes `tests/tasks/facts/fill_mask.json`: for a BERT and a RoBERTa model with the weights of
`tests/models/formula.py` the config, the tokenizer, and what the pipeline gave for each call.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS / "models"))

from formula import weight  # noqa: E402  (found through the line above)

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PIECES = [".", ",", "a", "the", "warm", "cold", "film", "story", "and", "funny", "not", "lovely"]
WORDS = "A warm and funny story, the film. A cold and tired film, not lovely. The warm story. "

SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}
CALLS = [
    ("a warm and {mask} story.", {}),
    ("The {mask} film is not lovely, xyz", {"top_k": 3}),
    ("a {mask} film and a {mask} story", {"top_k": 2}),
    ("a {mask} film", {"targets": ["warm", "cold", "story"]}),
    ("a {mask} film", {"targets": "warm", "top_k": 4}),
    (["a {mask} film", "the story, {mask} and {mask}.", "{mask}"], {"top_k": 2}),
    (["a {mask} film"], {"top_k": 1}),
]


def wordpiece():
    """A tokenizer like BERT's: some words, every letter."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*special, *PIECES, *(set(LETTERS) - set(PIECES)), *(f"##{x}" for x in LETTERS)]
    vocabulary = {piece: index for index, piece in enumerate(sorted(pieces, key=_rank(special)))}
    return transformers.BertTokenizerFast(vocab=None, tokenizer_object=_bert(vocabulary))


def _rank(special):
    return lambda piece: (special.index(piece) if piece in special else len(special), piece)


def _bert(vocabulary):
    from tokenizers import normalizers

    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    made.post_processor = processors.BertProcessing(
        ("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"])
    )
    return made


def bytepair():
    """A tokenizer like RoBERTa's, learned from a few words."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([WORDS] * 20, trainer)
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return transformers.RobertaTokenizerFast(tokenizer_object=made)


def record(tokenizer, kind, config_kind, **config):
    """The answers of one model as facts."""
    config = SHAPE | config | {"vocab_size": len(tokenizer)}
    model = kind(config_kind(**config)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(weight(name, tuple(parameter.shape))))
    fill = transformers.pipeline("fill-mask", model=model, tokenizer=tokenizer, device="cpu")
    calls = []
    for texts, choices in CALLS:
        texts = json.loads(json.dumps(texts).replace("{mask}", tokenizer.mask_token))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            calls.append({"texts": texts, "choices": choices, "answers": fill(texts, **choices)})
    return {
        "config": config,
        "tokenizer": json.loads(tokenizer.backend_tokenizer.to_str()),
        "calls": calls,
    }


def main():
    facts = {
        "written_by": f"torch {torch.__version__}, transformers {transformers.__version__}",
        "bert": record(
            wordpiece(), transformers.BertForMaskedLM, transformers.BertConfig, pad_token_id=0
        ),
        "roberta": record(
            bytepair(),
            transformers.RobertaForMaskedLM,
            transformers.RobertaConfig,
            pad_token_id=1,
            type_vocab_size=1,
        ),
    }
    path = TESTS / "tasks" / "facts" / "fill_mask.json"
    path.write_text(json.dumps(facts, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
