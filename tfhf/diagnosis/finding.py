"""What was found of an environment, and how it is told."""

import sys
from typing import NamedTuple

from tfhf.errors import redacted


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


def text(findings):
    """Findings as lines: what must be mended first, what might be next, then what is well."""
    ranked = sorted(findings, key=lambda one: (not one.must, one.fix is None))
    lines = []
    for one in ranked:
        mark = "mend" if one.must else "note" if one.fix else "ok"
        lines.append(f"{mark:<5} {one.name:<16} {one.found}")
        lines += [f"{'':<22} {line}" for line in (one.fix or "").splitlines()]
    return redacted("\n".join(lines))


def pip():
    """This Python's own pip, as one types it."""
    return f"{sys.executable} -m pip"
