"""The check every model folder passes before transformers may open it. No TensorFlow, no PyTorch.

A checkpoint is a stranger's files. In the pinned libraries a config can run code
(CVE-2026-5241), a tokenizer's config can name any file of this machine and the names of its chat
templates are used as paths (CVE-2026-9856), and an HDF5 file can read other files (the
CVE-2026-1669 class), and a pickle can do anything. Everything here is a plain look at the files;
nothing of them is executed.
"""

import json
import os
import re
from pathlib import Path

from tfhf.errors import UserError, did_you_mean, reason
from tfhf.models import tensors, torch_files

LARGEST_CONFIG = 1_000_000  # bytes
LARGEST_JSON = 20_000_000  # bytes; tokenizer configs may list thousands of added tokens
REFUSED_KEYS = ("auto_map", "trust_remote_code", "_attn_implementation_internal")
PATH_OR_URL = re.compile(r"[/.~]|.*(://|\\)")
TEMPLATE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
INDEXES = {
    "model.safetensors.index.json": re.compile(r"model-\d+-of-\d+\.safetensors"),
    "pytorch_model.bin.index.json": re.compile(r"pytorch_model-\d+-of-\d+\.bin"),
}
# Files that hold all weights, or say which do: the best first.
WHOLE = (
    *("model.safetensors", "model.safetensors.index.json", "tf_model.h5"),
    *("pytorch_model.bin", "pytorch_model.bin.index.json"),
)

# The largest number a key of config.json may hold: far more than any published model has.
LIMITS = [
    (re.compile(r"vocab_size|max_position|n_positions|n_ctx"), 20_000_000),
    (re.compile(r"layers$|n_layer$|_heads$|n_heads?$"), 2_000),
    (re.compile(r"(hidden|intermediate|embedding)_sizes?$"), 1_000_000),
    (re.compile(r"(^|_)dim$|^n_(embd|inner)$|^d_(model|ff|kv|inner)$|ffn_dim$"), 1_000_000),
]
IMAGE_SIZES = ("size", "crop_size", "height", "width", "shortest_edge", "longest_edge")
LARGEST_IMAGE = 10_000  # pixels on a side
# HF writes HDF5 uncompressed: what its datasets declare is about what the file holds.
LARGEST_H5_GROWTH = 20


def check_folder(folder, *, weights=True):
    """Checks a model folder: its files, configs and weights.

    Args:
        folder: a local folder, or a snapshot in the Hub's cache.
        weights: False for the folder of a model that is to be trained from scratch.

    Raises:
        UserError: in one line, what is wrong with which file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"model: no such folder: {folder}")
    if not (folder / "config.json").is_file():
        raise UserError(f"model: no config.json in {folder}")
    check_processors(folder)
    _check_config(folder / "config.json")
    if (folder / "generation_config.json").exists():
        read_json(folder / "generation_config.json", LARGEST_CONFIG)
    for file in weight_files(folder) if weights else []:
        if file.suffix == ".h5":
            _check_h5(file)
        elif file.suffix == ".bin":
            torch_files.read_header(file)
        else:
            tensors.read_header(file)


def check_processors(folder):
    """Checks what a folder holds beside a model: its places, tokenizer and image processor.

    Raises:
        UserError: in one line, what is wrong with which file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"model: no such folder: {folder}")
    check_places(folder)
    if (folder / "tokenizer_config.json").exists():
        _check_tokenizer_config(folder / "tokenizer_config.json")
    if (folder / "preprocessor_config.json").exists():
        _check_preprocessor_config(folder / "preprocessor_config.json")


def choose_weights(names, where):
    """Picks the files that hold the weights: safetensors, else its shards, else HDF5, else pickles.

    Args:
        names: the file names at hand.
        where: what to call their place in an error.

    Returns:
        The names to load; with shards, the index comes first.

    Raises:
        UserError: if there are none that can be read.
    """
    for name in WHOLE:
        if name in names:
            shards = sorted(n for n in names if name in INDEXES and INDEXES[name].fullmatch(n))
            return [name, *shards]
    if "tf_model.h5.index.json" in names:
        raise UserError(
            f"model: {where} has its weights in several HDF5 files, which tfhf does not read: save"
            " it once more with transformers' save_pretrained(…, safe_serialization=True)"
        )
    raise UserError(
        f"model: no weights in {where} (want model.safetensors, tf_model.h5 or pytorch_model.bin)"
    )


def weight_files(folder):
    """Returns the paths of the files that hold a folder's weights; see `choose_weights`.

    Raises:
        UserError: if there are none, or a shard that the index names is missing.
    """
    names = choose_weights(os.listdir(folder), folder)
    if names[0] not in INDEXES:
        return [folder / names[0]]
    shard_of = read_json(folder / names[0]).get("weight_map", {})
    shards = sorted({str(name) for name in shard_of.values()})
    for shard in shards:
        if shard not in names:
            raise UserError(f"model: {folder / names[0]} names {shard!r}, which is not there")
    return [folder / shard for shard in shards]


def read_json(path, limit=LARGEST_JSON):
    """Reads the object in a JSON file of at most `limit` bytes.

    Raises:
        UserError: if the file is larger, is not JSON or holds something else.
    """
    size = os.path.getsize(path)
    if size > limit:
        raise UserError(f"{path} is too large ({size} bytes, at most {limit})")
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {reason(error)}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} does not hold a JSON object")
    return value


