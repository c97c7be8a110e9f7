"""Datasets from the Hugging Face Hub, and one line for each way in which that fails."""

import logging
import re
from contextlib import contextmanager
from pathlib import Path

from tfhf.data.files import STEMS
from tfhf.data.tables import Table
from tfhf.errors import UserError, did_you_mean

_UNREACHABLE = {
    "ConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "ConnectError",
    "MaxRetryError",
    "LocalEntryNotFoundError",
}


def read_hub(path, name=None, revision=None):
    """Downloads a dataset, or takes it from the cache of `datasets`.

    Args:
        path: the dataset's id, such as `nyu-mll/glue`.
        name: the configuration, such as `sst2`.
        revision: branch, tag or commit; None means the newest.

    Returns:
        Split → `Table`, for train and what there is of validation and test; and notes, one line
        for each split that is not called by the usual name.

    Raises:
        UserError: if the dataset cannot be had.
    """
    loaded, notes = _asked(_load, path, name, revision)
    source = path if name is None else f"{path} {name}"
    tables = {}
    for split, found in _splits(source, [one for one in loaded if len(loaded[one])], notes).items():
        tables[split] = Table(f"{source} {found}", loaded[found], _by_row(f"{source} {found}"))
    return tables, notes


def stream_hub(path, name=None, revision=None):
    """Opens a dataset without downloading it.

    Args:
        path, name, revision: as for `read_hub`.

    Returns:
        Split → what messages call it, and its `datasets.IterableDataset`; and notes, as
        `read_hub` gives them.

    Raises:
        UserError: if the dataset cannot be had.
    """
    loaded, notes = _asked(_open, path, name, revision), []
    source = path if name is None else f"{path} {name}"
    splits = _splits(source, list(loaded), notes)
    return {split: (f"{source} {found}", loaded[found]) for split, found in splits.items()}, notes


def _asked(ask, path, name, revision):
    """What `ask(path, name, revision)` gives; its failures as one line."""
    import datasets
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(path)
        with _without_warnings():
            return ask(path, name, revision)
    except HFValidationError:
        raise UserError(
            f"data.path: {path!r} is no file, no folder, and no dataset id of the Hub"
        ) from None
    except (datasets.exceptions.DatasetsError, OSError, ValueError, RuntimeError) as error:
        raise _explain(error, path, name, revision) from error


def _splits(source, names, notes):
    """Split → what the dataset calls it; notes those of other names."""
    splits = {}
    for split in STEMS:
        found = _split_called(split, names)
        if found is not None:
            splits[split] = found
            if found != split:
                notes.append(f"data.{split}: split {found!r} of {source}")
    if "train" not in splits:
        raise UserError(f"data.path: {source} has no train split; found {names}")
    return splits


def _open(path, name, revision):
    import datasets

    return datasets.load_dataset(path, name, revision=revision, streaming=True)


def _load(path, name, revision):
    """The splits and notes: from the Hub, or from the cache where the Hub cannot be reached."""
    import datasets
    from huggingface_hub import HfApi, constants
    from requests import exceptions as network

    if datasets.config.HF_HUB_OFFLINE:  # it asks nobody then, and takes its cache
        found, state = datasets.load_dataset(path, name, revision=revision), "is switched off"
        return _of_revision(found, path, revision, state)
    try:
        # `load_dataset` alone would ask six times, over 23 seconds, before it gave up.
        HfApi().dataset_info(path, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except (network.ConnectionError, network.Timeout):
        cached = _cached(path, name)
        if cached is None:
            raise
        return _of_revision(cached, path, revision, "cannot be reached")
    return datasets.load_dataset(path, name, revision=revision), []


def _of_revision(cached, path, revision, state):
    """The newest copy in the cache, where it is of the revision asked for, and a note."""
    files = next(iter(cached.values())).cache_files
    commit = Path(files[0]["filename"]).parent.name if files else "unknown"
    if revision is not None and not (len(revision) >= 7 and commit.startswith(revision)):
        raise UserError(
            f"data.revision: the Hub {state}, and nothing else can tell whether the newest {path} "
            f"in the cache, commit {commit}, is {revision!r}; connect, name the commit, or leave "
            "data.revision out"
        )
    return cached, [f"data.path: the Hub {state}; took the newest {path} in the cache"]


def _cached(path, name):
    """The newest copy in the cache of `datasets`, or None."""
    import datasets

    switch = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        return datasets.load_dataset(path, name)
    except (datasets.exceptions.DatasetsError, OSError, ValueError):
        return None
    finally:
        datasets.config.HF_HUB_OFFLINE = switch


@contextmanager
def _without_warnings():
    """Keeps the libraries from logging each attempt; the one line that follows says it all."""
    loggers = [logging.getLogger(name) for name in ("huggingface_hub.utils._http", "datasets")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _by_row(source):
    return lambda row: f"{source} row {row + 1}"


def _split_called(split, names):
    """The split of that name, or else the first one like it: `validation_matched`, `dev`."""
    exact = [name for stem in STEMS[split] for name in names if name == stem]
    alike = [name for stem in STEMS[split] for name in names if name.startswith(f"{stem}_")]
    return next(iter(exact + alike), None)


def _explain(error, path, name, revision):
    """An exception of `datasets` or `huggingface_hub` → one line."""
    text = " ".join(str(one) for one in _chain(error))
    names = [type(one).__name__ for one in _chain(error)]
    available = re.search(r"(?:Available|available configs): \[(.*?)\]", text)
    if available:
        configs = re.findall(r"'([^']+)'", available[1])
        received = f"received {name!r}{did_you_mean(name, configs)}" if name else "none was given"
        return UserError(f"data.name: {path} has the configurations {configs}; {received}")
    if "is a gated dataset" in text or "GatedRepoError" in names:
        return UserError(
            f"data.path: {path} is gated; ask for access on its page on the Hub, then log in with "
            "`hf auth login`"
        )
    if "Revision" in text and "doesn't exist" in text or "RevisionNotFoundError" in names:
        return UserError(f"data.revision: {path} has no revision {revision!r} on the Hub")
    if "OfflineModeIsEnabled" in text or "OfflineModeIsEnabled" in names:
        return UserError(
            f"data.path: {path} is not in the cache, and the Hub is switched off "
            "(HF_HUB_OFFLINE or HF_DATASETS_OFFLINE); switch it on or name files"
        )
    if "Dataset scripts are no longer supported" in text:
        return UserError(
            f"data.path: {path} is a Python script, which is not run; use a version of it in "
            "Parquet, such as data.revision: refs/convert/parquet"
        )
    if isinstance(error, ConnectionError) or _UNREACHABLE & set(names):
        return UserError(
            f"data.path: the Hub cannot be reached for {path}; check the network, or name files"
        )
    if "DatasetNotFoundError" in names or "RepositoryNotFoundError" in names:
        return UserError(
            f"data.path: no dataset {path} on the Hub, or it is private; check the name, or log in "
            "with `hf auth login`"
        )
    answers = [getattr(one, "response", None) for one in _chain(error)]
    status = next((one.status_code for one in answers if one is not None), None)
    if status == 401:
        return UserError(
            "data.path: the Hub does not accept your token: log in again with `hf auth login`, or "
            "mend HF_TOKEN"
        )
    if status is not None:
        return UserError(f"data.path: the Hub answered {status} for {path}; try again later")
    last = str(list(_chain(error))[-1]).strip().splitlines() or [names[-1]]
    reason = re.sub(r"\?\S+|hf_\w+", "…", last[0])  # no signed address, no token
    return UserError(f"data.path: {path} cannot be loaded: {reason}")


def _chain(error):
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
