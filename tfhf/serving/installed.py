"""TensorFlow Serving itself, where it is installed: the same models, ports and paths."""

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tfhf.console import say

PROGRAM = "tensorflow_model_server"


def find():
    """Path of TensorFlow Serving's program, or None."""
    return shutil.which(PROGRAM)


def serve(program, configs, options):
    """Runs TensorFlow Serving until it ends or is asked to stop.

    Args:
        program: its path.
        configs: list of ModelConfig.
        options: `server.Options`; TensorFlow Serving has no host to choose and no limit for a
            request's size.

    Returns:
        Its exit status.
    """
    say(f"{program} serves; it listens on every address of this machine, not on one only")
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(command(program, configs, options, Path(folder)))
        try:
            signal.signal(signal.SIGTERM, lambda *_: child.terminate())
            return child.wait()
        finally:
            child.terminate()
            child.wait()


def command(program, configs, options, folder):
    """The command line, and the files it names.

    Args:
        program, configs, options: as for `serve`.
        folder: where the files are written.

    Returns:
        list of str.
    """
    from google.protobuf import text_format

    from tfhf.serving import configuration

    (folder / "models.config").write_text(
        text_format.MessageToString(configuration.message(configs)), encoding="utf-8"
    )
    arguments = [
        program,
        f"--port={options.grpc_port or 0}",
        f"--rest_api_port={options.rest_port}",
        f"--rest_api_timeout_in_ms={round(options.timeout * 1000)}",
        f"--file_system_poll_wait_seconds={max(1, round(options.poll_seconds))}",
        f"--model_config_file={folder / 'models.config'}",
    ]
    if options.batching:
        path = folder / "batching_parameters.txt"
        path.write_text(configuration.batching_text(options.batching), encoding="utf-8")
        arguments += ["--enable_batching", f"--batching_parameters_file={path}"]
    return arguments