def stated_files(settings):
    """Returns the keys of a tokenizer config that name files; these must never be followed."""
    marian = ("vocab", "source_spm", "target_spm")
    return [
        key
        for key, value in settings.items()
        if isinstance(value, str) and (key.endswith("_file") or key in marian)
    ]


def check_places(folder):
    """Refuses what is not a regular file, and links that lead out of the folder.

    Raises:
        UserError: naming the first such file.
    """
    roots = [folder.resolve()]
    for parent in folder.parents[:2]:  # a model, or one folder of it
        if parent.name == "snapshots":  # the Hub's cache links to its blobs
            roots.append((parent.parent / "blobs").resolve())
    for entry in folder.iterdir():
        target = entry.resolve()
        if not any(target.is_relative_to(root) for root in roots):
            raise UserError(f"model: {entry} links out of its folder, to {target}: copy it in")
        if not (target.is_file() or target.is_dir()):
            raise UserError(f"model: {entry} is not a regular file")


def _check_config(path):
    """Refuses configs that lead to code, to other files, to no TensorFlow class or to no end."""
    config = read_json(path, LARGEST_CONFIG)
    model_type, known = config.get("model_type"), tensorflow_model_types()
    if not isinstance(model_type, str):
        raise UserError(f'{path} has no model_type (such as "bert")')
    if model_type not in known:
        raise UserError(
            f"model: {model_type} has no TensorFlow class in transformers 4.57; supported: bart,"
            f" bert, deberta-v2, distilbert, electra, gpt2, roberta, t5 and {len(known) - 8} more"
            f"{did_you_mean(model_type, known)} ({path})"
        )
    for key, value, depth in _walk(config):
        _check_setting(path, key, value, depth)


def tensorflow_model_types():
    """Returns the `model_type`s that some TFAuto class of transformers maps, sorted."""
    from transformers.models.auto import modeling_tf_auto

    tables = [name for name in dir(modeling_tf_auto) if re.fullmatch(r"TF_\w+_NAMES", name)]
    return sorted(set().union(*(getattr(modeling_tf_auto, table) for table in tables)))


def _walk(value, key="", depth=0):
    """Every (key, plain value, depth) inside nested JSON; list items carry their list's key."""
    if isinstance(value, dict):
        for inner, item in value.items():
            yield inner, None, depth  # the key itself, whatever it holds
            yield from _walk(item, inner, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, key, depth)
    else:
        yield key, value, depth


def _check_setting(path, key, value, depth):
    """Refuses one setting of config.json."""
    if key in REFUSED_KEYS:
        raise UserError(f"{path} asks for {key}: tfhf runs no code from checkpoints")
    if key == "_name_or_path" and depth > 1 and PATH_OR_URL.match(str(value)):
        raise UserError(f"{path} points at {value!r} in a nested _name_or_path: remove it")
    if value is None or isinstance(value, bool):
        return
    for keys, limit in LIMITS:
        if keys.search(key):
            if not isinstance(value, int) or not -1 <= value <= limit:
                raise UserError(f"{path}: {key} is {value!r} (want a whole number up to {limit:,})")
            return


def _check_preprocessor_config(path):
    """Refuses remote code, and images of a size that nobody trains on."""
    settings = read_json(path, LARGEST_CONFIG)
    for key, value, _ in _walk(settings):
        if key in REFUSED_KEYS:
            raise UserError(f"{path} asks for {key}: tfhf runs no code from checkpoints")
        if key in IMAGE_SIZES and isinstance(value, int | float) and value > LARGEST_IMAGE:
            raise UserError(f"{path}: {key} is {value!r} (want a whole number up to 10,000)")


def _check_tokenizer_config(path):
    """Refuses remote code, stored constructor arguments and names that would leave the folder."""
    settings = read_json(path)
    if settings.get("auto_map"):
        raise UserError(f"{path} asks for auto_map: tfhf runs no code from checkpoints")
    if settings.get("init_inputs"):
        raise UserError(f"{path} holds init_inputs, which may name any file: remove the key")
    templates = settings.get("chat_template")
    if isinstance(templates, list):
        for template in templates:
            name = template.get("name") if isinstance(template, dict) else None
            if not isinstance(name, str) or not TEMPLATE_NAME.fullmatch(name):
                raise UserError(f"{path}: {name!r} cannot be the name of a chat template")
    if stated_files(settings) and not (path.parent / "tokenizer.json").is_file():
        key = stated_files(settings)[0]
        raise UserError(f"{path}: {key} names a file ({settings[key]!r}): remove the key")


def _check_h5(path):
    """Refuses HDF5 files that read other files, or declare more than they can hold."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            declared = sum(_dataset_bytes(path, file, "/"))
    except OSError as error:
        want = re.search(r"stored_eof = (\d+)", str(error))
        if want:
            have = os.path.getsize(path)
            raise UserError(f"{path} is truncated (want {want[1]} bytes, have {have})") from error
        raise UserError(f"{path} is not an HDF5 file") from error
    if declared > LARGEST_H5_GROWTH * os.path.getsize(path):
        raise UserError(f"{path} declares {declared} bytes of weights, far more than it holds")


def _dataset_bytes(path, group, where):
    """Yields the declared bytes of every dataset below a group; refuses links and foreign data."""
    import h5py

    for name in group:
        place = f"{where}{name}"
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise UserError(f"{path}: {place} is a link: weights must lie in this file")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _dataset_bytes(path, item, f"{place}/")
        elif item.external or item.is_virtual:
            raise UserError(f"{path}: {place} lies in another file: weights must lie in this file")
        else:
            yield item.size * item.dtype.itemsize
