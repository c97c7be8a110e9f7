"""`tfhf doctor`: whether this environment is one that tfhf works in, and the fix for what is not.

Nothing is imported to find out, but in a process of its own, so that a package that cannot even be
imported is a finding like others.
"""

import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from tfhf import environment
from tfhf.errors import redacted

# What comes of a version that tfhf does not take, where that is not plain.
BECAUSE = {
    "transformers": "transformers 5 has no TensorFlow classes",
    "huggingface-hub": "transformers 4.57 refuses release 1",
    "tf-keras": "it must be of TensorFlow's own release",
    "tensorflow-serving-api": "it must be of TensorFlow's own release",
}
OVER_TENSORFLOW = ("tensorflow-cpu", "tf-nightly")  # packages that install the same files
FILES_OF = ("tensorflow", "tf_keras", "transformers", "datasets")  # whose bytecode matters
GIB = 2**30
TRUE = ("1", "true", "True")  # as TensorFlow reads TF_USE_LEGACY_KERAS
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


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        name: what it is.
        found: what is so, in a line.
        fix: what to do about it, a command wherever one does; None where all is well.
        must: whether tfhf fails, or does something else than asked, until it is mended.
    """

    name: str
    found: str
    fix: str | None = None
    must: bool = False


def doctor():
    """Examines the environment and prints what was found, what to mend first.

    In a notebook it sees the running process, too: whether Keras 3 or TensorFlow came before tfhf.

    Returns:
        A list of `Finding`.
    """
    findings = diagnose()
    print(text(findings))
    return findings


def diagnose():
    """Examines versions, Keras, switches, bytecode, disk, processors and TensorFlow itself."""
    from packaging.utils import canonicalize_name

    installed = {canonicalize_name(one.name): one.version for one in metadata.distributions()}
    places = {"the Hub's cache": _hub_cache(), "this folder": ".", "scratch": tempfile.gettempdir()}
    findings = [
        *packages(metadata.requires("tfhf") or [], installed),
        *rivals(installed),
        *keras(os.environ, sys.modules),
        *switches(os.environ),
        *bytecode(os.environ, FILES_OF),
        *disk(places),
        *processors(os.cpu_count(), allowed_processors(), os.environ),
        *hub(),
    ]
    return findings + probed(*_probe())


def text(findings):
    """Findings as lines: what must be mended first, what might be next, then what is well."""
    ranked = sorted(findings, key=lambda one: (not one.must, one.fix is None))
    lines = []
    for one in ranked:
        mark = "mend" if one.must else "note" if one.fix else "ok"
        lines.append(f"{mark:<5} {one.name:<16} {one.found}")
        lines += [f"{'':<22} {line}" for line in (one.fix or "").splitlines()]
    return redacted("\n".join(lines))


# === Packages ===


def packages(required, installed):
    """Compares what is installed with what tfhf declares.

    Args:
        required: requirements, such as `transformers<5,>=4.57.6`.
        installed: name → version.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    needed = [Requirement(one) for one in required]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    findings = []
    for one in needed:
        version = installed.get(canonicalize_name(one.name))
        if version is not None and one.specifier.contains(version, prereleases=True):
            continue
        wanted = f"{one.name}{one.specifier}"
        said = "not installed" if version is None else f"{version} is installed, want {wanted}"
        because = f": {BECAUSE[one.name]}" if version and one.name in BECAUSE else ""
        fix = f'{_pip()} install "{wanted}"'
        findings.append(Finding(one.name, said + because, fix, must=True))
    if not findings:
        shown = [f"{name} {installed[name]}" for name in environment.PACKAGES if name in installed]
        findings.append(Finding("packages", f"{len(needed)} as declared: {', '.join(shown)}"))
    return findings


