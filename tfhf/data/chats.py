"""Conversations as a model's chat template tells them, and which part of it the assistant says."""

from tfhf.errors import UserError, reason


def is_chat(value):
    """Whether a value is a conversation: a list of `{"role", "content"}`."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and {"role", "content"} <= one.keys() for one in value)
    )


def check_template(tokenizer):
    """Refuses a tokenizer that cannot tell a conversation.

    Raises:
        UserError: if it has no chat template.
    """
    if not tokenizer.chat_template:
        raise UserError(
            "model: its tokenizer has no chat template; set options.chat_template, or take a model "
            "made for chats"
        )


def told(tokenizer, messages, *, answering):
    """A conversation as text.

    Args:
        tokenizer: with a chat template.
        messages: a list of `{"role", "content"}`.
        answering: whether it ends where the assistant shall begin to speak. A conversation that
            ends with the assistant's own words then ends behind them, so that they are continued.

    Raises:
        UserError: if there is no template, or it refuses the messages.
    """
    import jinja2

    check_template(tokenizer)
    continued = answering and messages[-1]["role"] == "assistant"
    try:
        return tokenizer.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=answering and not continued,
            continue_final_message=continued,
        )
    except (jinja2.TemplateError, ValueError) as error:
        roles = ", ".join(message["role"] for message in messages)
        raise UserError(
            f"messages: the chat template refuses them ({reason(error)}); "
            f"received the roles {roles}"
        ) from error


def assistant_spans(tokenizer, messages):
    """A conversation as text, and where in it the assistant speaks.

    What ends the assistant's turn (an end-of-turn token, say) belongs to it.

    Returns:
        The text, and a list of `(start, end)` in characters.

    Raises:
        UserError: as `told`; or if the template tells a turn otherwise once others follow.
    """
    whole, spans = told(tokenizer, messages, answering=False), []
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = "" if index == 0 else told_before(tokenizer, messages[:index])
        through = told(tokenizer, messages[: index + 1], answering=False)
        if not (through.startswith(before) and whole.startswith(through)):
            raise UserError(
                f"messages: the chat template tells message {index + 1} otherwise when more follow,"
                " so the assistant's part cannot be found; simplify options.chat_template"
            )
        spans.append((len(before), len(through)))
    return whole, spans


def told_before(tokenizer, messages):
    """The messages before one of the assistant's, and what opens its turn."""
    if messages[-1]["role"] == "assistant":  # two in a row: the second opens a turn, too
        return told(tokenizer, messages, answering=False)
    return told(tokenizer, messages, answering=True)


def inside(offsets, spans):
    """Whether each token spells something inside one of the spans.

    Args:
        offsets: a list of `(start, end)` per token, in characters.
        spans: a list of `(start, end)`.
    """
    return [any(end > first and start < last for first, last in spans) for start, end in offsets]
