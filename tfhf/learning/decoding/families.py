"""Which families of transformers' TensorFlow models can generate text here, and their ways."""

from tfhf.errors import UserError

# Decoders whose class keeps keys and values for lengths that are known when a graph runs …
CACHED = {"ctrl", "gpt2", "gptj", "opt"}
# … and those whose class wants them when it is traced: they read everything anew at each step.
UNCACHED = {"mistral", "openai-gpt", "xglm"}
ENCODER_DECODERS = {
    "bart", "blenderbot", "blenderbot-small", "marian", "mbart", "mt5", "pegasus", "t5",
}  # fmt: skip
# The family that takes no positions: it counts them from the mask.
COUNTING = {"opt"}


def check(config):
    """Refuses a model that is no decoder, or of a family that tfhf cannot decode.

    Args:
        config: the model's config.

    Raises:
        UserError: names the families that can be decoded.
    """
    known = ENCODER_DECODERS if config.is_encoder_decoder else CACHED | UNCACHED
    if config.model_type not in known:
        raise UserError(
            f"model: tfhf cannot generate text with a {config.model_type}; it can with "
            f"{', '.join(sorted(known))}"
        )
