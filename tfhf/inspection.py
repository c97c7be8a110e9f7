"""`tfhf inspect`: what a checkpoint is, and whether it fits a task.

TensorFlow is not loaded and no weights are: sizes come from the headers of the files, of a Hub
model from the Hub.
"""

from tfhf import models, tasks
from tfhf.errors import UserError
from tfhf.models.contents import read_card, read_weights
from tfhf.run import Run, is_run

# What a model card may state, and what the command calls it.
STATED = {
    "license": "licence",
    "language": "language",
    "base_model": "base model",
    "datasets": "data",
}
# A config's names for how large a model is, and what the command calls them.
SIZES = {
    "num_hidden_layers": "layers",
    "num_decoder_layers": "decoder layers",
    "decoder_layers": "decoder layers",
    "hidden_size": "wide",
    "num_attention_heads": "heads",
    "vocab_size": "rows of embeddings",
}
MOST_LISTED = 12  # labels, special tokens, modules: more are counted


def inspect(name, task=None, revision=None):
    """Describes a checkpoint.

    Args:
        name: `minilm`, a folder, a run's folder, or a Hub id; of a Hub id only configs, tokenizer
            and model card are fetched.
        task: a task's name; then `fits` says whether the checkpoint can be trained for it.
        revision: branch, tag or commit of a Hub id.

    Returns:
        A JSON-ready dictionary: `model`, `revision`, `family`, `architecture`, `sizes`,
        `parameters`, `bytes`, `modules`, `tokenizer`, `special_tokens`, `labels`, `heads`, `card`,
        `notes`; with a task also `fits`: why not, or None.

    Raises:
        UserError: if there is no such checkpoint, or it is none that tfhf would open.
    """
    if task is not None:
        tasks.get(task)
    run = Run(name) if is_run(str(name)) else None
    source = models.resolve(str(run.model if run else name), revision, weights=False)
    config, notes = models.load_config(source), []
    weights = _or_note(notes, read_weights, source)
    tokenizer = _or_note(notes, models.load_tokenizer, source) if _reads_text(source) else None
    found = {
        "model": str(name),
        "revision": source.revision,
        "family": config.model_type,
        "architecture": (config.architectures or [None])[0],
        "sizes": _sizes(config),
        "parameters": weights and weights.parameters,
        "bytes": weights and weights.size,
        "modules": weights.modules() if weights else {},
        "tokenizer": tokenizer and _about(tokenizer),
        "special_tokens": _special_tokens(tokenizer) if tokenizer else {},
        "labels": _labels(config),
        "heads": _heads(config),
        "card": _or_note(notes, read_card, source, run and run.folder) or {},
        "notes": notes,
    }
    if task is not None:
        no_weights = notes[0] if weights is None else None
        found["fits"] = _obstacle(source, config, task) or no_weights
    return found


def _or_note(notes, read, *arguments):
    """What a function reads; None and a note where it refuses."""
    try:
        return read(*arguments)
    except UserError as error:
        notes.append(str(error))
        return None


def _reads_text(source):
    """Whether a checkpoint is one of texts: those of images have an image processor alone."""
    held = {file.name for file in source.folder.iterdir()}
    return "preprocessor_config.json" not in held or "tokenizer_config.json" in held


def _sizes(config):
    """How large the config says the model is: words → number."""
    found = {}
    for name, said in SIZES.items():
        value = getattr(config, name, None)
        if isinstance(value, int) and (said != "decoder layers" or config.is_encoder_decoder):
            found[said] = value
    return found


def _about(tokenizer):
    """What kind of tokenizer it is; `graph` is why it has no form in TensorFlow operations."""
    from tfhf.exports import tokenizers

    graph = []
    _or_note(graph, tokenizers.check_kind, tokenizer)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return {
        "kind": type(backend.model).__name__ if backend else type(tokenizer).__name__,
        "tokens": len(tokenizer),
        "longest": tokenizer.model_max_length if tokenizer.model_max_length < 1_000_000 else None,
        "graph": graph[0] if graph else None,
    }


def _special_tokens(tokenizer):
    """Role → token and id; further special tokens stand under their own text."""
    found = {}
    for role, token in tokenizer.special_tokens_map.items():
        for one in token if isinstance(token, list) else [token]:
            key = one if isinstance(token, list) else role.removesuffix("_token")
            found[key] = [one, tokenizer.convert_tokens_to_ids(one)]
    return dict(sorted(found.items(), key=lambda item: item[1][1]))


