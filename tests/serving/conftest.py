"""Small SavedModels, a server that answers for them, and clients that know nothing of it."""

import http.client
import json
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def half_plus_two():
    """Writes `x / 2 + 2`, or another sum, as a version: x float32 (B,) → y, and what classifies."""
    import tensorflow as tf

    def parsed(examples):
        features = tf.io.parse_example(
            examples,
            {
                "x": tf.io.FixedLenFeature([], tf.float32),
                "added": tf.io.FixedLenFeature([], tf.float32, 2.0),
            },
        )
        return 0.5 * features["x"] + features["added"]

    def write(folder, added=2.0):
        module = tf.Module()
        module.added = tf.Variable(added)
        numbers = tf.TensorSpec([None], tf.float32, "x")
        examples = tf.TensorSpec([None], tf.string, "inputs")

        @tf.function(input_signature=[numbers])
        def predict(x):
            return {"y": 0.5 * x + module.added}

        @tf.function(input_signature=[examples])
        def classify(inputs):
            return {"scores": parsed(inputs)[:, tf.newaxis]}

        @tf.function(input_signature=[examples])
        def label(inputs):
            scores = tf.stack([parsed(inputs), -parsed(inputs)], 1)
            classes = tf.broadcast_to(tf.constant(["pos", "neg"]), tf.shape(scores))
            return {"classes": classes, "scores": scores}

        @tf.function(input_signature=[examples])
        def regress(inputs):
            return {"outputs": parsed(inputs)}

        signatures = {
            "serving_default": predict,
            "classify": classify,
            "labels": label,
            "regress": regress,
        }
        tf.saved_model.save(module, str(folder), signatures)
        return folder

    return write


@pytest.fixture(scope="session")
def served_models(half_plus_two, tmp_path_factory):
    """Folder of models: m and `m!` (half plus two), pair, texts, types."""
    import shutil

    import tensorflow as tf

    folder = tmp_path_factory.mktemp("models")
    half_plus_two(folder / "m" / "1")
    shutil.copytree(folder / "m", folder / "m!")

    def save(name, **signatures):
        module = tf.Module()
        functions = {
            key: tf.function(function, input_signature=specs)
            for key, (function, specs) in signatures.items()
        }
        tf.saved_model.save(module, str(folder / name / "1"), functions)

    floats = [tf.TensorSpec([None], tf.float32, name) for name in "ab"]
    text = [tf.TensorSpec([None], tf.string, "text")]
    save(
        "pair",
        serving_default=(lambda a, b: {"sum": a + b, "product": a * b}, floats),
        uneven=(lambda a, b: {"sum": a + b, "first": a[:1]}, floats),
        total=(lambda a, b: {"total": tf.reduce_sum(a + b)}, floats),
    )
    save(
        "texts",
        serving_default=(lambda text: {"upper": tf.strings.upper(text)}, text),
        bytes=(lambda text: {"text_bytes": text}, text),
        both=(lambda text: {"text_bytes": text, "length": tf.strings.length(text)}, text),
        words=(lambda text: {"words": tf.strings.split(text).to_tensor()}, text),
        broken=(lambda text: {"number": tf.strings.to_number(text)}, text),
    )
    kinds = [tf.int32, tf.int64, tf.uint8, tf.float64, tf.bool, tf.float16]
    save(
        "types",
        **{
            kind.name: (lambda x: {"y": tf.identity(x)}, [tf.TensorSpec(None, kind, "x")])
            for kind in [*kinds, tf.float32]
        },
        to_half=(lambda x: {"y": tf.cast(x, tf.float16)}, [tf.TensorSpec([None], tf.float32, "x")]),
    )
    _save_shared(folder / "shared" / "1")
    return folder


@pytest.fixture(scope="session")
def export_toy(tiny_bert_folder, tmp_path_factory):
    """Exports a toy model that has learned nothing yet.

    Called with a task's name, its options and its rows; gives the folder of the versions, which is
    called as the task.
    """
    from tests import toys
    from tests.conftest import prove_here
    from tfhf import exporting, pieces, preparation
    from tfhf.console import Phases
    from tfhf.recipe import Recipe

    def export(task, options, rows):
        folder, toy = tmp_path_factory.mktemp(task), toys.of(task)
        file = folder / "rows.jsonl"
        lines = [json.dumps(row) + "\n" for row in rows]
        file.write_text("".join(lines), encoding="utf-8")
        recipe = {
            "task": task,
            "model": str(toy.model(tiny_bert_folder, folder / "model")),
            "data": {"train": str(file), "validation": str(file)},
            "options": options,
        }
        prepared = preparation.prepare(Recipe.load(recipe), Phases())
        model = pieces.trained(prepared.source, prepared.task)
        with pytest.MonkeyPatch.context() as patch:
            prove_here(patch)
            exporting.publish(folder / task, model, prepared.splits["validation"])
        return folder / task

    return export


def _save_shared(folder):
    """A graph of TensorFlow 1, whose signatures read one and the same tensor."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        examples = v1.placeholder(tf.string, [None], "examples")
        x = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]
        inputs = {"inputs": v1.saved_model.build_tensor_info(examples)}
        outputs = {"outputs": v1.saved_model.build_tensor_info(x + 1.0)}
        scores = {"scores": v1.saved_model.build_tensor_info(x[:, tf.newaxis] + [[2.0, 3.0]])}
        builder = v1.saved_model.Builder(str(folder))
        definition = v1.saved_model.build_signature_def
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "regress": definition(inputs, outputs, "tensorflow/serving/regress"),
                "classify": definition(inputs, scores, "tensorflow/serving/classify"),
            },
        )
        builder.save()


@pytest.fixture(scope="session")
def server(served_models):
    """A server of all of them; `m` has the label `stable`."""
    from tfhf.serving.configuration import ModelConfig
    from tfhf.serving.server import Options, Server

    configs = [
        ModelConfig(path.name, path, labels={"stable": 1} if path.name == "m" else {})
        for path in sorted(served_models.iterdir())
    ]
    running = Server(configs, Options(rest_port=0, grpc_port=0, poll_seconds=0.2))
    running.start()
    yield running
    running.stop()


def asked(port, method, path, body=None, headers=None):
    """One request by REST.

    Args:
        port: on this machine.
        method, path: as they are sent.
        body: bytes, or what is sent as JSON; None: nothing is sent.
        headers: dict, or None.

    Returns:
        Namespace of `status`, `headers`, `body` (bytes) and `json` (None where it is none).
    """
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, content, headers or {})
        response = connection.getresponse()
        found = response.read()
    finally:
        connection.close()
    is_json = response.getheader("content-type") == "application/json"
    return SimpleNamespace(
        status=response.status,
        headers=response.headers,
        body=found,
        json=json.loads(found.decode("utf-8", "replace")) if is_json else None,
    )


def predicted(port, name, rows, signature="serving_default"):
    """What a model predicts for rows: per row a dictionary, or the value of an only output."""
    body = {"instances": rows, "signature_name": signature}
    found = asked(port, "POST", f"/v1/models/{name}:predict", body)
    assert found.status == 200, found.json
    return found.json["predictions"]


@pytest.fixture(scope="session")
def ask(server):
    """Asks the server by REST; paths start behind `/v1/models/` unless they start with `/`."""

    def ask(method, path, body=None):
        path = path if path.startswith("/") else f"/v1/models/{path}"
        return asked(server.rest_port, method, path, body)

    return ask
