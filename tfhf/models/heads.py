"""Which heads tfhf adds where transformers has none in TensorFlow, and what they are called.

PyTorch has some of them (GPT2ForTokenClassification, T5ForSequenceClassification,
BartForQuestionAnswering …): ours bear those names, have the same layers, and each opens the
other's files. Where PyTorch has none either (CTRLForTokenClassification), ours is made like its
kin, and tfhf alone opens it whole; PyTorch's AutoModel still opens the body.

`head_classes` makes them.
"""

from tfhf.errors import UserError

# Kind of head → the families that get it: those for which PyTorch has it, and those for which only
# tfhf has.
HEADS = {
    "SequenceClassification": (
        ("mbart", "mt5", "opt", "t5"),
        ("blenderbot", "led", "marian", "pegasus", "xglm"),
    ),
    "TokenClassification": (
        ("gpt2", "mistral", "mt5", "t5"),
        (
            *("bart", "blenderbot", "ctrl", "gptj", "led", "marian", "mbart", "opt", "pegasus"),
            "xglm",
        ),
    ),
    "QuestionAnswering": (
        ("bart", "gpt2", "led", "mbart", "mistral", "mt5", "opt", "t5"),
        ("blenderbot", "ctrl", "layoutlm", "marian", "pegasus", "xglm"),
    ),
}


def architecture(model_type, auto_class):
    """The name of a head that tfhf adds, such as `TFGPT2ForTokenClassification`.

    Args:
        model_type: a family.
        auto_class: name of the TFAuto class that stands for the kind of head.

    Returns:
        The name; None where transformers has a class of its own, or nobody has.
    """
    import transformers

    if model_type not in families(auto_class):
        return None
    bodies = transformers.TFAutoModel._model_mapping._model_mapping
    return f"{bodies[model_type].removesuffix('Model')}For{_kind(auto_class)}"


def families(auto_class):
    """The families for which tfhf adds a kind of head, as a set."""
    return set().union(*HEADS.get(_kind(auto_class), ()))


def _kind(auto_class):
    return auto_class.removeprefix("TFAutoModelFor")


def body(config):
    """Name of the TFAuto class whose model gives a text's states: T5 can leave out its decoder."""
    if config is not None and config.model_type in ("mt5", "t5"):
        return "TFAutoModelForTextEncoding"
    return "TFAutoModel"


def in_pytorch(config):
    """Whether PyTorch's transformers has a model's class, too.

    Args:
        config: what stands in its config.json.
    """
    family, name = config.get("model_type"), str((config.get("architectures") or [""])[0])
    return not any(
        name.endswith(f"For{kind}") and family in ours for kind, (_, ours) in HEADS.items()
    )


def decoder_inputs(config, ids):
    """What an encoder-decoder's decoder reads where it reads its encoder's text: moved by one.

    Args:
        config: the model's config.
        ids: `(B, T)` token ids.

    Returns:
        `decoder_input_ids` and `decoder_attention_mask`, `(B, T)` each; the decoder looks back
        alone, so padding behind a text needs no mask.

    Raises:
        UserError: if the config does not say with which token a decoder begins.

    Source: PyTorch's `shift_tokens_right` and `_shift_right`; mBART begins with the last token.
    """
    import tensorflow as tf

    if config.model_type == "mbart":
        real = tf.reduce_sum(tf.cast(ids != config.pad_token_id, tf.int32), -1, keepdims=True)
        first = tf.gather(ids, tf.maximum(real - 1, 0), batch_dims=1)
    else:
        start = config.decoder_start_token_id
        if start is None:
            raise UserError(
                f"model: a {config.model_type} reads a text from its decoder_start_token_id on; set"
                " it in config.json"
            )
        first = tf.fill([tf.shape(ids)[0], 1], tf.cast(start, ids.dtype))
    shifted = tf.concat([first, ids[:, :-1]], 1)
    return {"decoder_input_ids": shifted, "decoder_attention_mask": tf.ones_like(shifted)}
