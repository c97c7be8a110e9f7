"""Training speed: rows per second of tfhf and its peers, block by block in turns.

    python benchmarks/training.py sst2 --data DATA     # go_emotions, wnut17, dialogsum, quickstart
    python benchmarks/training.py --sides tfhf --before FOLDER    # tfhf at two commits

Every side has a process of its own, loads the same start weights and the same rows, and warms up
before anything is timed. Then they take turns; all others wait meanwhile. The two sides that batch
rows of like lengths go through every row exactly once (a turn of the Trainer's is one of its groups
of batches, longest first); the others draw at random or pad everything alike, and fewer steps tell
as much. Every step holds a full batch of real rows.

Prints a Markdown table: rows per second (median of the turns and range), tfhf's ratio to each side
(median of the rounds and range), the same per second of processor time, which other programs on the
machine disturb less, and seconds from the start of the process to the end of the first step. A
library that waits for its threads in a loop spends processor time on it. Below the table: what
share of a large matrix product's rate tfhf reaches with real tokens, counting 6 operations per
token and multiplying weight (2 forward, 4 backward), and what share the step's own products reach
that way, without anything else of the step: no step can come above that.

Under ten minutes a set on two slow cores, plus some minutes once for the peers' environments.
"""

import math
import statistics
from pathlib import Path

import measuring
import sides


def main():
    parser = sides.parser(__doc__.splitlines()[0], rounds=4, steps=50)
    parser.add_argument("--before", type=Path, help="checkout of another tfhf, as one more side")
    arguments = parser.parse_args()
    rows = arguments.rounds * arguments.steps * sides.jobs.SETS[arguments.set].batch_size
    with sides.prepared(arguments, rows=rows) as job:
        compared, pythons = sides.chosen(arguments, job["task"])
        if arguments.before:
            compared.append(sides.Side("tfhf before", "tfhf", "tfhf", checkout=arguments.before))
        print(sides.heading(arguments, job, pythons), flush=True)
        if job["kernels"]:
            compared += [sides.MATRIX_PRODUCT, sides.STEP_PRODUCTS]
        settings = {"warm_up": 5, "blocks": arguments.rounds, "shuffle": True}
        workers = {
            side: sides.start(side, pythons, job | settings, arguments, steps=arguments.steps)
            for side in compared
        }
        for _ in range(arguments.rounds):
            for worker in workers.values():
                worker.block()
        for worker in workers.values():
            worker.close()
    report(job, workers)


def report(job, workers):
    """Prints the table and the line below it."""
    products = [workers.pop(side, None) for side in (sides.MATRIX_PRODUCT, sides.STEP_PRODUCTS)]
    speeds, thrift = (
        {
            side: [worker.job["steps"] * job["batch_size"] / spent for spent in attribute(worker)]
            for side, worker in workers.items()
        }
        for attribute in (lambda worker: worker.blocks, lambda worker: worker.processor)
    )
    first = next(iter(workers))

    def compared(values, side):
        ratio = measuring.spread(measuring.ratios(values[first], values[side]), 2)
        return [measuring.spread(values[side]), "" if side is first else ratio]

    rows = [
        [
            side.name,
            *compared(speeds, side),
            *compared(thrift, side),
            f"{worker.seconds['first_step']:.1f}",
        ]
        for side, worker in workers.items()
    ]
    ratio = f"ratio of {first.name} to it"
    header = ["side", "rows/s", ratio, "rows per processor second", ratio, "first step after, s"]
    print(measuring.table(header, rows))
    if job["kernels"]:
        report_rate(first.name, job, speeds[first], *products)


def report_rate(name, job, speeds, product, step_products):
    """Prints what share of a large product's rate a side reaches, and its products alone do.

    Args:
        name: of the side.
        job: whose `kernels` multiply every token.
        speeds: rows per second of the side, turn by turn.
        product, step_products: the workers of those.
    """
    per_row = 6 * sum(map(math.prod, job["kernels"])) * job["tokens"] / job["count"]
    possible = [product.job["steps"] * 2 * 2048**3 / seconds for seconds in product.blocks]
    useful = [per_row * speed for speed in speeds]
    rows = step_products.job["steps"] * job["batch_size"]
    alone = [per_row * rows / seconds for seconds in step_products.blocks]
    print(
        f"\n{name}: {statistics.median(useful) / 1e9:.1f} useful GFLOP/s; a product of"
        f" 2048 x 2048 matrices reaches {statistics.median(possible) / 1e9:.1f}; share"
        f" {measuring.spread(measuring.ratios(useful, possible), 2)}; of the step's products alone"
        f" {measuring.spread(measuring.ratios(alone, possible), 2)}."
    )


if __name__ == "__main__":
    main()
