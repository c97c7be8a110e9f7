"""What the Hub reads of a model card: its front matter, with results and examples to try."""

import re
from pathlib import Path

from tfhf.reporting import snippets
from tfhf.reporting.findings import dataset_name, final_split
from tfhf.reporting.metrics import metric, metric_name
from tfhf.reporting.values import number, section

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
# The Hub's name of a task, where it is another than the pipeline's.
HUB_TASKS = {"feature-extraction": "sentence-similarity"}
# The Hub's widgets, by the roles they show; those of other tasks have no text to type.
ROLES = {
    "question-answering": {"question": "text", "context": "context"},
    "text-classification": {"text": "text", "text_pair": "text_pair"},
    "token-classification": {"text": "text"},
    "fill-mask": {"text": "text"},
    "text-generation": {"text": "text", "prompt": "text"},
    "text2text-generation": {"source": "text"},
    "summarization": {"source": "text"},
    "translation": {"source": "text"},
}
MOST_EXAMPLES = 3
LONGEST_EXAMPLE = 300  # characters


def front_matter(record, licence=None, examples=()):
    """Metadata of the Hub, https://huggingface.co/docs/hub/model-cards#model-card-metadata.

    Args:
        record: a `Record`.
        licence: the Hub's id of the model's licence, where the user named one.
        examples: texts to try the model with, where the user named some.

    Returns:
        A JSON-ready dictionary.
    """
    task = _hub_task(record)
    data = section(record.recipe, "data")
    base = _base_model(record)
    dataset = data.get("path") if is_hub_id(data.get("path")) else None
    front = {"library_name": "transformers", "tags": ["tfhf", "tensorflow"]}
    if licence:
        front["license"] = licence
    if task:
        front["pipeline_tag"] = task
    if base:
        front["base_model"] = base
    if dataset:
        front["datasets"] = [dataset]
    shown = widgets(record, examples)
    if shown:
        front["widget"] = shown
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
            {"type": metric(key).hub, "name": metric_name(key), "value": round(number(value), 4)}
            for key, value in figures.items()
            if metric(key).hub and number(value) is not None
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


def widgets(record, examples=()):
    """Examples for the Hub's page, on which a model can be tried.

    Texts of the user's own files are nobody else's to read: only where the data are the Hub's are
    rows of them shown, right ones, the shortest first.

    Args:
        record: a `Record`.
        examples: texts the user named; they take the place of rows.

    Returns:
        A list of dictionaries, such as `{"text": "…"}`; empty where there is nothing to show.
    """
    roles = ROLES.get(_hub_task(record), {})
    if examples:
        return [{"text": text} for text in examples]
    if not roles or not is_hub_id(section(record.recipe, "data").get("path")):
        return []
    rows = record.predictions.get(final_split(record.predictions), [])
    found = []
    for row in rows:
        shown = {roles[role]: text for role, text in row.inputs.items() if role in roles}
        texts = list(shown.values())
        short = texts and all(isinstance(one, str) and one for one in texts)
        if short and sum(map(len, texts)) <= LONGEST_EXAMPLE and row.expected == row.predicted:
            found.append(shown)
    found.sort(key=lambda shown: sum(map(len, shown.values())))
    return found[:MOST_EXAMPLES]


def takes_text(record):
    """Whether the model's widget is asked with one text, so that a user can name examples."""
    asked = set(ROLES.get(_hub_task(record), {}).values()) - {"text_pair"}
    return asked == {"text"} and "text_pair" not in snippets.roles(record)


def _hub_task(record):
    """The Hub's `pipeline_tag`, or None for a task that tfhf does not know."""
    how = snippets.use(record)
    return HUB_TASKS.get(how.pipeline, how.pipeline) if how.kind else None


def _base_model(record):
    from tfhf.models.sources import MINILM, MINILM_HUB

    model = record.recipe.get("model")
    if model == MINILM:
        return MINILM_HUB[0]
    return model if is_hub_id(model) else None


def is_hub_id(name):
    """Whether a recipe's name is one of the Hub: it looks so, and no such folder is here."""
    return isinstance(name, str) and bool(HUB_ID.fullmatch(name)) and not Path(name).exists()


def _file_kind(name):
    """What the Hub calls data read from files: `csv`, `json`, …"""
    suffix = name.rsplit(".", 1)[-1].lower()
    return {"jsonl": "json", "tsv": "csv"}.get(suffix, suffix) if "." in name else "custom"
