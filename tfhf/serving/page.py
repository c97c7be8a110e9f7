"""The page to try the models: its files, and what it is told of them.

The page asks through REST as everybody does. What REST does not tell (which models there are, their
tasks and classes, rows to try) stands in `/page/models.json`, for the page alone.
"""

import base64
import contextlib
import weakref
from pathlib import Path

from tfhf import storage
from tfhf.errors import UserError
from tfhf.exports import signature_checks, warmup
from tfhf.serving import inference
from tfhf.serving.models import AVAILABLE
from tfhf.serving.statuses import RequestError

MODELS = "/page/models.json"
FOLDER = Path(__file__).with_name("static")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Nothing comes from elsewhere, no script stands in the page itself, and nobody frames it.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}
MOST_EXAMPLES = 6
LARGEST_EXAMPLE = 2**18  # characters of its JSON


class Page:
    """The page of a server.

    Args:
        models: Models.

    Attributes:
        files: path of an address → (bytes, media type).
    """

    def __init__(self, models):
        self.files = {
            f"/page/{one.name}": (one.read_bytes(), TYPES[one.suffix]) for one in FOLDER.iterdir()
        }
        self.files["/"] = self.files.pop("/page/index.html")
        self._models = models
        self._stored = weakref.WeakKeyDictionary()  # Servable → what its files say, read once

    def described(self):
        """What the page is told, one entry for each version that answers; the newest first.

        Returns:
            A list of dictionaries, JSON-ready: `name`; `version` (a string, as in REST); `newest`,
            whether it is the one that answers where none is named; `labels` of the version;
            `signatures`: name → `inputs` (name → `dtype` and `rank`, None where it may be any) and
            `outputs` (names); and what its folder says: `task` and `config` as
            `assets.extra/task.json` has them, `classes` as `assets/labels.txt` lists them (None
            where there is no such file), and `examples`, some rows of its warm-up requests.
        """
        found = []
        for name in self._models.names():
            with contextlib.suppress(RequestError):  # it has just been unloaded
                states = self._models.states(name)
                ready = [one.version for one in states if one.state == AVAILABLE]
                for version in ready:
                    with self._models.leased(name, version) as servable:
                        entry = self._described(servable)
                    labels = self._models.labels(name, version)
                    found.append(entry | {"newest": version == ready[0], "labels": labels})
        return found

    def _described(self, servable):
        if servable not in self._stored:
            self._stored[servable] = _stored(servable.folder)
        return _served(servable) | self._stored[servable]


def _served(servable):
    """What a loaded version takes and gives."""
    return {
        "name": servable.name,
        "version": str(servable.version),
        "signatures": {
            name: {
                "inputs": {key: _kind(tensor) for key, tensor in sorted(signature.inputs.items())},
                "outputs": sorted(signature.outputs),
            }
            for name, signature in signature_checks.named(servable.signatures).items()
        },
    }


def _kind(tensor):
    shape = signature_checks.shape(tensor)
    return {
        "dtype": signature_checks.dtype(tensor),
        "rank": None if shape is None else len(shape),
    }


def _stored(folder):
    """What the files of a version say beside its graph."""
    about = storage.read_json(folder / "assets.extra" / "task.json")
    labels = folder / "assets" / "labels.txt"
    return {
        "task": about.get("task"),
        "config": about.get("config"),
        "classes": labels.read_text("utf-8").splitlines() if labels.is_file() else None,
        "examples": examples(folder),
    }


def examples(folder):
    """Rows to try, out of the warm-up requests to `serving_default`: short ones, long ones.

    Args:
        folder: a version's folder.

    Returns:
        list of dictionaries from input to value as REST takes it, the shortest first.
    """
    try:
        requests = warmup.read(folder)
    except UserError:
        return []
    rows = {}
    for name, inputs in requests:
        if name == inference.DEFAULT:
            rows |= {storage.to_json(row): row for row in _rows(inputs)}
    texts = sorted((text for text in rows if len(text) <= LARGEST_EXAMPLE), key=len)
    last = min(MOST_EXAMPLES, len(texts)) - 1
    return [rows[texts[round(place * (len(texts) - 1) / (last or 1))]] for place in range(last + 1)]


def _rows(inputs):
    """The rows of a request: tensors by input → dictionaries from input to value."""
    import tensorflow as tf

    arrays = {name: tf.make_ndarray(tensor) for name, tensor in inputs.items()}
    if {array.ndim for array in arrays.values()} & {0}:
        return  # an input that all rows share
    columns = [[_value(name, value) for value in array] for name, array in arrays.items()]
    for row in zip(*columns, strict=False):
        yield dict(zip(arrays, row, strict=True))


def _value(name, value):
    """A value as REST takes it; "" at the end of a list only filled it up."""
    if isinstance(value, bytes):
        try:
            if not name.endswith("_bytes"):
                return value.decode("utf-8")
        except UnicodeDecodeError:
            pass
        return {"b64": base64.b64encode(value).decode("ascii")}
    if value.dtype != object:
        return value.tolist()
    found = [_value(name, one) for one in value]
    while found and found[-1] == "":
        found.pop()
    return found