def rivals(installed):
    """Packages that get into tfhf's way, and those that do not though one might think so.

    Args:
        installed: name → version.
    """
    for name in OVER_TENSORFLOW:
        if name in installed:
            fix = f"{_pip()} uninstall --yes {name}"  # what both had is gone then
            fix += f'\n{_pip()} install --force-reinstall --no-deps "tensorflow==2.21.*"'
            found = f"{installed[name]} is installed over tensorflow's own files"
            yield Finding(name, found, fix, must=True)
    if "keras-nlp" in installed:
        found = f"{installed['keras-nlp']} came with transformers[tf]; nothing here needs it"
        yield Finding("keras-nlp", found, f"{_pip()} uninstall --yes keras-nlp")
    text, core = installed.get("tensorflow-text"), installed.get("tensorflow", "")
    if text is None:
        yield Finding("tensorflow-text", "not installed; nothing here needs it")
    elif text.split(".")[:2] == core.split(".")[:2]:
        yield Finding("tensorflow-text", f"{text}, of TensorFlow's release; nothing here needs it")
    else:
        yield Finding(
            "tensorflow-text",
            f"{text} does not load beside tensorflow {core}; nothing here needs it",
            f"{_pip()} uninstall --yes tensorflow-text",
        )
    torch = installed.get("torch")
    yield Finding(
        "torch", f"{torch}; tfhf does not use it" if torch else "not installed, not needed"
    )


def _pip():
    return f"{sys.executable} -m pip"


# === Keras and other switches ===


def keras(environ, loaded):
    """Whether `tf.keras` is Keras 2 (tf-keras), and nothing of Keras 3 is in the way.

    Args:
        environ: environment variables.
        loaded: the modules loaded before.
    """
    value = environ.get("TF_USE_LEGACY_KERAS")
    if value is not None and value not in TRUE:
        found = f"TF_USE_LEGACY_KERAS is {value!r}, so tf.keras is Keras 3; tfhf needs Keras 2"
        yield Finding("keras", found, "unset TF_USE_LEGACY_KERAS", must=True)
        return
    tensorflow = loaded.get("tensorflow")
    if tensorflow is not None and not getattr(tensorflow, "_tf_uses_legacy_keras", True):
        yield Finding(
            "keras",
            "TensorFlow was imported before TF_USE_LEGACY_KERAS was set, so tensorflow.keras is "
            "Keras 3",
            "start afresh, with `import tfhf` before `import tensorflow`, or with"
            "\nexport TF_USE_LEGACY_KERAS=1",
            must=True,
        )
    elif "keras" in loaded:
        yield Finding(
            "keras",
            "Keras 3 is imported; its layers, optimizers and callbacks do not fit tfhf's models",
            "take them from tf_keras, or from tf.keras after `import tfhf`",
        )
    else:
        yield Finding("keras", "tf.keras is Keras 2 (tf-keras)")


def switches(environ):
    """Environment variables that change what the libraries do.

    Args:
        environ: environment variables.
    """
    if environ.get("USE_TORCH", "").upper() in ("1", "ON", "YES", "TRUE"):
        found = "USE_TORCH makes transformers hide its TensorFlow classes"
        yield Finding("USE_TORCH", found, "unset USE_TORCH", must=True)
    if environ.get("USE_TF", "AUTO").upper() not in ("1", "ON", "YES", "TRUE", "AUTO"):
        found = f"USE_TF is {environ['USE_TF']!r}: transformers hides its TensorFlow classes"
        yield Finding("USE_TF", found, "unset USE_TF", must=True)
    if "auto_jit" in environ.get("TF_XLA_FLAGS", ""):
        yield Finding(
            "TF_XLA_FLAGS",
            "XLA compiles whatever it can, anew for every length of text",
            "unset TF_XLA_FLAGS",
        )


# === Files ===


def bytecode(environ, modules):
    """Whether the large packages are compiled; if not, every start compiles them again.

    Args:
        environ: environment variables.
        modules: names of packages.
    """
    folders, missing, files = [], 0, 0
    for name in modules:
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.origin:
            continue
        folder = Path(spec.origin).parent
        sources = [*folder.glob("*.py"), *folder.glob("*/*.py"), *folder.glob("*/*/*.py")]
        absent = sum(not Path(importlib.util.cache_from_source(one)).exists() for one in sources)
        files, missing = files + len(sources), missing + absent
        if absent > len(sources) / 10:
            folders.append(str(folder))
    off = "; PYTHONDONTWRITEBYTECODE is set" if environ.get("PYTHONDONTWRITEBYTECODE") else ""
    if not folders:
        yield Finding("bytecode", f"{files - missing:,} of {files:,} files looked at have it{off}")
        return
    yield Finding(
        "bytecode",
        f"{missing:,} of {files:,} files looked at have none: every start compiles them{off}",
        f"{sys.executable} -m compileall -q -j 0 {' '.join(folders)}",
    )


