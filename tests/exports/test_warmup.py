"""Warm-up requests, and the rehearsal that replays them as TensorFlow Serving would."""

import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from tfhf.errors import UserError
from tfhf.exports import inspection, rehearsal, warmup

ROWS = {"text": ["bcd", "a", "efghij", "kl"], "labels": [["x"], ["y", "z"], ["u", "v", "w"], [""]]}


@pytest.fixture(scope="session")
def version(tmp_path_factory):
    """A version with `classify`, whose `serving_default` fails on texts that hold an X."""

    def serve(text, labels):
        fine = tf.debugging.Assert(~tf.reduce_any(tf.strings.regex_full_match(text, ".*X.*")), [0])
        with tf.control_dependencies([fine]):
            return {"first": labels[:, 0], "total": tf.strings.length(text)[:1]}

    def classify(inputs):
        text = tf.io.parse_example(inputs, {"text": tf.io.FixedLenFeature([], tf.string)})["text"]
        scores = tf.cast(tf.strings.length(text)[:, None], tf.float32)
        return {"classes": text[:, None], "scores": scores}

    module = tf.Module()
    strings = tf.TensorSpec([None], tf.string)
    lists = tf.TensorSpec([None, None], tf.string)
    signatures = {
        "serving_default": tf.function(serve).get_concrete_function(strings, lists),
        "classify": tf.function(classify).get_concrete_function(strings),
    }
    folder = tmp_path_factory.mktemp("warm") / "1"
    tf.saved_model.save(module, str(folder), signatures)
    return folder


def write(folder, *records):
    """Replaces the warm-up requests by records as they are."""
    path = folder / warmup.PLACE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def logs(folder):
    content = tf.data.TFRecordDataset(str(folder / warmup.PLACE))
    return [PredictionLog.FromString(record.numpy()) for record in content]


def texts(tensor):
    return [text.decode() for text in tf.make_ndarray(tensor).ravel()]


def test_a_request_for_each_length_and_batch(version):
    assert warmup.write(version, ROWS, batches=(1, 2)) == 12
    written = logs(version)
    assert [log.WhichOneof("log_type") for log in written] == ["predict_log", "classify_log"] * 6
    requests = [log.predict_log.request for log in written[::2]]
    assert {request.model_spec.signature_name for request in requests} == {"serving_default"}
    asked = [texts(request.inputs["text"]) for request in requests]
    # By length, texts and labels together: kl (2), a (3), bcd (4), efghij (9).
    assert asked == [["kl"], ["kl", "a"], ["a"], ["kl", "a"], ["efghij"], ["bcd", "efghij"]]
    labels = requests[5].inputs["labels"]
    assert [size.size for size in labels.tensor_shape.dim] == [2, 3]
    assert texts(labels) == ["x", "", "", "u", "v", "w"]
    examples = written[3].classify_log.request.input.example_list.examples
    assert [e.features.feature["text"].bytes_list.value[0] for e in examples] == [b"kl", b"a"]


def test_batches_larger_than_the_rows(version):
    warmup.write(version, {"text": ["a"], "labels": [["x"]]}, batches=(3,))
    assert texts(logs(version)[0].predict_log.request.inputs["text"]) == ["a"] * 3


def rehearsed(folder, **more):
    """The rehearsal in this process; its own process is the business of test_inspection."""
    asked = {"folder": str(folder), "rows": None, "text_ops": False, "warmup": []} | more
    asked["warmup"] = [
        [name, {key: rehearsal._as_base64(t.SerializeToString()) for key, t in inputs.items()}]
        for name, inputs in asked["warmup"]
    ]
    return rehearsal._perform(asked)


def test_requests_are_replayed(version):
    warmup.write(version, ROWS, batches=(2,))
    requests = warmup.read(version)
    assert [name for name, _ in requests] == ["serving_default", "classify"] * 3
    answers = rehearsed(version, warmup=requests)["warmup"]
    assert answers[0] == {"first": [2], "total": [1]}
    assert answers[1] == {"classes": [2, 1], "scores": [2, 1]}


