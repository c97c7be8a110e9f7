"""The dry run's memory estimate beside what a training takes.

    python benchmarks/training_memory.py

`minilm` with a head of two classes, batches of random tokens, all of one width, growing from line
to line; two updates each. Measured is the process's largest size above what it was before the model
was loaded (Linux's VmHWM).
"""

import re
from pathlib import Path

import datasets
import numpy as np
import tf_keras

from tfhf import models, pieces, tasks
from tfhf.learning.optimizers import AdamW, undecayed

SHAPES = ((16, 32), (32, 32), (32, 64), (32, 128), (64, 128), (16, 512))
STATUS = Path("/proc/self/status")


def largest():
    """The most bytes that this process has held."""
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", STATUS.read_text())[1])


def batch(generator, rows, width, vocabulary):
    ids = generator.integers(1000, vocabulary, (rows, width)).astype(np.int32)
    inputs = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "token_type_ids": np.zeros_like(ids),
        "feature": np.arange(rows),
    }
    return inputs, generator.integers(0, 2, rows).astype(np.int32), np.ones(rows, np.float32)


def main():
    source = models.resolve("minilm")
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    kind = tasks.get("text_classification")
    config, parameters = models.load_config(source), models.count_parameters(source)
    tf_keras.utils.set_random_seed(0)
    before, generator = largest(), np.random.default_rng(0)
    model = pieces.trained(source, kind(kind.load_processor(source), features, max_length=512))
    model.compile(AdamW(5e-5, exclude=undecayed(model.backbone)))
    for rows, width in SHAPES:
        for _ in range(2):
            model.train_on_batch(*batch(generator, rows, width, config.vocab_size))
        estimated = models.footprint(config, parameters, rows=rows, width=width)["total"]
        measured = largest() - before
        print(
            f"{rows} × {width}: estimated {estimated / 2**30:.2f} GiB, measured "
            f"{measured / 2**30:.2f} GiB, {estimated / measured:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
