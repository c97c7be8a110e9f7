"""What a tokenizer and a model must agree on: vocabulary, padding, and the longest input."""

from tfhf.errors import UserError

# Families that count positions from the padding id on: so many of their positions are never used.
OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "longformer", "mpnet")


def agree(tokenizer, config, name):
    """Fits a tokenizer to its model.

    `tokenizer.model_max_length` becomes the most tokens the model can read; a tokenizer without a
    padding token pads with its end-of-text token.

    Args:
        tokenizer: a fast tokenizer; changed in place.
        config: the model's config.
        name: what the user called the model, for messages.

    Raises:
        UserError: if the tokenizer has ids that the model has no embedding for, or cannot pad.
    """
    if len(tokenizer) > config.vocab_size:
        raise UserError(
            f"model: the tokenizer of {name} has {len(tokenizer):,} tokens, its model only "
            f"{config.vocab_size:,}; tokenizer and weights are not of one model"
        )
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise UserError(
                f"model: the tokenizer of {name} has neither a padding nor an end-of-text token; "
                "set pad_token in its tokenizer_config.json"
            )
        tokenizer.pad_token = tokenizer.eos_token
    longest = positions(config)
    # Without a limit of its own, a tokenizer says 1e30.
    known = tokenizer.model_max_length if tokenizer.model_max_length < 1e9 else None
    limits = [limit for limit in (longest, known) if limit]
    tokenizer.model_max_length = min(limits) if limits else 1_000_000


def positions(config):
    """The most tokens a model has positions for, or None where positions are relative."""
    longest = getattr(config, "max_position_embeddings", None)
    if longest and config.model_type in OFFSET_POSITIONS:
        longest -= config.pad_token_id + 1
    return longest if longest and longest > 0 else None


def tokenizer_notes(tokenizer):
    """What is unusual about a tokenizer that was made to agree, a line each."""
    if tokenizer.pad_token == tokenizer.eos_token:
        return [
            f"model: the tokenizer has no padding token; {tokenizer.pad_token!r} is used to pad"
        ]
    return []
