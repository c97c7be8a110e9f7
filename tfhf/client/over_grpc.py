"""gRPC as TensorFlow Serving speaks it; the messages are those of tensorflow-serving-api."""

from __future__ import annotations

from typing import Any

import grpc

from tfhf.client.answers import INTERNAL, ServerError, Signature, Tensor, Version, dtype_name

_NO_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Grpc:
    """See `tfhf.client.Client` for the arguments and methods."""

    def __init__(
        self, address: str, model: str, version: int | None, label: str | None, timeout: float
    ) -> None:
        from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
        from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

        self._address = f"grpc://{address}"
        self._model, self._version, self._label = model, version, label
        self._timeout = timeout
        self._channel = grpc.insecure_channel(address, options=_NO_LIMIT)
        self._predictions = PredictionServiceStub(self._channel)
        self._models = ModelServiceStub(self._channel)
        self._signatures: dict[str, Signature] = {}

    def predict(self, signature: str, inputs: dict[str, Any]) -> dict[str, list[Any]]:
        import tensorflow as tf
        from tensorflow_serving.apis.predict_pb2 import PredictRequest

        if signature not in self._signatures:
            self._signatures = self.metadata()
        known = self._signatures.get(signature, Signature()).inputs
        request = PredictRequest()
        self._name_model(request.model_spec)
        request.model_spec.signature_name = signature
        for name, values in inputs.items():
            dtype = known[name].dtype if name in known else None
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values, dtype=dtype))
        answer = self._call(self._predictions.Predict, request)
        return {
            name: _as_text(tf.make_ndarray(tensor).tolist(), name.endswith("_bytes"))
            for name, tensor in answer.outputs.items()
        }

    def metadata(self) -> dict[str, Signature]:
        from tensorflow_serving.apis.get_model_metadata_pb2 import (
            GetModelMetadataRequest,
            SignatureDefMap,
        )

        request = GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name_model(request.model_spec)
        answer = self._call(self._predictions.GetModelMetadata, request)
        found = SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        return {
            name: Signature(_tensors(signature.inputs), _tensors(signature.outputs))
            for name, signature in found.signature_def.items()
            if not name.startswith(INTERNAL)
        }

    def status(self) -> list[Version]:
        from tensorflow_serving.apis.get_model_status_pb2 import (
            GetModelStatusRequest,
            ModelVersionStatus,
        )

        request = GetModelStatusRequest()
        self._name_model(request.model_spec)
        answer = self._call(self._models.GetModelStatus, request)
        return [
            Version(one.version, ModelVersionStatus.State.Name(one.state), one.status.error_message)
            for one in answer.model_version_status
        ]

    def close(self) -> None:
        self._channel.close()

    def _name_model(self, model_spec: Any) -> None:
        """Fills in which model and version is asked."""
        model_spec.name = self._model
        if self._version is not None:
            model_spec.version.value = self._version
        if self._label is not None:
            model_spec.version_label = self._label

    def _call(self, method: Any, request: Any) -> Any:
        """What a method answers."""
        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            raise ServerError(self._address, error.code().name, error.details()) from error


def _tensors(found: Any) -> dict[str, Tensor]:
    """Inputs or outputs out of a model's metadata."""
    from tensorflow.core.framework.types_pb2 import DataType

    return {
        name: Tensor(dtype_name(DataType.Name(tensor.dtype)), _shape(tensor.tensor_shape))
        for name, tensor in found.items()
    }


def _shape(found: Any) -> tuple[int, ...] | None:
    return None if found.unknown_rank else tuple(size.size for size in found.dim)


def _as_text(value: Any, stays_bytes: bool) -> Any:
    """TensorFlow's bytes as text, except in outputs that say that they are bytes."""
    if isinstance(value, list):
        return [_as_text(one, stays_bytes) for one in value]
    if isinstance(value, bytes) and not stays_bytes:
        return value.decode("utf-8", errors="replace")
    return value
