"""`tfhf push`: what goes to the Hub, how, and what never does."""

import json
import logging

import pytest
import yaml

from tests.checkpoints import write_classifier
from tests.hub.conftest import COMMANDS, TOKEN
from tests.hub.server import Hub
from tests.reporting.conftest import write_run
from tests.reporting.task_runs import write_task_run
from tfhf import publication
from tfhf.errors import UserError, redact_logs, redacted

FILES = [
    "README.md",
    "config.json",
    "metrics.json",
    "model.safetensors",
    "recipe.yaml",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
]


@pytest.fixture
def hub(tmp_path):
    """An empty Hub on which `acme` may write."""
    (tmp_path / "hub").mkdir()
    server = Hub(tmp_path / "hub", token=TOKEN, owner="acme")
    yield server
    server.close()


@pytest.fixture
def run(tiny_tokenizer, tmp_path):
    """A finished run of a classifier over a set of the Hub; its recipe names places here."""
    folder = write_run(tmp_path / "runs/first", "two")
    write_classifier(folder / "model", tiny_tokenizer)
    (folder / "environment.json").write_text("{}")
    (folder / "model/notes.txt").write_text("mine")
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    recipe["model"] = str(tmp_path / "bert")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    return folder


def pushed(client, *arguments, **changes):
    """(exit code, lines) of one push."""
    command = ["push", *map(str, arguments)]
    ((code, lines),) = client.python(COMMANDS, json.dumps([command]), **changes)
    return code, lines


