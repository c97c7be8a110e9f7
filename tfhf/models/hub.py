"""Models from the Hub: which files are fetched, and one line where they cannot be."""

import contextlib
import re

from tfhf.errors import UserError, did_you_mean
from tfhf.models import intake

# What is fetched from the Hub beside the weights: configs and the processors' tables. No code.
FETCHED = re.compile(
    r"(config|generation_config|tokenizer_config|tokenizer|special_tokens_map|added_tokens|vocab"
    r"|preprocessor_config)\.json|vocab\.txt|merges\.txt|chat_template\.jinja"
    r"|(spiece|sentencepiece\.bpe|tokenizer|spm)\.model|(source|target)\.spm"
)
# What sentence-transformers adds, the config of each of its modules among them.
OF_SENTENCES = re.compile(
    r"modules\.json|config_sentence_transformers\.json|sentence_bert_config\.json"
    r"|[\w.-]+/(config|sentence_bert_config)\.json"
)


class Unreachable(UserError):
    """The Hub cannot be reached, or is switched off; `state` says which."""

    def __init__(self, state):
        super().__init__(f"model: the Hub {state}: connect, or give a folder")
        self.state = state


def fetch(name, revision=None, *, weights=True, known=()):
    """Brings a Hub model's files into the cache, at one commit.

    Args:
        name: the Hub id.
        revision: branch, tag or commit; None is the default branch.
        weights: False fetches configs and the tokenizer's files alone.
        known: names that are no Hub ids but might be meant.

    Returns:
        The snapshot's folder; its name is the commit's hash.

    Raises:
        UserError: if there is no such model, or none that can be read, or the Hub is out of reach.
    """
    import huggingface_hub

    try:
        with in_one_line(name, revision, known):
            files = wanted(_files(name, revision), name, weights)
            return huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=files)
    except Unreachable as error:
        return _cached(name, revision, error)


def fetch_card(name, revision=None):
    """Brings a Hub model's card into the cache; its path, or None where there is none to be had."""
    import huggingface_hub

    try:
        with in_one_line(name, revision):
            if "README.md" not in _files(name, revision):
                return None
            return huggingface_hub.hf_hub_download(name, "README.md", revision=revision)
    except Unreachable:
        return None


def weight_shapes(name, revision=None, inside=""):
    """Asks the Hub how large a model's weights are; fetches the headers of its files alone.

    Args:
        name, revision: as for `fetch`.
        inside: the folder of the weights, where they are not at the top.

    Returns:
        `(shapes, size)`: name → shape of each weight, none for HDF5, whose sizes stand between the
        weights; and the bytes of all files, None where the Hub does not say.

    Raises:
        UserError: as `fetch` does.
    """
    import huggingface_hub

    api, shapes = huggingface_hub.HfApi(), {}
    with in_one_line(name, revision):
        found = _files(name, revision, sizes=True)
        here = {
            path.removeprefix(inside): size
            for path, size in found.items()
            if path.startswith(inside)
        }
        chosen = intake.choose_weights(list(here), name)
        for file in chosen:
            if file.endswith(".safetensors"):
                header = api.parse_safetensors_file_metadata(name, inside + file, revision=revision)
                shapes |= {weight: tuple(about.shape) for weight, about in header.tensors.items()}
    sizes = [here[file] for file in chosen if not file.endswith(".json")]
    return shapes, None if None in sizes else sum(sizes)


def _files(name, revision, sizes=False):
    """The files of a Hub model: path → bytes, or None where the Hub does not say."""
    import huggingface_hub
    from huggingface_hub import constants

    info = huggingface_hub.HfApi().model_info(
        name, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT, files_metadata=sizes
    )
    return {file.rfilename: file.size for file in info.siblings or []}


@contextlib.contextmanager
def in_one_line(name, revision=None, known=()):
    """Turns what can go wrong between the Hub and us into one line each.

    Args:
        name, revision: what is asked for.
        known: names that are no Hub ids but might be meant.

    Raises:
        Unreachable: if the Hub cannot be reached.
        UserError: if it refuses.
    """
    from huggingface_hub import errors
    from requests import exceptions as network

    try:
        yield
    except errors.GatedRepoError as error:
        raise UserError(
            f"model: {name} is gated: ask for access on its Hub page, then log in with"
            " `hf auth login` or set HF_TOKEN"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise UserError(f"model: {name} has no revision {revision!r} on the Hub") from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(
            f"model: {name!r} is no folder, and no model on the Hub that you may read"
            f"{did_you_mean(name, known)}"
        ) from error
    except errors.HFValidationError as error:
        raise UserError(f"model: {name!r} is no folder and cannot be a Hub id") from error
    except (
        ConnectionError,  # also what HF_HUB_OFFLINE raises
        network.ConnectionError,
        network.Timeout,
        network.ChunkedEncodingError,
        errors.LocalEntryNotFoundError,  # a file's server failed
    ) as error:
        off = isinstance(error, errors.OfflineModeIsEnabled)
        state = "is switched off (HF_HUB_OFFLINE)" if off else "cannot be reached"
        raise Unreachable(state) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status == 401:
            raise UserError(
                "model: the Hub does not accept your token: log in again with `hf auth login`, or"
                " mend HF_TOKEN"
            ) from error
        raise UserError(f"model: the Hub answered {status} for {name}; try again later") from error


def wanted(names, where, weights=True):
    """Of the files a Hub model has, those to fetch.

    Args:
        names: paths of all its files.
        where: what to call the model in an error.
        weights: whether the weights are among the wanted.

    Returns:
        Paths. Where sentence-transformers keeps the transformer in a folder of its own, that
        folder's files are among them.

    Raises:
        UserError: if weights are wanted and there are none that can be read.
    """
    inside = ""
    if "modules.json" in names and "config.json" not in names:
        inside = next((f"{n.rpartition('/')[0]}/" for n in names if _begins_transformer(n)), "")
    here = [name.removeprefix(inside) for name in names if name.startswith(inside)]
    chosen = intake.choose_weights(here, where) if weights else []
    chosen = [inside + name for name in [*chosen, *(n for n in here if FETCHED.fullmatch(n))]]
    if "modules.json" in names:
        chosen += [name for name in names if OF_SENTENCES.fullmatch(name)]
    return list(dict.fromkeys(chosen))


def _begins_transformer(name):
    """Whether a path is the weights' of a transformer one folder down."""
    folder, _, file = name.rpartition("/")
    return folder.count("/") == 0 and bool(folder) and file in intake.WHOLE


def _cached(name, revision, error):
    """The snapshot that an earlier run fetched, for when the Hub is out of reach."""
    import huggingface_hub
    from huggingface_hub import errors

    try:
        return huggingface_hub.snapshot_download(name, revision=revision, local_files_only=True)
    except errors.LocalEntryNotFoundError:
        raise UserError(
            f"model: the Hub {error.state}, and {name} is not in the cache: connect, or give a"
            " folder"
        ) from error
