"""Text out of generated tokens: as a whole, and while they come."""

from tfhf.errors import UserError


class TextStream:
    """Turns tokens into pieces of text as they come; what may still change is held back.

    Half a character is held back until its other half is there, and what may be the beginning of a
    stop string until it is known not to be one.

    Args:
        tokenizer: what turns tokens into text.
    """

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.begin(True, (), ())

    def begin(self, write, prompt, stop, shown=""):
        """Starts a new text.

        Args:
            write: called with each piece of text; True prints it on standard output.
            prompt: token ids before it; they are not written.
            stop: strings that end it.
            shown: what is printed before it on standard output.
        """
        self.write = _print if write is True else write
        self.prompt, self.stop = list(prompt), tuple(stop)
        self.tokens, self.written = [], ""
        if shown and write is True:
            _print(shown)

    def __call__(self, tokens, ended):
        """Takes the next token; what `generate` calls.

        Args:
            tokens: `(1,)` int tensor.
            ended: `(1,)` bool tensor, whether the text had ended before.
        """
        if bool(ended[0]):
            return
        self.tokens.append(int(tokens[0]))
        # Cleaned up, a text would change where it is on the screen already.
        text = new_text(self.tokenizer, self.prompt, self.tokens, clean_up=False)
        sure = cut(text, self.stop)
        if sure == text:
            held = max((len(string) for string in self.stop), default=1) - 1
            sure = text[: len(text) - held]
        if not sure.endswith("\ufffd"):
            self._write_up_to(sure)

    def end(self, text):
        """Writes what is left of the finished text."""
        self._write_up_to(text)

    def _write_up_to(self, text):
        if text.startswith(self.written) and text != self.written:
            self.write(text[len(self.written) :])
            self.written = text


def _print(piece):
    print(piece, end="", flush=True)


def new_text(tokenizer, prompt, tokens, clean_up=None):
    """What tokens add to a prompt, as text without special tokens.

    Tokens are decoded behind the prompt: whether a word begins with a blank depends on what stands
    before it.

    Args:
        tokenizer: what turns tokens into text.
        prompt: token ids.
        tokens: token ids that follow.
        clean_up: whether blanks before punctuation are left out; None is the tokenizer's own way.
    """
    said = {"skip_special_tokens": True, "clean_up_tokenization_spaces": clean_up}
    whole = tokenizer.decode([*prompt, *tokens], **said)
    return whole[len(tokenizer.decode(prompt, **said)) :]


def cut(text, strings):
    """A text up to the first of the strings, which does not belong to it."""
    found = [place for place in (text.find(string) for string in strings) if place >= 0]
    return text[: min(found)] if found else text


def stop_strings(given):
    """Strings that end a text, as a tuple.

    Args:
        given: a string, a list of them, or None.

    Raises:
        UserError: if one is no text, or empty.
    """
    strings = (given,) if isinstance(given, str) else tuple(given or ())
    if not all(isinstance(text, str) and text for text in strings):
        raise UserError(f"stop: must be a text or a list of texts; received {given!r}")
    return strings
