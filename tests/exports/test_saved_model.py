import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tfhf.errors import StorageError, UserError
from tfhf.exports import TEXT, ExportError, rehearsal, saved_model
from tfhf.exports.tokenizers import comparison
from tfhf.tasks.base import Task

TEXTS = ["the film", "un\u00adbelievable, really!", "", "[MASK] résumé " * 40, "a"]


class ToyTask(Task):
    """What an export asks of a task."""

    def __init__(
        self, processor, problem="single_label", labels=("bad", "fine", "größer"), pair=False
    ):
        super().__init__(processor, None, max_length=24)
        self.problem = problem
        self.labels = list(labels) if labels else None
        self.roles = ("text", "text_pair") if pair else ("text",)

    @property
    def serving_inputs(self):
        return dict.fromkeys(self.roles, TEXT)

    def decode(self, results, index, row):
        found = {name: values[index] for name, values in results.items()}
        label = {"label": found.pop("label").decode()} if "label" in found else {}
        return label | {name: value.tolist() for name, value in found.items()}

    def encode_in_graph(self, tokenizer, strings):
        return tokenizer(strings["text"], strings.get("text_pair"), max_length=self.max_length)

    def forward(self, backbone, inputs, training):
        return {"logits": backbone(inputs, training=training).logits}

    def outputs(self, outputs, inputs, backbone):
        logits = tf.cast(outputs["logits"], tf.float32)
        if self.problem == "regression":
            return {"score": logits[:, 0]}
        probabilities = tf.nn.softmax(logits)
        return {
            "label": tf.gather(tf.constant(self.labels), tf.argmax(logits, -1)),
            "score": tf.reduce_max(probabilities, -1),
            "probabilities": probabilities,
        }


def toy_model(task):
    """A random model of one layer, spread enough to give different answers."""
    from transformers import BertConfig, TFBertForSequenceClassification

    tf_keras.utils.set_random_seed(1)
    config = BertConfig(
        vocab_size=len(task.processor),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        num_labels=len(task.labels or "1"),
        initializer_range=0.5,
    )
    backbone = TFBertForSequenceClassification(config)
    backbone.build_in_name_scope()
    return SimpleNamespace(backbone=backbone, task=task)


def predicted(model, *columns):
    """What the model gives on the ids of the Hugging Face tokenizer."""
    task = model.task
    encoded = task.processor(
        *columns, truncation=True, padding=True, max_length=task.max_length, return_tensors="tf"
    )
    inputs = dict(encoded)
    outputs = task.forward(model.backbone, inputs, False)
    results = task.outputs(outputs, inputs, model.backbone)
    return {name: value.numpy() for name, value in results.items()}


def published(model, folder, results=None, **options):
    """Publishes with the answers of the model itself, or with others."""
    results = predicted(model, TEXTS) if results is None else results
    asked = [{"text": text} for text in TEXTS]
    expected = [model.task.decode(results, index, row) for index, row in enumerate(asked)]
    rows = {"text": TEXTS}
    return saved_model.publish(model, folder, rows, expected, asked=asked, **options)


@pytest.fixture(scope="session")
def model(uncased):
    return toy_model(ToyTask(uncased))


@pytest.fixture(scope="session")
def report(model, tmp_path_factory):
    """One published export, shared by the tests that only read it."""
    folder = tmp_path_factory.mktemp("exports") / "film"
    (folder / "7").mkdir(parents=True)
    (folder / "notes").mkdir()
    return published(model, folder, about='{"task": "toy"}')


@pytest.fixture(scope="session")
def signatures(report):
    """Loaded the way TensorFlow does it; what is loaded must outlive its functions."""
    loaded = tf.saved_model.load(report["path"])
    yield loaded.signatures
    del loaded


