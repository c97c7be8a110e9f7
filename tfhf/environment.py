"""What a run ran on: versions, processor, memory; read without importing the libraries."""

import datetime
import os
import platform
import sys
from importlib import metadata

import tfhf

PACKAGES = (
    "tensorflow",
    "tf-keras",
    "keras",
    "transformers",
    "tokenizers",
    "datasets",
    "evaluate",
    "huggingface-hub",
    "numpy",
)


def describe():
    """The environment as a JSON-ready dictionary."""
    return {
        "tfhf": tfhf.__version__,
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
        return names[0] if names else platform.machine()
    except OSError:
        return platform.processor() or platform.machine()


def _memory():
    if sys.platform == "win32":
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
