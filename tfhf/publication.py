"""`tfhf push`: a run's model and its card on the Hugging Face Hub, in one commit.

Only what a reader of the model needs goes: the model, its card, the recipe and the figures.
Predictions, the report and its plots show rows of the data; they stay here.
"""

import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from tfhf import console, reporting
from tfhf.errors import ACCESS_TOKEN, UserError, reason, redacted
from tfhf.models.hub import FETCHED, OF_SENTENCES
from tfhf.reporting import metadata
from tfhf.reporting.card import published
from tfhf.reporting.record import read
from tfhf.run import Run

REPO = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]*")
# Weights under any name that transformers would look for, in one file or in shards.
WEIGHTS = re.compile(
    r"(model|tf_model|pytorch_model)(-\d+-of-\d+)?\.(safetensors|h5|bin)(\.index\.json)?"
)


@dataclass(frozen=True)
class Upload:
    """What is to go.

    Attributes:
        repo: the Hub id.
        name: the run's name.
        files: path in the repository → its bytes, or the file that holds them.
        left: names of files in the model's folder that stay, because no part of a model is called
            so.
        notes: what might be added, a line each.
    """

    repo: str
    name: str
    files: dict
    left: list
    notes: list


def prepare(run, repo, *, licence=None, examples=()):
    """Gathers what is to go, without asking the Hub.

    Args:
        run: a Run, or a finished run's folder.
        repo: the Hub id, `owner/name`.
        licence: the Hub's id of a licence, such as `apache-2.0`.
        examples: texts to try the model with on its page.

    Returns:
        An Upload.

    Raises:
        UserError: if the run has no model, a name is none, or a file holds an access token.
    """
    run = run if isinstance(run, Run) else Run(run)
    if not REPO.fullmatch(repo) or ".." in repo:
        raise UserError(f"push: REPO is owner/name, such as acme/intents; received {repo!r}")
    if licence is not None and not LICENCE.fullmatch(licence):
        raise UserError(f"--license: the Hub's id of one, such as apache-2.0; received {licence!r}")
    record = read(run.folder)
    if examples and not metadata.takes_text(record):
        raise UserError(
            f"--example: a {record.recipe.get('task')} is not asked with one text alone; leave it "
            "out"
        )
    files, left = _model_files(run.model)
    files["README.md"] = reporting.card(run.folder, repo, licence, examples)
    files["recipe.yaml"] = published(record, repo).recipe_text
    if run.metrics:
        files["metrics.json"] = json.dumps(run.metrics, indent=2, ensure_ascii=False) + "\n"
    files = {
        name: redacted(content).encode() if isinstance(content, str) else content
        for name, content in sorted(files.items())
    }
    _check_no_token(files)
    notes = []
    if licence is None:
        notes.append("no licence is stated: add --license ID, such as apache-2.0")
    if not metadata.widgets(record, examples) and metadata.takes_text(record):
        notes.append("no examples to try: rows of your own files are not shown; add --example TEXT")
    return Upload(repo, run.name, files, left, notes)


def _model_files(folder):
    """The parts of a model in a folder, path → file, and the names of what else lies there."""
    files, left = {}, []
    for file in sorted(Path(folder).rglob("*")):
        name = file.relative_to(folder).as_posix()
        if not file.is_file():
            continue
        if FETCHED.fullmatch(name) or OF_SENTENCES.fullmatch(name) or name == "model.safetensors":
            files[name] = file
        else:
            left.append(name)
    return files, left


def _check_no_token(files):
    """Refuses files with an access token in them; what tfhf writes has none."""
    for file in files.values():
        if not isinstance(file, Path) or file.suffix == ".safetensors":
            continue
        if ACCESS_TOKEN.search(file.read_text(encoding="utf-8", errors="replace")):
            raise UserError(f"push: {file} holds an access token of the Hub; remove it")


