"""Datasets from the Hub: rows by role, at one revision, and one line where they cannot be had."""

import json

from tests.conftest import toy_rows
from tests.hub.server import COMMIT

LOAD = """
import json, sys
from tfhf import data
from tfhf.data.columns import Label, Text
for options in json.loads(sys.argv[1]):
    loaded = data.load({"text": Text(), "label": Label()}, **options)
    splits = {
        name: [len(split), split.features["label"].names, split[0]]
        for name, split in loaded.splits.items()
    }
    print(json.dumps([splits, loaded.notes]))
"""


def dry_run(path, *overrides):
    """`tfhf train --dry-run` on a dataset of the Hub."""
    train = ["data.train=null", "data.validation=null", "data.test=null"]
    columns = "data.columns={text: text, label: label}"
    return ["train", "quickstart", "--dry-run", *train, f"data.path={path}", columns, *overrides]


def test_rows_of_json_lines_and_of_parquet(client):
    wanted = [
        {"path": "acme/reviews"},
        {"path": "acme/reviews", "revision": COMMIT},
        {"path": "acme/tables", "name": "short"},
    ]
    reviews, pinned, tables = client.python(LOAD, json.dumps(wanted))
    names = ["negative", "positive"]
    test = {"text": toy_rows()[40]["text"], "label": 0}
    splits, notes = reviews
    assert splits["train"][:2] == [36, names]
    assert splits["validation"][:2] == [4, names]
    assert splits["test"] == [8, names, test]
    assert pinned == reviews
    assert sum(count for count, *_ in tables[0].values()) == 8
    fetched = {one.split("/")[-1] for one in client.hub.requests if one.startswith("GET /datasets")}
    assert {"train.jsonl", "test.jsonl", "train-00000-of-00001.parquet"} <= fetched
    assert "script.py" not in fetched


def test_one_line_for_each_way_to_fail(client):
    wrong = ["acme/absent", "acme/gated", "acme/broken", "acme/tables"]
    commands = [dry_run(path) for path in wrong]
    commands += [dry_run("acme/reviews", "data.revision=v9"), dry_run("acme/tables", "data.name=lon")]
    assert client.refusals(commands) == [
    ]


def test_without_a_token_and_with_a_wrong_one(client):
    commands = [dry_run("acme/absent"), dry_run("acme/gated")]
    assert client.refusals(commands, HF_TOKEN="") == [
    ]
    assert client.refusals([dry_run("acme/reviews")], HF_TOKEN="hf_wrong") == [
    ]


def test_out_of_reach(client):
    (online,) = client.python(LOAD, '[{"path": "acme/reviews"}]')
    client.hub.close()
    (again,) = client.python(LOAD, '[{"path": "acme/reviews"}]')
    assert again == online
    assert client.refusals([dry_run("acme/other")]) == [
    ]
    assert client.refusals([dry_run("acme/other")], HF_HUB_OFFLINE="1") == [
    ]
