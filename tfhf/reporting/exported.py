"""What a run's exports were found to be, for the report page."""

import json

from tfhf.reporting.metrics import metric_name
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


def lite_files(record):
    """A run's LiteRT files, as `lite.json` beside each tells.

    Args:
        record: a `Record`.

    Returns:
        A list of dicts: `name`, `metric` (what a person calls it) and `difference`; and, each for
        the file and for the trained model, `value` of the metric, `size` (megabytes) and `time`
        (milliseconds for one row). What is not known is None.
    """
    found = []
    for path in sorted((record.folder / "export").glob("*/lite/*/lite.json")):
        facts = _read(path)
        monitor = str(facts.get("monitor"))
        sides = [section(facts, side) for side in ("file", "model")]
        sizes = [number(side.get("size_bytes")) for side in sides]
        found.append(
            {
                "name": path.parent.name,
                "metric": metric_name(monitor),
                "difference": number(sides[0].get("difference")),
                "value": [number(section(side, "metrics").get(monitor)) for side in sides],
                "size": [None if size is None else size / 1e6 for size in sizes],
                "time": [number(side.get("p50_ms")) for side in sides],
            }
        )
    return found


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
