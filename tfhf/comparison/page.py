"""`comparison.md` and its plot: checkpoints by what they score and what they cost."""

import math
from pathlib import Path
from urllib.parse import quote

from tfhf import console, storage
from tfhf.comparison import table
from tfhf.reporting import plots
from tfhf.reporting.metrics import metric
from tfhf.reporting.wording import figure

COLUMNS = {  # fact → what heads its column
    "time": "time",
    "tokens_per_second": "tokens/s",
    "latency_ms": "ms per text",
    "parameters": "parameters",
    "megabytes": "MB",
}
NAME = "comparison"


def write(folder, rows, failures):
    """Writes `comparison.md` and `comparison.png`.

    Args:
        folder: that holds the runs.
        rows: `table.Row`s.
        failures: checkpoint → why its training failed.

    Raises:
        StorageError: if they cannot be written.
    """
    picture = plots.render("Quality and cost", _draw, rows, plots.LIGHT)
    head, cells = contents(rows)
    lines = [f"# {folder.name}", "", f"Task: `{rows[0].settings.get('task')}`.", ""]
    lines += [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for row, values in zip(rows, cells, strict=True):
        report = quote((row.folder / "report.html").relative_to(folder).as_posix())
        lines.append(f"| [{values[0]}]({report}) | {' | '.join(values[1:])} |")
    lines += [f"| {name} | {_plain(line)} |" for name, line in failures.items()]
    lines += ["", _explained(rows)]
    if picture is not None:
        caption, _, image = picture
        storage.write(folder / f"{NAME}.png", image)
        lines += ["", f"![{caption}]({NAME}.png)", "", caption]
    storage.write(folder / f"{NAME}.md", "\n".join(lines) + "\n")


def contents(rows):
    """Head and cells of the table: the figure that counts, with its interval, then the costs."""
    name = rows[0].headline
    facts = [key for key in COLUMNS if any(row.facts[key] is not None for row in rows)]
    head = ["checkpoint", *([f"{metric(name).name} ({rows[0].split})"] if name else [])]
    cells = []
    for row in rows:
        score = []
        if name:
            spread = " ({:.3f} to {:.3f})".format(*row.interval) if row.interval else ""
            score = [f"{figure(row.figures.get(name))}{spread}"]
        cells.append([row.name, *score, *(table.FACTS[key](row.facts[key]) for key in facts)])
    return [*head, *(COLUMNS[key] for key in facts)], cells


def text(rows, failures):
    """The same for a terminal."""
    head, cells = contents(rows)
    lines = console.table(head, cells, right=set(head[1:]))
    return "\n".join([*lines, *(f"{name}: {line}" for name, line in failures.items())])


def _explained(rows):
    said = "Time is that of the whole run, tokens/s the median while training"
    if any(row.facts["latency_ms"] is not None for row in rows):
        said += ", ms per text the median of the exported model, one text at a time"
    said += "."
    if any(row.interval for row in rows):
        said += " In brackets: the 95 % interval; figures that differ by less may be equal."
    return said


def _draw(figure_, rows, theme):
    """Each checkpoint's figure over the minutes it took, as large as its parameters are many."""
    name = rows[0].headline
    points = [row for row in rows if name in row.figures and row.facts["time"]]
    if not points:
        return None
    said = metric(name)
    axes = figure_.add_subplot(xlabel="minutes for the whole run", ylabel=said.name)
    most = max(row.facts["parameters"] or 1 for row in points)
    for row in points:
        x, y = row.facts["time"] / 60, row.figures[name]
        area = 30 + 370 * (row.facts["parameters"] or 1) / most
        axes.scatter(x, y, s=area, color=theme.first, alpha=0.75)
        if row.interval:
            ends = [[y - row.interval[0]], [row.interval[1] - y]]
            axes.errorbar(x, y, yerr=ends, color=theme.weak, capsize=3, zorder=0)
        offset = (0, 6 + math.sqrt(area) / 2)
        axes.annotate(
            Path(row.name).name, (x, y), offset, textcoords="offset points", ha="center", fontsize=9
        )
    axes.margins(x=0.2, y=0.3)
    better = "lower" if said.lower_is_better else "higher"
    return f"{said.name} ({better} is better) and time of each run; areas show parameters."


def _plain(line):
    return line.replace("|", "\\|")
