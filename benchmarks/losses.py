"""Whether the sides whose speed is compared do the same work: their losses, step by step.

    python benchmarks/losses.py sst2 --data DATA       # go_emotions, wnut17, dialogsum, quickstart

The same start weights, the rows in the order of the file, no dropout; AdamW, clipping and learning
rate as in `training.py`. Prints each side's loss of some steps and how far it strays from tfhf's.

Keras' Adam adds its epsilon before the bias correction, PyTorch's and tfhf's after it, which is
probably why the two Keras sides stray a little in the first steps. `loss_parity.py` is the wider
and longer comparison, of every task with PyTorch.

Five minutes on two slow cores.
"""

import measuring
import sides


def main():
    compared = ("tfhf", "naive", "trainer", "keras_hub")
    parser = sides.parser(__doc__.splitlines()[0], rounds=20, steps=1, compared=compared)
    arguments = parser.parse_args()
    steps = arguments.rounds
    rows = steps * sides.jobs.SETS[arguments.set].batch_size
    with sides.prepared(arguments, rows=rows, dropout=False) as job:
        found, pythons = sides.chosen(arguments, job["task"])
        print(sides.heading(arguments, job, pythons), flush=True)
        losses = {}
        for side in found:
            settings = {"warm_up": 0, "blocks": steps, "shuffle": False}
            worker = sides.start(side, pythons, job | settings, arguments, steps=1)
            for _ in range(steps):
                worker.block()
            worker.close()
            losses[side.name] = worker.losses
    first, *_ = losses.values()
    shown = sorted({1, max(1, steps // 2), steps})
    rows = []
    for name, found in losses.items():
        strays = [abs(a - b) / abs(b) for a, b in zip(found, first, strict=True)]
        rows.append([name, *(f"{found[step - 1]:.6f}" for step in shown), f"{max(strays):.1e}"])
    header = ["side", *(f"loss, step {step}" for step in shown), "largest relative difference"]
    print(measuring.table(header, rows))


if __name__ == "__main__":
    main()
