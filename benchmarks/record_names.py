"""Records what PyTorch calls its weights, and what it answers with known ones.

Run in an environment with PyTorch and transformers (not tfhf's own), once per transformers release
that files should open in:

    python benchmarks/record_names.py

It writes `tests/models/facts/names.json` (per family and head: the class, and the name and shape of
every weight `save_pretrained` writes) and `logits.json` (per family and head: the outputs for the
weights and inputs of `tests/models/formula.py`). The first run records; a run under a later release
opens the weights that the first one recorded, and adds its version and what differed, if anything.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

FACTS = Path(__file__).resolve().parents[1] / "tests" / "models" / "facts"
sys.path.insert(0, str(FACTS.parent))

from formula import inputs, weight  # noqa: E402  (found through the line above)

ENCODER = {
    "vocab_size": 32,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
    "num_labels": 3,
    "pad_token_id": 1,
}
DEBERTA = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_buckets": 4,
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
    "type_vocab_size": 0,
}
T5 = {
    "vocab_size": 32,
    "d_model": 16,
    "d_kv": 6,
    "d_ff": 24,
    "num_layers": 1,
    "num_heads": 2,
    "relative_attention_num_buckets": 8,
    "pad_token_id": 1,
    "decoder_start_token_id": 2,
}
CONFIGS = {
    "bert": ("bert", ENCODER),
    "distilbert": (
        "distilbert",
        {
            "vocab_size": 32,
            "dim": 16,
            "n_layers": 1,
            "n_heads": 2,
            "hidden_dim": 24,
            "max_position_embeddings": 20,
            "num_labels": 3,
            "pad_token_id": 1,
        },
    ),
    "roberta": ("roberta", {**ENCODER, "type_vocab_size": 1}),
    "electra": ("electra", {**ENCODER, "embedding_size": 12}),
    "deberta-v2": ("deberta-v2", {**ENCODER, **DEBERTA}),
    "deberta-v2 with convolution": (
        "deberta-v2",
        {**ENCODER, **DEBERTA, "conv_kernel_size": 3, "conv_act": "gelu", "num_hidden_layers": 2},
    ),
    "gpt2": (
        "gpt2",
        {
            "vocab_size": 32,
            "n_embd": 16,
            "n_layer": 1,
            "n_head": 2,
            "n_inner": 24,
            "n_positions": 20,
            "num_labels": 3,
            "pad_token_id": 1,
            "bos_token_id": 2,
            "eos_token_id": 2,
        },
    ),
    "t5": ("t5", T5),
    "t5 1.1": (
        "t5",
        {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "bart": (
        "bart",
        {
            "vocab_size": 32,
            "d_model": 16,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 24,
            "decoder_ffn_dim": 24,
            "max_position_embeddings": 20,
            "num_labels": 3,
            "pad_token_id": 1,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "decoder_start_token_id": 2,
            "forced_eos_token_id": 3,
        },
    ),
}
ENCODER_HEADS = [
    "AutoModel",
    "AutoModelForMaskedLM",
    "AutoModelForSequenceClassification",
    "AutoModelForTokenClassification",
    "AutoModelForQuestionAnswering",
    "AutoModelForMultipleChoice",
]
# What TFAuto classes of transformers 4.57.6 reach.
HEADS = {
    "bert": [
        *ENCODER_HEADS,
        "AutoModelForPreTraining",
        "AutoModelForCausalLM",
        "AutoModelForNextSentencePrediction",
    ],
    "distilbert": ENCODER_HEADS,
    "roberta": [*ENCODER_HEADS, "AutoModelForCausalLM"],
    "electra": [*ENCODER_HEADS, "AutoModelForPreTraining"],
    "deberta-v2": ENCODER_HEADS,
    "deberta-v2 with convolution": ["AutoModel", "AutoModelForMaskedLM"],
    "gpt2": ["AutoModel", "AutoModelForCausalLM", "AutoModelForSequenceClassification"],
    "t5": ["AutoModel", "AutoModelForSeq2SeqLM", "AutoModelForTextEncoding"],
    "t5 1.1": ["AutoModel", "AutoModelForSeq2SeqLM"],
    "bart": ["AutoModel", "AutoModelForSeq2SeqLM", "AutoModelForSequenceClassification"],
}
OUTPUTS = [
    "logits",
    "start_logits",
    "end_logits",
    "prediction_logits",
    "seq_relationship_logits",
    "last_hidden_state",
]


# What a head needs changed in the family's config.
CHANGES = {
    "AutoModelForCausalLM": {"is_decoder": True},
    "AutoModelForQuestionAnswering": {"num_labels": 2},
}


def record(family, head, folder, known):
    """Saves a new model, refills the file by formula, opens it and runs it.

    Args:
        known: name → shape as the first release wrote them, to be opened by a later one; or None.

    Returns:
        What was written (class, config, weights), and the outputs by name as flat lists.
    """
    model_type, settings = CONFIGS[family]
    settings = {**settings, **CHANGES.get(head, {})}
    config = transformers.AutoConfig.for_model(model_type, **settings)
    auto_class = getattr(transformers, head)
    auto_class.from_config(config).save_pretrained(folder)
    file = Path(folder) / "model.safetensors"
    with safe_open(file, framework="pt") as saved:
        shapes = {name: saved.get_slice(name).get_shape() for name in sorted(saved.keys())}
    fill = {name: torch.from_numpy(weight(name, s)) for name, s in (known or shapes).items()}
    save_file(fill, file, metadata={"format": "pt"})
    model, loading = auto_class.from_pretrained(
        folder, output_loading_info=True, attn_implementation="eager"
    )
    assert not loading["missing_keys"] and not loading["unexpected_keys"], loading
    features = inputs(head, config.is_encoder_decoder)
    with torch.no_grad():
        found = model.eval()(**{name: torch.from_numpy(v.copy()) for name, v in features.items()})
    outputs = {
        name: [round(x, 6) for x in found[name].flatten().tolist()]
        for name in OUTPUTS
        if name in found and not (name == "last_hidden_state" and "logits" in found)
    }
    written = {
        "class": type(model).__name__,
        "config": {"model_type": model_type, **settings},
        "weights": shapes,
    }
    return written, outputs


def record_all(known):
    """Records every family and head; returns the two files' contents."""
    names, logits = {}, {}
    for family, heads in HEADS.items():
        names[family], logits[family] = {}, {}
        for head in heads:
            weights = known[family][head]["weights"] if known else None
            with tempfile.TemporaryDirectory() as folder:
                names[family][head], logits[family][head] = record(family, head, folder, weights)
    return names, logits


