"""What is chosen about generating text: a checked subset of transformers' GenerationConfig."""

import dataclasses
from dataclasses import dataclass

from tfhf.errors import UserError, did_you_mean

# Says nothing of which tokens come out: bookkeeping, caches, and what `generate` returns.
SILENT = {
    "bos_token_id", "cache_config", "cache_implementation", "compile_config",
    "disable_compile", "is_assistant", "low_memory", "output_attentions", "output_hidden_states",
    "output_logits", "output_scores", "prefill_chunk_size", "remove_invalid_values",
    "return_dict_in_generate", "return_legacy_cache", "transformers_version", "use_cache",
    "generation_kwargs", "assistant_confidence_threshold", "assistant_early_exit",
    "assistant_lookbehind", "num_assistant_tokens", "num_assistant_tokens_schedule",
    "target_lookbehind", "max_matching_ngram_size", "prompt_lookup_num_tokens",
}  # fmt: skip

# Names, what their values must fit, and how that is said.
RANGES = (
    (
        ("max_new_tokens", "max_length"),
        lambda value: value is None or _whole(value, 1),
        "a whole number from 1",
    ),
    (
        ("num_beams", "num_return_sequences"),
        lambda value: _whole(value, 1),
        "a whole number from 1",
    ),
    (
        ("min_new_tokens", "min_length", "top_k", "no_repeat_ngram_size", "seed"),
        lambda value: _whole(value, 0),
        "a whole number from 0",
    ),
    (
        ("temperature", "repetition_penalty"),
        lambda value: _number(value) and value > 0,
        "above 0",
    ),
    (("top_p",), lambda value: _number(value) and 0 < value <= 1, "above 0 and at most 1"),
    (("length_penalty",), lambda value: _number(value), "a number"),
    (
        ("do_sample", "renormalize_logits"),
        lambda value: isinstance(value, bool),
        "true or false",
    ),
    (
        ("early_stopping",),
        lambda value: isinstance(value, bool) or value == "never",
        "true, false or never",
    ),
)


@dataclass(frozen=True)
class Generation:
    """How text is generated; the names are those of transformers.

    Attributes:
        max_new_tokens: most tokens to make; None leaves it to `max_length`.
        max_length: most tokens of prompt and answer together (of the decoder, where there is an
            encoder).
        min_new_tokens, min_length: before so many, nothing ends.
        do_sample: draw from the distribution instead of taking the likeliest token.
        temperature: above 0; logits are divided by it when sampling.
        top_k: sample among the k likeliest tokens; 0 among all.
        top_p: sample among the fewest tokens that hold this share of the probability, in (0, 1].
        num_beams: hypotheses kept by beam search; 1 is greedy.
        num_return_sequences: answers per row, from sampling or from the beams.
        length_penalty: a beam's log-probability is divided by its length to this power.
        early_stopping: True ends a row with `num_beams` finished hypotheses, False when no better
            one is likely, "never" when none is possible.
        repetition_penalty: above 1, tokens that are there already become less likely
            (Keskar et al. 2019, https://arxiv.org/abs/1909.05858).
        no_repeat_ngram_size: no n tokens in a row come twice; 0 for no such rule.
        forced_bos_token_id, forced_eos_token_id: the first token, and the last one possible.
        decoder_start_token_id: what a decoder with an encoder begins with.
        eos_token_id: tokens that end a text, as a tuple.
        pad_token_id: fills up shorter texts.
        suppress_tokens: tokens that never come, as a tuple.
        renormalize_logits: whether the rules' result is normalised again.
        seed: seed of the draws; each row and answer has its own, whatever batch it is in.
    """

    max_new_tokens: int | None = None
    max_length: int | None = None
    min_new_tokens: int = 0
    min_length: int = 0
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    num_beams: int = 1
    num_return_sequences: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | None = None
    decoder_start_token_id: int | None = None
    eos_token_id: tuple = ()
    pad_token_id: int = 0
    suppress_tokens: tuple = ()
    renormalize_logits: bool = False
    seed: int = 0

    def __post_init__(self):
        _check_ranges(vars(self))
        if self.do_sample and self.num_beams > 1:
            raise UserError(
                "do_sample: beams are searched, not sampled; set num_beams=1 or do_sample=false; "
                f"received num_beams={self.num_beams}"
            )
        several = self.num_beams if not self.do_sample else self.num_return_sequences
        if self.num_return_sequences > several:
            raise UserError(
                "num_return_sequences: greedy decoding has one answer and beam search one per "
                f"beam; set do_sample=true or more num_beams; received {self.num_return_sequences}"
            )

    @property
    def answers(self):
        """Texts decoded side by side for each row: its beams, or its samples."""
        return self.num_beams if self.num_beams > 1 else self.num_return_sequences

    @classmethod
    def names(cls):
        """Names of all settings."""
        return [field.name for field in dataclasses.fields(cls)]

    @staticmethod
    def check(**settings):
        """Refuses settings that are wrong whatever the others of a model are.

        Raises:
            UserError: if one is unknown, out of range, or one that this decoder lacks.
        """
        _check_names(settings)
        _check_ranges(_settings(settings))

    @classmethod
    def of(cls, config, **overrides):
        """The settings of a model's GenerationConfig, changed by the given ones.

        Args:
            config: a transformers GenerationConfig, or None.
            **overrides: win over those of the config; None is transformers' "not set".

        Raises:
            UserError: if a setting is unknown, out of range, or one that this decoder lacks.
        """
        _check_names(overrides)
        found = config.to_diff_dict() if config is not None else {}
        if "max_length" in overrides and overrides["max_length"] is not None:
            found.pop("max_new_tokens", None)  # the call's own limit is the one that is meant
        for name in overrides:
            found.pop(name, None)
        given = {**found, **overrides}
        values = _settings(given)
        if values.get("max_new_tokens") is None and values.get("max_length") is None:
            values["max_new_tokens"] = 20  # transformers' own default
        if given.get("pad_token_id") is None:
            values["pad_token_id"] = next(iter(values.get("eos_token_id", ())), 0)
        return cls(**values)


