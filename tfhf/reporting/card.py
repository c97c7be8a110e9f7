"""The model card: `README.md` of a run folder, with the front matter the Hub reads.

Everything it says is computed from the run; what is not known is said to be unknown or left out
(a licence, for one, is the user's to add).
"""

import dataclasses
import os
import re
from pathlib import Path

from tfhf import storage
from tfhf.reporting import metadata, snippets
from tfhf.reporting.findings import (
    calibration,
    counted,
    dataset_name,
    final_split,
    main_metric,
    per_class,
    signatures,
)
from tfhf.reporting.metrics import metric, metric_name
from tfhf.reporting.record import SPLITS, read
from tfhf.reporting.values import number, section
from tfhf.reporting.wording import figure, headline_figure

FEW_ROWS = 10  # of a class: too few to trust its figures
MOST_LABELS = 20  # whose shares are told
# The folders before a file's name, where an absolute path stands in a text.
PLACE = re.compile(r"(?<![^\s'\"(\[=])(?:[A-Za-z]:)?[/\\](?:[^\s/\\:,'\"]+[/\\])+(?=[^\s/\\])")


def write_card(run_folder):
    """Writes the model card `README.md` from the files of a run.

    Args:
        run_folder: the folder that `tfhf train` wrote.

    Returns:
        The path of `README.md`.

    Raises:
        UserError: if the folder holds no file of a run.
        StorageError: if the card cannot be written.
    """
    path = Path(run_folder) / "README.md"
    storage.write(path, card(run_folder))
    return path


def _opens_in_pytorch(record):
    """Whether PyTorch's transformers has the class of the model."""
    from tfhf import models

    return models.in_pytorch(record.config)


def card(run_folder, repo=None, licence=None, examples=()):
    """The text of the model card; as `write_card`, which writes it.

    Args:
        run_folder: the folder that `tfhf train` wrote.
        repo: the Hub id under which the model will stand; the card then names it, and no place of
            this machine.
        licence: the Hub's id of the model's licence, such as `apache-2.0`.
        examples: texts to try the model with on the Hub's page.
    """
    import yaml

    record = read(run_folder)
    if repo is not None:
        record = published(record, repo)
    front = metadata.front_matter(record, licence, examples)
    front = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    sections = [
        f"# {record.name}",
        _opening(record),
        "## Results",
        _results(record),
        "## Data",
        _data(record),
        "## Training",
        _training(record),
        "## Limits",
        "\n".join(f"- {line}" for line in _limits(record)),
        "## Use in TensorFlow",
        _code(snippets.in_tensorflow(record)),
        "## Use in PyTorch",
        _in_pytorch(record),
        "## Recipe",
        _code(record.recipe_text or "# not recorded", "yaml"),
    ]
    return f"---\n{front}---\n\n" + "\n\n".join(sections) + "\n"


def published(record, repo):
    """A record as others may read it: under its Hub id, files called by their names alone."""
    import yaml

    recipe = _without_places(record.recipe)
    data = record.data | {"notes": [_without_places(note) for note in record.data_notes]}
    text = yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)
    return dataclasses.replace(record, recipe=recipe, recipe_text=text, data=data, repo=repo)


