"""What a user can do wrong, and how tfhf says it: one line, and an exit code.

The line says what happened, where (file and row, or the recipe's key), what to change, and the
value received. Anything else that is raised is a bug of tfhf and keeps its traceback.
"""

import difflib
import os
import re

ACCESS_TOKEN = re.compile(r"hf_[A-Za-z0-9]{20,}")
# Where a token may stand that does not look like one; shorter values are words.
TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
SHORTEST_TOKEN = 8


class UserError(Exception):
    """A mistake of the user's: one line on stderr, exit code 2."""

    exit_code = 2


class Diverged(UserError):
    """Training met a loss that is not a finite number; exit code 3."""

    exit_code = 3


class StorageError(UserError):
    """A file could not be written (no space, no permission); exit code 4."""

    exit_code = 4


def did_you_mean(word, choices):
    """Suggests the nearest of some known words.

    Args:
        word: what the user wrote.
        choices: the words that would have been right.

    Returns:
        A suffix for an error line such as `; did you mean 'text'?`, or `""` if nothing is near.
    """
    near = difflib.get_close_matches(str(word), [str(choice) for choice in choices], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def reason(error):
    """What an error of a library says, for one line of ours: the first of its message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def redacted(text):
    """Text without access tokens of the Hub: nothing tfhf prints or writes holds one."""
    text = ACCESS_TOKEN.sub("hf_(removed)", text)
    for name in TOKEN_VARIABLES:
        value = os.environ.get(name, "").strip()
        if len(value) >= SHORTEST_TOKEN:
            text = text.replace(value, "(token removed)")
    return text


def redact_logs():
    """Keeps tokens out of what any library of this process logs, tracebacks included."""
    import logging

    make = logging.getLogRecordFactory()
    if getattr(make, "redacts", False):
        return

    def redacting(*args, **kwargs):
        record = make(*args, **kwargs)
        record.msg, record.args = redacted(record.getMessage()), None
        if record.exc_info:
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
        return record

    redacting.redacts = True
    logging.setLogRecordFactory(redacting)