def text(upload, public=False):
    """What would go, as lines."""
    sizes = {name: _size(content) for name, content in upload.files.items()}
    seen = "public" if public else "private"
    total = sum(sizes.values())
    lines = [f"{upload.repo}, {seen}: {len(sizes)} files, {total / 1e6:,.1f} MB, in one commit"]
    rows = [[f"{size:,}", name] for name, size in sizes.items()]
    lines += [f"  {line}" for line in console.table(["bytes", "file"], rows, right={"bytes"})]
    lines.append("stays here: predictions, report and plots, which show rows of the data; exports")
    if upload.left:
        lines.append(f"stays here, being no part of a model: {', '.join(upload.left)}")
    lines += [f"note: {note}" for note in upload.notes]
    return "\n".join(lines)


def _size(content):
    return content.stat().st_size if isinstance(content, Path) else len(content)


def push(upload, *, public=False, message=None):
    """Sends an Upload; nothing of it is to be read on the Hub before all of it is.

    The token comes from HF_TOKEN or the cache of `hf auth login`. A new repository is private
    unless `public`; one that is there keeps its visibility, and a public one needs `public`. Files
    of an earlier model that this one does not have are removed by the same commit.

    Args:
        upload: from `prepare`.
        public: whether everybody may read it.
        message: of the commit.

    Returns:
        The commit's address.

    Raises:
        UserError: if there is no token, or the Hub refuses or is out of reach.
    """
    import huggingface_hub

    if not huggingface_hub.get_token():
        raise UserError("push: no token of the Hub: log in with `hf auth login`, or set HF_TOKEN")
    api = huggingface_hub.HfApi()
    for note in upload.notes:
        console.say(f"  note: {note}")
    with _in_one_line(upload.repo):
        info = _repository(api, upload.repo, public)
        stale = [
            file.rfilename
            for file in info.siblings or []
            if _is_of_a_model(file.rfilename) and file.rfilename not in upload.files
        ]
        operations = [
            huggingface_hub.CommitOperationAdd(name, content)
            for name, content in upload.files.items()
        ]
        operations += [huggingface_hub.CommitOperationDelete(name) for name in stale]
        commit = api.create_commit(
            upload.repo,
            operations,
            commit_message=message or f"Model and card of {upload.name}, trained with tfhf",
            parent_commit=info.sha,  # nobody else's commit is passed over
        )
    for name in stale:
        console.say(f"  removed there, being an earlier model's: {name}")
    return commit.commit_url


def _repository(api, repo, public):
    """What the Hub says of the repository, made if absent; it is as visible as was asked for."""
    from huggingface_hub import errors

    try:
        info, made = api.model_info(repo), False
    except errors.RepositoryNotFoundError:
        api.create_repo(repo, private=not public)
        info, made = api.model_info(repo), True
    if not info.private and not public:
        state = "was made public by the Hub" if made else "is there already, and public"
        raise UserError(
            f"push: {repo} {state}, so nothing was sent: add --public, or make it private on its "
            "page"
        )
    if info.private and public:
        console.say(f"  note: {repo} is there already, and stays private; its page can change that")
    return info


def _is_of_a_model(name):
    return any(pattern.fullmatch(name) for pattern in (FETCHED, OF_SENTENCES, WEIGHTS))


@contextlib.contextmanager
def _in_one_line(repo):
    """Turns what can go wrong between the Hub and us into one line each."""
    from huggingface_hub import errors
    from requests import exceptions as network

    try:
        yield
    except errors.HfHubHTTPError as error:
        raise UserError(_refusal(error.response.status_code, repo)) from error
    except (ConnectionError, network.ConnectionError, network.Timeout) as error:
        raise UserError(
            "push: the Hub cannot be reached, or is switched off (HF_HUB_OFFLINE); nothing was "
            "committed"
        ) from error
    except RuntimeError as error:  # a file whose sending failed
        raise UserError(f"push: {reason(error)} Nothing was committed.") from error


def _refusal(status, repo):
    owner = repo.partition("/")[0]
    if status == 401:
        return (
            "push: the Hub does not accept your token: log in again with `hf auth login`, or mend "
            "HF_TOKEN"
        )
    if status in (403, 404):
        return (
            f"push: your token may not write to {repo}: take one with the right to write, of "
            f"{owner} or of one of its members"
        )
    if status == 412:
        return f"push: {repo} was changed meanwhile; nothing was committed: look, and try again"
    return f"push: the Hub answered {status}; nothing was committed: try again later"
