"""`tfhf train --dry-run`: what a training will be, before it is.

Nothing here loads TensorFlow but `measure`, which is asked for: it trains a few steps.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from tfhf import exporting, models, preparation, training
from tfhf.console import Phases, load_tensorflow
from tfhf.data import windowed
from tfhf.learning.pacing import frozen_in_file
from tfhf.learning.rates import learning_rate
from tfhf.recipe import Recipe

POINTS = 40  # of the learning-rate curve
EXAMPLES, SHOWN = 3, 40  # rows shown as the model reads them, and tokens of each
BARS = "▁▂▃▄▅▆▇█"
STEPS, SECONDS = 10, 60  # measured at most
# Share of the tokens for which a task scores the whole vocabulary, by its class of transformers.
SCORED = {"ForMaskedLM": 0.15, "ForCausalLM": 1.0, "ForSeq2SeqLM": 1.0}


def dry_run(recipe, measured=False, **overrides):
    """Checks, counts and estimates; trains nothing.

    Args:
        recipe, **overrides: as for `training.train`.
        measured: whether to load TensorFlow and to train a few steps, whose time and memory are
            measured; nothing is kept of them.

    Returns:
        What `data.json` holds, and `columns`, `parameters`, `steps`, `steps_per_epoch`,
        `learning_rate` (points of the curve), `memory` (bytes, see `models.footprint`), `examples`
        (rows of train as tokens); with `measured` also `measured`.

    Raises:
        UserError: as `train` would.
    """
    checked = Recipe.load(recipe, overrides)
    settings, phases = checked.train, Phases()
    prepared = preparation.prepare(checked, phases)
    training.monitor_of(settings, prepared.task)
    preparation.survey(prepared, phases)
    with tempfile.TemporaryDirectory() as folder:
        stores = preparation.tokenize(prepared, Path(folder), phases)
        plan = training.plan_batches(settings, prepared, stores["train"])
        prepared.notes += exporting.obstacles(prepared.task)
        prepared.notes += training.unusual_steps(settings, plan)
        parameters = models.count_parameters(prepared.source)
        found = preparation.describe(prepared, stores) | {
            "columns": {role: str(kind) for role, kind in prepared.task.features.items()},
            "parameters": parameters,
            "steps_per_epoch": plan.steps,
            "steps": plan.steps * settings.epochs,
            "learning_rate": curve(settings, plan.steps * settings.epochs),
            "memory": _memory(settings, prepared, plan, parameters),
            "examples": examples(prepared.task, stores["train"]),
        }
        if measured:
            found["measured"] = measure(settings, prepared, stores["train"], phases)
    return found


def curve(settings, steps):
    """Points of the learning-rate curve.

    Args:
        settings: the recipe's `train`.
        steps: updates in all.

    Returns:
        `{"steps": [update, …], "rates": [rate, …], "warmup_steps": N}`.
    """
    warmup_steps = int(steps * settings.warmup_ratio)
    points = np.unique(np.r_[np.linspace(0, steps - 1, POINTS).round(), warmup_steps])
    schedule = dict(settings.schedule)
    rates = learning_rate(
        points,
        schedule.pop("name"),
        peak=settings.learning_rate,
        steps=steps,
        warmup_steps=warmup_steps,
        xp=np,
        **schedule,
    )
    return {
        "steps": points.astype(int).tolist(),
        "rates": rates.tolist(),
        "warmup_steps": warmup_steps,
    }


def examples(task, store):
    """The first rows of a split as the model reads them.

    Args:
        task: the Task.
        store: its TokenStore.

    Returns:
        A list of `{"column": name, "tokens": [token, …], "full_length": tokens before the cut}`,
        one for each column of tokens of each row; empty where rows are no tokens.
    """
    found = []
    for number in range(min(EXAMPLES, store.features) if hasattr(task.processor, "decode") else 0):
        for name in store.padding:
            if not name.endswith("input_ids"):
                continue
            start, end = store.array(f"{name}.offsets")[number : number + 2]
            ids = store.array(name)[start:end].tolist()
            full = store.array("full_length")[number] if "full_length" in store.arrays else len(ids)
            found.append(
                {
                    "column": name,
                    "tokens": task.processor.convert_ids_to_tokens(ids),
                    "full_length": int(max(full, len(ids))),
                }
            )
    return found


def _memory(settings, prepared, plan, parameters):
    """The estimate for the largest batch: as many of the longest rows as go into one."""
    width = int(plan.lengths.max(initial=1))
    rows = plan.batch_size or max(1, plan.batch_tokens // width)
    ending = prepared.task.auto_class.removeprefix("TFAutoModel")
    config = models.load_config(prepared.source)
    return models.footprint(
        config,
        parameters,
        frozen=_frozen(settings, prepared.source, config),
        rows=-(-rows // settings.accumulate),
        width=width,
        accumulate=settings.accumulate,
        half=settings.dtype_policy != "float32",
        scored=SCORED.get(ending, 0.0),
    )


def _frozen(settings, source, config):
    """How many numbers are not trained; 0 for a model from scratch, which has no file."""
    if source.scratch or not settings.freeze:
        return 0
    sizes = models.stored_sizes(source)
    frozen = frozen_in_file(sizes, settings.freeze, config.model_type)
    return sum(sizes[name] for name in frozen)


def lines(found):
    """What a dry run found, as aligned lines for people.

    Args:
        found: what `dry_run` gave.
    """
    told = [f"model       {found['model']['name']}  {found['parameters']:,} parameters"]
    told += [f"column      {role}: {kind}" for role, kind in found["columns"].items()]
    for split, values in found["splits"].items():
        told += _split_lines(split, values, found["max_length"])
    told += [_example_line(one) for one in found["examples"]]
    told.append(f"steps       {found['steps']:,} ({found['steps_per_epoch']:,} per epoch)")
    told.append(f"rate        {_curve_line(found['learning_rate'])}")
    told.append(f"memory      {_memory_line(found['memory'])}")
    if "measured" in found:
        told.append(f"measured    {_measured_line(found['measured'])}")
    return told + [f"note        {note}" for note in found["notes"]]


def _split_lines(split, values, max_length):
    if values.get("streamed"):
        rows = "unknown" if values["rows"] is None else f"{values['rows']:,}"
        told = [f"{split:<11} {rows} rows, streamed in windows of {values['window']:,}"]
        return told + _split_lines("  the first", values["first"], max_length)
    told = [f"{split:<11} {values['rows']:,} rows"]
    if values["lengths"]:
        percentiles = values["lengths"]["percentiles"].items()
        told.append(
            "  tokens    " + "  ".join(f"{rank} %: {length}" for rank, length in percentiles)
        )
        cut = values["lengths"]["truncated"]
        told.append(f"  cut       {cut:.1%} are longer than {max_length} tokens")
    labels = values.get("labels") or {}
    total = max(1, sum(labels.values()))
    told += [
        f"  label     {name}: {count:,}  {count / total:.1%}" for name, count in labels.items()
    ]
    if values.get("scripts"):
        shares = "  ".join(f"{name} {share:.1%}" for name, share in values["scripts"].items())
        told.append(f"  scripts   {shares}")
    if "repeated" in values:
        also = f"  in train, too: {values['in_train']:,}" if "in_train" in values else ""
        told.append(f"  repeats   {values['repeated']:,}{also}")
    return told


def _example_line(example):
    tokens, whole = example["tokens"], example["full_length"]
    name = example["column"].removesuffix("input_ids").rstrip(".")
    shown = tokens
    if len(tokens) > SHOWN:
        shown = [*tokens[: SHOWN - 5], f"… {len(tokens) - SHOWN} more …", *tokens[-5:]]
    cut = f"  | cut: {len(tokens)} of {whole} tokens" if whole > len(tokens) else ""
    told = " ".join(token.replace("\n", "\\n") for token in shown)
    return f"as read     {f'{name}: ' if name else ''}{told}{cut}"


def _curve_line(points):
    """A curve in one line of bars, and its rates at the start, the top and the end."""
    rates, steps = points["rates"], points["steps"]
    top = int(np.argmax(rates))
    bars = "".join(BARS[round(rate / rates[top] * (len(BARS) - 1))] for rate in rates)
    marks = dict.fromkeys((0, top, len(rates) - 1))
    return bars + "  " + "  ".join(f"{rates[one]:.2g} at {steps[one] + 1:,}" for one in marks)


def _memory_line(memory):
    parts = ("weights", "gradients", "moments", "activations")
    told = ", ".join(f"{name} {_size(memory[name])}" for name in parts if memory[name] is not None)
    rest = "" if memory["activations"] is not None else "; activations are not known"
    return f"about {_size(memory['total'])}: {told}{rest}; TensorFlow's own comes on top"


def _measured_line(measured):
    took = _size(measured["memory"]) if measured["memory"] is not None else "memory not told"
    step, epoch = measured["seconds_per_step"], _duration(measured["seconds_per_epoch"])
    return (
        f"{step:.3g} s a step, {epoch} an epoch without validation (mean of {measured['steps']} "
        f"steps); {took}"
    )


def _size(count):
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 / 10 else f"{count / 2**20:.1f} MiB"


def _duration(seconds):
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def measure(settings, prepared, store, phases):
    """Trains a few steps of the first epoch, whose batches are drawn at random.

    Args:
        settings: the recipe's `train`.
        prepared: `preparation.Prepared`.
        store: the TokenStore of train.
        phases: `console.Phases`.

    Returns:
        `steps` measured, `seconds_per_step` (their mean, without the first, which is traced),
        `seconds_per_epoch` and `first_step` (seconds), and `memory`: the most bytes that were taken
        since TensorFlow was loaded, None where the system does not tell.
    """
    with phases("loading TensorFlow"):
        load_tensorflow()
        import tf_keras

        from tfhf.learning import strategy as strategies

        strategy = strategies.choose()
        before = _taken()
    plan = training.plan_batches(settings, prepared, store, strategy)
    with phases("loading the model") as found:
        model, line = training.load_compiled(settings, prepared, plan.steps, strategy)
        found.append(line)
    ends = []

    def note(batch, logs):
        float(logs["loss"])  # waits for the step
        ends.append(time.perf_counter())
        model.stop_training = ends[-1] - ends[0] > SECONDS

    with phases("training a few steps") as found, windowed.telling(plan):
        start = time.perf_counter()
        model.fit(
            training.fed(prepared, store, plan, epochs=None),
            steps_per_epoch=1 + STEPS,
            callbacks=[tf_keras.callbacks.LambdaCallback(on_train_batch_end=note)],
            verbose=0,
        )
        found.append(f"{len(ends)} steps")
    seconds = (ends[-1] - ends[0]) / (len(ends) - 1)
    after = _taken()
    return {
        "steps": len(ends) - 1,
        "seconds_per_step": seconds,
        "seconds_per_epoch": seconds * plan.steps,
        "first_step": ends[0] - start,
        "memory": None if before is None else max(0, after - before),
    }


def _taken():
    """The most bytes that this process has held at once: of a GPU where there is one."""
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    try:
        import resource
    except ImportError:  # Windows
        return None
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