def differences(old, new, where):
    """Yields the places where two recordings differ (numbers: by more than 1e-5)."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if key not in new:
                yield f"{where}: no {key}"
            elif key not in old:
                yield f"{where}: also {key}"
            else:
                yield from differences(old[key], new[key], f"{where} {key}".strip())
    elif isinstance(old, list) and old and isinstance(old[0], float):
        apart = max(abs(a - b) for a, b in zip(old, new, strict=True))
        if apart > 1e-5:
            yield f"{where}: apart by {apart:.1e}"
    elif old != new:
        yield f"{where}: {new} instead of {old}"


def read(path):
    """Reads one file of facts; `{}` where there is none yet."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(path, recorded):
    """Writes one file of facts, one line per head; a later release adds only what differs."""
    facts = read(path)
    releases = facts.get("transformers", {})
    families = facts.get("families", recorded)
    releases[transformers.__version__] = list(differences(families, recorded, ""))
    facts = {"torch": torch.__version__, "transformers": releases, "families": families}
    path.write_text(lines(facts, depth=3) + "\n", encoding="utf-8")
    print(path.name, releases)


def lines(value, depth):
    """Prints JSON with one line per key down to `depth`, and one line for all that is deeper."""
    if depth == 0 or not isinstance(value, dict):
        return json.dumps(value)
    body = ",\n".join(f"{json.dumps(key)}: {lines(item, depth - 1)}" for key, item in value.items())
    return "{\n" + body + "\n}"


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    recorded_names, recorded_logits = record_all(read(FACTS / "names.json").get("families"))
    write(FACTS / "names.json", recorded_names)
    write(FACTS / "logits.json", recorded_logits)
