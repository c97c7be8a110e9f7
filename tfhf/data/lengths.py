"""How many tokens a model can read."""

from tfhf.errors import UserError


def check_length(tokenizer, length, key="options.max_length"):
    """Refuses rows longer than a model reads.

    Args:
        tokenizer: that of the model; None where nothing is encoded.
        length: tokens of the longest row, special tokens included; None where nobody said it.
        key: what says it, for the message.

    Raises:
        UserError: if the model reads less.
    """
    longest = length if tokenizer is None else tokenizer.model_max_length
    if length is not None and length > longest:
        raise UserError(f"{key}: the model reads at most {longest} tokens; received {length}")