def _check_names(settings):
    """Refuses names that transformers has not."""
    known = {*Generation.names(), *_neutral()}
    for name, value in settings.items():
        if name not in known:
            hint = did_you_mean(name, Generation.names())
            raise UserError(f"no generation setting {name!r}{hint}; received {value!r}")


def _check_ranges(values):
    """Refuses values out of range; names that RANGES does not list may have any."""
    for names, fits, wanted in RANGES:
        for name in names:
            if name in values and not fits(values[name]):
                raise UserError(f"{name}: must be {wanted}; received {values[name]!r}")


def remember(config, choices, tokenizer):
    """Writes settings into a model's GenerationConfig, with which they are saved.

    Args:
        config: a transformers GenerationConfig; changed in place.
        choices: name of a setting → value.
        tokenizer: its end-of-text token ends a text, too; its padding token pads where the config
            names none.
    """
    for name, value in choices.items():
        setattr(config, name, value)
    ends = config.eos_token_id
    ends = ends if isinstance(ends, list) else [] if ends is None else [ends]
    if tokenizer.eos_token_id not in (None, *ends):
        ends = [*ends, tokenizer.eos_token_id]
        config.eos_token_id = ends if len(ends) > 1 else ends[0]
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id


def has_limit(config):
    """Whether a GenerationConfig says how much to generate, beside transformers' default."""
    return config is not None and not {"max_length", "max_new_tokens"}.isdisjoint(
        config.to_diff_dict()
    )


def _settings(given):
    """Names of transformers → values of ours; what has no effect is left out."""
    neutral, values = _neutral(), {}
    for name, value in given.items():
        if name == "bad_words_ids":
            ending = _ids(given.get("eos_token_id"))  # as bad words, transformers passes over them
            never = tuple(one for one in _single(value or ()) if one not in ending)
            values["suppress_tokens"] = values.get("suppress_tokens", ()) + never
        elif name == "suppress_tokens":
            values[name] = values.get(name, ()) + _ids(value)
        elif name == "eos_token_id":
            values[name] = _ids(value)
        elif name in Generation.names():
            values[name] = _off(name) if value is None else value
        elif name in neutral and value and value != neutral[name]:
            raise UserError(
                f"{name}: tfhf does not decode with it; set {name}=null to go without; "
                f"received {value!r}"
            )
    return values


def _neutral():
    """Transformers' settings that say which tokens come out → their values where none is set."""
    from transformers import GenerationConfig

    every = GenerationConfig().to_dict()
    return {name: every[name] for name in every if name not in SILENT and name[0] != "_"}


def _off(name):
    """What None stands for: no such rule."""
    return 0 if name == "top_k" else getattr(Generation, name)


def _ids(value):
    """One token, several or None, as a tuple."""
    return (value,) if isinstance(value, int) else tuple(value or ())


def _single(sequences):
    """`bad_words_ids` as tokens that never come; longer words have no rule here."""
    if any(len(sequence) != 1 for sequence in sequences):
        raise UserError(
            "bad_words_ids: tfhf can only rule out single tokens; received "
            f"{[sequence for sequence in sequences if len(sequence) != 1][0]!r}"
        )
    return tuple(sequence[0] for sequence in sequences)


def _whole(value, least):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)
