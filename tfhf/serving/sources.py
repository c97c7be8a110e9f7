"""What `tfhf serve` was asked for: which models, how, and by which server."""

from pathlib import Path

from tfhf.console import load_tensorflow
from tfhf.errors import UserError
from tfhf.exports import versions
from tfhf.run import Run, is_run
from tfhf.serving import configuration, installed, server
from tfhf.serving.configuration import Batching, ModelConfig


def configs(source, file=None, *, name=None, labels=()):
    """The models to serve.

    Args:
        source: a run's folder, or an export's; None: as the file says.
        file: a models.config, or None.
        name: the model's; by default the run's or the folder's.
        labels: strings such as `stable=3`.

    Returns:
        list of ModelConfig.

    Raises:
        UserError: if there is nothing to serve, or a label is given to no version.
    """
    if file is not None:
        load_tensorflow()
        found = configuration.read_models(file)
        if not found:
            raise UserError(f"{file} lists no models")
        return found
    versions_by_label = {}
    for text in labels:
        label, _, version = text.partition("=")
        if not label or not version.isdecimal():
            raise UserError(f"--label takes LABEL=VERSION, such as stable=3; received {text!r}")
        versions_by_label[label] = int(version)
    return [config_of(source, name=name, labels=versions_by_label)]


def config_of(path, *, name=None, labels=None):
    """The model of a run or an export.

    Args:
        path: a run; a folder of numbered versions, of which the largest is served; or one version.
        name: the model's; by default the run's or the folder's.
        labels: label → version; with labels, all versions are served.

    Returns:
        ModelConfig.

    Raises:
        UserError: if there is no version.
    """
    folder = Path(path).resolve()
    if not folder.is_dir():
        raise UserError(f"no such run or export: {path}")
    if is_run(folder):
        folder = Run(folder).exports.resolve()
        if not folder.is_dir() or not versions.numbered(folder):
            raise UserError(f"{path} is not exported yet: tfhf export {path}")
    latest, specific = None if labels else 1, None
    if versions.holds_model(folder):
        number = versions.number(folder.name)
        if number is None:
            raise UserError(
                f"{path} is a SavedModel; the folder of a served one is named by its version, "
                f"a number such as 1; received {folder.name!r}"
            )
        folder, latest, specific = folder.parent, None, (number,)
    elif not versions.numbered(folder):
        raise UserError(f"{path} holds neither a run nor numbered versions of a SavedModel")
    return ModelConfig(name or folder.name, folder, latest, specific, dict(labels or {}))


def options(*, host, port, grpc_port, batching, timeout, max_body):
    """How to serve them.

    Args:
        host: address to listen on.
        port, grpc_port: where; no gRPC at 0.
        batching: path of a batching parameters file, `off`, or None for the defaults.
        timeout: seconds a request may take.
        max_body: MiB a request may have.

    Returns:
        Options.

    Raises:
        UserError: if a value is out of its range.
    """
    for option, value in (("--port", port), ("--grpc-port", grpc_port)):
        if not 0 <= value <= 65535 or (option == "--port" and not value):
            raise UserError(f"{option}: a port is a number from 1 to 65535; received {value}")
    for option, value in (("--timeout", timeout), ("--max-body", max_body)):
        if not value > 0:
            raise UserError(f"{option} must be more than 0; received {value:g}")
    settings = Batching()
    if batching is not None:
        settings = None if batching == "off" else configuration.read_batching(batching)
    return server.Options(
        host=host,
        rest_port=port,
        grpc_port=grpc_port or None,
        batching=settings,
        timeout=timeout,
        max_body=int(max_body * 2**20),
    )


def serve(models, how, by="auto"):
    """Serves until the process is asked to stop.

    Args:
        models: list of ModelConfig.
        how: Options.
        by: `tensorflow_model_server`, `tfhf`, or `auto`: the first where it is installed.

    Returns:
        The exit status of the process.

    Raises:
        UserError: if the server is not there, or cannot start.
    """
    program = installed.find() if by != "tfhf" else None
    if program:
        return installed.serve(program, models, how)
    if by == installed.PROGRAM:
        raise UserError(f"--server: {installed.PROGRAM} is not installed")
    load_tensorflow()
    server.serve(models, how)
    return 0
