"""The sides that training is compared between, and the command line that all such tables share."""

import argparse
import contextlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import environments
import jobs
import measuring
from workers import Worker


@dataclass(frozen=True, eq=False)
class Side:
    """One of those compared.

    Attributes:
        name: as the table says it.
        peer: its module in `peers/`.
        environment: where that runs, see `environments.python`.
        share: of the steps of a block; slow sides whose batches are all alike run fewer, so that a
            block takes them about as long as the others.
        extra: what is added to its job.
        checkout: folder of the tfhf that it imports, if that is another.
        trains: the tasks it can train.
    """

    name: str
    peer: str
    environment: str
    share: float = 1.0
    extra: dict = field(default_factory=dict)
    checkout: Path | None = None
    trains: tuple = ("text_classification", "token_classification", "summarization")


SIDES = {
    "tfhf": Side("tfhf", "tfhf", "tfhf"),
    "bfloat16": Side(
        "tfhf, mixed_bfloat16", "tfhf", "tfhf", extra={"dtype_policy": "mixed_bfloat16"}
    ),
    "naive": Side("naive Keras loop", "naive_keras", "tfhf", 0.4),
    "trainer": Side("Trainer, as it comes", "trainer", "pytorch", 0.4),
    "grouped": Side("Trainer, grouped by length", "trainer", "pytorch", 1.0, {"grouped": True}),
    "keras_hub": Side(
        "KerasHub, padded to 128",
        "keras_hub",
        "keras_hub",
        0.12,
        trains=("text_classification",),
    ),
}
# All that do the same work: bfloat16's losses are not those of float32.
PEERS = tuple(name for name in SIDES if name != "bfloat16")

MATRIX_PRODUCT = Side("matrix product", "matrix_product", "tfhf", 0.4)
STEP_PRODUCTS = Side("the step's products alone", "step_products", "tfhf")


def parser(description, *, rounds, steps, compared=PEERS):
    """The arguments of a table of training; its defaults are a run of under ten minutes."""
    found = argparse.ArgumentParser(description=description)
    add = found.add_argument
    add("set", nargs="?", choices=list(jobs.SETS), default="quickstart", help="default: quickstart")
    add("--data", type=Path, help="folder with a folder of JSONL files per set; default: the Hub")
    add("--pytorch", type=Path, help="interpreter to use in place of .bench/pytorch")
    add("--keras-hub", type=Path, help="interpreter to use in place of .bench/keras_hub")
    add("--sides", nargs="+", choices=list(SIDES), default=list(compared))
    add("--rounds", type=int, default=rounds, help=f"turns of each side; default: {rounds}")
    add("--steps", type=int, default=steps, help=f"most steps of a turn; default: {steps}")
    add("--threads", type=int, default=2, help="of every library; default: 2")
    return found


def chosen(arguments, task):
    """The sides asked for that can train the task, and the interpreter of each environment."""
    given = {"pytorch": arguments.pytorch, "keras_hub": arguments.keras_hub}
    found = [SIDES[name] for name in arguments.sides if task in SIDES[name].trains]
    places = {side.environment for side in found}
    pythons = {name: environments.python(name, given.get(name)) for name in sorted(places)}
    return found, pythons


@contextlib.contextmanager
def prepared(arguments, *, rows, dropout=True):
    """The job of the set that was asked for; its files are deleted afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield jobs.prepare(
            arguments.set, Path(folder), data=arguments.data, rows=rows, dropout=dropout
        )


def start(side, pythons, job, arguments, *, steps, watched=False):
    """A worker of the side, warmed up and waiting.

    Args:
        job: says `warm_up`, `blocks` and `shuffle`, too.
        steps: of a block, of which the side runs its share.
        watched: whether its memory is.
    """
    job = job | side.extra | {"steps": max(1, round(steps * side.share))}
    python = pythons[side.environment]
    given = {"threads": arguments.threads, "checkout": side.checkout, "watched": watched}
    return Worker(side.peer, python, job, **given)


def heading(arguments, job, pythons):
    """The lines above a table: what was trained, where, on what."""
    model = "MiniLM" if job["kernels"] else "a BART of 3 + 3 layers of width 256"
    lengths = f"texts cut at {job['options']['max_length']} tokens"
    return (
        f"{arguments.set}: {job['count']:,} rows, {job['tokens'] / job['count']:.1f} tokens each; "
        f"{model}, batch {job['batch_size']}, {lengths}, AdamW, clipping at norm "
        f"{job['clip']:.0f}, {arguments.threads} threads.\n{measuring.conditions(pythons)}\n"
    )
