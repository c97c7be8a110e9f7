"""What a run's exports were found to be, for the report page."""

import json

from tfhf.reporting.values import number, section


def exports(record):
    """The published versions of a run's model, as `export.json` beside them tells.

    Args:
        record: a `Record`.

    Returns:
        A list of dicts, the newest version first: `version`, `size` (megabytes), `rows` compared,
        `different` (of those), `difference` (the largest), `loads_from` and `latency`, a list of
        (rows per call, 50th, 99th percentile in milliseconds). What is not known is None.
    """
    found = []
    for path in sorted((record.folder / "export").glob("*/export.json")):
        versions = _read(path)
        for version in sorted(versions, key=lambda name: int(name) if name.isdecimal() else 0):
            found.append(_facts(version, section(versions, version)))
    return found[::-1]


def _read(path):
    try:
        values = json.loads(path.read_text("utf-8", errors="replace"))
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _facts(version, facts):
    size = number(facts.get("size_bytes"))
    latency = section(facts, "latency")
    return {
        "version": version,
        "size": None if size is None else size / 1e6,
        "rows": number(facts.get("rows")),
        "different": number(facts.get("different")),
        "difference": number(facts.get("max_difference")),
        "loads_from": facts.get("loads_from"),
        "latency": [
            (batch, number(section(latency, batch).get("p50_ms")), _slowest(latency, batch))
            for batch in latency
        ],
    }


def _slowest(latency, batch):
    return number(section(latency, batch).get("p99_ms"))