def _labels(config):
    """Names of the classes that the checkpoint was trained for; none where they are numbers."""
    names = [config.id2label[index] for index in sorted(config.id2label)]
    unnamed = all(str(name) == f"LABEL_{index}" for index, name in enumerate(names))
    return [] if unnamed else names


def _heads(config):
    """For every task, TensorFlow's class of the family and whether the checkpoint holds its head.

    Returns:
        Task → `[class, "trained" | "new" | "no"]`, or None where the family has no class for it.
    """
    classes, heads = models.auto_classes(config), {}
    for task in tasks.names():
        auto_class = tasks.get(task).auto_class
        chosen = classes.get(auto_class)
        state = "new"
        if auto_class == "TFAutoModel":
            state = "no"
        elif chosen and chosen.removeprefix("TF") in (config.architectures or []):
            state = "trained"
        heads[task] = [chosen, state] if chosen else None
    return heads


def _obstacle(source, config, task):
    """Why a checkpoint cannot be trained for a task, in one line; None where it can."""
    kind = tasks.get(task)
    try:
        models.check_settings(config, source.name)
        made = kind.from_config(kind.load_processor(source), config)
    except UserError as error:
        return str(error)
    if made.auto_class not in models.auto_classes(config):
        return f"{config.model_type} has no {made.auto_class} in transformers 4.57"
    return None


def text(found):
    """What `inspect` found, as aligned lines."""
    place = f", commit {found['revision'][:12]}" if found["revision"] else ""
    family = [found["family"], *([found["architecture"]] if found["architecture"] else [])]
    sizes = [f"{count:,} {said}" for said, count in found["sizes"].items()]
    rows = [
        ("model", f"{found['model']}{place}"),
        ("family", ", ".join(family)),
        ("config", ", ".join(sizes)),
        *_weight_rows(found),
        *_tokenizer_rows(found),
        ("labels", _listed(found["labels"]) or "none of its own"),
        *_head_rows(found),
        ("card", _card_text(found["card"])),
    ]
    rows += [("note", note) for note in found["notes"]]
    if "fits" in found:
        rows.append(("fits", "yes" if found["fits"] is None else "no"))
    return "\n".join(f"{label:<11} {said}".rstrip() for label, said in rows)


def _weight_rows(found):
    parameters, size = found["parameters"], found["bytes"]
    said = [f"{parameters:,} parameters" if parameters else "parameters unknown"]
    said += [f"{size / 1e6:,.1f} MB"] if size else []
    yield "weights", ", ".join(said)
    modules = list(found["modules"].items())
    for module, (layers, count) in modules[:MOST_LISTED]:
        stack = f" × {layers}" if layers > 1 else ""
        yield "", f"{count:>13,}  {module}{stack}"
    if modules[MOST_LISTED:]:
        rest = sum(count for _, (_, count) in modules[MOST_LISTED:])
        yield "", f"{rest:>13,}  in {len(modules) - MOST_LISTED} more modules"


def _tokenizer_rows(found):
    about = found["tokenizer"]
    if not about:
        return
    longest = f"at most {about['longest']:,} at once" if about["longest"] else "any number at once"
    yield "tokenizer", f"{about['kind']}, {about['tokens']:,} tokens, reads {longest}"
    if about["graph"]:
        yield "", f"no export: {about['graph']}"
    special = [
        f"{token} {number} ({role})" if role != token else f"{token} {number}"
        for role, (token, number) in found["special_tokens"].items()
    ]
    yield "special", _listed(special) or "none"


def _head_rows(found):
    heads = {task: head for task, head in found["heads"].items() if head}
    for index, (task, (kind, state)) in enumerate(heads.items()):
        head = "" if state == "no" else f", {state} head"
        yield "" if index else "tasks", f"{task:<25} {kind}{head}"
    without = [task for task in found["heads"] if task not in heads]
    if without:
        yield "" if heads else "tasks", f"no class for {', '.join(without)}"


def _card_text(card):
    """What the card states, `unknown` for what it does not."""
    if not card:
        return "none"
    said = []
    for key, name in STATED.items():
        value = card.get(key)
        values = value if isinstance(value, list) else [value] if value is not None else []
        said.append(f"{name} {_listed([str(one) for one in values]) or 'unknown'}")
    return "; ".join(said)


def _listed(names):
    """Names behind commas, the first dozen of them and how many there are more."""
    more = len(names) - MOST_LISTED
    return ", ".join(map(str, names[:MOST_LISTED])) + (f" and {more} more" if more > 0 else "")
