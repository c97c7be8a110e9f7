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
from tfhf.exports import ExportError, saved_model, verification
from tfhf.exports.tokenizers import comparison

TEXTS = ["the film", "un\u00adbelievable, really!", "", "[MASK] résumé " * 40, "a"]


class ToyTask:
    """What an export asks of a task."""

    max_length = 24

    def __init__(
        self, processor, problem="single_label", labels=("bad", "fine", "größer"), pair=False
    ):
        self.processor = processor
        self.problem = problem
        self.labels = list(labels) if labels else None
        self.serving_roles = ("text", "text_pair") if pair else ("text",)

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


@pytest.fixture(scope="session")
def model(uncased):
    return toy_model(ToyTask(uncased))


@pytest.fixture(scope="session")
def report(model, tmp_path_factory):
    """One published export, shared by the tests that only read it."""
    folder = tmp_path_factory.mktemp("exports") / "film"
    (folder / "7").mkdir(parents=True)
    (folder / "notes").mkdir()
    expected = predicted(model, TEXTS)
    return saved_model.publish(model, folder, {"text": TEXTS}, expected, about='{"task": "toy"}')


@pytest.fixture(scope="session")
def signatures(report):
    """Loaded the way TensorFlow does it; what is loaded must outlive its functions."""
    loaded = tf.saved_model.load(report["path"])
    yield loaded.signatures
    del loaded


def test_report_and_folder(report, model):
    path = saved_model.Path(report["path"])
    assert (path.name, report["version"]) == ("8", 8)
    assert sorted(child.name for child in path.parent.iterdir()) == ["7", "8", "notes"]
    assert report["rows"] == 5
    assert report["token_rows"] == 5 + len(comparison.HARD_TEXTS)
    assert 0 <= report["max_difference"] <= 1e-5
    assert "UnicodeDecode" in report["ops"]
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
    with pytest.raises(ExportError, match="the export differs from the model in score of row 2: "):
        saved_model.publish(model, tmp_path, {"text": TEXTS}, expected)
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
        saved_model.publish(model, tmp_path, {"text": []}, {})
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


def save_function(function, folder):
    """A SavedModel of one function of strings."""
    module = tf.Module()
    module.serve = tf.function(function, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(folder), module.serve)


def test_check_finds_what_cannot_be_served(tmp_path):
    def careless(text):
        tf.print(text)
        read = tf.map_fn(tf.io.read_file, text)
        python = tf.py_function(lambda x: x, [text], tf.string)
        compiled = tf.function(lambda x: x + 1, jit_compile=True)(tf.strings.length(read))
        return {"python": tf.reshape(python, tf.shape(text)), "compiled": compiled}

    save_function(careless, tmp_path / "careless")
    problems = verification.check(tmp_path / "careless")
    assert problems[:3] == [
        "EagerPyFunc reaches outside the graph",
        "PrintV2 reaches outside the graph",
        "ReadFile reaches outside the graph",
    ]
    assert {problem.split(" ", 1)[1] for problem in problems[3:]} == {"must be compiled by XLA"}


def test_check_finds_ops_that_tensorflow_lacks(tmp_path):
    save_function(lambda text: {"length": tf.strings.length(text)}, tmp_path)
    content = (tmp_path / "saved_model.pb").read_bytes()
    # Another op's name, of the same length, so that the file stays what it is.
    (tmp_path / "saved_model.pb").write_bytes(content.replace(b"StringLength", b"StringLangth"))
    assert verification.check(tmp_path) == ["StringLangth is not an op of TensorFlow"]


def test_a_process_that_fails(tmp_path):
    with pytest.raises(ExportError, match="^a fresh process cannot use the export: OSError: "):
        verification.verify(tmp_path, {"text": ["a"]}, {})


def test_compare():
    expected = {
        "label": [b"a", b"b"],
        "probabilities": np.array([[0.9, 0.1], [0.499995, 0.500005]]),
    }
    found = {"label": ["a", "b"], "probabilities": [[0.9, 0.1], [0.5, 0.5]]}
    assert verification.compare(found, expected) == pytest.approx(5e-6)
    # Where two classes are as good as equal either may win; elsewhere not.
    verification.compare(found | {"label": ["a", "a"]}, expected)
    cases = {
        "the export differs from the model in label of row 0: b instead of a": found
        | {"label": ["b", "b"]},
        "the export differs from the model in probabilities of row 1: "
        "[nan, 0.5] instead of [0.499995, 0.500005]": found
        | {"probabilities": [[0.9, 0.1], [float("nan"), 0.5]]},
        "the export gives label of shape (1,), not (2,)": found | {"label": ["a"]},
        "the export gives ['label'], the model ['label', 'probabilities']": {"label": ["a", "b"]},
    }
    for line, answers in cases.items():
        with pytest.raises(ExportError, match=f"^{re.escape(line)}$"):
            verification.compare(json.loads(json.dumps(answers)), expected)
    assert verification.compare({"score": [1000.005]}, {"score": [1000.0]}) == pytest.approx(5e-6)
