"""One loaded version of a model: the loader, the session and the fetches of TensorFlow Serving."""

import threading
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.config_pb2 import CallableOptions

from tfhf.errors import UserError
from tfhf.exports import warmup
from tfhf.serving.statuses import RequestError, invalid


class Servable:
    """A version that answers. Threads may share it; it is closed when the last one lets go.

    Args:
        name: the model's.
        version: int.
        folder: the version's, a Path.
        session: holds the graph and its variables.
        signatures: name → `SignatureDef`.

    Attributes:
        not_by_row: (feeds, fetches) of which the answers turned out not to be one per row.
    """

    def __init__(self, name, version, folder, session, signatures):
        self.name = name
        self.version = version
        self.folder = folder
        self.signatures = signatures
        self.not_by_row = set()
        self._session = session
        self._callables = {}
        self._lock = threading.Lock()
        self._users = 1  # who loaded it counts as one, until `release`

    def run(self, feeds, fetches):
        """Computes tensors of the graph.

        Args:
            feeds: name of a tensor → array; strings as an array of bytes objects.
            fetches: tuple of names of tensors, each once.

        Returns:
            list of arrays.

        Raises:
            tf.errors.OpError: what TensorFlow says.
        """
        names = tuple(feeds)
        with self._lock:
            run = self._callables.get((names, fetches))
            if run is None:
                run = self._callables[names, fetches] = self._callable(names, fetches)
        return [
            np.asarray(value, object if isinstance(value, bytes) else None)
            for value in run(*feeds.values())
        ]

    def _callable(self, feeds, fetches):
        # `Session.run` would refuse shapes that the signature does not name and convert types in
        # silence; this is what TensorFlow Serving calls, and a third of the time.
        options = CallableOptions(feed=feeds, fetch=fetches)
        return self._session._make_callable_from_options(options)

    def acquire(self):
        """Keeps the version loaded until `release`; False if it is closed already."""
        with self._lock:
            if self._users:
                self._users += 1
            return bool(self._users)

    def release(self):
        with self._lock:
            self._users -= 1
            last = not self._users
        if last:
            self._callables.clear()
            self._session.close()


def load(name, version, folder):
    """Loads a version and replays its warm-up requests.

    Args:
        name: the model's.
        version: int.
        folder: with `saved_model.pb`.

    Returns:
        Servable.

    Raises:
        RequestError: with TensorFlow's line, if it cannot be loaded, or not answer a warm-up.
    """
    try:
        session, graph = _session(folder)
    except tf.errors.NotFoundError as error:
        if "Op type not registered" not in error.message:
            raise RequestError("NOT_FOUND", _first_line(error)) from error
        _register_text_ops(error)
        session, graph = _session(folder)
    except (tf.errors.OpError, ValueError, RuntimeError, OSError) as error:
        raise RequestError("INVALID_ARGUMENT", f"{folder}: {_first_line(error)}") from error
    servable = Servable(name, version, Path(folder), session, dict(graph.signature_def))
    try:
        _warm_up(servable, folder)
    except BaseException:
        servable.release()
        raise
    return servable


def _session(folder):
    """A session that holds a SavedModel's graph and variables, and its `MetaGraphDef`."""
    session = tf.compat.v1.Session(graph=tf.Graph())
    try:
        with session.graph.as_default():
            return session, tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
    except BaseException:
        session.close()
        raise


def _register_text_ops(missing):
    """Adds the ops of tensorflow-text, which TensorFlow Serving has and plain TensorFlow lacks."""
    try:
        import tensorflow_text  # noqa: F401
    except ImportError as error:
        raise RequestError("NOT_FOUND", _first_line(missing)) from error


def _first_line(error):
    return (str(getattr(error, "message", None) or error).splitlines() or ["no message"])[0]


def _warm_up(servable, folder):
    try:
        requests = warmup.read(folder)
    except UserError as error:
        raise invalid(str(error)) from error
    for place, (name, inputs) in enumerate(requests):
        try:
            signature = servable.signatures[name]
            feeds = {signature.inputs[key].name: tf.make_ndarray(inputs[key]) for key in inputs}
            fetches = {tensor.name for tensor in signature.outputs.values()}
            servable.run(feeds, tuple(sorted(fetches)))
        except (tf.errors.OpError, KeyError, ValueError, TypeError) as error:
            raise invalid(f"{warmup.PLACE}: record {place}: {_first_line(error)}") from error
