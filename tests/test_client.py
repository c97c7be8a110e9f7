"""The client against servers of a few lines, which record what they are asked."""

import json
import socket
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import pytest

from tfhf.client import Client, ServerError, Signature, Tensor, Version
from tfhf.errors import UserError

TENSOR = {"dtype": "DT_STRING", "tensor_shape": {"dim": [{"size": "-1"}], "unknown_rank": False}}
SCORES = {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}, {"size": "2"}]}}
ANY = {"dtype": "DT_HALF", "tensor_shape": {"dim": [], "unknown_rank": True}}
METADATA = {
    "metadata": {
        "signature_def": {
            "signature_def": {
                "serving_default": {"inputs": {"text": TENSOR}, "outputs": {"scores": SCORES}},
                "__saved_model_init_op": {"inputs": {}, "outputs": {}},
                "other": {"inputs": {"text": TENSOR}, "outputs": {"a": ANY}},
            }
        }
    }
}
STATUS = {
    "model_version_status": [
        {"version": "2", "state": "END", "status": {"error_code": "X", "error_message": "bad"}},
        {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}},
    ]
}


class Handler(BaseHTTPRequestHandler):
    """Answers with what the test prepared, by path; keeps the requests."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length", 0))
        self.server.asked.append((self.command, self.path, self.rfile.read(length)))
        status, content = self.server.answers.get(self.path, (404, {"error": "not here"}))
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """An HTTP server with `answers` (path → status, content), `asked`, and its `address`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answers = [], {}
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_predict_by_rest(server):
    answer = {"outputs": {"label": ["ü", "b"], "raw_bytes": [{"b64": "AP8="}], "x": [[0.5], [1]]}}
    server.answers["/v1/models/m:predict"] = (200, answer)
    with Client(server.address + "/", model="m") as client:
        found = client.predict(text=["a", b"\x00\xff"], ids=np.array([[1, 2]]), n=[np.int32(3)])
    assert found == {"label": ["ü", "b"], "raw_bytes": [b"\x00\xff"], "x": [[0.5], [1]]}
    ((command, _, body),) = server.asked
    assert command == "POST"
    assert json.loads(body) == {
        "signature_name": "serving_default",
        "inputs": {"text": ["a", {"b64": "AP8="}], "ids": [[1, 2]], "n": [3]},
    }


def test_the_only_output_gets_its_name(server):
    server.answers["/v1/models/m/versions/3:predict"] = (200, b'{"outputs": [[NaN, 1.0]]}')
    server.answers["/v1/models/m/versions/3/metadata"] = (200, METADATA)
    found = Client(server.address, model="m", version=3).predict(text=["a"])
    assert list(found) == ["scores"]
    assert np.isnan(found["scores"][0][0])


def test_names_are_escaped_and_signatures_chosen(server):
    server.answers["/v1/models/a%2Fb/labels/c%20d:predict"] = (200, {"outputs": {"x": [1]}})
    client = Client(server.address, model="a/b", label="c d")
    assert client.predict("tokens", signature=[1]) == {"x": [1]}
    body = json.loads(server.asked[0][2])
    assert body == {"signature_name": "tokens", "inputs": {"signature": [1]}}


def test_metadata_and_status_by_rest(server):
    server.answers["/v1/models/m/metadata"] = (200, METADATA)
    server.answers["/v1/models/m"] = (200, STATUS)
    client = Client(server.address, model="m")
    text = {"text": Tensor("string", (-1,))}
    assert client.metadata() == {
        "serving_default": Signature(text, {"scores": Tensor("float32", (-1, 2))}),
        "other": Signature(text, {"a": Tensor("float16", None)}),
    }
    assert client.status() == [Version(2, "END", "bad"), Version(1, "AVAILABLE")]


@pytest.mark.parametrize(
    ("code", "content", "status", "message"),
    [
        (400, {"error": "no such input"}, "INVALID_ARGUMENT", "no such input"),
        (404, {"error": "Servable not found"}, "NOT_FOUND", "Servable not found"),
        (429, {"error": "full"}, "RESOURCE_EXHAUSTED", "full"),
        (503, {"error": "busy"}, "UNAVAILABLE", "busy"),
        (500, b"<html>\n oops \xff</html>", "INTERNAL", "<html> oops \ufffd</html>"),
        (502, b"", "INTERNAL", "Bad Gateway"),
        (200, b"<html>a proxy</html>", "UNKNOWN", "<html>a proxy</html>"),
    ],
)
def test_errors_of_rest(server, code, content, status, message):
    server.answers["/v1/models/m:predict"] = (code, content)
    with pytest.raises(ServerError) as caught:
        Client(server.address, model="m").predict(text=["a"])
    assert (caught.value.status, caught.value.message) == (status, message)
    assert str(caught.value) == f"{server.address}: {status}: {message}"


