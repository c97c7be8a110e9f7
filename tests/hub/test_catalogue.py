"""`tfhf models`: what a Hub has that can be loaded, and the guide where there is no Hub."""

import json
import re

import pytest

from tests.hub.conftest import COMMANDS
from tfhf import catalogue, models, tasks
from tfhf.models.known import KNOWN, STARTS

BERT = {"model_type": "bert"}
SIZE = {"parameters": {"F32": 4_400_000}, "total": 4_400_000}
ZOO = {
    "small": {"config": BERT, "downloads": 900, "safetensors": SIZE},
    "german": {"config": BERT, "downloads": 800, "tags": ["de"], "files": ["tf_model.h5"]},
    "llama": {"config": {"model_type": "llama"}, "downloads": 700},
    "flax": {"config": BERT, "downloads": 600, "files": ["flax_model.msgpack"]},
    "custom": {"config": BERT | {"auto_map": {"AutoModel": "x.py"}}, "downloads": 500},
    "sentiment": {"config": BERT, "downloads": 400, "pipeline_tag": "text-classification"},
    "asked": {"config": BERT, "downloads": 300, "gated": "manual"},
}
CARD = {"license": "mit", "language": ["en", "fr"]}


@pytest.fixture
def zoo(repositories):
    """A Hub with checkpoints of all sorts, as its list tells of them."""
    for name, about in ZOO.items():
        folder = repositories / "models/zoo" / name
        folder.mkdir(parents=True, exist_ok=True)
        about = {"pipeline_tag": "fill-mask", "tags": [], "gated": False} | about
        if name == "small":
            about["cardData"] = CARD
        (folder / "listing.json").write_text(json.dumps(about))


def listed(client, *commands, **changes):
    """(exit code, lines) of each command."""
    return client.python(COMMANDS, json.dumps(list(commands)), **changes)


def cells(lines):
    return [re.split(r" {2,}", line) for line in lines]


def test_what_can_be_loaded_is_listed(zoo, client):
    command = ["models", "--task", "text_classification"]
    (code, lines), (_, german), (none, line) = listed(
        client, command, [*command, "--language", "de"], [*command, "--language", "xx"]
    )
    assert code == 0
    assert cells(lines) == [
        ["checkpoint", "for", "family", "parameters", "downloads", "languages", "licence"],
        ["zoo/sentiment", "trained", "bert", "–", "400", "–", "–"],
        ["zoo/small", "to fine-tune", "bert", "4.4 M", "900", "en, fr", "mit"],
        ["zoo/german", "to fine-tune", "bert", "–", "800", "–", "–"],
        ["zoo/asked (gated)", "to fine-tune", "bert", "–", "300", "–", "–"],
        [""],
        ["`tfhf inspect CHECKPOINT --task text_classification` says more of one."],
    ]
    assert [row[0] for row in cells(german)[:-2]] == ["checkpoint", "zoo/german"]
    assert none == 2
    assert line == [
        "tfhf: --task: none of the 300 most downloaded checkpoints for text_classification in 'xx'"
        " can be loaded; `tfhf models` shows the built-in guide"
    ]
    asked = [one for one in client.hub.requests if one.startswith("GET /api/models?")]
    assert len(asked) == 6
    assert all("sort=downloads" in one and "expand=config" in one for one in asked)


def test_only_so_many(zoo, client):
    ((_, lines),) = listed(client, ["models", "--task", "masked_lm", "--limit", "1"])
    assert [row[0] for row in cells(lines)[1:-2]] == ["zoo/small"]


def test_without_a_hub_the_guide(client):
    client.hub.close()
    command = ["models", "--task", "token_classification"]
    ((code, lines),) = listed(client, command)
    assert code == 0
    assert lines[0] == (
        "the Hub cannot be reached: connect (or unset HF_HUB_OFFLINE, or set HF_ENDPOINT to a "
        "mirror) to search it; a model's folder, brought by other means, can be named in a recipe "
        "as it is. The built-in guide knows:"
    )
    assert cells(lines)[2] == ["dslim/bert-base-NER", "trained", "bert", "108 M", "en", "mit"]
    ((_, off),) = listed(client, command, HF_HUB_OFFLINE="1")
    assert off[0].startswith("the Hub is switched off (HF_HUB_OFFLINE): connect")


def test_mistakes(client):
    assert client.refusals([["models", "--task", "sentiment"]])[0].startswith(
        "tfhf: task: unknown task 'sentiment'"
    )
    assert client.refusals([["models", "--language", "de"]]) == [
        "tfhf: --language: needs --task; without one the built-in guide is shown"
    ]


def test_the_guide_knows_every_task_and_only_what_loads():
    guide = catalogue.guide()
    assert list(guide) == tasks.names()
    assert all(guide.values())
    assert set(STARTS) <= set(tasks.names())
    for task, found in guide.items():
        families = models.families(tasks.get(task).auto_class)
        assert {one.family for one in found} <= families
    assert len({one.name for one in KNOWN}) == len(KNOWN)
    assert "text_classification\ncheckpoint " in catalogue.listed()
