"""`tfhf train`: from a recipe to a run, as one straight line. Read this first."""

import math
import shutil
from pathlib import Path

from tfhf import custom, evaluation, exporting, models, pieces, preparation, reporting
from tfhf.console import Phases, load_tensorflow, say
from tfhf.data import orders, windowed
from tfhf.errors import UserError, did_you_mean
from tfhf.recipe import Recipe
from tfhf.run import Run, check_vacant

MANY_STEPS = 100_000  # updates; published fine-tunings are mostly done in fewer
COMPILED_SHAPES = 8  # widths of batches where each is compiled, unless the recipe says how many


def train(recipe, *, out=None, overwrite=False, strategy=None, **overrides):
    """Trains a recipe: data in, and out a model, its metrics, an export and a report.

    Args:
        recipe: a YAML file, the name of a shipped recipe, a dictionary, or a Recipe.
        out: folder of the run; `runs/<recipe's name>` by default.
        overwrite: whether a run in that folder may be replaced.
        strategy: a `tf.distribute.Strategy`; chosen from the machine's devices by default.
        **overrides: dotted keys of the recipe, such as `**{"train.epochs": 1}`.

    Returns:
        The Run.

    Raises:
        UserError: for a mistake in recipe, data or checkpoint, before TensorFlow loads.
        Diverged: if the loss becomes NaN or infinite; the best model so far stays in the run.
        StorageError: if the run's folder cannot be written.
    """
    checked = Recipe.load(recipe, overrides)
    folder = out or default_folder(recipe, checked)
    check_vacant(folder, overwrite)
    phases = Phases()
    prepared = preparation.prepare(checked, phases)
    monitor = monitor_of(checked.train, prepared.task)
    preparation.survey(prepared, phases)
    run = Run.create(folder, checked, overwrite)
    try:
        stores = preparation.tokenize(prepared, run.folder / "tokens", phases)
        plan = plan_batches(checked.train, prepared, stores["train"])
        prepared.notes += exporting.obstacles(prepared.task) + unusual_steps(checked.train, plan)
        for note in prepared.notes:
            say(f"  note: {note}")
        run.write("data.json", preparation.describe(prepared, stores))
        with phases("loading TensorFlow"):
            load_tensorflow()
            from tfhf.learning import strategy as strategies
            from tfhf.learning.scoring import Scorer

            strategy = strategy or strategies.choose()
            plan = plan_batches(checked.train, prepared, stores["train"], strategy)
        run.update("environment.json", {"strategy": strategies.describe(strategy)})
        with phases("loading the model") as found:
            model, line = load_compiled(checked.train, prepared, plan.steps, strategy)
            found.append(line)
        run.update("data.json", {"load_line": line, "parameters": model.backbone.count_params()})
        with phases("training", talks=True):
            scorer = Scorer(
                model, checked.train.batch_size, batch_tokens=checked.train.batch_tokens
            )
            best = _fit(run, model, scorer, checked.train, prepared, stores, plan, monitor)
        with phases("evaluating"):
            _evaluate(run, model, scorer, prepared, stores, best, checked.train.metrics)
        if not exporting.obstacles(prepared.task):
            with phases("exporting") as found:
                found.append(_export(run, model, prepared.splits["validation"]))
    finally:
        shutil.rmtree(run.folder / "tokens", ignore_errors=True)
    with phases("reporting"):
        seconds = round(sum(phases.values()), 2)
        run.update("environment.json", {"phases": phases, "seconds": seconds})
        reporting.report(run)
    return run


def _export(run, model, rows):
    """Publishes the first version; what the tokenizer's graph cannot do loses no training."""
    try:
        return exporting.publish(run.exports, model, rows, reporting.card(run.folder)).line()
    except UserError as error:
        return f"no export: {error}"


def monitor_of(settings, task):
    """The metric that picks the best epoch; checked before an epoch is spent on it."""
    known = ["loss", *task.metric_names]
    for place in settings.metrics:
        custom.load(place, "train.metrics")
        name = place.partition(":")[2]
        if name in known:
            raise UserError(f"train.metrics: there is a metric {name!r} already; rename {place}")
        known.append(name)
    name = settings.monitor
    if name is not None and name not in known:
        raise UserError(
            f"train.monitor: unknown metric {name!r}{did_you_mean(name, known)}; "
            f"metrics: {', '.join(known)}"
        )
    return name or task.monitor


