"""What sentence-transformers writes beside a model: how a text's vectors become one.

`modules.json` lists the parts of such a model: a transformer, a pooling over its vectors, and
perhaps a normalisation. Models of these three are read and written here.

Source: https://sbert.net/docs/sentence_transformer/usage/custom_models.html
"""

import json
import os
import re
from pathlib import Path

from tfhf import storage
from tfhf.errors import UserError
from tfhf.models import intake

# Releases differ in where a part's class stands and agree in its name.
PARTS = ("Transformer", "Pooling", "Normalize", "Dropout")
# Pooling's name here and, in a file, up to release 5 as a key that is true, later as a word.
POOLINGS = {
    "mean": ("pooling_mode_mean_tokens", "mean"),
    "cls": ("pooling_mode_cls_token", "cls"),
    "max": ("pooling_mode_max_tokens", "max"),
    "last": ("pooling_mode_lasttoken", "lasttoken"),
}
FOLDER = re.compile(r"[\w-][\w.-]*|")


def transformer_folder(folder):
    """The folder of a model's transformer: the folder itself, or one that `modules.json` names.

    Raises:
        UserError: if `modules.json` names no transformer, or a place outside the folder.
    """
    folder = Path(folder)
    if (folder / "config.json").exists() or not (folder / "modules.json").is_file():
        return folder
    for kind, path, _ in _parts(folder):
        if kind == "Transformer":
            return folder / path
    raise UserError(f"model: {folder / 'modules.json'} names no Transformer")


def sentence_modules(source):
    """Reads how a sentence-transformers model makes one vector of a text.

    Args:
        source: the model's Source.

    Returns:
        `{"pooling": a key of POOLINGS, "normalise": bool, "max_length": int or None}`; each is
        None for a model that sentence-transformers did not write.

    Raises:
        UserError: if the model has parts that are not supported, such as a Dense layer.
    """
    found = {"pooling": None, "normalise": None, "max_length": None}
    folder = source.root or source.folder
    if not (folder / "modules.json").is_file():
        return found
    found["normalise"] = False
    for kind, path, place in _parts(folder):
        if kind not in PARTS:
            raise UserError(
                f"model: {place} has a {kind}, which tfhf cannot run; it knows {', '.join(PARTS)}"
            )
        if kind == "Pooling":
            found["pooling"] = _pooling(folder / path / "config.json")
        elif kind == "Normalize":
            found["normalise"] = True
    settings = folder / "sentence_bert_config.json"
    if not settings.is_file():
        settings = source.folder / "sentence_bert_config.json"
    if settings.is_file():
        stated = intake.read_json(settings, intake.LARGEST_CONFIG)
        found["max_length"] = stated.get("max_seq_length")
        if stated.get("do_lower_case"):
            raise UserError(
                f"model: {settings} asks for do_lower_case; set it to false where the tokenizer"
                " lower-cases already, else there is no support for it"
            )
    return found


def write_sentence_modules(folder, pooling, normalise, max_length, width):
    """Makes a saved model one that sentence-transformers opens.

    Args:
        folder: where `save_backbone` saved the model.
        pooling: a key of POOLINGS.
        normalise: whether vectors are brought to length 1.
        max_length: the most tokens of a text that are read.
        width: numbers per vector.

    Raises:
        StorageError: if the system refuses (no space, no permission).
    """
    folder = Path(folder)
    kinds = ["Transformer", "Pooling", *(["Normalize"] if normalise else [])]
    parts = [
        {
            "idx": index,
            "name": str(index),
            "path": f"{index}_{kind}" if index else "",
            "type": f"sentence_transformers.models.{kind}",
        }
        for index, kind in enumerate(kinds)
    ]
    modes = {key: name == pooling for name, (key, _) in POOLINGS.items()}
    storage.write_json(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": width, **modes, "pooling_mode_mean_sqrt_len_tokens": False},
    )
    storage.write_json(
        folder / "sentence_bert_config.json",
        {"max_seq_length": max_length, "do_lower_case": False},
    )
    storage.write_json(
        folder / "config_sentence_transformers.json",
        {"prompts": {}, "default_prompt_name": None, "similarity_fn_name": "cosine"},
    )
    storage.write_json(folder / "modules.json", parts)


def _parts(folder):
    """Yields the class, the folder and the place in `modules.json` of each part."""
    path = folder / "modules.json"
    if os.path.getsize(path) > intake.LARGEST_CONFIG:
        raise UserError(f"{path} is too large (at most {intake.LARGEST_CONFIG} bytes)")
    try:
        parts = json.loads(path.read_bytes())
        parts = [(str(part["type"]), str(part["path"])) for part in parts]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(f"{path} is no list of modules with type and path each") from error
    for index, (kind, inside) in enumerate(parts):
        if not FOLDER.fullmatch(inside):
            raise UserError(f"{path}: {inside!r} is no folder beside it")
        if (folder / inside).exists():
            intake.check_places(folder / inside)
        yield kind.rpartition(".")[2], inside, f"{path}: part {index}"


def _pooling(path):
    """The one way of pooling that a pooling's config asks for."""
    settings = intake.read_json(path, intake.LARGEST_CONFIG)
    asked = [key for key, value in settings.items() if key.startswith("pooling_mode_") and value]
    word = settings.get("pooling_mode", ())
    asked += [word] if isinstance(word, str) else list(word)
    for name, spellings in POOLINGS.items():
        if len(asked) == 1 and asked[0] in spellings:
            return name
    raise UserError(
        f"{path} pools by {' and '.join(asked) or 'nothing'}; tfhf pools by one of"
        f" {', '.join(POOLINGS)}"
    )
