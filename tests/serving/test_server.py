"""The running server: its limits, its versions, how it starts and how it stops."""

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tensorflow as tf

from tests.serving.conftest import asked
from tfhf.errors import UserError
from tfhf.serving.configuration import ModelConfig
from tfhf.serving.server import Options, Server

ASK = {"instances": [1.0]}


@contextlib.contextmanager
def running(*configs, **options):
    server = Server(list(configs), Options(rest_port=0, **{"grpc_port": None, **options}))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def model(served_models):
    return ModelConfig("m", served_models / "m")


def predict(server, path="m", body=ASK):
    return asked(server.rest_port, "POST", f"/v1/models/{path}:predict", body)


def raw(port, sent, *, finish=True):
    """Sends bytes as they are; what comes back until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(sent)
        if finish:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


# === Limits ===


def test_large_bodies_are_refused(model):
    with running(model, max_body=1000) as server:
        body = b'{"instances": [1.0]' + b" " * 980 + b"}"
        assert predict(server, body=body).status == 200
        for content in (body + b" ", b"x" * 10**6):
            found = predict(server, body=content)
            assert (found.status, found.json) == (
                413,
                {"error": "the body is larger than 1000 bytes"},
            )
        chunk = b"3E8\r\n" + b" " * 1000 + b"\r\n"
        head = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        found = raw(server.rest_port, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 5)
        assert found.startswith(b"HTTP/1.1 413 ")


def test_who_sends_too_slowly_is_told(model):
    with running(model, timeout=0.2) as server:
        head = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        found = raw(server.rest_port, head + b"Content-Length: 10\r\n\r\n{", finish=False)
        assert found.startswith(b"HTTP/1.1 408 ")
        assert b"the request was not sent in time" in found
        assert predict(server).status == 200


class Waiting:
    """Makes a server's models compute only when told."""

    def __init__(self, server, monkeypatch):
        self.gate, self.entered = threading.Event(), threading.Semaphore(0)
        run = server.batcher.run

        def waiting(*arguments):
            self.entered.release()
            assert self.gate.wait(30)
            return run(*arguments)

        monkeypatch.setattr(server.batcher, "run", waiting)


def test_too_many_requests_are_refused(model, monkeypatch):
    with running(model, max_requests=2) as server, ThreadPoolExecutor(2) as pool:
        waiting = Waiting(server, monkeypatch)
        futures = [pool.submit(predict, server) for _ in range(2)]
        for _ in range(2):
            assert waiting.entered.acquire(timeout=30)
        found = predict(server)
        assert (found.status, found.json) == (
            503,
            {"error": "too many requests at the same time"},
        )
        waiting.gate.set()
        assert [future.result().status for future in futures] == [200, 200]
        assert predict(server).status == 200


def test_an_answer_that_takes_too_long(model, monkeypatch):
    with running(model, timeout=0.2) as server:
        gate = threading.Event()
        run = server.models._states["m"][1].servable.run
        monkeypatch.setattr(
            server.models._states["m"][1].servable,
            "run",
            lambda *arguments: gate.wait(30) and run(*arguments),
        )
        found = predict(server)
        assert (found.status, found.json) == (
            504,
            {"error": "Deadline exceeded before the answer was there"},
        )
        gate.set()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"GET /v1/models/%00%ff%2e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"",
    ],
)
def test_what_is_no_request_does_no_harm(server, sent):
    raw(server.rest_port, sent)
    assert predict(server).status == 200


def test_a_connection_is_kept(server):
    head = b"GET /v1/models/m HTTP/1.1\r\nHost: x\r\n"
    sent = (head + b"\r\n") * 2 + head + b"Connection: close\r\n\r\n"
    found = raw(server.rest_port, sent, finish=False)
    assert found.count(b"HTTP/1.1 200 OK") == 3


# === Versions ===


def test_versions_change_while_it_serves(half_plus_two, tmp_path):
    half_plus_two(tmp_path / "m" / "1")
    with running(ModelConfig("m", tmp_path / "m"), poll_seconds=3600) as server:
        half_plus_two(tmp_path / "aside", added=3.0)
        (tmp_path / "aside").rename(tmp_path / "m" / "2")
        server.models.refresh()
        assert predict(server).json == {"predictions": [3.5]}
        assert predict(server, "m/versions/1").status == 404
        (tmp_path / "m" / "3").mkdir()
        (tmp_path / "m" / "3" / "saved_model.pb").write_bytes(b"\xff no graph")
        server.models.refresh()
        assert predict(server).json == {"predictions": [3.5]}
        found = asked(server.rest_port, "GET", "/v1/models/m").json["model_version_status"]
        assert [(one["version"], one["state"]) for one in found] == [
            ("3", "END"),
            ("2", "AVAILABLE"),
            ("1", "END"),
        ]
        assert found[0]["status"]["error_code"] != "OK"
        assert found[0]["status"]["error_message"]


