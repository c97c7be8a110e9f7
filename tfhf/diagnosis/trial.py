"""TensorFlow tried in a process of its own, which may end in any way."""

import json
import os
import subprocess
import sys

from tfhf.diagnosis.finding import Finding, pip

WAIT = 600  # seconds for the process that imports TensorFlow
PROBE = """
import json, tfhf
import tensorflow as tf
found = {
    "version": tf.__version__,
    "devices": [f"{one.device_type} {one.name[-1]}" for one in tf.config.list_physical_devices()],
    "cuda": tf.test.is_built_with_cuda(),
    "keras": tf.keras.Model.__module__.split(".")[0],
    "threads": tf.config.threading.get_intra_op_parallelism_threads(),
}
import transformers
found["transformers"] = transformers.is_tf_available()
try:
    tf.function(lambda x: x + 1, jit_compile=True)(tf.ones(2)).numpy()
except Exception as error:
    found["xla"] = str(error).strip().splitlines()[0]
print("found " + json.dumps(found))
"""


def probe():
    """Exit status and output of a process that imports TensorFlow and tries it."""
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        found = subprocess.run(
            [sys.executable, "-c", PROBE], capture_output=True, text=True, env=quiet, timeout=WAIT
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return found.returncode, found.stdout + found.stderr


def probed(status, output):
    """What that process found, or how it ended.

    Args:
        status: its exit status, below 0 where a signal ended it, None where it took too long.
        output: what it printed.
    """
    again = f'{pip()} install --force-reinstall "tensorflow==2.21.*"'
    told = [line for line in output.splitlines() if line.startswith("found ")]
    if not told:
        last = (output.strip().splitlines() or ["no word"])[-1]
        if status is None:
            last = f"nothing within {WAIT} seconds"
        elif status < 0:
            last = f"signal {-status}" + (": the processor lacks AVX" if status == -4 else "")
        return [Finding("tensorflow", f"cannot be imported: {last}", again, must=True)]
    found = json.loads(told[-1].removeprefix("found "))
    findings = [_devices(found)]
    if found["keras"] != "tf_keras":
        fix = f'{pip()} install "tf-keras=={".".join(found["version"].split(".")[:2])}.*"'
        said = f"tf.keras is that of {found['keras']} in a fresh process"
        findings.append(Finding("keras", said, fix, must=True))
    if not found["transformers"]:
        fix = f'{pip()} install --force-reinstall --no-deps "transformers>=4.57.6,<5"'
        said = "transformers does not see TensorFlow"
        findings.append(Finding("transformers", said, fix, must=True))
    if "xla" in found:
        fix = f'leave it off; on a GPU: {pip()} install "tensorflow[and-cuda]==2.21.*"'
        findings.append(Finding("xla", f"does not compile: {found['xla']}", fix))
    else:
        findings.append(Finding("xla", "compiles"))
    return findings


def _devices(found, driver="/dev/nvidia0"):
    """TensorFlow's devices, and whether it overlooks a GPU."""
    shown = f"{found['version']} sees {', '.join(found['devices'])}"
    if os.path.exists(driver) and not any(one.startswith("GPU") for one in found["devices"]):
        fix = f'{pip()} install "tensorflow[and-cuda]==2.21.*"'
        return Finding("devices", f"{shown}, but not the GPU of this machine", fix, must=True)
    return Finding("devices", shown)
