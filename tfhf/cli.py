"""The command line. Every command imports what it uses in its body, so `--help` is instant."""

import functools
import os
import sys

import click

from tfhf.errors import UserError, redact_logs
from tfhf.exits import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tfhf")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug):
    """Fine-tune, export and serve Hugging Face models with TensorFlow."""
    # What goes wrong in TensorFlow is raised in Python, too; its own log says it a second time.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    redact_logs()


def command(function):
    """A command of the group, with `--debug` understood behind its name too."""

    @main.command()
    @click.option("--debug", "debug_here", is_flag=True, help="Show the traceback of an error.")
    @click.pass_context
    @functools.wraps(function)
    def run(context, debug_here, **arguments):
        context.parent.params["debug"] = context.parent.params["debug"] or debug_here
        return function(**arguments)

    return run


@command
@click.argument("recipe")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--out", metavar="DIR", help="Folder of the run (default: runs/<recipe's name>).")
@click.option("--overwrite", is_flag=True, help="Replace a run that is there.")
@click.option("--dry-run", is_flag=True, help="Check everything and count; train nothing.")
@click.option("--measure", is_flag=True, help="With --dry-run: time a few steps, and keep nothing.")
def train(recipe, overrides, out, overwrite, dry_run, measure):
    """Train RECIPE, a YAML file or the name of a shipped one; KEY=VALUE changes a setting."""
    from tfhf import forecast, training
    from tfhf.recipe import Recipe, parse_overrides

    if measure and not dry_run:
        raise UserError("train: --measure belongs to --dry-run; a training measures itself")

    changes = parse_overrides(overrides)
    Recipe.load(recipe, changes)  # names an unknown key, which may be that of an argument below
    if dry_run:
        found = forecast.dry_run(recipe, measured=measure, **changes)
        click.echo("\n".join(forecast.lines(found)))
        return
    run = training.train(recipe, out=out, overwrite=overwrite, **changes)
    click.echo(_scores_text(run.metrics))
    click.echo(f"report: {run.folder / 'report.html'}\nmodel:  {run.folder / 'model'}")


@command
@click.argument("model", metavar="RUN|MODEL")
@click.option("--recipe", help="Recipe whose data to use; needed where MODEL is no run.")
@click.option("--split", help="train, validation or test (default: test where there is one).")
def evaluate(model, recipe, split):
    """Measure a run or a model; prints the metrics as JSON."""
    from tfhf import evaluation, storage

    values = evaluation.evaluate(model, recipe=recipe, split=split)
    click.echo(storage.to_json(values, indent=2))


@command
@click.argument("model", metavar="RUN|MODEL|EXPORT")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--task", help="Task of a MODEL whose config does not tell.")
@click.option("--file", help="File of rows: CSV, TSV, JSON, JSONL, Parquet or text.")
@click.option("--output", help="Where to write: .jsonl or .csv (default: standard output).")
@click.option(
    "--option",
    "choices",
    multiple=True,
    metavar="KEY=VALUE",
    help="What the task's pipeline takes, such as max_new_tokens=40; may be repeated.",
)
def predict(model, texts, task, file, output, choices):
    """Answer each TEXT, the rows of --file, or the lines of standard input."""
    from tfhf import prediction
    from tfhf.recipe import parse_overrides

    if texts and file:
        raise UserError("predict takes TEXT or --file, not both")
    if not texts and not file:
        texts = [line.rstrip("\n") for line in sys.stdin]
    choices = parse_overrides(choices)
    prediction.predict_to(model, texts=texts, file=file, output=output, task=task, choices=choices)


@command
@click.argument("run", required=False)
@click.option("--to", metavar="DIR", help="Folder for the versions (default: RUN/export/<name>).")
@click.option(
    "--lite",
    "precisions",
    multiple=True,
    metavar="PRECISION",
    help="float32, float16 or int8; may be repeated.",
)
@click.option("--check", "checked", metavar="DIR", help="Examine a SavedModel; export nothing.")
def export(run, to, precisions, checked):
    """Export RUN as a SavedModel that takes raw text, for TensorFlow Serving.

    With --lite, write LiteRT files for small machines instead, which take tokens: one with weights
    of each PRECISION, compared with the model on the validation split.

    With --check, say what TensorFlow Serving would make of any SavedModel, a version or the folder
    of all versions. The exit status is 2 if anything of it would fail there.
    """
    if (run is None) == (checked is None) or (checked and (to or precisions)):
        raise UserError(
            "export takes a RUN, and --to DIR and --lite if you like; or --check DIR alone"
        )
    if checked is not None:
        _check_export(checked)
        return
    if precisions:
        from tfhf import conversion

        click.echo("\n".join(map(str, conversion.convert(run, precisions, to=to))))
        return
    from tfhf import exporting

    click.echo(exporting.export(run, to=to))


@command
@click.argument("run")
def report(run):
    """Write report.html, plots and the model card of RUN anew."""
    from tfhf import reporting

    click.echo(reporting.report(run))


@command
@click.argument("action", type=click.Choice(["list", "show", "copy"]), default="list")
@click.argument("name", required=False)
def recipes(action, name):
    """List the shipped recipes, show one, or copy one into this folder."""
    from pathlib import Path

    from tfhf import recipe, storage

    if action == "list":
        for shipped in recipe.shipped():
            first = recipe.find(shipped).read_text(encoding="utf-8").splitlines()[0]
            click.echo(f"{shipped:<32} {first.lstrip('# ')}")
        return
    if name is None:
        raise UserError(f"recipes {action}: name a recipe; `tfhf recipes` lists them")
    source = recipe.find(name)
    text = source.read_text(encoding="utf-8")
    if action == "show":
        click.echo(text, nl=False)
        return
    if Path(source.name).exists():
        raise UserError(f"recipes copy: {source.name} exists here already")
    storage.write(source.name, text)
    click.echo(source.name)


@command
@click.argument("recipe")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
def check(recipe, overrides):
    """Check RECIPE alone, without its data, and print it with every value filled in."""
    from tfhf.recipe import Recipe

    click.echo(Recipe.load(recipe, overrides).to_yaml(), nl=False)


@command
@click.argument("model", metavar="RUN|MODEL")
@click.option("--task", help="Say whether MODEL fits this task; if not, the exit status is 2.")
@click.option("--revision", help="Branch, tag or commit of a Hub model.")
def inspect(model, task, revision):
    """Describe MODEL: layers, size, heads, labels, tokenizer, model card. Fetches no weights."""
    from tfhf import inspection

    found = inspection.inspect(model, task, revision)
    click.echo(inspection.text(found))
    if found.get("fits"):
        raise UserError(f"{model} does not fit {task}: {found['fits']}")


@command
@click.argument("model", metavar="RUN|MODEL")
@click.argument("text")
@click.option("--pair", metavar="TEXT", help="The second text of a pair.")
@click.option("--against", metavar="MODEL", help="Put another model's tokens beside.")
def tokenize(model, text, pair, against):
    """Show the tokens MODEL makes of TEXT: ids, types, mask, places, and what they decode to."""
    from tfhf import tokenization

    names = [model, against] if against else [model]
    click.echo(tokenization.table(*(tokenization.tokenize(one, text, pair) for one in names)))


@command
def doctor():
    """Examine this environment and say how to mend it; the exit status is 2 if anything must be."""
    from tfhf import diagnosis

    broken = [one.name for one in diagnosis.doctor() if one.must]
    if broken:
        raise UserError(f"to be mended, as shown above: {', '.join(broken)}")


@command
@click.argument("folder", metavar="[DIR]", default="runs")
@click.option("--sort", metavar="KEY", default="started", help="A metric, a fact or a setting.")
def runs(folder, sort):
    """List the runs in DIR (default: runs): figures, time, size, and the settings that differ."""
    from tfhf.comparison import table

    click.echo(table.text(table.ordered(table.find(folder), sort)))


@command
@click.argument("recipe")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--models", required=True, metavar="A,B,C", help="Checkpoints to train.")
@click.option("--out", metavar="DIR", help="Folder of the runs (default: runs/<recipe>-models).")
@click.option("--overwrite", is_flag=True, help="Replace runs that are there.")
def compare(recipe, overrides, models, out, overwrite):
    """Train RECIPE over several checkpoints; compare quality, speed and size, with a plot."""
    from tfhf.comparison import checkpoints, page
    from tfhf.recipe import Recipe, parse_overrides

    changes = parse_overrides(overrides)
    Recipe.load(recipe, changes)  # names an unknown key, which may be that of an argument below
    names = [name.strip() for name in models.split(",") if name.strip()]
    rows, failures = checkpoints.compare(recipe, names, out=out, overwrite=overwrite, **changes)
    click.echo(page.text(rows, failures))
    if failures:
        raise UserError(f"{len(failures)} of {len(names)} trainings failed, as shown above")


@command
@click.option("--task", help="The task the checkpoints shall be for.")
@click.option("--language", metavar="CODE", help="Such as de.")
@click.option("--limit", default=10, show_default=True, help="How many of each kind.")
def models(task, language, limit):
    """List checkpoints of the Hub that can be loaded; without --task, a short built-in guide."""
    from tfhf import catalogue

    click.echo(catalogue.listed(task, language, limit))


@command
@click.argument("run")
@click.argument("repo")
@click.option("--public", is_flag=True, help="Let everybody read it (default: private).")
@click.option("--license", "licence", metavar="ID", help="Of the model, such as apache-2.0.")
@click.option(
    "--example",
    "examples",
    multiple=True,
    metavar="TEXT",
    help="To try the model with on its page; may be repeated.",
)
@click.option("--message", metavar="TEXT", help="Of the commit.")
@click.option("--dry-run", is_flag=True, help="List what would go; send nothing.")
def push(run, repo, public, licence, examples, message, dry_run):
    """Publish RUN's model and its card as REPO (owner/name) on the Hub, in one commit."""
    from tfhf import publication

    upload = publication.prepare(run, repo, licence=licence, examples=examples)
    if dry_run:
        click.echo(publication.text(upload, public))
        return
    click.echo(publication.push(upload, public=public, message=message))


@command
@click.argument("source", metavar="[RUN|EXPORT]", required=False)
@click.option("--config", metavar="FILE", help="Models in TensorFlow Serving's models.config.")
@click.option("--name", help="Name of the model in addresses (default: the run's).")
@click.option("--label", "labels", multiple=True, metavar="LABEL=VERSION", help="May be repeated.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8501, show_default=True, help="Port of REST and the page.")
@click.option("--grpc-port", default=8500, show_default=True, help="Port of gRPC; 0: none.")
@click.option(
    "--batching",
    metavar="FILE|off",
    help="TensorFlow Serving's batching parameters (default: what waits, up to 32 rows); or none.",
)
@click.option("--timeout", default=30.0, show_default=True, help="Seconds a request may take.")
@click.option("--max-body", default=64.0, show_default=True, help="MiB a request may have.")
@click.option(
    "--server",
    type=click.Choice(["auto", "tfhf", "tensorflow_model_server"]),
    default="auto",
    show_default=True,
    help="TensorFlow Serving where it is installed, or tfhf's own.",
)
def serve(source, config, name, labels, batching, server, **reached):
    """Serve RUN's or EXPORT's newest version by REST and gRPC, as TensorFlow Serving does."""
    from tfhf.serving import sources

    if (source is None) == (config is None):
        raise UserError("serve takes a RUN or an EXPORT, or --config FILE")
    if config and (name or labels):
        raise UserError("serve: with --config, names and labels stand in the file")
    sys.exit(
        sources.serve(
            sources.configs(source, config, name=name, labels=labels),
            sources.options(batching=batching, **reached),
            by=server,
        )
    )


def _check_export(folder):
    """Prints what TensorFlow Serving would make of a SavedModel."""
    from tfhf.console import load_tensorflow

    load_tensorflow()
    from tfhf.exports import inspection

    lines, failures = inspection.examine(folder)
    click.echo("\n".join(lines))
    if failures:
        plural = "things" if failures > 1 else "thing"
        raise UserError(f"{failures} {plural} would fail in TensorFlow Serving: {folder}")


def _scores_text(metrics):
    """The numbers of metrics.json, one line per split."""
    lines = []
    for split, values in metrics.items():
        if isinstance(values, dict):
            numbers = {k: v for k, v in values.items() if isinstance(v, float)}
            shown = "  ".join(f"{name} {value:.4f}" for name, value in numbers.items())
            lines.append(f"{split:<11} {shown}")
    return "\n".join(lines)
