"""Code and commands with which a trained model is used; the model card and the page show them."""

import json
import shlex
from typing import NamedTuple

from tfhf import tasks
from tfhf.reporting.values import number, section

LISTING = {  # how PyTorch's logits of a classifier are read
    "single_label": "print(model.config.id2label[int(logits[0].argmax())])",
    "multi_label": "print([model.config.id2label[i] for i, x in enumerate(logits[0]) if x > 0])",
    "regression": "print(float(logits[0, 0]))",
}
# What a pipeline of the name is asked, where that is more than a text: role → example. A call's
# further arguments follow in `CHOICES`.
ASKED = {
    "image-classification": "image.png",
    "multiple-choice": {"premise": "a premise", "choices": ["one choice", "another"]},
    "question-answering": {"question": "a question?", "context": "a text with the answer"},
    "text-generation": "the beginning of a text",
}
CHOICES = {"zero-shot-classification": {"candidate_labels": ["one label", "another"]}}


class Use(NamedTuple):
    """How a run's model is used: task's class (None: unknown), pipeline's name, example input."""

    kind: type | None
    pipeline: str
    asked: object
    choices: dict


def use(record):
    """How the model of a run is used."""
    name = record.recipe.get("task")
    kind = tasks.get(name) if name in tasks.names() else None
    pipeline = kind.pipelines[0] if kind and kind.pipelines else "text-classification"
    asked = ASKED.get(pipeline, "a text of yours")
    if pipeline == "fill-mask":
        asked = f"a text with {_mask_token(record)} in it"
    # A zero-shot model learns from pairs of texts and is asked with one.
    if "text_pair" in roles(record) and pipeline not in ("feature-extraction", *CHOICES):
        asked = {"text": "first text", "text_pair": "second text"}
    if isinstance(asked, dict) and "choices" in asked and "question" in roles(record):
        asked = {"premise": "a premise", "question": "a question", **asked}
    return Use(kind, pipeline, asked, CHOICES.get(pipeline, {}))


def roles(record):
    """The roles of a run's inputs, as far as recipe and predictions tell."""
    named = section(section(record.recipe, "data"), "columns")
    found = {role: None for role, column in named.items() if column}
    for rows in record.predictions.values():
        found |= rows[0].inputs
    return list(found)


def command(record):
    """The command that asks the model something."""
    how, run = use(record), shlex.quote(record.shown)
    asked = [f'"{how.asked}"'] if isinstance(how.asked, str) else _arguments(how.asked)
    options = [
        f"--option {name}={shlex.quote(json.dumps(value))}" for name, value in how.choices.items()
    ]
    return " ".join(["tfhf predict", run, *asked, *options])


def _arguments(asked):
    return [
        f'{role}="{value}"'
        if isinstance(value, str)
        else f"{role}={shlex.quote(json.dumps(value))}"
        for role, value in asked.items()
    ]


def in_tensorflow(record):
    """Python code that uses the model with tfhf."""
    how, folder = use(record), record.model_place
    if how.pipeline == "feature-extraction":
        # The pipeline of this name gives the vectors of single tokens, as transformers' does.
        return "\n".join(
            [
                "import tfhf",
                "",
                'texts = ["a text of yours", "another text"]',
                f'answers = tfhf.predict("{folder}", texts, task="{how.kind.name()}")',
                'print(len(answers), len(answers[0]["embedding"]))',
            ]
        )
    choices = "".join(f", {name}={json.dumps(value)}" for name, value in how.choices.items())
    lines = [
        "import tfhf",
        "",
        f'answer = tfhf.pipeline("{how.pipeline}", "{folder}")',
        f"print(answer({json.dumps(how.asked)}{choices}))",
    ]
    return "\n".join(lines)


def auto_class(record):
    """PyTorch's Auto class for the model: by its architecture, else by its task."""
    named = record.config.get("architectures") or [""]
    kinds = [tasks.get(name) for name in tasks.names()]
    endings = {ending: kind.auto_class for kind in kinds for ending in kind.architectures}
    fitting = [ending for ending in endings if str(named[0]).endswith(ending)]
    kind = use(record).kind
    # Some tasks share an ending (bodies of all sorts are a `…Model`): the longest one tells.
    found = endings[max(fitting, key=len)] if fitting else kind and kind.auto_class
    return (found or "TFAutoModel").removeprefix("TF")


def in_pytorch(record):
    """Python code that uses the model's weights with PyTorch."""
    folder = record.model_place
    if (record.folder / "model" / "modules.json").is_file():
        return _with_sentence_transformers(folder)
    name = auto_class(record)
    read = READERS.get(name, _read_body)
    reader = "AutoImageProcessor" if name == "AutoModelForImageClassification" else "AutoTokenizer"
    variable = "processor" if reader == "AutoImageProcessor" else "tokenizer"
    imports, lines = read(record)
    return "\n".join(
        [
            *imports,
            "import torch",
            f"from transformers import {reader}, {name}",
            "",
            f'{variable} = {reader}.from_pretrained("{folder}")',
            f'model = {name}.from_pretrained("{folder}").eval()',
            *lines,
        ]
    )