def plan_batches(settings, prepared, store, strategy=None):
    """The batches of every epoch; without a strategy those of one device, before TensorFlow."""
    task, shapes = prepared.task, settings.shapes
    slices, compiled = settings.accumulate, settings.jit_compile
    if strategy is not None:
        from tfhf.learning import strategy as strategies

        slices *= strategy.num_replicas_in_sync
        compiled |= strategies.compiles(strategy)
        if settings.jit_compile and strategy.num_replicas_in_sync > 1:
            raise UserError(
                "train.jit_compile: is for one device; "
                f"this is {strategies.describe(strategy)}; leave it out"
            )
    # Of a stream nobody knows the lengths from which shapes are chosen.
    if shapes is None and task.fixed_shapes and compiled and prepared.stream is None:
        shapes = COMPILED_SHAPES
    if settings.batch_size is not None and settings.batch_size % slices:
        raise UserError(
            f"train.batch_size: must be a multiple of {slices} (replicas × accumulate); "
            f"received {settings.batch_size}"
        )
    sizes = {"batch_size": settings.batch_size, "batch_tokens": settings.batch_tokens}
    plan = orders.plan(store, task, seed=settings.seed, **sizes, shapes=shapes, slices=slices)
    if prepared.stream is None:
        return plan
    return windowed.plan(prepared.stream, task, store, plan, prepared.splits["train"], settings)


def fed(prepared, store, plan, epochs):
    """The batches of a training as a `tf.data.Dataset`; of a stream without an end."""
    if prepared.stream is not None:
        return plan.dataset()
    from tfhf.data import batches

    return batches.training_dataset(store, prepared.task, plan, epochs=epochs)


def unusual_steps(settings, plan):
    """What is unusual about the number of updates, a line each."""
    examples, total = len(plan.lengths), plan.steps * settings.epochs
    if plan.batch_size is not None and plan.batch_size > examples:
        return [
            f"train.batch_size: {plan.batch_size} examples per update, but data.train has only "
            f"{examples}, so an epoch is one update; lower it"
        ]
    if total >= MANY_STEPS:
        return [
            f"train: {total:,} updates are many for fine-tuning; --dry-run --measure says how long "
            "they take"
        ]
    if settings.ema is not None and total * (1 - settings.ema) < 2:
        return [
            f"train.ema: {settings.ema:g} averages over some {round(1 / (1 - settings.ema)):,} "
            f"updates, but there are only {total:,}, so the model stays near its start; lower it"
        ]
    return []


def load_compiled(settings, prepared, steps, strategy):
    """Model, optimizer and metrics in the strategy's scope: the compiled model, the load line."""
    import tf_keras

    from tfhf.learning import optimization, pacing
    from tfhf.learning.schedules import warmup_schedule

    updates = steps * settings.epochs
    tf_keras.utils.set_random_seed(settings.seed)
    policy = tf_keras.mixed_precision.global_policy()
    tf_keras.mixed_precision.set_global_policy(settings.dtype_policy)
    try:
        with strategy.scope():
            model = pieces.trained(
                prepared.source, prepared.task, accumulate=settings.accumulate, seed=settings.seed
            )
            frozen = pacing.frozen(model.backbone, settings.freeze)
            model.freeze(frozen)
            schedule, optimizer = dict(settings.schedule), dict(settings.optimizer)
            rate = warmup_schedule(
                schedule.pop("name"),
                peak=settings.learning_rate,
                steps=updates,
                warmup_steps=int(updates * settings.warmup_ratio),
                **schedule,
            )
            model.compile(
                optimization.make_optimizer(
                    optimizer.pop("name"),
                    model.backbone,
                    rate,
                    weight_decay=settings.weight_decay,
                    global_clipnorm=settings.global_clipnorm,
                    ema=settings.ema,
                    paces=pacing.paces(
                        model.backbone,
                        frozen=frozen,
                        layer_decay=settings.layer_decay,
                        unfreeze=settings.unfreeze,
                        steps_per_epoch=steps,
                    ),
                    **optimizer,
                ),
                loss=_own_loss(settings.loss, prepared.task),
                jit_compile=settings.jit_compile,
            )
    finally:
        tf_keras.mixed_precision.set_global_policy(policy)
    return model, model.load_report.line() + _frozen_line(model)