def test_report_and_folder(report, model):
    path = saved_model.Path(report["path"])
    assert (path.name, report["version"]) == ("8", 8)
    assert sorted(child.name for child in path.parent.iterdir()) == [
        "7", "8", "README.md", "batching_parameters.txt", "docker-compose.yml", "export.json",
        "models.config", "notes", "request.json",
    ]  # fmt: skip
    facts = json.loads((path.parent / "export.json").read_text("utf-8"))
    assert facts["8"]["max_difference"] == report["max_difference"]
    assert set(facts["8"]["latency"]) == {"1", "8", "64"}
    assert report["curl"].startswith("curl http://localhost:8501/v1/models/film:predict -d ")
    assert (report["rows"], report["different"], report["first_different"]) == (5, 0, None)
    assert report["token_rows"] == 5 + len(comparison.HARD_TEXTS)
    assert 0 <= report["max_difference"] <= 1e-5
    assert report["loads_from"] == "2.18"
    assert (path / "assets.extra" / "task.json").read_text("utf-8") == '{"task": "toy"}'
    assert (path / "assets" / "labels.txt").read_text("utf-8") == "bad\nfine\ngrößer\n"
    weights = sum(4 * np.prod(variable.shape) for variable in model.backbone.variables)
    variables = sum(file.stat().st_size for file in (path / "variables").iterdir())
    assert weights < variables < weights + 8000  # no optimizer, no copy
    assert report["size_bytes"] < variables + 2_000_000


def test_serving_default(signatures, model):
    served = signatures["serving_default"](text=tf.constant(TEXTS))
    expected = predicted(model, TEXTS)
    assert served.keys() == {"label", "score", "probabilities"}
    assert served["label"].numpy().tolist() == expected["label"].tolist()
    assert len(set(expected["label"])) > 1
    for name in ("score", "probabilities"):
        assert served[name].dtype == tf.float32
        np.testing.assert_allclose(served[name], expected[name], atol=1e-5)
    assert signatures["serving_default"](text=tf.constant([], tf.string))["score"].shape == (0,)


def test_tokens(signatures, model, uncased):
    inputs = uncased(TEXTS[:2], padding=True, return_tensors="tf")
    inputs = {name: tf.cast(value, tf.int32) for name, value in inputs.items()}
    served = signatures["tokens"](**inputs)
    expected = model.task.forward(model.backbone, inputs, False)
    assert served.keys() == {"logits"}
    np.testing.assert_allclose(served["logits"], expected["logits"], atol=1e-5)


def example(**texts):
    """A serialized tf.Example."""
    made = tf.train.Example()
    for name, text in texts.items():
        made.features.feature[name].bytes_list.value.append(text.encode())
    return made.SerializeToString()


def test_classify(signatures, model):
    served = signatures["classify"](inputs=tf.constant([example(text=text) for text in TEXTS]))
    assert served.keys() == {"classes", "scores"}
    assert served["classes"].numpy().tolist() == [[b"bad", b"fine", "größer".encode()]] * 5
    expected = predicted(model, TEXTS)["probabilities"]
    np.testing.assert_allclose(served["scores"], expected, atol=1e-5)


def test_loads_as_tensorflow_serving_does(report):
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], report["path"])
        signature = loaded.signature_def["serving_default"]
        assert [asset.filename for asset in loaded.asset_file_def] == ["labels.txt"]
        assert signature.method_name == "tensorflow/serving/predict"
        fetched = {name: tensor.name for name, tensor in signature.outputs.items()}
        answer = session.run(fetched, {signature.inputs["text"].name: TEXTS[:2]})
    assert answer["probabilities"].shape == (2, 3)


