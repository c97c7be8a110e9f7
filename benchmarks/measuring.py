"""What all tables need: medians and their spread, Markdown, memory, the machine and versions."""

import datetime
import json
import statistics
import subprocess
import threading
from pathlib import Path

VERSIONS = """
import json, platform
from importlib import metadata
names = ["tensorflow", "tf-keras", "keras", "keras-hub", "torch", "transformers", "datasets"]
there = {one.metadata["Name"].lower(): one.version for one in metadata.distributions()}
found = {"Python": platform.python_version()}
print(json.dumps(found | {name: there[name] for name in names if name in there}))
"""


def spread(values, digits=1):
    """`median (least to largest)` of some numbers."""
    numbers = [statistics.median(values), min(values), max(values)]
    middle, least, most = (f"{number:,.{digits}f}" for number in numbers)
    return f"{middle} ({least} to {most})"


def ratios(ours, theirs):
    """Ratios of two series, round by round: neighbours in time saw the same mood of the machine."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def table(header, rows):
    """A Markdown table as text; cells are written as they are."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def conditions(pythons):
    """Day, machine and versions, as the lines that stand above a table.

    Args:
        pythons: name of an environment → its interpreter.
    """
    from tfhf import environment

    here = environment.describe()
    day = datetime.date.today().isoformat()
    lines = [f"{day}: {here['cores']} cores of {here['processor']}, {here['memory_gib']} GiB."]
    for name, python in pythons.items():
        done = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=True)
        versions = json.loads(done.stdout)
        lines.append(f"{name}: " + ", ".join(f"{k} {v}" for k, v in versions.items()) + ".")
    return "\n".join(lines)


class Memory:
    """Watches the memory of a process from outside, twenty times a second. Linux only.

    Attributes:
        anonymous: most memory that belongs to no file, in MiB, since the start or `restart`.
        resident: most memory of all kinds, mapped files included, likewise.
    """

    def __init__(self, pid):
        self.status = Path(f"/proc/{pid}/status")
        self.ended = threading.Event()
        self.restart()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def restart(self):
        self.anonymous = self.resident = 0.0
        self._look()

    def close(self):
        self.ended.set()
        self.thread.join()

    def _watch(self):
        while not self.ended.wait(0.05):
            self._look()

    def _look(self):
        try:
            lines = self.status.read_text().splitlines()
        except OSError:  # it has ended
            return
        found = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        if "RssAnon" in found:
            self.anonymous = max(self.anonymous, int(found["RssAnon"].split()[0]) / 1024)
            self.resident = max(self.resident, int(found["VmRSS"].split()[0]) / 1024)
