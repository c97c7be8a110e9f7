"""gRPC, with the stubs of tensorflow-serving-api as the client."""

import grpc
import pytest
import tensorflow as tf
from google.protobuf.wrappers_pb2 import Int64Value
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

SECONDS = 30


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        yield channel


@pytest.fixture(scope="module")
def prediction(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def models(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def spec(name="m", signature="", version=None, label=None):
    found = model_pb2.ModelSpec(name=name, signature_name=signature)
    if version is not None:
        found.version.CopyFrom(Int64Value(value=version))
    if label:
        found.version_label = label
    return found


def predicting(model_spec, **inputs):
    request = predict_pb2.PredictRequest(model_spec=model_spec)
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return request


def with_examples(request, *values):
    for value in values:
        example = request.input.example_list.examples.add()
        example.features.feature["x"].float_list.value.append(value)
    return request


def classifying(model_spec, *values):
    request = classification_pb2.ClassificationRequest(model_spec=model_spec)
    return with_examples(request, *values)


def regressing(model_spec, *values):
    return with_examples(regression_pb2.RegressionRequest(model_spec=model_spec), *values)


def inferring(*tasks, values=(20.0,)):
    request = inference_pb2.MultiInferenceRequest()
    for model_spec, method in tasks:
        request.tasks.add(model_spec=model_spec, method_name=f"tensorflow/serving/{method}")
    return with_examples(request, *values)


def asking_metadata(model_spec, *fields):
    return get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=model_spec, metadata_field=fields
    )


# === What is answered ===


def test_predict(prediction):
    for model_spec in (spec(), spec(version=1), spec(label="stable"), spec("m!")):
        reply = prediction.Predict(predicting(model_spec, x=[1.0, 2.0, 5.0]), SECONDS)
        assert list(reply.outputs["y"].float_val) == [2.5, 3.0, 4.5]
        assert reply.outputs["y"].dtype == tf.float32.as_datatype_enum
        assert reply.model_spec == spec(model_spec.name, "serving_default", 1)


def test_predict_some_of_the_outputs(prediction):
    request = predicting(spec("pair"), a=[1.0, 3.0], b=[2.0, 4.0])
    assert set(prediction.Predict(request, SECONDS).outputs) == {"sum", "product"}
    request.output_filter.append("product")
    reply = prediction.Predict(request, SECONDS)
    assert {name: list(value.float_val) for name, value in reply.outputs.items()} == {
        "product": [2.0, 12.0]
    }


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        ("int32", [[1], [-2]], "int_val"),
        ("int64", [2**63 - 1], "int64_val"),
        ("uint8", [255], "int_val"),
        ("float64", [0.1], "double_val"),
        ("bool", [True, False], "bool_val"),
        ("float16", [1.5, -2.0], "half_val"),
        ("float32", 3.0, "float_val"),
        ("float32", [[], []], "float_val"),
    ],
)
def test_types_come_back_in_their_fields(prediction, kind, values, field):
    sent = tf.make_tensor_proto(values, dtype=kind)
    request = predict_pb2.PredictRequest(model_spec=spec("types", kind))
    request.inputs["x"].CopyFrom(sent)
    found = prediction.Predict(request, SECONDS).outputs["y"]
    assert not found.tensor_content
    assert len(getattr(found, field)) == tf.make_ndarray(sent).size
    assert tf.make_ndarray(found).tolist() == tf.make_ndarray(sent).tolist()
    assert found.tensor_shape == sent.tensor_shape


def test_strings(prediction):
    reply = prediction.Predict(predicting(spec("texts", "both"), text=[b"a\xff\0", b""]), SECONDS)
    assert list(reply.outputs["text_bytes"].string_val) == [b"a\xff\0", b""]
    assert list(reply.outputs["length"].int_val) == [3, 0]


def test_classify(prediction):
    reply = prediction.Classify(classifying(spec(signature="labels"), 20.0, 1.0), SECONDS)
    found = [[(c.label, c.score) for c in row.classes] for row in reply.result.classifications]
    assert found == [[("pos", 12.0), ("neg", -12.0)], [("pos", 2.5), ("neg", -2.5)]]
    assert reply.model_spec == spec(signature="labels", version=1)


def test_classify_with_a_context(prediction):
    request = classifying(spec(signature="classify"))
    given = request.input.example_list_with_context
    given.context.features.feature["x"].float_list.value.append(20.0)
    given.examples.add()
    given.examples.add().features.feature["x"].float_list.value.append(2.0)
    reply = prediction.Classify(request, SECONDS)
    assert [row.classes[0].score for row in reply.result.classifications] == [12.0, 3.0]


def test_regress(prediction):
    reply = prediction.Regress(regressing(spec(signature="regress"), 80.0, 0.0), SECONDS)
    assert [one.value for one in reply.result.regressions] == [42.0, 2.0]
    assert reply.model_spec == spec(signature="regress", version=1)