def test_keras_3_opens_it(report):
    script = (
        "import keras, tensorflow as tf\n"
        f"layer = keras.layers.TFSMLayer({report['path']!r}, call_endpoint='serving_default')\n"
        "text = keras.Input((), dtype='string')\n"
        "model = keras.Model(text, layer(text)['probabilities'])\n"
        "print(keras.__version__[0], model(tf.constant(['the film', 'a'])).shape)\n"
    )
    environment = {name: os.environ[name] for name in os.environ if name != "TF_USE_LEGACY_KERAS"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout.split("\n")[0] == "3 (2, 3)", done.stderr


def test_regression_of_pairs(uncased, uncased_in_graph, tmp_path):
    model = toy_model(ToyTask(uncased, "regression", labels=None, pair=True))
    saved_model.save(model, uncased_in_graph, tmp_path / "1")
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    assert set(loaded.signatures) == {"serving_default", "tokens", "regress"}
    assert not (tmp_path / "1" / "assets" / "labels.txt").exists()
    pairs = TEXTS[::-1]
    expected = predicted(model, TEXTS, pairs)["score"]
    served = loaded.signatures["serving_default"](
        text=tf.constant(TEXTS), text_pair=tf.constant(pairs)
    )
    assert served.keys() == {"score"}
    np.testing.assert_allclose(served["score"], expected, atol=1e-5)
    examples = [example(text=text, text_pair=pair) for text, pair in zip(TEXTS, pairs, strict=True)]
    regressed = loaded.signatures["regress"](inputs=tf.constant(examples))
    assert regressed.keys() == {"outputs"}
    np.testing.assert_allclose(regressed["outputs"], expected, atol=1e-5)


def test_bfloat16_model_answers_in_float32(uncased, uncased_in_graph, tmp_path):
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = toy_model(ToyTask(uncased))
    finally:
        tf_keras.mixed_precision.set_global_policy("float32")
    saved_model.save(model, uncased_in_graph, tmp_path / "1")
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    served = loaded.signatures["serving_default"](text=tf.constant(TEXTS))
    assert served["probabilities"].dtype == tf.float32
    assert loaded.signatures["tokens"].structured_outputs["logits"].dtype == tf.float32
    expected = predicted(model, TEXTS)
    np.testing.assert_allclose(served["probabilities"], expected["probabilities"], atol=2e-2)


def test_a_wrong_export_is_not_published(model, tmp_path):
    expected = predicted(model, TEXTS)
    expected["score"] = expected["score"] + [0, 0, 1e-4, 0, 0]
    line = "the export differs from the model in 1 of 5 rows, first in score of row 2: "
    with pytest.raises(ExportError, match=line):
        published(model, tmp_path, expected)
    assert list(tmp_path.iterdir()) == []


def test_wrong_ids_are_not_published(model, tmp_path, monkeypatch):
    different = comparison.differences
    monkeypatch.setattr(
        saved_model, "differences", lambda *args, **kwargs: [*different(*args, **kwargs), 3]
    )
    line = (
        "the tokenizer in the graph differs from BertTokenizerFast on 1 of "
        f"{len(comparison.HARD_TEXTS)} texts, first on '\\x00'"
    )
    with pytest.raises(ExportError, match=f"^{re.escape(line)}$"):
        saved_model.publish(model, tmp_path, {"text": []}, [], asked=[])
    assert list(tmp_path.iterdir()) == []


def test_labels_of_two_lines_are_refused(model, uncased, uncased_in_graph, tmp_path):
    model = SimpleNamespace(
        backbone=model.backbone, task=ToyTask(uncased, labels=["a", "b\nc", "d"])
    )
    line = "labels: a label must be one line to be exported; received 'b\\nc'"
    with pytest.raises(UserError, match=f"^{re.escape(line)}$"):
        saved_model.save(model, uncased_in_graph, tmp_path / "1")


def test_a_folder_that_cannot_be_written(model, uncased_in_graph, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="^cannot write the export to .*file/1: "):
        saved_model.save(model, uncased_in_graph, tmp_path / "file" / "1")


def test_rows_of_every_kind_reach_a_fresh_process(tmp_path):
    """Strings, bytes, lists of several lengths and numbers, in batches of several widths."""
    module = tf.Module()
    specs = [tf.TensorSpec([None], tf.string, "file"), tf.TensorSpec([None], tf.int32, "seed")]
    specs.insert(1, tf.TensorSpec([None, None], tf.string, "labels"))

    @tf.function(input_signature=specs)
    def serve(file, labels, seed):
        files = tf.broadcast_to(file[:, None], tf.shape(labels))
        return {"joined": tf.strings.join([labels, files]), "seed": seed + 1}

    tf.saved_model.save(module, str(tmp_path), serve.get_concrete_function())
    count = rehearsal.BATCH + 1
    rows = {
        "file": [b"\xff\x00"[: index % 3] for index in range(count)],
        "labels": [["é", "b"][: index % 3] for index in range(count - 1)] + [["a", "b", "c"]],
        "seed": list(range(count)),
    }
    found = rehearsal.rehearse(tmp_path, rows=rows)["answers"]
    assert found["joined"].shape == (count, 3)
    assert found["joined"][-1].tolist() == [f"{one}\ufffd\x00".encode() for one in "abc"]
    assert found["joined"][1].tolist() == ["é\ufffd".encode(), *["\ufffd".encode()] * 2]
    assert found["seed"].tolist() == list(range(1, count + 1))
