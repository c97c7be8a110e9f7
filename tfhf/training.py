"""`tfhf train`: from a recipe to a run, as one straight line. Read this first."""

import shutil
from pathlib import Path

from tfhf import evaluation, exporting, models, pieces, preparation, reporting
from tfhf.console import Phases, load_tensorflow, say
from tfhf.data import orders
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
    monitor = monitor_of(checked.train.monitor, prepared.task)
    preparation.survey(prepared, phases)
    run = Run.create(folder, checked, overwrite)
    try:
        stores = preparation.tokenize(prepared, run.folder / "tokens", phases)
        plan = plan_batches(checked.train, prepared.task, stores["train"])
        prepared.notes += exporting.obstacles(prepared.task) + unusual_steps(checked.train, plan)
        for note in prepared.notes:
            say(f"  note: {note}")
        run.write("data.json", preparation.describe(prepared, stores))
        with phases("loading TensorFlow"):
            load_tensorflow()
            from tfhf.learning import strategy as strategies
            from tfhf.learning.scoring import Scorer

            strategy = strategy or strategies.choose()
            plan = plan_batches(checked.train, prepared.task, stores["train"], strategy)
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
            _evaluate(run, model, scorer, prepared, stores, best)
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


def monitor_of(name, task):
    """The metric that picks the best epoch; checked before an epoch is spent on it."""
    known = ("loss", *task.metric_names)
    if name is not None and name not in known:
        raise UserError(
            f"train.monitor: unknown metric {name!r}{did_you_mean(name, known)}; "
            f"metrics: {', '.join(known)}"
        )
    return name or task.monitor


def plan_batches(settings, task, store, strategy=None):
    """The batches of every epoch; without a strategy those of one device, before TensorFlow."""
    slices, shapes = settings.accumulate, settings.shapes
    if strategy is not None:
        from tfhf.learning import strategy as strategies

        slices *= strategy.num_replicas_in_sync
        if shapes is None and task.fixed_shapes and strategies.compiles(strategy):
            shapes = COMPILED_SHAPES
    if settings.batch_size is not None and settings.batch_size % slices:
        raise UserError(
            f"train.batch_size: must be a multiple of {slices} (replicas × accumulate); "
            f"received {settings.batch_size}"
        )
    sizes = {"batch_size": settings.batch_size, "batch_tokens": settings.batch_tokens}
    return orders.plan(store, task, seed=settings.seed, **sizes, shapes=shapes, slices=slices)


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
    return []


def load_compiled(settings, prepared, steps, strategy):
    """Model, optimizer and metrics in the strategy's scope: the compiled model, the load line."""
    import tf_keras

    from tfhf.learning.optimizers import AdamW, undecayed
    from tfhf.learning.schedules import warmup_schedule

    steps *= settings.epochs
    tf_keras.utils.set_random_seed(settings.seed)
    policy = tf_keras.mixed_precision.global_policy()
    tf_keras.mixed_precision.set_global_policy(settings.dtype_policy)
    try:
        with strategy.scope():
            model = pieces.trained(
                prepared.source, prepared.task, accumulate=settings.accumulate, seed=settings.seed
            )
            rate = warmup_schedule(
                settings.schedule,
                peak=settings.learning_rate,
                steps=steps,
                warmup_steps=int(steps * settings.warmup_ratio),
            )
            model.compile(
                AdamW(
                    rate,
                    weight_decay=settings.weight_decay,
                    global_clipnorm=settings.global_clipnorm,
                    exclude=undecayed(model.backbone),
                )
            )
    finally:
        tf_keras.mixed_precision.set_global_policy(policy)
    return model, model.load_report.line()


def _fit(run, model, scorer, settings, prepared, stores, plan, monitor):
    """All epochs; the best one's weights are in `run/model` and in the model afterwards."""
    from tfhf.data import batches
    from tfhf.learning.callbacks import Progress, Validation
    from tfhf.learning.events import EventLog

    events = EventLog(run.folder / "tensorboard")

    def log(row):
        run.log(row)
        events.write(row)

    progress = Progress(log, plan, epochs=settings.epochs, every=settings.log_every)
    validation = Validation(
        lambda: evaluation.measure(scorer, stores["validation"], prepared.splits["validation"])[0],
        lambda: model.save_pretrained(run.folder / "model"),
        log,
        monitor=monitor,
        patience=settings.patience,
    )
    model.fit(
        batches.training_dataset(stores["train"], prepared.task, plan, epochs=settings.epochs),
        steps_per_epoch=plan.steps,
        epochs=settings.epochs,
        callbacks=[progress, validation],
        verbose=0,
    )
    models.restore_weights(model.backbone, run.model)
    return {"monitor": monitor, "best_epoch": validation.best_epoch}


def _evaluate(run, model, scorer, prepared, stores, best):
    """Metrics and predictions of validation, and of test where there is one.

    What the task tunes, it tunes on validation; test is then measured as the model will be used.
    """
    run.write("metrics.json", best)
    task, before = prepared.task, prepared.task.settings()
    for split in ("validation", "test"):
        if split in stores:
            dataset = prepared.splits[split]
            values, scores = evaluation.measure(scorer, stores[split], dataset)
            if split == "validation":
                task.tune(dataset, scores.results)
                if task.settings() != before:
                    values |= task.score(dataset, scores.results)
                    models.change_config(model.backbone.config, task.model_config())
                    model.save_pretrained(run.model)
            evaluation.record(run, split, values, scores, dataset, task)


def default_folder(recipe, checked):
    """`runs/` and the recipe's file name; the task's name where the recipe is no file."""
    return Path("runs") / (Path(recipe).stem if isinstance(recipe, str | Path) else checked.task)
