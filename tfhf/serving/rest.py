"""The REST door: TensorFlow Serving's paths, methods, bodies and errors as an ASGI application."""

import asyncio
import re
import time
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from google.protobuf import json_format
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tfhf import storage
from tfhf.serving import (
    documents,
    examples,
    inference,
    page,
    printing,
    replies,
    services,
    statuses,
    tensors,
)
from tfhf.serving.statuses import RequestError, invalid

# Paths are matched whatever their case; the verb behind the colon only as it is written here.
_MODEL = r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
_ASK = re.compile(rf"{_MODEL}:(classify|regress|predict)", re.IGNORECASE | re.ASCII)
_LOOK = re.compile(rf"(?:{_MODEL}|/v1/models)(?:/(metadata))?", re.IGNORECASE | re.ASCII)
_VERBS = {"classify", "regress", "predict"}
JSON = "application/json"


@dataclass(frozen=True)
class Limits:
    """What a request may cost.

    Attributes:
        seconds: until it is answered; also what a client may take to send it.
        body_bytes: of its body.
        requests: at the same time; what comes then is refused.
    """

    seconds: float
    body_bytes: int
    requests: int


class Rest:
    """The application.

    Args:
        models: Models.
        batcher: Batcher.
        limits: Limits.
        threads: an executor that reads, computes and writes.
    """

    def __init__(self, models, batcher, limits, threads):
        self._models = models
        self._batcher = batcher
        self._limits = limits
        self._threads = threads
        self._page = page.Page(models)
        self._open = 0

    async def __call__(self, scope, receive, send):
        request = Request(scope, receive)
        try:
            status, body, kind = await self._answer(request)
        except ClientDisconnect:
            return
        except RequestError as error:
            status, body, kind = error.http_status, printing.error(error.message), JSON
        headers = None if _is_rest(_path(request)) else page.HEADERS
        await Response(body, status, headers, kind)(scope, receive, send)

    async def _answer(self, request):
        """Status, body and type of the reply."""
        path = _path(request)
        if path in self._page.files and request.method in ("GET", "HEAD"):
            return 200, *self._page.files[path]
        if not _is_rest(path) and path != page.MODELS:
            return 404, printing.error(f"Not found: {request.method} {path}"), JSON
        if self._open >= self._limits.requests:
            raise RequestError("UNAVAILABLE", "too many requests at the same time")
        self._open += 1
        try:
            deadline = time.monotonic() + self._limits.seconds
            try:
                async with asyncio.timeout(self._limits.seconds):
                    body = await self._body(request)
            except TimeoutError:
                return 408, printing.error("the request was not sent in time"), JSON
            if body is None:
                most = self._limits.body_bytes
                return 413, printing.error(f"the body is larger than {most} bytes"), JSON
            loop = asyncio.get_running_loop()
            found = loop.run_in_executor(
                self._threads, self._answered, request.method, path, body, deadline
            )
            return 200, await found, JSON
        finally:
            self._open -= 1

    async def _body(self, request):
        """The body of a request; None if it is too large."""
        most = self._limits.body_bytes
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            return None
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                return None
            parts.append(part)
        return b"".join(parts)

    def _answered(self, method, path, body, deadline):
        """The reply to a request under /v1/, in one of the threads."""
        try:
            if time.monotonic() > deadline:
                raise RequestError("DEADLINE_EXCEEDED", "Deadline exceeded before it was begun")
            return self._dispatched(method, path, body, deadline)
        except Exception as error:
            raise statuses.of(error) from error

    def _dispatched(self, method, path, body, deadline):
        if method == "POST" and (found := _ASK.fullmatch(path)):
            *place, verb = found.groups()
            spec = _spec(*place)
            if verb in _VERBS:
                return getattr(self, f"_{verb}")(spec, body, deadline)
        elif method == "GET" and (found := _LOOK.fullmatch(path)):
            *place, part = found.groups()
            spec = _spec(*place)
            return self._metadata(spec) if part else self._status(spec)
        elif method == "GET" and path == page.MODELS:
            return storage.to_json(self._page.described()).encode("utf-8", "surrogateescape")
        raise invalid(f"Malformed request: {method} {path}")

    def _predict(self, spec, body, deadline):
        asked = documents.parse(body)
        name = _signature_name(asked)
        with self._asked(spec, deadline) as question:
            signature = question.servable.signatures.get(name or inference.DEFAULT)
            if signature is None:
                raise invalid(
                    f'Serving signature name: "{name or inference.DEFAULT}" '
                    "not found in signature def"
                )
            types = {key: tensors.type_name(info.dtype) for key, info in signature.inputs.items()}
            if not types:
                raise invalid(f"Failed to get input map for signature: {name or 'DEFAULT'}")
            arrays, written = _inputs(asked, types)
            return written(inference.predict(question, name, arrays))

    def _classify(self, spec, body, deadline):
        return self._on_examples(inference.classify, replies.classes, spec, body, deadline)

    def _regress(self, spec, body, deadline):
        return self._on_examples(inference.regress, replies.values, spec, body, deadline)

    def _on_examples(self, infer, written, spec, body, deadline):
        asked = documents.parse(body)
        name = _signature_name(asked)
        given = examples.serialized(examples.from_json(asked))
        with self._asked(spec, deadline) as question:
            return written(infer(question, name, given))

    def _asked(self, spec, deadline):
        return services.asked(self._models, self._batcher, spec, deadline)

    def _status(self, spec):
        if not spec.name:
            raise invalid("Missing model name in request.")
        found = services.status(self._models, spec)
        return _printed(found)

    def _metadata(self, spec):
        """As TensorFlow Serving prints it: the signatures without the type of their message."""
        spec, signatures = services.metadata(self._models, spec)
        return (
            f'{{\n"model_spec":{_printed(spec).decode()},\n'
            f'"metadata": {{"signature_def": {_printed(signatures).decode()}}}\n}}\n'
        ).encode()


def _path(request):
    """The path of a request as it was sent."""
    return request.scope["raw_path"].decode("latin-1")


def _is_rest(path):
    return path.lower().startswith("/v1/")


def _printed(message):
    """A protocol buffer as JSON, fields that say nothing included."""
    return json_format.MessageToJson(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        indent=1,
    ).encode()


def _spec(name, version, label):
    """The parts of a path as a `Spec`."""
    digits = (version or "").lstrip("0") or "0"
    if len(digits) > 19 or int(digits) >= 2**63:
        raise invalid(f"Failed to convert version: {version} to numeric.")
    return services.Spec(_decoded(name), int(digits) if version else None, _decoded(label) or None)


def _decoded(part):
    return unquote_to_bytes(part or "").decode("utf-8", "replace")


def _signature_name(asked):
    name = asked.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {printing.pretty(asked)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return name


def _inputs(asked, types):
    """The arrays of a request, and what writes its reply: in the form it was asked in."""
    if "instances" in asked and "inputs" in asked:
        reason = (
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        )
    elif "inputs" in asked:
        return tensors.from_columns(asked["inputs"], types), replies.to_columns
    elif "instances" not in asked:
        raise invalid("Missing 'inputs' or 'instances' key")
    elif not isinstance(asked["instances"], list):
        reason = "Expecting 'instances' to be an list/array"
    elif not asked["instances"]:
        reason = "No values in 'instances' array"
    else:
        return tensors.from_rows(asked["instances"], types), replies.to_rows
    raise invalid(f"JSON Value: {printing.pretty(asked)} {reason}")
