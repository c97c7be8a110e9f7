"""Records what PyTorch's `generate` gives for known weights, token by token.

Run in an environment with PyTorch and transformers 4.57 (not tfhf's own):

    python benchmarks/record_generation.py CHECKPOINTS

It writes `tests/learning/facts/generation.json`: per family its config, its prompts, and per
setting the tokens and scores. The weights are those of `tests/models/formula.py`, so none are
stored. Every prompt is generated from alone, without padding. CHECKPOINTS holds `bart-g2p-en-us`, a
trained model; its words are those of its own `reference_outputs.json`. And it writes
`tests/tasks/facts/text_generation.json`: what transformers' own pipeline answers, with the
tokenizer of `tests/learning/letters.py`.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS / "models"), str(TESTS / "learning")]

from formula import weight  # noqa: E402  (found through the line above)
from letters import tokenizer  # noqa: E402

PAD, END, START = 1, 2, 3
ENDS = [END, 7, 12, 17, 22, 27, 32, 37, 39]  # so many that texts do end
IDS = {"pad_token_id": PAD, "eos_token_id": END, "bos_token_id": START}
BART = {
    "vocab_size": 40,
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 32,
    "decoder_start_token_id": START,
    "forced_eos_token_id": None,
    "scale_embedding": False,
    **IDS,
}
GPT = {"vocab_size": 40, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, **IDS}
T5 = {
    "vocab_size": 40,
    "d_model": 16,
    "d_kv": 6,
    "d_ff": 24,
    "num_layers": 1,
    "num_heads": 2,
    "relative_attention_num_buckets": 8,
    "decoder_start_token_id": PAD,
    **IDS,
}
HIDDEN = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
    **IDS,
}
CONFIGS = {
    "gpt2": GPT,
    "gptj": GPT | {"rotary_dim": 4},
    "ctrl": GPT | {"dff": 24},
    "opt": HIDDEN | {"ffn_dim": 24, "word_embed_proj_dim": 16},
    "mistral": HIDDEN | {"intermediate_size": 24, "num_key_value_heads": 1, "sliding_window": None},
    "xglm": {
        "vocab_size": 40,
        "d_model": 16,
        "ffn_dim": 24,
        "num_layers": 2,
        "attention_heads": 2,
        "max_position_embeddings": 32,
        **IDS,
    },
    "bart": BART,
    "mbart": BART,
    "pegasus": BART,
    "marian": BART | {"decoder_start_token_id": PAD, "bad_words_ids": [[PAD]]},
    "t5": T5,
    "mt5": T5,
}
PROMPTS = [[5, 9, 12, 7, 33], [8, 4, 39], [11, 30, 6, 25, 17, 19, 8]]
GREEDY = {
    "greedy": {"max_new_tokens": 14},
    "no pair twice": {"max_new_tokens": 14, "repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
    "not too short": {"max_length": 18, "min_new_tokens": 9, "eos_token_id": ENDS},
}
BEAMS = {
    "beams": {"max_new_tokens": 10, "num_beams": 3, "num_return_sequences": 2},
    "beams, many ends": {
        "max_new_tokens": 10,
        "num_beams": 2,
        "length_penalty": 0.5,
        "early_stopping": True,
        "eos_token_id": ENDS,
    },
    "beams, long": {
        "max_length": 16,
        "num_beams": 3,
        "length_penalty": 2.0,
        "early_stopping": "never",
        "no_repeat_ngram_size": 2,
    },
}
FORCED = {
    "forced": {"max_new_tokens": 6, "forced_bos_token_id": 30, "forced_eos_token_id": END},
    "forced beams": {
        "max_new_tokens": 6,
        "num_beams": 3,
        "forced_bos_token_id": 30,
        "forced_eos_token_id": END,
        "renormalize_logits": True,
    },
}
GIVEN = {"max_new_tokens": 9}  # one setting for most, so that the test traces one graph
PIPELINE = [
    ["abc de", GIVEN],
    ["", GIVEN],
    ["abc de", GIVEN | {"return_full_text": False}],
    [["abc", "Well, is it?"], GIVEN | {"repetition_penalty": 1.4, "min_new_tokens": 9}],
    ["abc de", GIVEN | {"num_beams": 3, "num_return_sequences": 2}],
    [[{"role": "user", "content": "hello"}], GIVEN],
    [[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hm"}], GIVEN],
    [[{"role": "user", "content": "hi"}], GIVEN | {"return_full_text": False}],
]
FULL = ("gpt2", "opt", "bart", "t5", "marian")  # every setting; for the others two will do


def main(checkpoints):
    facts = {"versions": {"torch": torch.__version__, "transformers": transformers.__version__}}
    facts["families"] = {family: record_family(family) for family in CONFIGS}
    facts["warped"] = record_warped()
    facts["g2p"] = record_g2p(Path(checkpoints) / "bart-g2p-en-us")
    path = TESTS / "learning" / "facts" / "generation.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(facts) + "\n")
    path = TESTS / "tasks" / "facts" / "text_generation.json"
    path.write_text(json.dumps(record_pipeline()) + "\n")


def record_pipeline():
    """What transformers' pipeline answers to each input of `PIPELINE`."""
    model = made("gpt2")
    model.generation_config.bos_token_id = END  # what the tokenizer begins with
    generate = transformers.pipeline("text-generation", model, tokenizer=tokenizer())
    cases = [
        {"input": given, "choices": choices, "answer": generate(given, do_sample=False, **choices)}
        for given, choices in PIPELINE
    ]
    return {"config": CONFIGS["gpt2"], "cases": cases}


