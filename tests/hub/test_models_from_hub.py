"""Models from the Hub: what is fetched, at which commit, and one line where it cannot be."""

import json
import shutil

from tests.hub.conftest import TOKEN
from tests.hub.server import COMMIT

RESOLVE = """
import json, sys
from tfhf import models
for name, revision in json.loads(sys.argv[1]):
    source = models.resolve(name, revision)
    files = sorted(path.name for path in source.folder.iterdir())
    print(json.dumps([source.name, source.revision, files]))
"""
SENTENCES = """
import json
from tfhf import models
source = models.resolve("acme/sentences")
print(json.dumps([models.sentence_modules(source), source.folder.name]))
print(json.dumps(models.load_backbone(source, "TFAutoModel")[1].new))
"""
LOAD = """
import json, tfhf
model = tfhf.load_model("acme/bert", labels=["no", "yes"], max_length=24)
print(json.dumps([model.task.max_length, model.load_report.line()]))
"""
FILES = [
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
]


INSPECT = """
import json, sys
from tfhf import inspection
for name in json.loads(sys.argv[1]):
    found = inspection.inspect(name)
    print(json.dumps([found[key] for key in ("revision", "parameters", "bytes", "card", "notes")]))
print(json.dumps("tensorflow" in sys.modules))
"""


def dry_run(model, toy_files, *overrides):
    data = f"data.train={toy_files / 'train.csv'}"
    columns = "data.columns={text: text, label: label}"
    return ["train", "quickstart", "--dry-run", data, columns, f"model={model}", *overrides]


def test_only_what_is_wanted_is_fetched_at_one_commit(client):
    questions = json.dumps([("acme/bert", None), ("acme/bert", COMMIT[:8])])
    expected = ["acme/bert", COMMIT, FILES]
    assert client.python(RESOLVE, questions) == [expected, expected]
    fetched = {one.split("/")[-1] for one in client.hub.requests if "/resolve/" in one}
    assert fetched == set(FILES)
    assert client.hub.greeted == {TOKEN}

    (max_length, line), *_ = client.python(LOAD)
    assert max_length == 24
    assert "classifier" in line


def test_a_sentence_transformers_model(client, repositories, tiny_bert_folder):
    from tfhf.models import write_sentence_modules

    folder = repositories / "models/acme/sentences"
    shutil.copytree(tiny_bert_folder, folder / "0_Transformer", dirs_exist_ok=True)
    (folder / "0_Transformer" / "pytorch_model.bin").write_bytes(b"not to be fetched")
    write_sentence_modules(folder, "cls", True, 20, 16)
    parts = json.loads((folder / "modules.json").read_text())
    parts[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(parts))
    stated = {"pooling": "cls", "normalise": True, "max_length": 20}
    assert client.python(SENTENCES) == [[stated, "0_Transformer"], []]
    assert not [one for one in client.hub.requests if one.endswith(".bin")]


def test_one_line_for_each_way_to_fail(client, toy_files):
    wrong = ["acme/absent", "minilmm", "acme/gated", "acme/broken", "acme/flax"]
    commands = [dry_run(model, toy_files) for model in wrong]
    commands += [dry_run("acme/bert", toy_files, "revision=v9")]
    assert client.refusals(commands) == [
        "tfhf: model: 'acme/absent' is no folder, and no model on the Hub that you may read",
        "tfhf: model: 'minilmm' is no folder, and no model on the Hub that you may read;"
        " did you mean 'minilm'?",
        "tfhf: model: acme/gated is gated: ask for access on its Hub page, then log in with"
        " `hf auth login` or set HF_TOKEN",
        "tfhf: model: the Hub answered 500 for acme/broken; try again later",
        "tfhf: model: no weights in acme/flax (want model.safetensors, tf_model.h5 or"
        " pytorch_model.bin)",
        "tfhf: model: acme/bert has no revision 'v9' on the Hub",
    ]
    assert not [one for one in client.hub.requests if one.endswith((".bin", ".py", ".h5"))]


def test_without_a_token_and_with_a_wrong_one(client, toy_files):
    commands = [dry_run("acme/absent", toy_files), dry_run("acme/gated", toy_files)]
    assert client.refusals(commands, HF_TOKEN="") == [
        "tfhf: model: 'acme/absent' is no folder, and no model on the Hub that you may read",
        "tfhf: model: acme/gated is gated: ask for access on its Hub page, then log in with"
        " `hf auth login` or set HF_TOKEN",
    ]
    assert client.refusals([dry_run("acme/bert", toy_files)], HF_TOKEN="hf_wrong") == [
        "tfhf: model: the Hub does not accept your token: log in again with `hf auth login`, or"
        " mend HF_TOKEN"
    ]


def test_out_of_reach(client, toy_files):
    online = client.python(RESOLVE, '[["acme/bert", null]]')
    client.hub.close()
    assert client.python(RESOLVE, '[["acme/bert", null]]') == online
    commands = [dry_run("acme/other", toy_files)]
    assert client.refusals(commands) == [
        "tfhf: model: the Hub cannot be reached, and acme/other is not in the cache: connect, or"
        " give a folder"
    ]
    assert client.refusals(commands, HF_HUB_OFFLINE="1") == [
        "tfhf: model: the Hub is switched off (HF_HUB_OFFLINE), and acme/other is not in the"
        " cache: connect, or give a folder"
    ]


def test_inspection_fetches_no_weights(client, repositories, tiny_bert_folder):
    for name in ("carded", "older"):
        folder = repositories / "models/acme" / name
        shutil.copytree(tiny_bert_folder, folder, dirs_exist_ok=True)
        (folder / "README.md").write_text("---\nlicense: mit\n---\nA card.\n")
    (folder / "model.safetensors").rename(folder / "tf_model.h5")
    names = ["acme/carded", "acme/older"]
    size = (tiny_bert_folder / "model.safetensors").stat().st_size
    *found, tensorflow = client.python(INSPECT, json.dumps(names))
    parameters = found[0][1]
    assert found == [
        [COMMIT, parameters, size, {"license": "mit"}, []],
        [COMMIT, None, size, {"license": "mit"}, []],
    ]
    assert 0 < size - 4 * parameters < 10_000  # the header
    assert not tensorflow
    fetched = [one for one in client.hub.requests if one.startswith("GET") and "/resolve/" in one]
    assert len([one for one in fetched if "safetensors" in one]) == 1
    assert not [one for one in fetched if one.endswith(".h5")]
    client.hub.close()
    (again,) = client.python(INSPECT, json.dumps(names[:1]))[:1]
    assert again == [
        COMMIT,
        None,
        None,
        {"license": "mit"},
        ["model: the Hub cannot be reached: connect, or give a folder"],
    ]
