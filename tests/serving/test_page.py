"""The page to try the models: its files, and what it is told. `test_browser.py` uses it."""

import re
import shutil

import pytest

from tests.serving.conftest import asked
from tfhf.exports import warmup
from tfhf.serving import page
from tfhf.serving.configuration import ModelConfig
from tfhf.serving.server import Options, Server


@pytest.fixture(scope="module")
def labelled(served_models, tmp_path_factory):
    """Two versions of the model `texts`; the first has what an export has beside its graph."""
    folder = tmp_path_factory.mktemp("page") / "texts"
    for version in "12":
        shutil.copytree(served_models / "texts" / "1", folder / version)
    (folder / "1" / "assets").mkdir(exist_ok=True)
    (folder / "1" / "assets" / "labels.txt").write_text("b\nä\n", encoding="utf-8")
    (folder / "1" / "assets.extra").mkdir()
    about = '{"task": "text_classification", "config": {"num_labels": 2}}'
    (folder / "1" / "assets.extra" / "task.json").write_text(about, encoding="utf-8")
    warmup.write(folder / "1", {"text": [" a", "ä" * 9, "b" * 5, " a"]}, batches=(1, 2))
    return folder


@pytest.fixture(scope="module")
def port(labelled, served_models):
    """A server of both versions and of `m`."""
    configs = [
        ModelConfig("texts", labelled, latest=None, labels={"good": 1, "stable": 1}),
        ModelConfig("m", served_models / "m"),
    ]
    server = Server(configs, Options(rest_port=0, grpc_port=None, poll_seconds=3600))
    server.start()
    yield server.rest_port
    server.stop()


def test_its_files_come_from_here_and_nowhere_else(port):
    page_itself = asked(port, "GET", "/")
    assert page_itself.status == 200
    assert page_itself.headers["content-type"] == "text/html; charset=utf-8"
    named = set(re.findall(r'(?:src|href)="([^"]*)"', page_itself.body.decode()))
    paths = {path for path in page.Page(None).files if path != "/"}
    assert {f"/{name}" for name in named} <= paths
    for path in sorted(paths):
        found = asked(port, "GET", path)
        assert found.status == 200
        assert found.headers["content-type"].split(";")[0] in (
            "text/css", "text/javascript", "image/svg+xml",
        )  # fmt: skip
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", found.body.decode()), path
        assert "innerHTML" not in found.body.decode(), path
        assert asked(port, "HEAD", path).status == 200


def test_nothing_but_its_own_files_may_run(port):
    for path in ("/", "/page/page.js", page.MODELS, "/nothing"):
        headers = asked(port, "GET", path).headers
        policy = dict(
            part.split(maxsplit=1) for part in headers["content-security-policy"].split("; ")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["access-control-allow-origin"] is None
    assert asked(port, "GET", "/v1/models/m").headers["content-security-policy"] is None


def test_other_paths_and_methods_are_refused(port):
    for path in ("/page/", "/page/index.html", "/page/../rest.py", "/page/%2e%2e/rest.py", "/page"):
        found = asked(port, "GET", path)
        assert (found.status, found.json) == (404, {"error": f"Not found: GET {path}"})
    assert asked(port, "POST", "/", b"").status == 404
    assert asked(port, "POST", page.MODELS, b"").status == 400


def test_what_it_is_told_of_the_models(port):
    found = asked(port, "GET", page.MODELS)
    assert found.status == 200
    plain, newest, oldest = found.json
    assert plain == {
        "name": "m",
        "version": "1",
        "newest": True,
        "labels": [],
        "task": None,
        "config": None,
        "classes": None,
        "examples": [],
        "signatures": plain["signatures"],
    }
    assert list(plain["signatures"]) == ["serving_default", "classify", "labels", "regress"]
    assert plain["signatures"]["serving_default"] == {
        "inputs": {"x": {"dtype": "float32", "rank": 1}},
        "outputs": ["y"],
    }
    assert [one["version"] for one in (newest, oldest)] == ["2", "1"]
    assert (newest["newest"], newest["labels"], newest["task"]) == (True, [], None)
    assert (oldest["newest"], oldest["labels"]) == (False, ["good", "stable"])
    assert (oldest["task"], oldest["config"]) == ("text_classification", {"num_labels": 2})
    assert oldest["classes"] == ["b", "ä"]
    assert oldest["examples"] == [{"text": " a"}, {"text": "b" * 5}, {"text": "ä" * 9}]


def test_a_version_that_is_gone_is_not_told_of(labelled, tmp_path):
    shutil.copytree(labelled, tmp_path / "texts")
    configs = [ModelConfig("texts", tmp_path / "texts", latest=None)]
    server = Server(configs, Options(rest_port=0, grpc_port=None, poll_seconds=3600))
    server.start()
    try:
        told = page.Page(server.models)
        assert [one["version"] for one in told.described()] == ["2", "1"]
        shutil.rmtree(tmp_path / "texts" / "2")
        server.models.refresh()
        (one,) = told.described()
        assert (one["version"], one["newest"]) == ("1", True)
    finally:
        server.stop()


# === Examples ===


def test_examples_are_rows_of_every_kind(tmp_path):
    import tensorflow as tf

    kinds = {"image_bytes": tf.string, "choices": tf.string, "seed": tf.int32, "x": tf.float32}
    specs = [
        tf.TensorSpec([None, None] if k == "choices" else [None], v, k) for k, v in kinds.items()
    ]

    @tf.function(input_signature=specs)
    def serve(image_bytes, choices, seed, x):
        return {"seed": seed, "x": x, "image": image_bytes, "choice": choices[:, 0]}

    tf.saved_model.save(tf.Module(), str(tmp_path), {"serving_default": serve})
    rows = {
        "image_bytes": [b"\x89PNG", b"GIF"],
        "choices": [["a", "", "b"], ["c"]],
        "seed": [7, 8],
        "x": [0.5, float("nan")],
    }
    warmup.write(tmp_path, rows, batches=(2,))
    assert sorted(page.examples(tmp_path), key=lambda row: row["seed"]) == [
        {"image_bytes": {"b64": "iVBORw=="}, "choices": ["a", "", "b"], "seed": 7, "x": 0.5},
        {
            "image_bytes": {"b64": "R0lG"},
            "choices": ["c"],
            "seed": 8,
            "x": pytest.approx(float("nan"), nan_ok=True),
        },
    ]


def test_few_of_many_examples_short_and_long(served_models, tmp_path):
    shutil.copytree(served_models / "texts" / "1", tmp_path / "1")
    texts = ["x" * length for length in range(1, 30)] + ["y" * page.LARGEST_EXAMPLE]
    warmup.write(tmp_path / "1", {"text": texts}, batches=(32,))
    found = [len(row["text"]) for row in page.examples(tmp_path / "1")]
    assert found == [1, 7, 12, 18, 23, 29]