def made(family):
    """The family's model with the weights of the formula."""
    config = AutoConfig.for_model(family, **CONFIGS[family])
    head = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model = head.from_config(config).eval()
    with torch.no_grad():
        biases = [pair for pair in model.named_buffers() if pair[0] == "final_logits_bias"]
        for name, parameter in [*model.named_parameters(), *biases]:
            parameter.copy_(torch.from_numpy(weight(name, tuple(parameter.shape))))
    return model


def record_family(family):
    model = made(family)
    config = model.config
    settings = GREEDY | BEAMS | (FORCED if config.is_encoder_decoder else {})
    if family not in FULL:
        settings = {name: settings[name] for name in ("greedy", "beams")}
    return {
        "config": CONFIGS[family],
        "prompts": PROMPTS,
        "settings": {
            name: {"settings": chosen, "answers": record(model, PROMPTS, chosen)}
            for name, chosen in settings.items()
        },
    }


def record(model, prompts, settings):
    """Per prompt the new tokens of each answer, padding cut off, and the beams' scores."""
    answers = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        found = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
            **settings,
        )
        start = 1 if model.config.is_encoder_decoder else len(prompt)
        ends = settings.get("eos_token_id", END)
        ends = ends if isinstance(ends, list) else [ends]
        texts = [until(tokens[start:].tolist(), ends) for tokens in found.sequences]
        answer = {"tokens": texts}
        if "sequences_scores" in found:
            answer["scores"] = found.sequences_scores.tolist()
        answers.append(answer)
    return answers


def until(tokens, ends):
    """Tokens up to the first that ends a text."""
    for place, token in enumerate(tokens):
        if token in ends:
            return tokens[: place + 1]
    return tokens


def record_warped():
    """What sampling draws from: the settings' probabilities for given logits."""
    logits = torch.from_numpy(weight("logits", (3, 12))) * 8
    cases = []
    for temperature, top_k, top_p in ((0.7, 0, 1.0), (1.0, 4, 1.0), (1.0, 0, 0.8), (1.5, 6, 0.6)):
        scores = TemperatureLogitsWarper(temperature)(None, logits)
        if top_k:
            scores = TopKLogitsWarper(top_k)(None, scores)
        if top_p < 1:
            scores = TopPLogitsWarper(top_p)(None, scores)
        settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        cases.append({"settings": settings, "probabilities": scores.softmax(-1).tolist()})
    return cases


def record_g2p(folder):
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    reference = json.loads((folder / "reference_outputs.json").read_text())["greedy"]
    prompts = [word["input_ids"] for word in reference]
    settings = {"num_beams": 4, "num_return_sequences": 3, "eos_token_id": 2}
    return {"prompts": prompts, "settings": settings, "answers": record(model, prompts, settings)}


if __name__ == "__main__":
    main(*sys.argv[1:])
