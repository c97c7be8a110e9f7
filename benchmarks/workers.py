"""Processes that train by turns: one per peer, each in its own environment, warm and waiting.

The driver starts a `Worker` per peer. A worker imports its peer's libraries, builds model and data,
trains some steps to warm up, and then stops at the first step of one long training. Each `block()`
lets it run some steps further while all the others wait, so that A B A B blocks follow each other
within seconds and both sides see the same moods of the machine.

A peer is a module of `peers/` with one function, `build(job)`, which returns `train(steps, begin,
after_step)`: it trains `steps` steps, calls `begin()` before the first (its data and state are
made anew after that) and `after_step(loss)` after each, where `loss()` waits for the step's loss.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import measuring

HERE = Path(__file__).parent
LOGS = HERE.parent / ".bench" / "logs"


class Worker:
    """The driver's side of one process.

    Args:
        peer: name of a module of `peers/`.
        python: the interpreter of its environment.
        job: what is trained, see `jobs.prepare`; `warm_up` steps come before `blocks` of `steps`,
            and `shuffle` says whether rows are drawn in a new order.
        threads: of every library in it.
        checkout: folder of another tfhf to be imported, or None.
        watched: whether its memory is looked at, which costs a little.

    Attributes:
        memory: a `measuring.Memory`, or None.
        seconds: since the process was started: `imported`, `built`, `first_step` and `ready`.
        spent: seconds of processor time, of all its threads, until then.
        blocks: seconds of each block so far.
        processor: seconds of processor time, of all its threads, likewise.
        losses: of the last step of each.
    """

    def __init__(self, peer, python, job, *, threads, checkout=None, watched=False):
        LOGS.mkdir(parents=True, exist_ok=True)
        self.job, self.losses = job, []
        self.seconds, self.spent = {}, {}
        self.blocks, self.processor = [], []
        self.log = LOGS / f"{peer}.log"
        count = str(threads)
        environment = os.environ | {
            "OMP_NUM_THREADS": count,
            "TF_NUM_INTRAOP_THREADS": count,
            "TF_NUM_INTEROP_THREADS": count,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "HF_HUB_OFFLINE": "1",
            "PYTHONDONTWRITEBYTECODE": "",
        }
        environment.pop("TF_USE_LEGACY_KERAS", None)  # tfhf's choice is not every peer's
        if checkout is not None:
            environment["PYTHONPATH"] = str(checkout)
        started = time.perf_counter()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [python, __file__, peer, json.dumps(job)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        self.memory = measuring.Memory(self.process.pid) if watched else None
        for event in ("imported", "built", *["first_step"] * (job["warm_up"] > 0), "ready"):
            self.spent[event] = self._read(event)
            self.seconds[event] = time.perf_counter() - started

    def _read(self, event):
        line = self.process.stdout.readline()
        if not line:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise SystemExit(f"a worker ended before {event}; {self.log} ends with\n{tail}")
        return json.loads(line)[event]

    def block(self):
        """Runs one block."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        seconds, processor, loss = self._read("block")
        self.blocks.append(seconds)
        self.processor.append(processor)
        self.losses.append(loss)

    def close(self):
        if self.memory is not None:
            self.memory.close()
        self.process.kill()
        self.process.wait()


# === In the worker ===


def work(peer, job):
    # What libraries print goes to the log; stdout is for the driver.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(event, value):
        channel.write(json.dumps({event: value}) + "\n")
        channel.flush()

    module = importlib.import_module(f"peers.{peer}")
    tell("imported", time.process_time())
    train = module.build(job)
    tell("built", time.process_time())
    first = []

    def after_warming(loss):
        if not first:
            first.append(loss())
            tell("first_step", time.process_time())

    if job["warm_up"]:
        train(job["warm_up"], lambda: None, after_warming)
    tell("ready", time.process_time())
    blocks = Blocks(job["steps"], tell)
    train(job["steps"] * job["blocks"], blocks.begin, blocks.after_step)


class Blocks:
    """Stops a training at the borders of blocks and tells what they took."""

    def __init__(self, steps, tell):
        self.steps, self.tell, self.done = steps, tell, 0

    def begin(self):
        if not sys.stdin.readline():
            raise SystemExit
        self.started = time.perf_counter(), time.process_time()

    def after_step(self, loss):
        self.done += 1
        if self.done % self.steps == 0:
            value = loss()  # waits for whatever the device still has to do
            now = time.perf_counter(), time.process_time()
            self.tell("block", [*(b - a for a, b in zip(self.started, now, strict=True)), value])
            self.begin()


if __name__ == "__main__":
    work(sys.argv[1], json.loads(sys.argv[2]))
