"""Start-up and memory: seconds until the first step, and the most memory while training.

    python benchmarks/start_up.py sst2 --data DATA     # go_emotions, wnut17, dialogsum, quickstart

Every side starts in a fresh process, in turns, reads and tokenizes the rows, loads the model, and
trains. Seconds count from the start of the process, and so does its processor time, which other
programs on the machine disturb less; memory is watched from outside (Linux):
resident is all of it, anonymous is what belongs to no file.

Prints medians of the turns and their range. Eight minutes on two slow cores.
"""

import measuring
import sides


def main():
    compared = ("tfhf", "naive", "trainer", "keras_hub")
    parser = sides.parser(__doc__.splitlines()[0], rounds=3, steps=20, compared=compared)
    arguments = parser.parse_args()
    rows = 200 * sides.jobs.SETS[arguments.set].batch_size
    with sides.prepared(arguments, rows=rows) as job:
        found, pythons = sides.chosen(arguments, job["task"])
        print(sides.heading(arguments, job, pythons), flush=True)
        settings = {"warm_up": 1, "blocks": 1, "shuffle": True}
        workers = {side: [] for side in found}
        for _ in range(arguments.rounds):
            for side in found:
                worker = sides.start(
                    side, pythons, job | settings, arguments, steps=arguments.steps, watched=True
                )
                worker.block()
                worker.close()
                workers[side].append(worker)
    first, *_ = workers
    rows = []
    for side, runs in workers.items():
        seconds = {
            event: [worker.seconds[event] for worker in runs]
            for event in ("imported", "built", "first_step")
        }
        share, share_spent = (
            measuring.spread(measuring.ratios(until(workers[first]), until(runs)), 2)
            for until in (
                lambda runs: [worker.seconds["first_step"] for worker in runs],
                lambda runs: [worker.spent["first_step"] for worker in runs],
            )
        )
        rows.append(
            [
                side.name,
                *(measuring.spread(values) for values in seconds.values()),
                "" if side is first else share,
                measuring.spread([worker.spent["first_step"] for worker in runs]),
                "" if side is first else share_spent,
                measuring.spread([worker.memory.resident for worker in runs], 0),
                measuring.spread([worker.memory.anonymous for worker in runs], 0),
            ]
        )
    header = ["side", "imported, s", "data and model ready, s", "first step done, s"]
    header += [f"{first.name}'s share of that", "processor s until then"]
    header += [f"{first.name}'s share of that", "resident, MiB", "anonymous, MiB"]
    print(measuring.table(header, rows))


if __name__ == "__main__":
    main()
