"""Runs tables by name, one after another, all of them by default, and keeps what they print.

    python benchmarks/run.py --list
    python benchmarks/run.py training-sst2 start-up --data DATA

Each table is a script of its own, which says what it measures and how (`--help`); this is only the
list of them. What they print goes to `.bench/results/DAY-TABLE.md`, too.
"""

import argparse
import datetime
import subprocess
import sys
from pathlib import Path

import environments

HERE = Path(__file__).parent
RESULTS = environments.PLACE / "results"
COMPARED = ("sst2", "go_emotions", "wnut17", "dialogsum")
# Table → script and its arguments. DATA and PYTORCH stand for what `--data` and `--pytorch` say;
# with a question mark they are left out where that says nothing.
OPTIONAL = ["--data?", "--pytorch?"]
TABLES = {
    **{f"losses-{name}": ("losses.py", [name, *OPTIONAL]) for name in COMPARED},
    **{f"training-{name}": ("training.py", [name, *OPTIONAL]) for name in COMPARED},
    "step": ("step_profile.py", ["sst2", "--data?"]),
    "start-up": ("start_up.py", ["sst2", *OPTIONAL]),
    "input": ("input_pipeline.py", ["DATA"]),
    "inference": ("inference.py", ["DATA", "--pytorch", "PYTORCH"]),
    "size-rows": ("size.py", ["rows"]),
    "size-model": ("size.py", ["length", "layers", "plot"]),
    "streaming": ("streaming.py", []),
    "arithmetic": ("step_arithmetic.py", []),
    "arithmetic-check": ("step_arithmetic.py", ["--check"]),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("tables", nargs="*", metavar="TABLE", help="default: all")
    add("--list", action="store_true", help="print the tables' names and commands, and end")
    add("--data", type=Path, help="folder with a folder of JSONL files per set; default: the Hub")
    add("--pytorch", type=Path, help="interpreter to use in place of .bench/pytorch")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.tables if name not in TABLES]
    if unknown:
        parser.error(f"no table {unknown[0]!r}; tables: {', '.join(TABLES)}")
    failed = []
    for name in arguments.tables or TABLES:
        script, words = TABLES[name]
        if arguments.list:
            print(f"{name:<22}{' '.join([script, *words])}")
        elif "DATA" in words and arguments.data is None:
            print(f"== {name}: left out, it needs --data\n", flush=True)
        elif not run(name, [sys.executable, str(HERE / script), *spelled(words, arguments)]):
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def spelled(words, arguments):
    """The arguments of a table with what was given in place of its capitals and question marks."""
    found = []
    for word in words:
        if word == "DATA":
            found.append(str(arguments.data))
        elif word == "PYTORCH":
            found.append(environments.python("pytorch", arguments.pytorch))
        elif word.endswith("?"):
            value = getattr(arguments, word[2:-1])
            found += [] if value is None else [word[:-1], str(value)]
        else:
            found.append(word)
    return found


def run(name, command):
    """Runs a table; shows and keeps what it prints. Whether it succeeded."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = RESULTS / f"{datetime.date.today().isoformat()}-{name}.md"
    print(f"== {name}\n", flush=True)
    with kept.open("w") as file, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as on:
        for line in on.stdout:
            print(line, end="", flush=True)
            file.write(line)
    print(flush=True)
    return on.returncode == 0


if __name__ == "__main__":
    main()