def disk(places):
    """Free space and the right to write, once for each disk.

    Args:
        places: what a place is for → its path, which need not exist yet.
    """
    seen = {}
    for purpose, path in places.items():
        path = Path(path).expanduser().absolute()
        while not path.exists():
            path = path.parent
        if not os.access(path, os.W_OK):
            fix = "export HF_HOME=/another/folder" if "Hub" in purpose else "go to another folder"
            yield Finding("disk", f"{path} ({purpose}) cannot be written", fix, must=True)
        seen.setdefault(path.stat().st_dev, (path, []))[1].append(purpose)
    for path, purposes in seen.values():
        free = shutil.disk_usage(path).free / GIB
        found = f"{free:,.1f} GiB free for {', '.join(purposes)} ({path})"
        fix = None
        if free < 5:
            fix = "a base model with its run and export takes about 2 GiB: free some, or move there"
            fix += " with HF_HOME, --out and TMPDIR"
        yield Finding("disk", found, fix, must=free < 1)


def _hub_cache():
    from huggingface_hub import constants

    return constants.HF_HUB_CACHE


# === The machine ===


def allowed_processors(root="/sys/fs/cgroup"):
    """How many processors this process may use: its affinity, and what its container grants.

    Args:
        root: where the system tells of control groups.
    """
    count = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    for file, period in (("cpu.max", None), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        path = Path(root, file)
        if path.is_file():
            numbers = path.read_text().split()
            numbers += Path(root, period).read_text().split() if period else []
            if re.fullmatch(r"\d+", numbers[0]):
                count = min(count, max(1, math.ceil(int(numbers[0]) / int(numbers[1]))))
    return count


def processors(seen, allowed, environ):
    """Whether TensorFlow would start more threads than there are processors for it.

    Args:
        seen: processors of the machine.
        allowed: those that may be used.
        environ: environment variables.
    """
    limit = environ.get("TF_NUM_INTRAOP_THREADS") or environ.get("OMP_NUM_THREADS")
    found = f"{allowed} of {seen} may be used"
    if limit:
        found += f"; TensorFlow is limited to {limit} threads"
    if seen > allowed and not limit:
        names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
        fix = "export " + " ".join(f"{name}={allowed}" for name in names)
        found += f", and TensorFlow starts up to {seen} threads that wait for each other"
        yield Finding("processors", found, fix)
        return
    yield Finding("processors", found)


def hub():
    """Where models come from, and whether there is a token; the token itself is never shown."""
    from huggingface_hub import constants, get_token

    token = "a token is set" if get_token() else "no token: public models only"
    if constants.HF_HUB_OFFLINE:
        found = "HF_HUB_OFFLINE is set: only what is in the cache is found"
        yield Finding("hub", found, "unset HF_HUB_OFFLINE")
    else:
        yield Finding("hub", f"{constants.ENDPOINT}, {token}")


def _probe():
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
    again = f'{_pip()} install --force-reinstall "tensorflow==2.21.*"'
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
        fix = f'{_pip()} install "tf-keras=={".".join(found["version"].split(".")[:2])}.*"'
        said = f"tf.keras is that of {found['keras']} in a fresh process"
        findings.append(Finding("keras", said, fix, must=True))
    if not found["transformers"]:
        fix = f'{_pip()} install --force-reinstall --no-deps "transformers>=4.57.6,<5"'
        said = "transformers does not see TensorFlow"
        findings.append(Finding("transformers", said, fix, must=True))
    if "xla" in found:
        fix = f'leave it off; on a GPU: {_pip()} install "tensorflow[and-cuda]==2.21.*"'
        findings.append(Finding("xla", f"does not compile: {found['xla']}", fix))
    else:
        findings.append(Finding("xla", "compiles"))
    return findings


def _devices(found, driver="/dev/nvidia0"):
    """TensorFlow's devices, and whether it overlooks a GPU."""
    shown = f"{found['version']} sees {', '.join(found['devices'])}"
    if os.path.exists(driver) and not any(one.startswith("GPU") for one in found["devices"]):
        fix = f'{_pip()} install "tensorflow[and-cuda]==2.21.*"'
        return Finding("devices", f"{shown}, but not the GPU of this machine", fix, must=True)
    return Finding("devices", shown)