def _with_sentence_transformers(folder):
    lines = [
        "from sentence_transformers import SentenceTransformer",
        "",
        f'model = SentenceTransformer("{folder}")',
        'vectors = model.encode(["a text of yours", "another text"])',
        "print(model.similarity(vectors[0], vectors[1]))",
    ]
    return "\n".join(lines)


# Not all a tokenizer gives is known to a model that generates.
GENERATE = "tokens = model.generate(inputs.input_ids, attention_mask=inputs.attention_mask{})"
RUN = ["with torch.no_grad():", "    outputs = model(**inputs)"]


def _encode(record, *texts, limited=True):
    """The line that turns texts into the model's inputs."""
    limit = number(record.data.get("max_length"))
    cut = f", truncation=True, max_length={limit:.0f}" if limit else ", truncation=True"
    shown = ", ".join(texts)
    return f'inputs = tokenizer({shown}, return_tensors="pt"{cut if limited else ""})'


def _read_classes(record):
    texts = ['"a text of yours"']
    if "text_pair" in roles(record):
        texts = ['"first text"', '"second text"']
    lines = [_encode(record, *texts), *RUN]
    if record.form in LISTING:
        lines += ["logits = outputs.logits", LISTING[record.form]]
    return [], lines


def _read_tags(record):
    return [], [
        _encode(record, '"a text of yours"'),
        *RUN,
        'tokens = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])',
        "for token, label in zip(tokens, outputs.logits[0].argmax(-1).tolist()):",
        "    print(token, model.config.id2label[label])",
    ]


def _read_answer(record):
    return [], [
        "# One window and its likeliest ends; tfhf reads long contexts, and can answer nothing.",
        _encode(record, '"a question?"', '"a text with the answer"', limited=False),
        *RUN,
        "start, end = int(outputs.start_logits.argmax()), int(outputs.end_logits.argmax())",
        'print(tokenizer.decode(inputs["input_ids"][0][start : end + 1]))',
    ]


def _read_choice(record):
    choice = '"a question " + choice' if "question" in roles(record) else "choice"
    limit = number(record.data.get("max_length"))
    cut = f", truncation=True, max_length={limit:.0f}" if limit else ""
    return [], [
        'premise, choices = "a premise", ["one choice", "another"]',
        f"pairs = [[premise, {choice}] for choice in choices]",
        f'inputs = tokenizer(pairs, padding=True, return_tensors="pt"{cut})',
        "inputs = {name: value[None] for name, value in inputs.items()}",
        *RUN,
        "print(choices[int(outputs.logits[0].argmax())])",
    ]


def _read_masked(record):
    return [], [
        'text = f"a text with {tokenizer.mask_token} in it"',
        _encode(record, "text", limited=False),
        *RUN,
        'place = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero()[0, 0]',
        "print(tokenizer.decode(outputs.logits[0, place].argmax()))",
    ]


def _read_continuation(record):
    return [], [
        _encode(record, '"the beginning of a text"', limited=False),
        GENERATE.format(", max_new_tokens=40"),
        "print(tokenizer.decode(tokens[0], skip_special_tokens=True))",
    ]


def _read_written(record):
    prefix = section(section(record.config, "task_specific_params"), f"tfhf.{_task(record)}")
    text = json.dumps(f"{prefix.get('prefix') or ''}a text of yours")
    return [], [
        _encode(record, text),
        GENERATE.format(""),
        "print(tokenizer.decode(tokens[0], skip_special_tokens=True))",
    ]


def _read_image(record):
    lines = [
        'inputs = processor(Image.open("image.png").convert("RGB"), return_tensors="pt")',
        *RUN,
    ]
    if record.form in LISTING:
        lines += ["logits = outputs.logits", LISTING[record.form]]
    return ["from PIL import Image"], lines


def _read_body(record):
    lines = [_encode(record, '"a text of yours"'), *RUN]
    return [], [*lines, "print(outputs.last_hidden_state.shape)"]


READERS = {
    "AutoModelForSequenceClassification": _read_classes,
    "AutoModelForTokenClassification": _read_tags,
    "AutoModelForQuestionAnswering": _read_answer,
    "AutoModelForMultipleChoice": _read_choice,
    "AutoModelForMaskedLM": _read_masked,
    "AutoModelForCausalLM": _read_continuation,
    "AutoModelForSeq2SeqLM": _read_written,
    "AutoModelForImageClassification": _read_image,
}


def _task(record):
    return record.recipe.get("task")


def _mask_token(record):
    """The mask of the model's tokenizer; BERT's where the run does not tell."""
    path = record.folder / "model" / "tokenizer_config.json"
    try:
        mask = json.loads(path.read_text("utf-8")).get("mask_token")
    except (OSError, ValueError, AttributeError):
        mask = None
    mask = mask.get("content") if isinstance(mask, dict) else mask
    return mask if isinstance(mask, str) else "[MASK]"
