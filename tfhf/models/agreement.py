"""What a tokenizer and a model must agree on: vocabulary, padding, and the longest input."""

from tfhf.errors import UserError

# Families that count positions from the padding id on: so many of their positions are never used.
OFFSET_POSITIONS = (
    *("roberta", "xlm-roberta", "camembert", "longformer", "mpnet"),
    *("roberta-prelayernorm", "esm"),
)


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
    """The most tokens a model has positions for, or None where positions are relative.

    Raises:
        UserError: if positions are counted from a padding token that the config does not state.
    """
    longest = getattr(config, "max_position_embeddings", None)
    if longest and config.model_type in OFFSET_POSITIONS:
        longest -= padding_id(config) + 1
    if longest and config.model_type == "mistral" and config.sliding_window:
        longest = min(longest, config.sliding_window)  # TensorFlow's class has no such window
    return longest if longest and longest > 0 else None


def padding_id(config):
    """The padding id of a family that counts positions from it on.

    Raises:
        UserError: if the config states none.
    """
    if config.model_type == "mpnet":
        return 1  # PyTorch's class says so, whatever the config says
    if config.pad_token_id is None:
        raise UserError(
            f"model: a {config.model_type} counts positions from its padding token; set"
            " pad_token_id in its config.json"
        )
    return config.pad_token_id


def count_from_padding(model):
    """Lets a built model count positions from its own padding id on, as PyTorch's does.

    TensorFlow's classes count from 1 on, whatever the config says.

    Args:
        model: a transformers TensorFlow model, its variables built; changed in place.
    """
    if model.config.model_type in OFFSET_POSITIONS:
        for layer in model.submodules:
            if hasattr(layer, "create_position_ids_from_input_ids"):
                layer.padding_idx = padding_id(model.config)


def tokenizer_notes(tokenizer):
    """What is unusual about a tokenizer that was made to agree, a line each."""
    if tokenizer.pad_token == tokenizer.eos_token:
        return [
            f"model: the tokenizer has no padding token; {tokenizer.pad_token!r} is used to pad"
        ]
    return []
