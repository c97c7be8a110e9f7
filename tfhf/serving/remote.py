"""The gRPC door: `PredictionService` and `ModelService` of tensorflow-serving-api."""

import time

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from tfhf.errors import UserError
from tfhf.serving import configuration, examples, inference, messages, services, statuses
from tfhf.serving.statuses import invalid


def add(server, models, batcher, most_values):
    """Adds both services to a gRPC server.

    Args:
        server: a `grpc.Server`.
        models: Models.
        batcher: Batcher.
        most_values: that one tensor of a request may hold.
    """
    prediction = PredictionService(models, batcher, most_values)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(models), server)


def _answering(method):
    """A method whose errors reach the client as gRPC's status and message."""

    def call(self, request, context):
        try:
            return method(self, request, context)
        except Exception as error:
            found = statuses.of(error)
            context.abort(getattr(grpc.StatusCode, found.code), found.message)

    call.__doc__ = method.__doc__
    return call


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Questions to a model."""

    def __init__(self, models, batcher, most_values):
        self._models = models
        self._batcher = batcher
        self._most_values = most_values

    @_answering
    def Predict(self, request, context):
        with self._asked(request, context) as question:
            inputs = {
                name: messages.from_tensor(tensor, self._most_values)
                for name, tensor in request.inputs.items()
            }
            name = request.model_spec.signature_name
            outputs = inference.predict(question, name, inputs, request.output_filter)
            response = predict_pb2.PredictResponse()
            _identify(response.model_spec, question, name)
            for name, array in outputs.items():
                response.outputs[name].CopyFrom(messages.to_tensor(array))
            return response

    @_answering
    def Classify(self, request, context):
        with self._asked(request, context) as question:
            name, given = request.model_spec.signature_name, examples.serialized(request.input)
            response = classification_pb2.ClassificationResponse()
            _identify(response.model_spec, question, name)
            _add_classes(response.result, inference.classify(question, name, given))
            return response

    @_answering
    def Regress(self, request, context):
        with self._asked(request, context) as question:
            name, given = request.model_spec.signature_name, examples.serialized(request.input)
            response = regression_pb2.RegressionResponse()
            _identify(response.model_spec, question, name)
            _add_values(response.result, inference.regress(question, name, given))
            return response

    @_answering
    def MultiInference(self, request, context):
        if not request.tasks:
            raise invalid("Inference request must have at least one task")
        names = {task.model_spec.name for task in request.tasks}
        if "" in names:
            raise invalid("Found ModelSpec with an empty model name.")
        if len(names) > 1:
            raise invalid(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        with self._asked(request.tasks[0], context) as question:
            tasks = [(task.method_name, task.model_spec.signature_name) for task in request.tasks]
            found = inference.multi_inference(question, tasks, examples.serialized(request.input))
            response = inference_pb2.MultiInferenceResponse()
            for (method, name), results in zip(tasks, found, strict=True):
                result = response.results.add()
                _identify(result.model_spec, question, name)
                if method == inference.CLASSIFY:
                    _add_classes(result.classification_result, results)
                else:
                    _add_values(result.regression_result, results)
            return response

    @_answering
    def GetModelMetadata(self, request, context):
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != "signature_def":
                raise invalid(f"Metadata field {name} is not supported")
        spec, signatures = services.metadata(self._models, _spec(request.model_spec))
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=spec)
        response.metadata["signature_def"].Pack(signatures)
        return response

    def _asked(self, request, context):
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        left = context.time_remaining()
        deadline = None if left is None else time.monotonic() + left
        return services.asked(self._models, self._batcher, _spec(request.model_spec), deadline)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Questions about the models, and which of them are served."""

    def __init__(self, models):
        self._models = models

    @_answering
    def GetModelStatus(self, request, context):
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        return services.status(self._models, _spec(request.model_spec))

    @_answering
    def HandleReloadConfigRequest(self, request, context):
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        try:
            configs = configuration.models(request.config)
        except UserError as error:
            raise invalid(str(error)) from error
        self._models.reload(configs)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        return response


def _spec(model_spec):
    version = model_spec.version.value if model_spec.HasField("version") else None
    return services.Spec(model_spec.name, version, model_spec.version_label or None)


def _identify(model_spec, question, signature_name):
    """Which version answered through which signature."""
    model_spec.name = question.servable.name
    model_spec.version.value = question.servable.version
    model_spec.signature_name = signature_name or inference.DEFAULT


def _add_classes(result, found):
    for pairs in found:
        classes = result.classifications.add().classes
        for label, score in pairs:
            classes.add(label=label, score=score)


def _add_values(result, found):
    for value in found:
        result.regressions.add(value=value)
