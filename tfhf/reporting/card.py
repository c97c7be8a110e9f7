"""The model card: `README.md` of a run folder, with the front matter the Hub reads.

Everything it says is computed from the run; what is not known is said to be unknown or left out
(a licence, for one, is the user's to add).
"""

import re
from pathlib import Path

from tfhf import storage
from tfhf.reporting.findings import (
    METRICS,
    calibration,
    dataset_name,
    final_split,
    main_metric,
    metric_name,
    per_class,
)
from tfhf.reporting.record import number, read, section

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
HUB_TASKS = (
    "feature-extraction",
    "fill-mask",
    "image-classification",
    "multiple-choice",
    "question-answering",
    "sentence-similarity",
    "summarization",
    "text-classification",
    "text-generation",
    "token-classification",
    "translation",
)
FEW_ROWS = 10  # of a class: too few to trust its figures

# How to read PyTorch's logits, by problem.
READ_LOGITS = {
    "single_label": "print(model.config.id2label[int(logits[0].argmax())])",
    "multi_label": "print([model.config.id2label[i] for i, x in enumerate(logits[0]) if x > 0])",
    "regression": "print(float(logits[0, 0]))",
}


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
    import yaml

    record = read(run_folder)
    front = yaml.safe_dump(_front_matter(record), sort_keys=False, allow_unicode=True)
    sections = [
        f"# {record.name}",
        _opening(record),
        "## Results",
        _results(record),
        "## Training",
        _training(record),
        "## Limits",
        "\n".join(f"- {line}" for line in _limits(record)),
        "## Use in TensorFlow",
        _code(_in_tensorflow(record)),
        "## Use in PyTorch",
        _code(_in_pytorch(record)),
        "## Recipe",
        _code(record.recipe_text or "# not recorded", "yaml"),
    ]
    path = record.folder / "README.md"
    storage.write(path, f"---\n{front}---\n\n" + "\n\n".join(sections) + "\n")
    return path


def _front_matter(record):
    """Metadata of the Hub, https://huggingface.co/docs/hub/model-cards#model-card-metadata."""
    task = _hub_task(record)
    data = section(record.recipe, "data")
    base = _base_model(record)
    dataset = data.get("path") if _is_hub_id(data.get("path")) else None
    front = {"library_name": "transformers", "tags": ["tfhf", "tensorflow"]}
    if task:
        front["pipeline_tag"] = task
    if base:
        front["base_model"] = base
    if dataset:
        front["datasets"] = [dataset]
    results = _model_index(record, task, dataset)
    if results:
        kinds = dict.fromkeys(figure["type"] for each in results for figure in each["metrics"])
        front["metrics"] = list(kinds)
        front["model-index"] = [{"name": record.name, "results": results}]
    return front


def _model_index(record, task, dataset):
    """The Hub's list of results, one entry per split."""
    name = dataset_name(record)
    results = []
    for split, figures in record.metrics.items():
        known = [
            {"type": METRICS[key][1], "name": metric_name(key), "value": round(number(value), 4)}
            for key, value in figures.items()
            if key in METRICS and METRICS[key][1] and number(value) is not None
        ]
        if task and name and known:
            results.append(
                {
                    "task": {"type": task, "name": task.replace("-", " ")},
                    "dataset": {"type": dataset or _file_kind(name), "name": name, "split": split},
                    "metrics": known,
                }
            )
    return results


