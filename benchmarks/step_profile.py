"""Where the time of a training step goes, by kinds of operations, as TensorFlow's profiler sees it.

    python benchmarks/step_profile.py sst2 --data DATA  # go_emotions, wnut17, dialogsum, quickstart

Trains as `training.py` has tfhf train, in this process, and profiles some steps after the warm-up.

Prints a table: kinds of operations with their share of the time of all operations, milliseconds and
number per step. Operations that run beside each other count both, so that the milliseconds add up
to more than a step takes; waiting for a processor counts, too. Below it: seconds and processor
seconds of a step, and page faults, the price of memory that is taken from the system anew.
"""

import argparse
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

import measuring
import sides

WARM_UP = 5


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("set", nargs="?", choices=list(sides.jobs.SETS), default="quickstart")
    add("--data", type=Path, help="folder with a folder of JSONL files per set; default: the Hub")
    add("--steps", type=int, default=20, help="that are profiled; default: 20")
    add("--kinds", type=int, default=25, help="of operations to show; default: 25")
    arguments = parser.parse_args()
    rows = (WARM_UP + arguments.steps) * sides.jobs.SETS[arguments.set].batch_size
    with sides.prepared(arguments, rows=rows) as job, tempfile.TemporaryDirectory() as folder:
        steps = measured(job | {"shuffle": True}, arguments.steps, folder)
        spent, count = operations(folder)
    total = sum(spent.values())
    lines = [
        [
            kind,
            f"{nanoseconds / total:.1%}",
            f"{nanoseconds / 1e6 / arguments.steps:.2f}",
            f"{count[kind] / arguments.steps:.1f}",
        ]
        for kind, nanoseconds in spent.most_common(arguments.kinds)
    ]
    print(measuring.table(["operation", "share", "ms per step", "per step"], lines))
    print(f"\nAll operations: {total / 1e6 / arguments.steps:.0f} ms per step. {steps}")


def measured(job, steps, folder):
    """Trains, the profile of some steps going to a folder; a line on what a step took."""
    import tensorflow as tf
    from peers import tfhf

    train = tfhf.build(job)
    train(WARM_UP, lambda: None, lambda loss: None)
    found = []

    def look():
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return time.perf_counter(), usage.ru_utime, usage.ru_stime, usage.ru_minflt

    def begin():
        found.append(look())

    train(steps, begin, lambda loss: None)
    found.append(look())
    seconds, user, system, faults = (
        (after - before) / steps for before, after in zip(*found, strict=True)
    )
    with tf.profiler.experimental.Profile(folder):
        train(steps, lambda: None, lambda loss: None)
    return (
        f"A step: {seconds:.3f} s, {user:.3f} s of processor time and {system:.3f} s in the "
        f"system, {faults:,.0f} page faults."
    )


def operations(folder):
    """Nanoseconds and number of runs of every kind of operation in a profile."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    (file,) = Path(folder).rglob("*.xplane.pb")
    space.ParseFromString(file.read_bytes())
    spent, count = Counter(), Counter()
    for plane in space.planes:
        names = {number: entry.name for number, entry in plane.event_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                name, _, kind = names[event.metadata_id].rpartition(":")
                if name and not name.endswith(":") and kind.isidentifier():
                    spent[kind] += event.duration_ps / 1000
                    count[kind] += 1
    return spent, count


if __name__ == "__main__":
    main()