def test_multi_inference(prediction):
    tasks = [(spec("shared", name), name) for name in ("classify", "regress")]
    reply = prediction.MultiInference(inferring(*tasks, values=[20.0, 1.0]), SECONDS)
    classified, regressed = reply.results
    rows = classified.classification_result.classifications
    assert [[c.score for c in row.classes] for row in rows] == [[22.0, 23.0], [3.0, 4.0]]
    assert [one.value for one in regressed.regression_result.regressions] == [21.0, 2.0]
    assert classified.model_spec == spec("shared", "classify", 1)


def test_metadata(prediction):
    reply = prediction.GetModelMetadata(asking_metadata(spec(), "signature_def"), SECONDS)
    assert reply.model_spec == spec(version=1)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert reply.metadata["signature_def"].Unpack(found)
    assert found.signature_def["serving_default"].inputs["x"].dtype == 1


def test_status(models):
    for model_spec in (spec(), spec(version=1), spec(label="stable")):
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=model_spec)
        (state,) = models.GetModelStatus(request, SECONDS).model_version_status
        assert (state.version, state.state, state.status.error_code) == (1, state.AVAILABLE, 0)


# === What is refused ===

UNKNOWN_SIGNATURE = 'Serving signature key "zz" not found.'
REFUSED = {
    "predict: unknown model": (
        "Predict",
        predicting(spec("foo"), x=[1.0]),
        "NOT_FOUND",
        "Servable not found for request: Latest(foo)",
    ),
    "predict: unknown version": (
        "Predict",
        predicting(spec(version=50), x=[1.0]),
        "NOT_FOUND",
        "Servable not found for request: Specific(m, 50)",
    ),
    "predict: unknown label": (
        "Predict",
        predicting(spec(label="zz"), x=[1.0]),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: zz",
    ),
    "predict: unknown signature": (
        "Predict",
        predicting(spec(signature="zz"), x=[1.0]),
        "FAILED_PRECONDITION",
        UNKNOWN_SIGNATURE,
    ),
    "predict: no model": (
        "Predict",
        predict_pb2.PredictRequest(),
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
    ),
    "predict: inputs": (
        "Predict",
        predicting(spec("pair"), a=[1.0]),
        "INVALID_ARGUMENT",
        "input size does not match signature: 1!=2 len({a}) != len({a,b}). "
        "Sent extra: {}. Missing but required: {b}.",
    ),
    "predict: another input": (
        "Predict",
        predicting(spec(), z=[1.0]),
        "INVALID_ARGUMENT",
        "input tensor alias not found in signature: z. Inputs expected to be in the set {x}.",
    ),
    "predict: unknown output": (
        "Predict",
        predict_pb2.PredictRequest(
            model_spec=spec(),
            inputs={"x": tf.make_tensor_proto([1.0])},
            output_filter=["zz"],
        ),
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: zz Outputs expected to be in the set {y}.",
    ),
    "predict: an output twice": (
        "Predict",
        predict_pb2.PredictRequest(
            model_spec=spec(),
            inputs={"x": tf.make_tensor_proto([1.0])},
            output_filter=["y", "y"],
        ),
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: y",
    ),
    "predict: another type": (
        "Predict",
        predicting(spec(), x=[1]),
        "INVALID_ARGUMENT",
        "Type mismatch: actual int32 vs. expect float",
    ),
    "classify: unknown model": (
        "Classify",
        classifying(spec("foo"), 1.0),
        "NOT_FOUND",
        "Servable not found for request: Latest(foo)",
    ),
    "classify: nothing": (
        "Classify",
        classifying(spec(signature="classify")),
        "INVALID_ARGUMENT",
        "Input is empty.",
    ),
    "classify: unknown signature": (
        "Classify",
        classifying(spec(signature="zz"), 1.0),
        "INVALID_ARGUMENT",
        "No signature was found with the name: zz",
    ),
    "regress: unknown model": (
        "Regress",
        regressing(spec("foo"), 1.0),
        "NOT_FOUND",
        "Servable not found for request: Latest(foo)",
    ),
    "regress: what classifies": (
        "Regress",
        regressing(spec(signature="classify"), 1.0),
        "FAILED_PRECONDITION",
        "No regression outputs found in SignatureDef",
    ),
    "multi: unknown model": (
        "MultiInference",
        inferring((spec("foo"), "classify")),
        "NOT_FOUND",
        "Servable not found for request: Latest(foo)",
    ),
    "multi: no tasks": (
        "MultiInference",
        inferring(),
        "INVALID_ARGUMENT",
        "Inference request must have at least one task",
    ),
    "multi: two models": (
        "MultiInference",
        inferring((spec("m"), "classify"), (spec("m!"), "regress")),
        "INVALID_ARGUMENT",
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    ),
    "multi: one signature twice": (
        "MultiInference",
        inferring((spec(signature="labels"), "classify"), (spec(signature="labels"), "classify")),
        "INVALID_ARGUMENT",
        "Duplicate evaluation of signature: labels",
    ),
    "multi: unlike inputs": (
        "MultiInference",
        inferring((spec(signature="labels"), "classify"), (spec(signature="regress"), "regress")),
        "INVALID_ARGUMENT",
        "Input tensor must be the same for all Signatures.",
    ),
    "multi: another method": (
        "MultiInference",
        inferring((spec(signature="labels"), "predict")),
        "UNIMPLEMENTED",
        "Unsupported signature method_name: tensorflow/serving/predict",
    ),
    "metadata: unknown model": (
        "GetModelMetadata",
        asking_metadata(spec("foo"), "signature_def"),
        "NOT_FOUND",
        "Servable not found for request: Latest(foo)",
    ),
    "metadata: no field": (
        "GetModelMetadata",
        asking_metadata(spec()),
        "INVALID_ARGUMENT",
        "GetModelMetadataRequest must specify at least one metadata_field",
    ),
    "metadata: unknown field": (
        "GetModelMetadata",
        asking_metadata(spec(), "weights"),
        "INVALID_ARGUMENT",
        "Metadata field weights is not supported",
    ),
}