@pytest.fixture
def silent():
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_no_answer_in_time(silent):
    client = Client(f"http://127.0.0.1:{silent}", model="m", timeout=0.1)
    with pytest.raises(ServerError, match="DEADLINE_EXCEEDED: no answer within 0.1 s$"):
        client.status()


def test_no_server(silent, server):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        free = listening.getsockname()[1]
    for scheme in ("http", "grpc"):
        with pytest.raises(ServerError) as caught:
            Client(f"{scheme}://127.0.0.1:{free}", model="m", timeout=5).status()
        assert caught.value.status == "UNAVAILABLE"


def test_inputs_that_cannot_be_sent(server):
    with pytest.raises(TypeError, match="an input holds object, which cannot be sent as JSON"):
        Client(server.address, model="m").predict(text=[object()])


@pytest.mark.parametrize("address", ["localhost:8501", "ftp://a", "http://", ""])
def test_addresses(address):
    with pytest.raises(UserError, match="^address: http://HOST:PORT, https://HOST:PORT or grpc://"):
        Client(address, model="m")


def test_a_version_or_a_label():
    with pytest.raises(UserError, match="a version or a label, not both; received 1, 'stable'$"):
        Client("http://localhost", model="m", version=1, label="stable")


@pytest.fixture(scope="module")
def grpc_server():
    """A server of the official services; answers the model `m`, and keeps the requests."""
    import tensorflow as tf
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )

    asked = []

    class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            asked.append(request)
            if request.model_spec.name != "m":
                context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found")
            answer = predict_pb2.PredictResponse()
            answer.outputs["label"].CopyFrom(tf.make_tensor_proto(["ü".encode(), b"\xff"]))
            answer.outputs["raw_bytes"].CopyFrom(tf.make_tensor_proto([b"\xff"]))
            answer.outputs["scores"].CopyFrom(tf.make_tensor_proto([[0.5, 0.25]]))
            return answer

        def GetModelMetadata(self, request, context):
            found = get_model_metadata_pb2.SignatureDefMap()
            tensors = found.signature_def["serving_default"].inputs
            for name, dtype in (("text", tf.string), ("ids", tf.int64)):
                tensors[name].dtype = dtype.as_datatype_enum
                tensors[name].tensor_shape.dim.add(size=-1)
            tensors["ids"].tensor_shape.unknown_rank = True
            answer = get_model_metadata_pb2.GetModelMetadataResponse()
            answer.metadata["signature_def"].Pack(found)
            return answer

    class Models(model_service_pb2_grpc.ModelServiceServicer):
        def GetModelStatus(self, request, context):
            answer = get_model_status_pb2.GetModelStatusResponse()
            state = get_model_status_pb2.ModelVersionStatus.AVAILABLE
            answer.model_version_status.add(version=7, state=state)
            return answer

    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Predictions(), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Models(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"grpc://127.0.0.1:{port}", asked
    server.stop(None).wait()


def test_predict_by_grpc(grpc_server):
    import tensorflow as tf

    address, asked = grpc_server
    with Client(address, model="m", label="stable") as client:
        found = client.predict(text=["a", b"b"], ids=np.array([1, 2], np.int8))
    assert found == {
        "label": ["ü", "\ufffd"],
        "raw_bytes": [b"\xff"],
        "scores": [[0.5, 0.25]],
    }
    spec = asked[-1].model_spec
    assert (spec.name, spec.version_label) == ("m", "stable")
    assert spec.signature_name == "serving_default"
    assert asked[-1].inputs["ids"].dtype == tf.int64.as_datatype_enum


def test_metadata_and_status_by_grpc(grpc_server):
    client = Client(grpc_server[0], model="m", version=7)
    inputs = {"text": Tensor("string", (-1,)), "ids": Tensor("int64", None)}
    assert client.metadata() == {"serving_default": Signature(inputs, {})}
    assert client.status() == [Version(7, "AVAILABLE")]


def test_errors_of_grpc(grpc_server):
    with pytest.raises(ServerError) as caught:
        Client(grpc_server[0], model="other").predict(text=["a"])
    assert (caught.value.status, caught.value.message) == ("NOT_FOUND", "Servable not found")
