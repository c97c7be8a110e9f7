"""Datasets from the Hub: rows by role, at one revision, and one line where they cannot be had."""

import json

import pytest

from tests.conftest import toy_rows
from tests.hub.conftest import TOKEN
from tests.hub.server import COMMIT

ABSENT = (
    "tfhf: data.path: no dataset acme/absent on the Hub, or it is private; check the name, or log"
    " in with `hf auth login`"
)
GATED = (
    "tfhf: data.path: acme/gated is gated; ask for access on its page on the Hub, then log in with"
    " `hf auth login`"
)
CLOSED, OFF = "cannot be reached", "is switched off"

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

KINDS = """
import json
from tfhf import data
from tfhf.data.columns import Answers, Choice, Image, Label, Tags, Text, Texts, Words

loaded = {
    "images": data.load({"image": Image(), "label": Label()}, path="acme/images"),
    "entities": data.load(
        {"tokens": Words(), "tags": Tags()}, path="acme/entities", columns={"tags": "ner_tags"}
    ),
    "translation": data.load(
        {"source": Text(), "target": Texts(single=True)},
        path="acme/translation",
        columns={"source": "translation.en", "target": "translation.de"},
    ),
    "questions": data.load({"context": Text(), "answers": Answers()}, path="acme/questions"),
    "choices": data.load({"choices": Texts(least=2), "label": Choice()}, path="acme/choices"),
}
images = loaded["images"].splits["train"]
image = images[0]["image"]
print(json.dumps([image.size, image.mode, images.features["label"].names]))
for name in ("entities", "translation", "questions", "choices"):
    splits = loaded[name].splits
    print(json.dumps([list(splits), loaded[name].notes[:1], splits["train"][0]]))
print(json.dumps(loaded["entities"].splits["train"].features["tags"].feature.names))
"""

STREAM = """
import json
from tfhf import data
from tfhf.data.columns import Label, Text
from tfhf.data.streaming import Position

loaded = data.load(
    {"text": Text(), "label": Label()}, path="acme/parts", labels=["negative", "positive"],
    window=9, limit={"validation": 3},
)
epochs = [[], []]
for at, rows in loaded.stream.windows(Position()):
    if at.epoch == 2:
        break
    epochs[at.epoch] += rows["text"][:]
print(json.dumps({
    "rows": loaded.stream.rows, "validation": loaded.splits["validation"]["text"][:],
    "epochs": epochs, "place": loaded.where["train"](2), "notes": loaded.notes,
}))
"""


@pytest.fixture(scope="session")
def sets_of_every_kind(repositories):
    """Datasets as the Hub has them: Parquet that says which features its columns are."""
    import PIL.Image
    from datasets import ClassLabel, Dataset, Features, Image, List, Translation, Value

    text = Value("string")
    picture = PIL.Image.new("RGB", (3, 2))
    spans = {"text": List(text), "answer_start": List(Value("int32"))}
    sets = {
        "images": {
            "train": (
                {"image": [picture] * 20, "label": [0, 1] * 10},
                {"image": Image(), "label": ClassLabel(names=["cat", "dog"])},
            ),
        },
        "entities": {
            split: (
                {"tokens": [["Ada", "Lovelace", "sat"]] * 20, "ner_tags": [tags] * 20},
                {"tokens": List(text), "ner_tags": List(ClassLabel(names=["O", "I", "B"]))},
            )
            for split, tags in (("train", [2, 1, 0]), ("test", []))
        },
        "translation": {
            "train": (
                {"translation": [{"en": "a", "de": "b"}] * 20},
                {"translation": Translation(["en", "de"])},
            ),
        },
        "questions": {
            split: (
                {"context": ["in Paris"] * 20, "answers": [answers] * 20},
                {"context": text, "answers": spans},
            )
            for split, answers in (
                ("train", {"text": ["Paris"], "answer_start": [3]}),
                ("test", {"text": [], "answer_start": []}),
            )
        },
        "choices": {
            split: (
                {"choices": [["a", "b"]] * 20, "label": [label] * 20},
                {"choices": List(text), "label": ClassLabel(names=["0", "1"])},
            )
            for split, label in (("train", 1), ("test", -1))
        },
    }
    for name, splits in sets.items():
        for split, (columns, features) in splits.items():
            folder = repositories / "datasets/acme" / name
            folder.mkdir(parents=True, exist_ok=True)
            rows = Dataset.from_dict(columns, features=Features(features))
            rows.to_parquet(folder / f"{split}-00000-of-00001.parquet")


def dry_run(path, *overrides):
    """`tfhf train --dry-run` on a dataset of the Hub."""
    data = [f"data.path={path}", "data.name=null", "data.columns={text: text, label: label}"]
    return ["train", "text_classification/sst2", "--dry-run", *data, *overrides]


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


