"""REST as TensorFlow Serving speaks it: https://www.tensorflow.org/tfx/serving/api_rest."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import requests

from tfhf.client.answers import INTERNAL, ServerError, Signature, Tensor, Version, dtype_name

# HTTP's codes → gRPC's names of the same thing; 400 stands for several of them.
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_LONGEST = 300  # characters of an answer that is no JSON


class Rest:
    """See `tfhf.client.Client` for the arguments and methods."""

    def __init__(
        self, address: str, model: str, version: int | None, label: str | None, timeout: float
    ) -> None:
        self._address = address
        self._model = f"{address}/v1/models/{quote(model, safe='')}"
        self._asked = self._model
        if version is not None:
            self._asked += f"/versions/{version}"
        elif label is not None:
            self._asked += f"/labels/{quote(label, safe='')}"
        self._timeout = timeout
        self._session = requests.Session()

    def predict(self, signature: str, inputs: dict[str, Any]) -> dict[str, list[Any]]:
        body = {"signature_name": signature, "inputs": inputs}
        # NaN and infinity are no JSON, but TensorFlow Serving takes and gives them so.
        content = json.dumps(body, default=_as_base64).encode()
        outputs = self._answer("POST", f"{self._asked}:predict", content)["outputs"]
        if not isinstance(outputs, dict) or _is_base64(outputs):
            # The only output comes without its name.
            (name,) = self.metadata()[signature].outputs
            outputs = {name: outputs}
        return {name: _from_base64(values) for name, values in outputs.items()}

    def metadata(self) -> dict[str, Signature]:
        found = self._answer("GET", f"{self._asked}/metadata")
        return {
            name: Signature(_tensors(signature["inputs"]), _tensors(signature["outputs"]))
            for name, signature in found["metadata"]["signature_def"]["signature_def"].items()
            if not name.startswith(INTERNAL)
        }

    def status(self) -> list[Version]:
        found = self._answer("GET", self._asked)
        return [
            Version(int(one["version"]), one["state"], one["status"]["error_message"])
            for one in found["model_version_status"]
        ]

    def close(self) -> None:
        self._session.close()

    def _answer(self, method: str, url: str, content: bytes | None = None) -> dict[str, Any]:
        """The JSON object a request is answered with."""
        headers = {"Content-Type": "application/json"} if content is not None else None
        try:
            answer = self._session.request(
                method, url, data=content, headers=headers, timeout=self._timeout
            )
        except requests.Timeout as error:
            message = f"no answer within {self._timeout} s"
            raise ServerError(self._address, "DEADLINE_EXCEEDED", message) from error
        except requests.RequestException as error:
            reason = f"cannot be reached: {type(error).__name__}"
            raise ServerError(self._address, "UNAVAILABLE", reason) from error
        text = answer.content.decode("utf-8", errors="replace")
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if answer.ok and isinstance(found, dict):
            return found
        said = found.get("error") if isinstance(found, dict) else None
        status = "UNKNOWN" if answer.ok else _STATUS.get(answer.status_code, "INTERNAL")
        shown = str(said or " ".join(text.split())[:_LONGEST] or answer.reason)
        raise ServerError(self._address, status, shown)


def _tensors(found: dict[str, Any]) -> dict[str, Tensor]:
    """Inputs or outputs out of a model's metadata."""
    return {
        name: Tensor(dtype_name(tensor["dtype"]), _shape(tensor["tensor_shape"]))
        for name, tensor in found.items()
    }


def _shape(found: dict[str, Any]) -> tuple[int, ...] | None:
    if found.get("unknown_rank"):
        return None
    return tuple(int(size["size"]) for size in found.get("dim", []))


def _as_base64(value: Any) -> Any:
    """Bytes as the REST interface writes them; NumPy's own numbers as Python's."""
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode("ascii")}
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"an input holds {type(value).__name__}, which cannot be sent as JSON")


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"}


def _from_base64(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_base64(one) for one in value]
    return base64.b64decode(value["b64"]) if _is_base64(value) else value
