"""A client of a served model, by REST or gRPC: of `tfhf serve` and TensorFlow Serving alike.

    from tfhf.client import Client

    client = Client("http://localhost:8501", model="support")
    client.predict(text=["where is my card?"])
    # {"label": ["card_arrival"], "score": [0.98], "probabilities": [[...]]}

By REST it needs neither TensorFlow nor anything else of tfhf. The messages of gRPC come with
tensorflow-serving-api, which imports TensorFlow.
"""

from __future__ import annotations

from typing import Any

from tfhf.client.answers import ServerError, Signature, Tensor, Transport, Version
from tfhf.errors import UserError

__all__ = ["Client", "ServerError", "Signature", "Tensor", "Version"]


class Client:
    """Asks one served model.

    Args:
        address: `http://HOST:8501`, `https://HOST`, or `grpc://HOST:8500` (not encrypted).
        model: the model's name on the server.
        version: a version's number; the newest by default.
        label: a version's label, such as `stable`, instead of its number.
        timeout: seconds to wait for an answer, above 0.

    Raises:
        UserError: if the address is of another kind, or both version and label are given.
    """

    def __init__(
        self,
        address: str,
        *,
        model: str,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        if version is not None and label is not None:
            raise UserError(f"give a version or a label, not both; received {version}, {label!r}")
        scheme, separator, place = address.rstrip("/").partition("://")
        if not (separator and place and scheme in ("http", "https", "grpc")):
            raise UserError(
                "address: http://HOST:PORT, https://HOST:PORT or grpc://HOST:PORT; "
                f"received {address!r}"
            )
        self._transport: Transport
        if scheme == "grpc":
            from tfhf.client.over_grpc import Grpc

            self._transport = Grpc(place, model, version, label, timeout)
        else:
            from tfhf.client.over_rest import Rest

            self._transport = Rest(f"{scheme}://{place}", model, version, label, timeout)

    def predict(self, signature: str = "serving_default", /, **inputs: Any) -> dict[str, list[Any]]:
        """Asks a signature.

        Args:
            signature: its name.
            **inputs: each a list with one value per row: strings, bytes, numbers, or lists of
                them; NumPy arrays too.

        Returns:
            Output's name → a list with one value per row. Strings are `str`; those of an output
            whose name ends in `_bytes` are `bytes`.

        Raises:
            ServerError: if there is no answer, or the server refuses.
        """
        return self._transport.predict(
            signature, {name: _as_lists(values) for name, values in inputs.items()}
        )

    def metadata(self) -> dict[str, Signature]:
        """What the model's signatures take and give, by their names.

        Raises:
            ServerError: if there is no answer, or no such model.
        """
        return self._transport.metadata()

    def status(self) -> list[Version]:
        """The versions the server knows, and how they are.

        Raises:
            ServerError: if there is no answer, or no such model.
        """
        return self._transport.status()

    def close(self) -> None:
        """Closes the connection; a client can also be used in a `with` statement."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _as_lists(values: Any) -> Any:
    """NumPy arrays as lists; anything else as it is."""
    return values.tolist() if hasattr(values, "tolist") else values
