"""Tokenizers of checkpoints: loaded from their own folder alone, and fitted to their model."""

import contextlib
import json
import re
import tempfile
from pathlib import Path

from tfhf.errors import UserError, reason
from tfhf.models import intake
from tfhf.models.agreement import agree
from tfhf.models.sources import load_config

# Files a tokenizer can be made from.
TABLES = re.compile(r"tokenizer\.json|vocab\.(json|txt)|.+\.(model|spm)")


def load_tokenizer(source):
    """Loads a checked folder's tokenizer and fits it to the model; see `agreement.agree`.

    Returns:
        A fast tokenizer; for families that transformers has none for, such as Marian, the slow one.

    Raises:
        UserError: if the folder has no tokenizer, none that can be loaded, or one that does not
            belong to its model.
    """
    tokenizer = read_tokenizer(source.folder, source.name)
    agree(tokenizer, load_config(source), source.name)
    return tokenizer


def read_tokenizer(folder, name):
    """Loads a folder's tokenizer as it is.

    Args:
        folder: a folder that passed the intake check.
        name: what the user called it, for messages.

    Raises:
        UserError: if there is none that can be loaded.
    """
    import transformers

    if not any(TABLES.fullmatch(file.name) for file in folder.iterdir()):
        raise UserError(f"model: no tokenizer in {folder} (want tokenizer.json)")
    try:
        with _own_files(folder) as place:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                place, use_fast=True, trust_remote_code=False
            )
    except Exception as error:  # the tokenizers library raises nothing more particular
        raise UserError(f"model: {folder} makes no tokenizer: {reason(error)}") from error
    if not tokenizer.is_fast and hasattr(transformers, f"{type(tokenizer).__name__}Fast"):
        raise UserError(f"model: {name} has no fast tokenizer (no tokenizer.json)")
    tokenizer.name_or_path = str(folder)
    return tokenizer


@contextlib.contextmanager
def _own_files(folder):
    """Yields a folder whose tokenizer_config.json names no files: itself, or one of links to it.

    What such a config names would be opened, wherever it lies.
    """
    path = folder / "tokenizer_config.json"
    settings = intake.read_json(path) if path.is_file() else {}
    stated = intake.stated_files(settings)
    if not stated:
        yield folder
        return
    with tempfile.TemporaryDirectory() as aside:
        for file in folder.iterdir():
            if file.is_file() and file.name != path.name:
                (Path(aside) / file.name).symlink_to(file.resolve())
        kept = {key: value for key, value in settings.items() if key not in stated}
        (Path(aside) / path.name).write_text(json.dumps(kept), encoding="utf-8")
        yield aside
