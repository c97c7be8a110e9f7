"""`tfhf models`: checkpoints of the Hub that this stack can load, for one task."""

from typing import NamedTuple

from tfhf import console, models, tasks
from tfhf.errors import UserError
from tfhf.models import hub
from tfhf.models.known import KNOWN, STARTS
from tfhf.reporting.metadata import HUB_TASKS
from tfhf.reporting.wording import short

LOOKED_AT = 300  # checkpoints of the Hub, per kind, the most downloaded first
TRAINED, START = "trained", "to fine-tune"
ASKED_FOR = ("cardData", "config", "downloads", "gated", "safetensors", "siblings")
HEAD = ("checkpoint", "for", "family", "parameters", "downloads", "languages", "licence")


class Found(NamedTuple):
    """A checkpoint: `purpose` is `trained` or `to fine-tune`; None stands for what is not known."""

    name: str
    purpose: str
    family: str
    parameters: float | None
    downloads: int | None
    languages: str | None
    licence: str | None


def search(task, language=None, limit=10):
    """Asks the Hub for checkpoints that can be loaded and fit a task, the most downloaded first.

    Left out is what needs code of its own, has no TensorFlow class with the task's head, or keeps
    its weights in files that are not read.

    Args:
        task: a task's name.
        language: the Hub's code of a language, such as `de`.
        limit: how many of each purpose.

    Returns:
        A list of `Found`: those that answer the task as they are, then those to start from.

    Raises:
        Unreachable: if the Hub cannot be reached.
        UserError: if there is no such task, or the Hub refuses.
    """
    kind = tasks.get(task)
    families = models.families(kind.auto_class)
    tags = {TRAINED: _own_tag(kind), START: STARTS.get(task)}
    found = []
    with hub.in_one_line("the list of models"):
        for purpose, tag in tags.items():
            if tag is not None and (purpose == TRAINED or tag != tags[TRAINED]):
                found += _matching(purpose, tag, language, families, limit)
    return found


def _own_tag(kind):
    """The Hub's pipeline tag of checkpoints that answer a task."""
    name = kind.pipelines[0] if kind.pipelines else None
    return HUB_TASKS.get(name, name)


def _matching(purpose, tag, language, families, limit):
    """The first `limit` checkpoints of a tag that can be loaded."""
    import huggingface_hub

    listed = huggingface_hub.HfApi().list_models(
        pipeline_tag=tag,
        filter=[language] if language else None,
        sort="downloads",
        direction=-1,
        limit=LOOKED_AT,
        expand=list(ASKED_FOR),
    )
    found = []
    for info in listed:
        if _is_loadable(info, families):
            found.append(_described(info, purpose))
            if len(found) == limit:
                break
    return found


def _is_loadable(info, families):
    config = info.config or {}
    if config.get("model_type") not in families or "auto_map" in config:
        return False
    try:
        hub.wanted([file.rfilename for file in info.siblings or []], info.id)
    except UserError:
        return False
    return True


def _described(info, purpose):
    card = info.card_data.to_dict() if info.card_data else {}
    languages, licence = (_listed(card.get(key)) for key in ("language", "license"))
    shown = ", ".join(languages[:4]) + (f" and {len(languages) - 4} more" if languages[4:] else "")
    return Found(
        info.id + (" (gated)" if info.gated else ""),
        purpose,
        info.config["model_type"],
        info.safetensors.total if info.safetensors else None,
        info.downloads,
        shown or None,
        ", ".join(licence) or None,
    )


def _listed(value):
    """What a card states as one value or as several, as a list of strings."""
    values = value if isinstance(value, list) else [value] if value is not None else []
    return [str(one) for one in values]


def guide(task=None):
    """The built-in list of well-known checkpoints, for one task or for all.

    Returns:
        Task → list of `Found`.

    Raises:
        UserError: if there is no such task.
    """
    names = tasks.names() if task is None else [tasks.get(task).name()]
    return {
        name: [
            Found(
                one.name,
                purpose,
                one.family,
                one.parameters * 1e6,
                None,
                one.languages,
                one.licence,
            )
            for purpose in (TRAINED, START)
            for one in KNOWN
            if name in (one.trained if purpose == TRAINED else one.starts)
        ]
        for name in names
    }


def text(found):
    """Checkpoints as an aligned table; columns that nothing is known of are left out."""
    cells = [
        [
            one.name,
            one.purpose,
            one.family,
            short(one.parameters) or "–",
            "–" if one.downloads is None else f"{one.downloads:,}",
            one.languages or "–",
            one.licence or "–",
        ]
        for one in found
    ]
    kept = [place for place in range(len(HEAD)) if any(row[place] != "–" for row in cells)]
    rows = [[row[place] for place in kept] for row in cells]
    head = [HEAD[place] for place in kept]
    return "\n".join(console.table(head, rows, right={"parameters", "downloads"}))


def listed(task=None, language=None, limit=10):
    """What `tfhf models` prints: the Hub's checkpoints, or the guide where it cannot be asked.

    Raises:
        UserError: if there is no such task, nothing is found, or the Hub refuses.
    """
    if task is None:
        if language is not None:
            raise UserError("--language: needs --task; without one the built-in guide is shown")
        parts = [f"{name}\n{text(found)}" for name, found in guide().items()]
        return "\n\n".join([*parts, "`tfhf models --task TASK` asks the Hub for more."])
    try:
        found = search(task, language, limit)
    except hub.Unreachable as error:
        console.say(
            f"the Hub {error.state}: connect (or unset HF_HUB_OFFLINE, or set HF_ENDPOINT to a "
            "mirror) to search it; a model's folder, brought by other means, can be named in a "
            "recipe as it is. The built-in guide knows:"
        )
        return text(guide(task)[task])
    if not found:
        spoken = f" in {language!r}" if language else ""
        raise UserError(
            f"--task: none of the {LOOKED_AT} most downloaded checkpoints for {task}{spoken} can be"
            " loaded; `tfhf models` shows the built-in guide"
        )
    return f"{text(found)}\n\n`tfhf inspect CHECKPOINT --task {task}` says more of one."
