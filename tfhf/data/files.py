"""Which files hold which split, and in which format."""

import glob
import re
from pathlib import Path

from tfhf.errors import UserError, did_you_mean

SPLITS = ("train", "validation", "test")
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".txt": "text",
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".bioes": "conll",
    ".conllu": "conllu",
    ".npz": "npz",
}
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
STEMS = {
    "train": ("train",),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}


def format_of(path):
    """Names the format of a file by its suffix; `.gz` after it is looked through.

    Returns:
        A value of `FORMATS`.

    Raises:
        UserError: if the suffix is none of those in `FORMATS`.
    """
    suffix = suffix_of(path)
    if suffix not in FORMATS:
        raise UserError(
            f"{path}: unknown format {suffix!r}; use one of {', '.join(FORMATS)}"
            + did_you_mean(suffix, FORMATS)
        )
    return FORMATS[suffix]


def suffix_of(path):
    """The suffix that tells the format, in lower case: `.csv` for `a.CSV.gz`."""
    path = Path(path)
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def is_local(path):
    """Whether `data.path` means a file or folder here rather than a dataset on the Hub."""
    looks_local = path.startswith((".", "/", "~")) or "\\" in path or suffix_of(path) in FORMATS
    return looks_local or path.count("/") > 1 or Path(path).exists()


def split_files(files):
    """Resolves the files of each split.

    Args:
        files: split → path, list of paths, or glob.

    Returns:
        Split → list of `Path`: files, or folders with one sub-folder per class.

    Raises:
        UserError: if a split is unknown, or a file is missing.
    """
    for split in files:
        if split not in SPLITS:
            raise UserError(
                f"data.{split}: unknown split; the splits are {', '.join(SPLITS)}"
                + did_you_mean(split, SPLITS)
            )
    if not files.get("train"):
        raise UserError(f"data.train: no training file, received {dict(files)!r}")
    return {split: find(files[split], f"data.{split}") for split in SPLITS if files.get(split)}


def path_files(path):
    """Resolves the files of each split under `data.path`: one file, or a folder of splits.

    Args:
        path: a file (all of it `train`), a folder with one sub-folder per class, or a folder that
            holds a file or such a folder for each split, called by the split's name.

    Returns:
        Split → list of `Path`.

    Raises:
        UserError: if there is nothing at `path`, or no training data in it.
    """
    folder = Path(path).expanduser()
    if not folder.exists():
        raise UserError(f"data.path: no such file or folder: {path}")
    if folder.is_file():
        return {"train": [folder]}
    entries = sorted(one for one in folder.iterdir() if not one.name.startswith("."))
    found = {split: _entries_of(split, entries) for split in SPLITS}
    if found["train"]:
        return {
            split: find([str(one) for one in paths], "data.path")
            for split, paths in found.items()
            if paths
        }
    if class_files(folder):
        return {"train": [folder]}
    names = [one.name for one in entries[:12]]
    raise UserError(
        f"data.path: {path} has no train file such as train.csv or train.jsonl, and no sub-folder "
        f"per class; found {names}"
    )


def find(given, key):
    """Resolves paths and globs.

    Args:
        given: a path, a glob, or a list of them; `~` is the home folder.
        key: the recipe key they stand under, for messages.

    Returns:
        Existing `Path`s in the order given, those of a glob sorted: files, or folders with one
        sub-folder per class.

    Raises:
        UserError: if one does not exist, or a folder holds no classes.
    """
    found = []
    for one in given if isinstance(given, list | tuple) else [given]:
        path = Path(one).expanduser()
        if path.exists():
            found.append(path)
        elif glob.has_magic(str(one)):
            matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
            if not matches:
                raise UserError(f"{key}: {one} matches no file")
            found.extend(matches)
        else:
            raise UserError(f"{key}: no such file: {one}{_neighbour(path)}")
    for path in found:
        if path.is_dir() and not class_files(path):
            raise UserError(
                f"{key}: {path} is a folder without class sub-folders of .txt files or images; "
                "name a file"
            )
    return found


def class_files(folder):
    """Lists the files of a folder with one sub-folder per class, in order of path.

    Returns:
        Paths whose parent's name is the class: all `.txt`, or all images; empty if there are none.

    Raises:
        UserError: if there are both.
    """
    files = sorted(
        one
        for one in Path(folder).glob("[!.]*/[!.]*.*")  # no hidden ones, such as macOS leaves
        if one.is_file()
    )
    texts = [one for one in files if one.suffix == ".txt"]
    images = [one for one in files if one.suffix.lower() in IMAGES]
    if texts and images:
        raise UserError(
            f"{folder}: its class sub-folders hold .txt files ({texts[0].name}) and images "
            f"({images[0].name}); keep one kind"
        )
    return texts or images


def _entries_of(split, entries):
    """The files or folders of one split: train.csv, train-00000-of-00002.parquet and on."""
    pattern = re.compile(rf"({'|'.join(STEMS[split])})([-_]\d.*)?", re.IGNORECASE)
    found = []
    for one in entries:
        match = pattern.fullmatch(one.name.split(".")[0])
        if match and (one.is_dir() or suffix_of(one) in FORMATS):
            found.append((one, match[2]))
    whole = [one for one, shard in found if shard is None]
    if whole and len(found) > 1:
        names = [one.name for one, _ in found]
        raise UserError(f"data.path: {names} could each be {split}; name files instead of a path")
    return [one for one, _ in found]


def _neighbour(path):
    """A suggestion from the folder the file was expected in."""
    if not path.parent.is_dir():
        return ""
    return did_you_mean(path.name, [one.name for one in path.parent.iterdir()])