def _opening(record):
    model, data = record.recipe.get("model"), dataset_name(record)
    line = f"`{model}` fine-tuned" if model else "A model fine-tuned"
    line += f" on `{data}`" if data else ""
    task = str(record.recipe.get("task") or "").replace("_", " ")
    line += f" for {task}" if task else ""
    line += " with tfhf, in TensorFlow. PyTorch opens the same weights."
    if not record.finished:
        line += "\n\n**The run has not finished: it has no final figures.**"
    name = main_metric(record)
    split = final_split({split: name in figures for split, figures in record.metrics.items()})
    value = number(record.metrics[split][name]) if split else None
    if value is not None:
        line += f"\n\n**{metric_name(name).capitalize()} on the {split} split: {value:.3f}**"
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
        values = [number(figures.get(name)) for figures in record.metrics.values()]
        cells = ["–" if value is None else f"{value:.4f}" for value in values]
        lines.append(f"| {metric_name(name)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _training(record):
    train, environment = section(record.recipe, "train"), record.environment
    facts = []
    rows = number(record.split("train").get("rows"))
    if rows is not None:
        facts.append(f"{rows:,.0f} training rows")
    facts += [
        f"{key.replace('_', ' ')} {train[key]}"
        for key in ("epochs", "batch_size", "learning_rate", "schedule", "seed")
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


def _limits(record):
    """What the figures do not cover, each line from a fact of the run."""
    lines = ["The language of the data was not recorded; no other language was evaluated."]
    if record.finished and "test" not in record.metrics:
        lines.append(
            "There was no test split. The validation split also chose the best epoch, "
            "so its figures are a little too good."
        )
    truncated = number(section(record.split("train"), "lengths").get("truncated"))
    limit = record.data.get("max_length")
    if truncated and limit:
        lines.append(
            f"{truncated:.1%} of the training rows are longer than {limit} tokens; "
            "the model read only their beginning."
        )
    lines += _class_limits(record)
    split = final_split(record.predictions)
    if record.problem == "single_label" and split:
        bins, error = calibration(record.predictions[split])
        if bins:
            lines.append(f"Its confidence is {error:.3f} off on average on the {split} split.")
    lines += [f"Data: {note}" for note in record.data_notes]
    lines.append("Fairness, robustness to attack and other domains were not evaluated.")
    return [_plain(line) for line in lines]


def _class_limits(record):
    split, classes = per_class(record)
    lines = []
    if classes and classes[0]["f1"] is not None:
        worst = classes[0]
        support = f" on {worst['support']:,.0f} rows" if worst["support"] is not None else ""
        figures = f"F1 {worst['f1']:.2f}{support}"
        lines.append(f"Weakest class on the {split} split: {worst['label']} ({figures}).")
    few = sum(row["support"] is not None and row["support"] < FEW_ROWS for row in classes)
    if few:
        lines.append(
            f"{few} of {len(classes)} classes have fewer than {FEW_ROWS} {split} rows, "
            "too few to trust their figures."
        )
    return lines


def _in_tensorflow(record):
    task = _hub_task(record) or "text-classification"
    texts = '"a text of yours"'
    if _takes_pairs(record):
        texts = '{"text": "first text", "text_pair": "second text"}'
    lines = [
        "import tfhf",
        "",
        f'classify = tfhf.pipeline("{task}", "{record.shown}/model")',
        f"print(classify({texts}))",
    ]
    return "\n".join(lines)


def _in_pytorch(record):
    """Code for the class that `model/config.json` names, or the plain AutoModel."""
    named = [str(name).removeprefix("TF") for name in record.config.get("architectures") or []]
    known = named and named[0].isidentifier()
    model = named[0] if known else "AutoModelForSequenceClassification"
    texts = '"first text", "second text"' if _takes_pairs(record) else '"a text of yours"'
    limit = number(record.data.get("max_length"))
    cut = f", truncation=True, max_length={limit:.0f}" if limit else ", truncation=True"
    folder = f"{record.shown}/model"
    lines = [
        "import torch",
        f"from transformers import AutoTokenizer, {model}",
        "",
        f'tokenizer = AutoTokenizer.from_pretrained("{folder}")',
        f'model = {model}.from_pretrained("{folder}").eval()',
        f'inputs = tokenizer({texts}, return_tensors="pt"{cut})',
        "with torch.no_grad():",
        "    outputs = model(**inputs)",
    ]
    if record.problem in READ_LOGITS:
        lines += ["logits = outputs.logits", READ_LOGITS[record.problem]]
    return "\n".join(lines)


def _takes_pairs(record):
    return bool(section(section(record.recipe, "data"), "columns").get("text_pair"))


def _hub_task(record):
    task = str(record.recipe.get("task", "")).replace("_", "-")
    return task if task in HUB_TASKS else None


def _base_model(record):
    from tfhf.models.sources import MINILM, MINILM_HUB

    model = record.recipe.get("model")
    if model == MINILM:
        return MINILM_HUB[0]
    return model if _is_hub_id(model) else None


def _is_hub_id(name):
    """Whether a recipe's name is one of the Hub: it looks so, and no such folder is here."""
    return isinstance(name, str) and bool(HUB_ID.fullmatch(name)) and not Path(name).exists()


def _file_kind(name):
    """What the Hub calls data read from files: `csv`, `json`, …"""
    suffix = name.rsplit(".", 1)[-1].lower()
    return {"jsonl": "json", "tsv": "csv"}.get(suffix, suffix) if "." in name else "custom"


def _code(text, language="python"):
    """A fenced block that no run of backticks inside can close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _plain(text):
    """Text of the data as one line of Markdown that means only itself."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(str(text).split()))