def test_every_kind_of_column(sets_of_every_kind, client):
    images, entities, translation, questions, choices, names = client.python(KINDS)
    assert images == [[3, 2], "RGB", ["cat", "dog"]]
    unlabeled = ["data.test: none of its 20 rows has a label; left out"]
    two = ["train", "validation"]
    answers = {"text": ["Paris"], "answer_start": [3]}
    assert entities == [two, unlabeled, {"tokens": ["Ada", "Lovelace", "sat"], "tags": [2, 1, 0]}]
    assert translation[0] == two and translation[2] == {"source": "a", "target": ["b"]}
    assert questions == [two, unlabeled, {"context": "in Paris", "answers": answers}]
    assert choices == [two, unlabeled, {"choices": ["a", "b"], "label": 1}]
    assert names == ["O", "I", "B"]


def test_one_line_for_each_way_to_fail(client):
    commands = [dry_run(f"acme/{name}") for name in ("absent", "gated", "broken", "tables")]
    commands += [dry_run("acme/tables", "data.name=lon")]
    commands += [dry_run("acme/reviews", "data.revision=v9")]
    assert client.refusals(commands) == [
        ABSENT,
        GATED,
        "tfhf: data.path: the Hub answered 500 for acme/broken; try again later",
        "tfhf: data.name: acme/tables has the configurations ['short', 'long']; none was given",
        "tfhf: data.name: acme/tables has the configurations ['short', 'long']; received 'lon'; did"
        " you mean 'long'?",
        "tfhf: data.revision: acme/reviews has no revision 'v9' on the Hub",
    ]


def test_without_a_token_and_with_a_wrong_one(client):
    commands = [dry_run("acme/absent"), dry_run("acme/gated")]
    assert client.refusals(commands, HF_TOKEN="") == [ABSENT, GATED]
    assert client.refusals([dry_run("acme/reviews")], HF_TOKEN="hf_wrong") == [
        "tfhf: data.path: the Hub does not accept your token: log in again with `hf auth login`,"
        " or mend HF_TOKEN"
    ]


def test_a_stream_is_read_in_parts_and_not_kept(client):
    (found,) = client.python(STREAM)
    assert found["rows"] == 48
    assert found["validation"] == [row["text"] for row in toy_rows(3)]
    texts = [row["text"] for row in toy_rows(48)]
    assert found["epochs"][0] in (texts, texts[20:] + texts[:20])
    assert sorted(found["epochs"][1]) == sorted(texts)
    assert found["place"] == "acme/parts train part 1 of 2 row 3"
    assert found["notes"] == []
    kept = [path for path in client.folder.parent.rglob("*") if path.suffix in (".jsonl", ".arrow")]
    assert kept == []
    wanted = ["data.streaming=true", "data.labels=[a, b]"]
    assert client.refusals([dry_run(f"acme/{name}", *wanted) for name in ("parts", "reviews")]) == [
        "tfhf: data.validation: none is set aside of a stream; set data.limit.validation, so many "
        "of its first rows are read",
        "tfhf: data.validation: none is set aside of a stream; acme/reviews has none, so name "
        "files: data.train and data.validation",
    ]


def test_out_of_reach(client):
    wanted = '[{"path": "acme/reviews"}]'
    ((splits, notes),) = client.python(LOAD, wanted)
    client.hub.close()
    newest = "took the newest acme/reviews in the cache"
    note, off = (f"data.path: the Hub {state}; {newest}" for state in (CLOSED, OFF))
    assert client.python(LOAD, wanted) == [[splits, [note, *notes]]]
    pinned = json.dumps([{"path": "acme/reviews", "revision": COMMIT[:10]}])
    assert client.python(LOAD, pinned, HF_HUB_OFFLINE="1") == [[splits, [off, *notes]]]
    another = [dry_run("acme/reviews", "data.revision=v9")]
    line = (
        "tfhf: data.revision: the Hub {}, and nothing else can tell whether the newest acme/reviews"
        f" in the cache, commit {COMMIT}, is 'v9'; connect, name the commit, or leave data.revision"
        " out"
    )
    assert client.refusals(another) == [line.format(CLOSED)]
    assert client.refusals(another, HF_HUB_OFFLINE="1") == [line.format(OFF)]
    commands = [dry_run("acme/other")]
    assert client.refusals(commands) == [
        "tfhf: data.path: the Hub cannot be reached for acme/other; check the network, or name"
        " files"
    ]
    assert client.refusals(commands, HF_HUB_OFFLINE="1") == [
        "tfhf: data.path: acme/other is not in the cache, and the Hub is switched off"
        " (HF_HUB_OFFLINE or HF_DATASETS_OFFLINE); switch it on or name files"
    ]


@pytest.mark.slow
def test_train_from_a_model_and_a_dataset_of_the_hub(client):
    overrides = [
        "model=acme/bert",
        "data.path=acme/reviews",
        "data.name=null",
        "data.columns={text: text, label: label}",
        "options.max_length=24",
        "train.epochs=1",
        "train.batch_size=8",
    ]
    command = ["-m", "tfhf", "train", "text_classification/sst2", *overrides, "--out", "run"]
    found = client.run(*command)
    assert found.returncode == 0, found.stderr
    run = client.folder / "run"
    assert set(json.loads((run / "metrics.json").read_text())) >= {"validation", "test"}
    assert (run / "model/model.safetensors").is_file()
    assert (run / "export/run/1/saved_model.pb").is_file()
    token = TOKEN.encode()
    assert not [file for file in run.rglob("*") if file.is_file() and token in file.read_bytes()]
