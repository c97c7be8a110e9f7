"""What both doors ask of the models: a version to put a question to, its state, its signatures."""

import contextlib
from dataclasses import dataclass

from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse
from tensorflow_serving.apis.model_pb2 import ModelSpec

from tfhf.serving.inference import Question
from tfhf.serving.statuses import CODES


@dataclass(frozen=True)
class Spec:
    """Which model is asked.

    Attributes:
        name: the model's.
        version: int; None: the largest that is available, or the one of the label.
        label: a version's label, or None.
    """

    name: str
    version: int | None = None
    label: str | None = None


@contextlib.contextmanager
def asked(models, batcher, spec, deadline):
    """A version that is kept loaded while it is asked.

    Args:
        models: Models.
        batcher: Batcher.
        spec: Spec.
        deadline: `time.monotonic()` after which nobody waits, or None.

    Yields:
        Question.

    Raises:
        RequestError: as `Models.leased`.
    """
    with models.leased(spec.name, spec.version, spec.label) as servable:
        yield Question(servable, batcher.run, deadline)


def status(models, spec):
    """The states of a model's versions, as a `GetModelStatusResponse`.

    Raises:
        RequestError: as `Models.states` and `Models.labelled`.
    """
    version = models.labelled(spec.name, spec.label) if spec.label else spec.version
    response = GetModelStatusResponse()
    for state in models.states(spec.name, version):
        entry = response.model_version_status.add(version=state.version, state=state.state)
        if state.error:
            entry.status.error_code = CODES.index(state.error.code)
            entry.status.error_message = state.error.message
        else:
            entry.status.SetInParent()
    return response


def metadata(models, spec):
    """What a model's signatures are.

    Returns:
        (`ModelSpec` with the version that was found, `SignatureDefMap`).

    Raises:
        RequestError: as `Models.leased`.
    """
    with models.leased(spec.name, spec.version, spec.label) as servable:
        found = ModelSpec(name=servable.name)
        found.version.value = servable.version
        signatures = SignatureDefMap()
        for name, signature in servable.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        return found, signatures
