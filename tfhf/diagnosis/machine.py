"""What a machine gives: compiled files, space, processors, and a way to the Hub."""

import importlib.util
import math
import os
import re
import shutil
import sys
from pathlib import Path

from tfhf.diagnosis.finding import Finding

GIB = 2**30


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