def front_of(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    return yaml.safe_load(text.split("---\n")[1]), text


def test_one_commit_into_a_new_private_repository(client, run, tmp_path):
    code, lines = pushed(client, run, "acme/mood", "--license", "mit")
    assert code == 0, lines
    (commit,) = client.hub.commits
    assert lines[-1] == f"{client.hub.address}/acme/mood/commit/{commit['sha']}"
    assert client.hub.private == {"acme/mood": True}
    assert (sorted(commit["files"]), commit["removed"]) == (FILES, [])
    assert commit["header"]["summary"] == "Model and card of first, trained with tfhf"
    there = client.hub.folder / "models/acme/mood"
    for name in FILES:
        if (run / "model" / name).is_file():
            assert (there / name).read_bytes() == (run / "model" / name).read_bytes()
    assert len([one for one in client.hub.requests if one.startswith("PUT")]) == 1
    assert client.hub.greeted == {TOKEN}
    for file in there.rglob("*"):
        content = file.read_bytes()
        assert TOKEN.encode() not in content and str(tmp_path).encode() not in content, file


def test_the_card_is_one_for_others(client, run):
    pushed(client, run, "acme/mood", "--license", "mit")
    front, text = front_of(client.hub.folder / "models/acme/mood")
    assert front["license"] == "mit"
    assert front["model-index"][0]["name"] == "mood"
    assert "base_model" not in front  # a folder, which others do not have
    assert front["datasets"] == ["nyu-mll/glue"]
    assert 1 <= len(front["widget"]) <= 3 and all(one["text"] for one in front["widget"])
    assert 'tfhf.pipeline("text-classification", "acme/mood")' in text
    assert 'AutoTokenizer.from_pretrained("acme/mood")' in text
    for heading in ("Results", "Data", "Training", "Limits", "Recipe"):
        assert f"\n## {heading}\n" in text
    assert "`nyu-mll/glue sst2`; columns: text is `sentence`, label is `label`." in text
    assert "| train | 12,345 | 13 | 34 | 96 |" in text
    assert "Labels in train: negative 50.0%, positive 50.0%." in text


def test_a_second_push_removes_what_an_earlier_model_left(client, run):
    pushed(client, run, "acme/mood")
    there = client.hub.folder / "models/acme/mood"
    for name in ("merges.txt", "model-00001-of-00002.safetensors", "theirs.md"):
        (there / name).write_text("older")
    (run / "model/special_tokens_map.json").unlink()
    code, lines = pushed(client, run, "acme/mood", "--message", "Once more")
    assert code == 0, lines
    first, second = client.hub.commits
    assert second["header"] == {
        "summary": "Once more",
        "description": "",
        "parentCommit": first["sha"],
    }
    gone = ["merges.txt", "model-00001-of-00002.safetensors", "special_tokens_map.json"]
    assert second["removed"] == gone
    assert (there / "theirs.md").exists()
    assert "  removed there, being an earlier model's: merges.txt" in lines


def test_nothing_becomes_public_unasked(client, run):
    (client.hub.folder / "models/acme/open").mkdir(parents=True)
    assert pushed(client, run, "acme/open") == (
        2,
        [
            "  note: no licence is stated: add --license ID, such as apache-2.0",
            "tfhf: push: acme/open is there already, and public, so nothing was sent: add"
            " --public, or make it private on its page",
        ],
    )
    assert client.hub.commits == []
    assert pushed(client, run, "acme/open", "--public")[0] == 0
    assert pushed(client, run, "acme/shown", "--public")[0] == 0
    assert client.hub.private["acme/shown"] is False
    pushed(client, run, "acme/mine")
    code, lines = pushed(client, run, "acme/mine", "--public")
    assert code == 0
    assert (
        "  note: acme/mine is there already, and stays private; its page can change that" in lines
    )


def test_a_dry_run_asks_nobody(client, run):
    code, lines = pushed(client, run, "acme/mood", "--dry-run", HF_TOKEN="")
    assert code == 0
    size = (run / "model/model.safetensors").stat().st_size
    assert lines[0].startswith("acme/mood, private: 9 files, ")
    assert [line.split()[-1] for line in lines[2:11]] == FILES
    assert f"{size:,}  model.safetensors" in "\n".join(lines)
    assert lines[11:] == [
        "stays here: predictions, report and plots, which show rows of the data; exports",
        "stays here, being no part of a model: notes.txt",
        "note: no licence is stated: add --license ID, such as apache-2.0",
    ]
    assert client.hub.requests == []


def test_one_line_for_each_way_to_fail(client, run, tmp_path):
    (tmp_path / "bare").mkdir()
    refusals = {
        ("other/mood",): "push: your token may not write to other/mood: take one with the right to"
        " write, of other or of one of its members",
        ("mood",): "push: REPO is owner/name, such as acme/intents; received 'mood'",
        ("acme/mood", "--license", "Apache 2"): "--license: the Hub's id of one, such as"
        " apache-2.0; received 'Apache 2'",
    }
    for arguments, line in refusals.items():
        code, lines = pushed(client, run, *arguments)
        assert (code, lines[-1]) == (2, f"tfhf: {line}")
    assert pushed(client, run, "acme/mood", HF_TOKEN="hf_wrong")[1][-1] == (
        "tfhf: push: the Hub does not accept your token: log in again with `hf auth login`, or"
        " mend HF_TOKEN"
    )
    assert pushed(client, run, "acme/mood", HF_TOKEN="")[1][-1] == (
        "tfhf: push: no token of the Hub: log in with `hf auth login`, or set HF_TOKEN"
    )
    client.hub.broken = ("large files",)
    assert pushed(client, run, "acme/mood")[1][-1] == (
        "tfhf: push: Error while uploading 'model.safetensors' to the Hub. Nothing was committed."
    )
    assert client.hub.commits == []
    assert not (client.hub.folder / "models/acme/mood/config.json").exists()
    client.hub.close()
    assert pushed(client, run, "acme/mood")[1][-1] == (
        "tfhf: push: the Hub cannot be reached, or is switched off (HF_HUB_OFFLINE); nothing was"
        " committed"
    )


def test_the_token_is_in_no_traceback_and_no_log(client, run):
    # `client.run` fails where the token is in what was printed.
    client.hub.broken = ("large files",)
    found = client.run("-m", "tfhf", "--debug", "push", str(run), "acme/mood", HF_DEBUG="1")
    assert found.returncode == 2
    assert "Traceback" in found.stderr


def test_tokens_are_removed_from_texts_and_logs(monkeypatch, caplog):
    assert redacted(f"a {TOKEN} b") == "a hf_(removed) b"
    monkeypatch.setenv("HF_TOKEN", "of-another-form")
    assert redacted("a of-another-form b") == "a (token removed) b"
    monkeypatch.setattr(logging, "_logRecordFactory", logging.LogRecord)
    redact_logs()
    redact_logs()
    log = logging.getLogger("huggingface_hub.anything")
    try:
        raise ValueError(f"refused {TOKEN}")
    except ValueError:
        log.exception("sent %s", TOKEN)
    assert TOKEN not in caplog.text
    assert "sent hf_(removed)" in caplog.text and "refused hf_(removed)" in caplog.text


def test_a_token_in_the_model_is_refused(run):
    (run / "model/vocab.txt").write_text(TOKEN)
    with pytest.raises(UserError) as caught:
        publication.prepare(run, "acme/mood")
    assert str(caught.value) == (
        f"push: {run / 'model/vocab.txt'} holds an access token of the Hub; remove it"
    )


def test_rows_of_ones_own_files_are_no_examples(run, tiny_tokenizer, tmp_path):
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["data"] = {"train": str(tmp_path / "secret/rows.csv")}
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    upload = publication.prepare(run, "acme/mood", licence="mit")
    assert upload.notes == [
        "no examples to try: rows of your own files are not shown; add --example TEXT"
    ]
    card = upload.files["README.md"].decode()
    assert "widget:" not in card and "secret" not in card and "./rows.csv" in card
    upload = publication.prepare(run, "acme/mood", licence="mit", examples=["Where is it?"])
    assert upload.notes == []
    assert "widget:\n- text: Where is it?\n" in upload.files["README.md"].decode()

    answers = write_task_run(tmp_path / "answers", "question_answering")
    write_classifier(answers / "model", tiny_tokenizer)
    (answers / "environment.json").write_text("{}")
    with pytest.raises(UserError) as caught:
        publication.prepare(answers, "acme/answers", examples=["Who?"])
    assert str(caught.value) == (
        "--example: a question_answering is not asked with one text alone; leave it out"
    )


def test_a_real_run_tells_nothing_of_this_machine(toy_run, toy_files):
    upload = publication.prepare(toy_run, "acme/toy")
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= set(upload.files)
    for name, content in upload.files.items():
        content = content if isinstance(content, bytes) else content.read_bytes()
        assert str(toy_files.parent).encode() not in content, name