@pytest.mark.parametrize(
    ("method", "request_", "code", "message"), REFUSED.values(), ids=REFUSED.keys()
)
def test_refused(prediction, method, request_, code, message):
    with pytest.raises(grpc.RpcError) as error:
        getattr(prediction, method)(request_, SECONDS)
    assert error.value.code().name == code
    assert message in error.value.details()


@pytest.mark.parametrize(
    "changes",
    [
        {"tensor_shape": {"dim": [{"size": -1}]}},
        {"tensor_shape": {"unknown_rank": True}},
        {"tensor_shape": {"dim": [{"size": 2**40}]}, "float_val": [1.0]},
        {"tensor_shape": {"dim": [{"size": 3}]}, "tensor_content": b"abc"},
        {"dtype": 20},
        {"dtype": 99},
        {},
    ],
    ids=["negative", "no rank", "enormous", "content", "resource", "no type", "empty"],
)
def test_tensors_that_are_none(prediction, changes):
    from google.protobuf.json_format import ParseDict
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    tensor = TensorProto(dtype=1 if changes else 0)
    changes = dict(changes)
    tensor.tensor_content = changes.pop("tensor_content", b"")
    tensor.dtype = changes.pop("dtype", tensor.dtype)
    ParseDict(changes, tensor)
    request = predict_pb2.PredictRequest(model_spec=spec(), inputs={"x": tensor})
    with pytest.raises(grpc.RpcError) as error:
        prediction.Predict(request, SECONDS)
    assert error.value.code().name == "INVALID_ARGUMENT"
    assert error.value.details().startswith("tensor parsing error: ")


@pytest.mark.parametrize(
    "method", ["Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata"]
)
def test_bytes_that_are_no_message(channel, method):
    call = channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")
    with pytest.raises(grpc.RpcError) as error:
        call(b"\xff\xff no message", SECONDS)
    assert error.value.code().name == "INTERNAL"


@pytest.mark.parametrize(
    ("model_spec", "code", "message"),
    [
        (spec("foo"), "NOT_FOUND", "Could not find any versions of model foo"),
        (spec(version=9), "NOT_FOUND", "Could not find version 9 of model m"),
        (None, "INVALID_ARGUMENT", "Missing ModelSpec"),
    ],
)
def test_status_refused(models, model_spec, code, message):
    with pytest.raises(grpc.RpcError) as error:
        models.GetModelStatus(
            get_model_status_pb2.GetModelStatusRequest(model_spec=model_spec), SECONDS
        )
    assert (error.value.code().name, error.value.details()) == (code, message)


# === Another configuration ===


def reloading(**folders):
    request = model_management_pb2.ReloadConfigRequest()
    for name, folder in folders.items():
        request.config.model_config_list.config.add(
            name=name, base_path=str(folder), model_platform="tensorflow"
        )
    return request


def test_reload(served_models, half_plus_two, tmp_path):
    from tfhf.serving.configuration import ModelConfig
    from tfhf.serving.server import Options, Server

    half_plus_two(tmp_path / "other" / "3", added=3.0)
    server = Server([ModelConfig("m", served_models / "m")], Options(rest_port=0, grpc_port=0))
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            models = model_service_pb2_grpc.ModelServiceStub(channel)

            def asked(name):
                reply = prediction.Predict(predicting(spec(name), x=[1.0]), SECONDS)
                return reply.outputs["y"].float_val[0]

            request = reloading(m=served_models / "m", other=tmp_path / "other")
            reply = models.HandleReloadConfigRequest(request, SECONDS)
            assert reply.status.error_code == 0
            assert (asked("m"), asked("other")) == (2.5, 3.5)
            for request, code in (
                (reloading(other=tmp_path / "other", empty=tmp_path / "empty"), "NOT_FOUND"),
                (reloading(other="relative/path"), "INVALID_ARGUMENT"),
                (model_management_pb2.ReloadConfigRequest(), "INVALID_ARGUMENT"),
            ):
                with pytest.raises(grpc.RpcError) as error:
                    models.HandleReloadConfigRequest(request, SECONDS)
                assert error.value.code().name == code
                assert (asked("m"), asked("other")) == (2.5, 3.5)
            models.HandleReloadConfigRequest(reloading(other=tmp_path / "other"), SECONDS)
            assert asked("other") == 3.5
            with pytest.raises(grpc.RpcError):
                asked("m")
    finally:
        server.stop()
