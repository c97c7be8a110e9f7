"""Values out of files that may hold anything: what is not as expected is nothing."""

import math


def section(values, key):
    """A nested dict of a file, or an empty one where the file has something else."""
    found = values.get(key) if isinstance(values, dict) else None
    return found if isinstance(found, dict) else {}


def number(value):
    """A finite float, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