def test_a_request_that_fails_fails_the_version(version, monkeypatch):
    monkeypatch.setattr(rehearsal, "rehearse", rehearsed)
    rows = ROWS | {"text": ["bcd", "a", "X" * 9, "kl"]}
    warmup.write(version, rows, batches=(1,))
    found = inspection.inspect(version)
    (line,) = found.fails
    assert line.startswith("warm-up request 4 (serving_default) fails, and with it the loading: ")
    assert "assertion failed" in line
    warmup.write(version, ROWS, batches=(2,))
    found = inspection.inspect(version)
    assert found.fails == []
    assert found.notes[1] == "6 warm-up requests answered"
    assert found.limits[-1].startswith("serving_default: output total has not one entry for each")


def test_requests_for_what_is_not_there(version):
    log = PredictionLog()
    log.predict_log.request.model_spec.signature_name = "nothing"
    empty = PredictionLog()
    empty.predict_log.request.inputs["other"].CopyFrom(tf.make_tensor_proto(["a"]))
    write(version, log.SerializeToString(), empty.SerializeToString())
    assert rehearsed(version, warmup=warmup.read(version))["warmup"] == [
        "no signature 'nothing'",
        "gives the inputs ['other'], and serving_default takes ['labels', 'text']",
    ]


def test_multi_inference_and_context(tmp_path):
    log = PredictionLog()
    request = log.multi_inference_log.request
    for name in ("classify", "regress"):
        request.tasks.add().model_spec.signature_name = name
    both = request.input.example_list_with_context
    both.context.features.feature["language"].bytes_list.value.append(b"en")
    both.examples.add().features.feature["text"].bytes_list.value.append(b"a")
    write(tmp_path, log.SerializeToString())
    (first, inputs), (second, _) = warmup.read(tmp_path)
    assert (first, second) == ("classify", "regress")
    example = tf.train.Example.FromString(tf.make_ndarray(inputs["inputs"])[0])
    assert set(example.features.feature) == {"text", "language"}


def session_run():
    log = PredictionLog()
    log.session_run_log.request.SetInParent()
    return log.SerializeToString()


REFUSED = {
    "record 0 is session_run_log, which is not replayed": [session_run()],
    "record 0 is empty, which is not replayed": [b""],
    "it is no whole file of PredictionLog records": [b"\x0a\x05"],
    "more than 1,000 records; keep fewer": [
        PredictionLog(predict_log={}).SerializeToString() for _ in range(1001)
    ],
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_tensorflow_serving_would_refuse(tmp_path, line):
    write(tmp_path, *REFUSED[line])
    with pytest.raises(UserError) as caught:
        warmup.read(tmp_path)
    assert str(caught.value) == f"assets.extra/tf_serving_warmup_requests: {line}"


def test_a_file_that_was_cut_off(tmp_path):
    write(tmp_path, PredictionLog(predict_log={}).SerializeToString())
    path = tmp_path / warmup.PLACE
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError, match="it is no whole file of PredictionLog records$"):
        warmup.read(tmp_path)
    assert warmup.read(tmp_path / "none") == []


def test_latency(version, monkeypatch):
    monkeypatch.setattr(rehearsal, "MOST_CALLS", 6)
    rows = {"text": [{"b64": "YWI="}, "c"], "labels": [["x"], ["y"]]}
    found = rehearsed(version, rows=rows)["latency"]
    assert list(found) == ["1", "8", "64"]
    for times in found.values():
        assert times["calls"] == 6
        assert 0 < times["p50_ms"] <= times["p99_ms"]


def test_every_row_is_asked_in_turn(monkeypatch):
    monkeypatch.setattr(rehearsal, "MOST_CALLS", 3)
    asked = []
    rehearsal.latency(lambda part: asked.append(part["text"]), {"text": list("abc")})
    assert asked[:4] == [["a"], ["b"], ["c"], ["a"]]
    assert asked[5:7] == [list("abcabcab"), list("cabcabca")]


def test_percentiles_are_values_that_occurred():
    assert rehearsal._percentile([1, 2, 3, 4], 50) == 2
    assert rehearsal._percentile(list(range(1, 101)), 99) == 99
    assert rehearsal._percentile([7], 99) == 7