def warm_up(folder, value):
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    record = PredictionLog()
    record.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto([value]))
    (folder / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(folder / "assets.extra/tf_serving_warmup_requests")) as writer:
        writer.write(record.SerializeToString())


def test_warm_up_requests_are_replayed(half_plus_two, tmp_path):
    warm_up(half_plus_two(tmp_path / "m" / "1"), 1.0)
    with running(ModelConfig("m", tmp_path / "m"), poll_seconds=3600) as server:
        assert server.models._states["m"][1].servable._callables  # traced before anybody asked
        warm_up(half_plus_two(tmp_path / "m" / "2"), "text")
        server.models.refresh()
        new, old = server.models.states("m")
        assert (new.state, old.state) == ("END", "AVAILABLE")
        assert new.error.message.startswith("assets.extra/tf_serving_warmup_requests: record 0: ")
        assert predict(server).status == 200


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_text") is None, reason="tensorflow-text is not installed"
)
def test_ops_of_tensorflow_text_are_there_when_a_graph_has_them(tmp_path):
    save = (
        "import sys, tensorflow as tf, tensorflow_text as text\n"
        "specs = [tf.TensorSpec([None], tf.string, 'x')]\n"
        "serve = tf.function(lambda x: {'y': text.normalize_utf8(x)}, input_signature=specs)\n"
        "tf.saved_model.save(tf.Module(), sys.argv[1], {'serving_default': serve})\n"
    )
    load = (
        "import sys\n"
        "from tfhf.serving import servables\n"
        "assert 'tensorflow_text' not in sys.modules\n"
        "assert 'serving_default' in servables.load('m', 1, sys.argv[1]).signatures\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    for code in (save, load):
        command = [sys.executable, "-c", code, str(tmp_path / "m")]
        found = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr


# === Starting and stopping ===


def test_a_port_that_is_taken(model):
    with running(model, grpc_port=0) as server:
        for option, ports in (
            ("--port", {"rest_port": server.rest_port}),
            ("--grpc-port", {"rest_port": 0, "grpc_port": server.grpc_port}),
        ):
            with pytest.raises(UserError, match=f"^{option}: 127.0.0.1:.*; name another port"):
                Server([model], Options(**{"grpc_port": None, **ports})).start()


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no version of m in "):
        Server([ModelConfig("m", tmp_path)], Options(rest_port=0, grpc_port=0)).start()


def test_it_listens_where_it_was_told_only(model):
    with running(model, host="127.0.0.2") as server:
        with socket.create_connection(("127.0.0.2", server.rest_port), timeout=30):
            pass
        with pytest.raises(ConnectionRefusedError):
            predict(server)


def test_requests_in_flight_are_answered_when_it_stops(model, monkeypatch):
    with ThreadPoolExecutor(2) as pool, running(model) as server:
        waiting = Waiting(server, monkeypatch)
        asking = pool.submit(predict, server)
        assert waiting.entered.acquire(timeout=30)
        stopping = pool.submit(server.stop)
        waiting.gate.set()
        assert asking.result(30).json == {"predictions": [2.5]}
        stopping.result(30)
        with pytest.raises(ConnectionRefusedError):
            predict(server)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_command_serves_until_it_is_stopped(served_models, number, status):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tfhf", "serve", str(served_models / "m"), "--grpc-port", "0"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--server", "tfhf"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ
        | {"PYTHONPATH": str(Path(__file__).parents[2]), "TF_CPP_MIN_LOG_LEVEL": "3"},
        # Tests that run in a shell's background inherit that interrupts are ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        lines = [process.stderr.readline() for _ in range(3)]
        assert lines == [
            "m: version 1 is served\n",
            f"http://127.0.0.1:{port}/v1/models/m\n",
            f"a page to try it: http://127.0.0.1:{port}/\n",
        ]
        assert asked(port, "POST", "/v1/models/m:predict", ASK).json == {"predictions": [2.5]}
        process.send_signal(number)
        assert process.wait(30) == status
    finally:
        process.kill()
        process.wait()