def _own_loss(spec, task):
    """The user's own Keras loss between targets and logits, or None."""
    import tf_keras

    if spec is None:
        return None
    if len(task.targets) != 1 or task.compares_rows(**task.settings()):
        raise UserError(
            f"train.loss: {task.name()} does not compare one target with logits; derive a task of "
            "your own from it, and name that as task"
        )
    found = custom.load(spec["name"], "train.loss")
    if callable(found) and not isinstance(found, type) and len(spec) == 1:
        return found  # a function of (y_true, y_pred), or a loss
    return custom.make(spec, tf_keras.losses.Loss, "train.loss")


def _frozen_line(model):
    """How much of a model is frozen, where something is."""
    trained, known = (
        sum(math.prod(variable.shape) for variable in variables)
        for variables in (model.trainable_variables, model.backbone.trainable_variables)
    )
    return f"; {known - trained:,} of {known:,} parameters frozen" if known > trained else ""


def _fit(run, model, scorer, settings, prepared, stores, plan, monitor):
    """All epochs; the best one's weights are in `run/model` and in the model afterwards."""
    import tf_keras

    from tfhf.learning.averaging import averaged
    from tfhf.learning.callbacks import Progress, Validation
    from tfhf.learning.events import EventLog

    own = [
        custom.make(one, tf_keras.callbacks.Callback, "train.callbacks")
        for one in settings.callbacks
    ]
    events = EventLog(run.folder / "tensorboard")

    def log(row):
        run.log(row)
        events.write(row)

    def measure():
        with averaged(model):
            rows = prepared.splits["validation"]
            return evaluation.measure(scorer, stores["validation"], rows, settings.metrics)[0]

    def keep():
        with averaged(model):
            model.save_pretrained(run.folder / "model")

    progress = Progress(log, plan, epochs=settings.epochs, every=settings.log_every)
    validation = Validation(
        measure,
        keep,
        log,
        monitor=monitor,
        patience=settings.patience,
    )
    with windowed.telling(plan):
        model.fit(
            fed(prepared, stores["train"], plan, settings.epochs),
            steps_per_epoch=plan.steps,
            epochs=settings.epochs,
            callbacks=[progress, validation, *own],
            verbose=0,
        )
    models.restore_weights(model.backbone, run.model)
    return {"monitor": monitor, "best_epoch": validation.best_epoch}


def _evaluate(run, model, scorer, prepared, stores, best, own):
    """Metrics and predictions of validation, and of test where there is one.

    What the task tunes, it tunes on validation; test is then measured as the model will be used.
    """
    run.write("metrics.json", best)
    task, before = prepared.task, prepared.task.settings()
    for split in ("validation", "test"):
        if split in stores:
            dataset = prepared.splits[split]
            values, scores = evaluation.measure(scorer, stores[split], dataset, own)
            if split == "validation":
                task.tune(dataset, scores.results)
                if task.settings() != before:
                    tuned = evaluation.figures(task, dataset, scores.results, own)
                    say(f"  tuned on validation: {_gain(values, tuned, best['monitor'])}")
                    values |= tuned
                    models.change_config(model.backbone.config, task.model_config())
                    model.save_pretrained(run.model)
            evaluation.record(run, split, values, scores, dataset, task)


def _gain(before, after, monitor):
    """A metric before and after, such as `f1_macro 0.3120 → 0.3871`; the first, where a loss is
    monitored."""
    name = monitor if monitor in after else next(iter(after))
    return f"{name} {before[name]:.4f} → {after[name]:.4f}"


def default_folder(recipe, checked):
    """`runs/` and the recipe's file name; the task's name where the recipe is no file."""
    return Path("runs") / (Path(recipe).stem if isinstance(recipe, str | Path) else checked.task)