def _without_places(value):
    """A value of a recipe, or a note, without the folders of this machine."""
    if isinstance(value, dict):
        return {key: _without_places(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_places(inner) for inner in value]
    if not isinstance(value, str):
        return value
    if os.path.isabs(value) and Path(value).name:
        return f"./{Path(value).name}"  # a path still, and no id of the Hub
    return PLACE.sub("", value)


def _data(record):
    """What the model learned from and was measured on."""
    name = dataset_name(record)
    columns = section(section(record.recipe, "data"), "columns")
    said = f"`{name}`" if name else "Not recorded"
    if columns:
        said += "; columns: " + ", ".join(f"{role} is `{one}`" for role, one in columns.items())
    lines = [f"{said}.", ""]
    rows = []
    for split in SPLITS:
        about = record.split(split)
        if number(about.get("rows")) is not None:
            ranks = section(section(about, "lengths"), "percentiles")
            tokens = [figure(ranks.get(rank), 0) for rank in ("50", "95", "100")]
            rows.append(f"| {split} | {about['rows']:,} | {' | '.join(tokens)} |")
    if rows:
        head = "| split | rows | tokens of the middle row | 95 % have at most | longest |"
        lines += [head, "|---|---:|---:|---:|---:|", *rows, ""]
    counts = section(record.split("train"), "labels")
    total = sum(number(count) or 0 for count in counts.values())
    if total:
        shares = [f"{_plain(name)} {count / total:.1%}" for name, count in counts.items()]
        more = f" and {len(shares) - MOST_LABELS} more" if shares[MOST_LABELS:] else ""
        lines.append(f"Labels in train: {', '.join(shares[:MOST_LABELS])}{more}.")
    return "\n".join(lines).rstrip()


def _in_pytorch(record):
    if _opens_in_pytorch(record):
        return _code(snippets.in_pytorch(record))
    return (
        "PyTorch's transformers has no such head for this family. It opens the body alone:"
        f' `AutoModel.from_pretrained("{record.model_place}")`.'
    )


def _opening(record):
    model, data = record.recipe.get("model"), dataset_name(record)
    line = f"`{model}` fine-tuned" if model else "A model fine-tuned"
    if isinstance(model, dict):
        line = f"A `{model.get('model_type', 'model')}` model trained from scratch"
    line += f" on `{data}`" if data else ""
    task = str(record.recipe.get("task") or "").replace("_", " ")
    task = task.replace(" lm", " language modelling")
    line += f" for {task}" if task else ""
    line += " with tfhf, in TensorFlow."
    line += " PyTorch opens the same weights." if _opens_in_pytorch(record) else ""
    if not record.finished:
        line += "\n\n**The run has not finished: it has no final figures.**"
    name = main_metric(record)
    split = final_split({split: name in figures for split, figures in record.metrics.items()})
    value = number(record.metrics[split][name]) if split else None
    if value is not None:
        known = metric(name)
        first = known.name.split()[0]
        said = known.name[:1].upper() + known.name[1:] if first.islower() else known.name
        shown = headline_figure(value, known.largest)
        line += f"\n\n**{said} on the {split} split: {shown}**"
        line += " of 100" if known.largest == 100 else ""
        line += " (lower is better)" if known.lower_is_better else ""
    return line


def _results(record):
    if not record.metrics:
        return "None: the run was stopped before its end."
    names = dict.fromkeys(
        name
        for figures in record.metrics.values()
        for name, value in figures.items()
        if number(value) is not None
    )
    lines = [
        "| metric | " + " | ".join(record.metrics) + " |",
        "|---|" + "---:|" * len(record.metrics),
    ]
    for name in names:
        cells = [figure(figures.get(name)) for figures in record.metrics.values()]
        lines.append(f"| {metric_name(name)} | " + " | ".join(cells) + " |")
    signed = [f"`{signature}`" for signature in signatures(record).values()]
    if signed:
        lines += ["", f"sacreBLEU: {', '.join(signed)}"]
    return "\n".join(lines)


def _training(record):
    train, environment = section(record.recipe, "train"), record.environment
    facts = []
    rows = number(record.split("train").get("rows"))
    if rows is not None:
        facts.append(f"{rows:,.0f} training rows")
    facts += [
        f"{key.replace('_', ' ')} {_name(train[key])}"
        for key in ("epochs", "batch_size", "learning_rate", "optimizer", "schedule", "seed")
        if train.get(key) is not None
    ]
    if record.best_epoch is not None:
        facts.append(f"weights of epoch {record.best_epoch}")
    versions = section(environment, "versions")
    used = [name for name in ("tensorflow", "transformers") if name in versions]
    facts += [f"{name} {versions[name]}" for name in used]
    seconds = number(environment.get("seconds"))
    if seconds is not None:
        facts.append(f"{seconds / 60:.1f} minutes in all")
    return ", ".join(facts) + "." if facts else "Nothing about the training was recorded."


def _name(value):
    """The name of what has arguments beside it; other values as they are."""
    return value["name"] if isinstance(value, dict) and "name" in value else value


def _limits(record):
    """What the figures do not cover, each line from a fact of the run."""
    lines = []
    if "image" not in snippets.roles(record):
        lines.append("The language of the data was not recorded; no other language was evaluated.")
    if record.finished and "test" not in record.metrics:
        lines.append(
            "There was no test split. The validation split also chose the best epoch, "
            "so its figures are a little too good."
        )
    truncated = number(section(record.split("train"), "lengths").get("truncated"))
    limit = record.data.get("max_length")
    if truncated and limit:
        lines.append(
            f"{truncated:.1%} of the training rows are longer than {limit} tokens and were cut; "
            "the model read only a part of them."
        )
    lines += _class_limits(record)
    split = final_split(record.predictions)
    if record.form in ("single_label", "choices") and split:
        bins, error = calibration(record.predictions[split])
        if bins:
            lines.append(f"Its confidence is {error:.3f} off on average on the {split} split.")
    # What an export lacks is no fact of the data.
    notes = [note for note in record.data_notes if not note.startswith("no export")]
    lines += [f"Data: {note}" for note in notes]
    lines += _form_limits(record)
    lines.append("Fairness, robustness to attack and other domains were not evaluated.")
    return [_plain(line) for line in lines]


def _form_limits(record):
    """What else the figures leave open, by what the model answers."""
    lines = []
    if record.form == "texts":
        lines.append("Figures compare words and characters with references; nobody judged meaning.")
    if record.form in ("texts", "blocks"):
        lines.append("What it predicts may be wrong or offensive, or repeat its training data.")
    if record.form == "ranks":
        lines.append("Texts were looked for among those of the split alone; more are harder.")
    figures = [number(split.get("no_answer_f1")) for split in record.metrics.values()]
    if record.form == "answers" and not any(value is not None for value in figures):
        lines.append("Every question had an answer: how it does without one was not evaluated.")
    return lines


def _class_limits(record):
    split, classes = per_class(record)
    lines = []
    if classes and classes[0]["f1"] is not None:
        worst = classes[0]
        support = (
            f" on {worst['support']:,.0f} {counted(record)}" if worst["support"] is not None else ""
        )
        figures = f"F1 {worst['f1']:.2f}{support}"
        lines.append(f"Weakest class on the {split} split: {worst['label']} ({figures}).")
    few = sum(row["support"] is not None and row["support"] < FEW_ROWS for row in classes)
    if few:
        lines.append(
            f"{few} of {len(classes)} classes have fewer than {FEW_ROWS} {split} "
            f"{counted(record)}, too few to trust their figures."
        )
    return lines


def _code(text, language="python"):
    """A fenced block that no run of backticks inside can close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _plain(text):
    """Text of the data as one line of Markdown that means only itself."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(str(text).split()))
