"""What is known about each version of a served model: `export.json` beside the versions."""

from pathlib import Path

from tfhf import storage
from tfhf.exports import versions

NAME = "export.json"


def write(folder, facts):
    """Writes what an export was found to be into the version, before it is published.

    Args:
        folder: the version's folder.
        facts: dict of plain values; what other parts of tfhf read of it: `rows` compared and those
            that are `different`, `max_difference`, `loads_from` (see `inspection.Inspection`),
            `size_bytes`, `load_seconds` and `latency` (see `rehearsal.rehearse`).

    Raises:
        StorageError: if it cannot be written.
    """
    storage.write_json(Path(folder, "assets.extra", NAME), facts)


def collect(folder):
    """Writes `export.json` beside the versions: version → what its own record says.

    Args:
        folder: holds the versions. One that was taken away is no longer in the file.

    Returns:
        What was written.

    Raises:
        StorageError: if it cannot be written.
    """
    while True:
        found = versions.numbered(folder)
        records = {
            str(version): storage.read_json(path / "assets.extra" / NAME)
            for version, path in found.items()
        }
        storage.write_json(Path(folder, NAME), records)
        if versions.numbered(folder) == found:  # another process may have published meanwhile
            return records
