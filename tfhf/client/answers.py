"""What a client gives back, whichever way it asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from tfhf.errors import UserError

INTERNAL = "__saved_model"  # prefix of signatures with which a model loads, not to be asked
_NAMES = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16"}


class ServerError(UserError):
    """A request that was not answered.

    Attributes:
        status: gRPC's name for what went wrong, whichever way was asked: `NOT_FOUND` (no such
            model or version), `INVALID_ARGUMENT` (the request is wrong), `UNAVAILABLE` (no server,
            or too busy), `DEADLINE_EXCEEDED` (no answer in time), …
        message: the server's own words.
    """

    def __init__(self, address: str, status: str, message: str) -> None:
        super().__init__(f"{address}: {status}: {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Tensor:
    """An input or output: the name of its type, and its sizes.

    Attributes:
        dtype: as TensorFlow and NumPy name it: `string`, `float32`, `int64`, …
        shape: its sizes, -1 where they vary; None where even their number does.
    """

    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Signature:
    """What a signature takes and gives, by name."""

    inputs: dict[str, Tensor] = field(default_factory=dict)
    outputs: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """How a version of the model is.

    Attributes:
        version: its number.
        state: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        error: why it could not be loaded, or an empty text.
    """

    version: int
    state: str
    error: str = ""


class Transport(Protocol):
    """A way to reach a server; the methods are those of `tfhf.client.Client`."""

    def predict(self, signature: str, inputs: dict[str, Any]) -> dict[str, list[Any]]: ...

    def metadata(self) -> dict[str, Signature]: ...

    def status(self) -> list[Version]: ...

    def close(self) -> None: ...


def dtype_name(constant: str) -> str:
    """The usual name of a type of TensorFlow's protocol buffers: `DT_FLOAT` is `float32`."""
    return _NAMES.get(constant, constant.removeprefix("DT_").lower())
