"""Toy rows for causal_lm in its three formats, and a tiny GPT-2 of letters."""

from tests.conftest import toy_rows
from tests.learning.letters import tokenizer
from tfhf.recipe import Recipe

OPTIONS = {"options.max_length": 16, "options.max_new_tokens": None}


def rows(name=None, count=18):
    columns = Recipe.load(name).options["format"] if name else "text"
    found = []
    for toy in toy_rows(count):
        text, label = toy["text"].lower(), toy["label"]
        messages = [{"role": "user", "content": text}, {"role": "assistant", "content": label}]
        row = {"text": text, "prompt": text, "response": label, "messages": messages}
        roles = {"text": ["text"], "prompt": ["prompt", "response"], "chat": ["messages"]}
        found.append({role: row[role] for role in roles[columns]})
    return found


def model(tiny_bert_folder, folder):
    """A GPT-2 of one layer, width 16 and 32 positions."""
    import tf_keras
    from transformers import GPT2Config, TFGPT2LMHeadModel

    from tfhf import models

    tf_keras.utils.set_random_seed(0)
    letters = tokenizer()
    config = GPT2Config(
        vocab_size=len(letters), n_embd=16, n_layer=1, n_head=2, n_positions=32,
        bos_token_id=2, eos_token_id=2, pad_token_id=1, initializer_range=0.2,
    )  # fmt: skip
    backbone = TFGPT2LMHeadModel(config)
    backbone.build_in_name_scope()
    models.save_backbone(backbone, letters, folder)
    return folder
