"""README and the other pages: their blocks of code, and the command lines in them."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
GUIDES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [*GUIDES, ROOT / "benchmarks" / "README.md"]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
# `tfhf train RECIPE [KEY=VALUE ...]` is a synopsis; every other line can be typed.
SYNOPSIS = re.compile(r" [A-Z|]{3,}\b|\[|^tfhf \w+$")


def blocks(language, pages=(README,)):
    """The texts of all blocks of a language."""
    found = [BLOCK.findall(page.read_text(encoding="utf-8")) for page in pages]
    return [text for page in found for name, text in page if name == language]


def shell_lines(pages=PAGES):
    """The lines of all `sh` blocks, those that go on in the next one joined."""
    return "".join(blocks("sh", pages)).replace("\\\n", " ").splitlines()


def lines_of(program, pages=PAGES):
    return [line for line in shell_lines(pages) if line.startswith(program)]


def words(line):
    """A line as a shell takes it apart; what follows `#` explains it."""
    return shlex.split(line, comments=True)


SYNOPSES = [line for line in lines_of("tfhf ", [README]) if SYNOPSIS.search(line)]


def commands(pages):
    """The words after `tfhf` of every line that can be typed, each once."""
    lines = [line for line in lines_of("tfhf ", pages) if line not in SYNOPSES]
    return list(dict.fromkeys(tuple(words(line)[1:]) for line in lines))


def commands_of_header(text):
    """Likewise of a recipe's comments; what follows three blanks explains them."""
    comments = "\n".join(re.findall(r"^# ?(.*)$", text, flags=re.MULTILINE))
    for line in comments.replace("\\\n", " ").splitlines():
        if line.startswith("  tfhf "):
            yield shlex.split(re.split(r"(?<=\S) {3,}(?!\S+=|')", line.strip())[0])[1:]
