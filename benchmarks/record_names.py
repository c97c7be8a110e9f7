"""Records what PyTorch calls its weights, and what it answers with known ones.

Run in an environment with PyTorch and transformers (not tfhf's own), once per transformers release
that files should open in:

    python benchmarks/record_names.py

It writes `tests/models/facts/names.json` (per family and head: the class, and the name and shape of
every weight `save_pretrained` writes) and `logits.json` (per family and head: the outputs for the
weights and inputs of `tests/models/formula.py`). What is recorded stays: a later run adds what is
new, opens the weights that an earlier one recorded, and adds its release and what differed.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

FACTS = Path(__file__).resolve().parents[1] / "tests" / "models" / "facts"
sys.path.insert(0, str(FACTS.parent))

# Both are found through the line above.
from families import HEADS, settings  # noqa: E402
from formula import inputs, weight  # noqa: E402

OUTPUTS = [
    "logits",
    "start_logits",
    "end_logits",
    "prediction_logits",
    "seq_relationship_logits",
    "last_hidden_state",
]


def record(family, head, folder, known):
    """Saves a new model, refills the file by formula, opens it and runs it.

    Args:
        known: name → shape as an earlier run recorded them, to be opened now; or None.

    Returns:
        What was written (class, config, weights), and the outputs by name as flat lists.
    """
    model_type, values = settings(family, head)
    config = transformers.AutoConfig.for_model(model_type, **values)
    auto_class = getattr(transformers, head)
    auto_class.from_config(config).save_pretrained(folder)
    file = Path(folder) / "model.safetensors"
    saved = load_file(file)
    tables = {name: values for name, values in saved.items() if not values.is_floating_point()}
    shapes = {name: list(values.shape) for name, values in sorted(saved.items())}
    weights = {name: shape for name, shape in shapes.items() if name not in tables}
    fill = {name: torch.from_numpy(weight(name, s)) for name, s in (known or weights).items()}
    save_file(fill | tables, file, metadata={"format": "pt"})
    model, loading = auto_class.from_pretrained(
        folder, output_loading_info=True, attn_implementation="eager"
    )
    assert not loading["missing_keys"] and not loading["unexpected_keys"], loading
    features = inputs(head, config)
    with torch.no_grad():
        found = model.eval()(**{name: torch.from_numpy(v.copy()) for name, v in features.items()})
    outputs = {
        name: [round(x, 6) for x in found[name].flatten().tolist()]
        for name in OUTPUTS
        if name in found and not (name == "last_hidden_state" and "logits" in found)
    }
    written = {
        "class": type(model).__name__,
        "config": {"model_type": model_type, **values},
        "weights": weights,
    }
    if tables:
        written["tables"] = {name: values.tolist() for name, values in sorted(tables.items())}
    return written, outputs


def record_all(known):
    """Records every family and head; returns the two files' contents."""
    names, logits = {}, {}
    for family, heads in HEADS.items():
        names[family], logits[family] = {}, {}
        for head in heads:
            weights = known.get(family, {}).get(head, {}).get("weights")
            with tempfile.TemporaryDirectory() as folder:
                names[family][head], logits[family][head] = record(family, head, folder, weights)
    return names, logits


def differences(old, new, where):
    """Yields the places where two recordings differ (numbers: by more than 1e-5)."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if key not in new:
                yield f"{where}: no {key}"
            elif key not in old:
                yield f"{where}: also {key}"
            else:
                yield from differences(old[key], new[key], f"{where} {key}".strip())
    elif isinstance(old, list) and old and isinstance(old[0], float):
        apart = max(abs(a - b) for a, b in zip(old, new, strict=True))
        if apart > 1e-5:
            yield f"{where}: apart by {apart:.1e}"
    elif old != new:
        yield f"{where}: {new} instead of {old}"


def read(path):
    """Reads one file of facts; `{}` where there is none yet."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(path, recorded):
    """Writes one file of facts, one line per head; adds what is new, and what differs."""
    facts = read(path)
    releases, families = facts.get("transformers", {}), facts.get("families", {})
    for family, heads in recorded.items():
        families[family] = heads | families.get(family, {})
    releases[transformers.__version__] = list(differences(families, recorded, ""))
    facts = {
        "torch": facts.get("torch", torch.__version__),
        "transformers": releases,
        "families": families,
    }
    path.write_text(lines(facts, depth=3) + "\n", encoding="utf-8")
    print(path.name, releases)


def lines(value, depth):
    """Prints JSON with one line per key down to `depth`, and one line for all that is deeper."""
    if depth == 0 or not isinstance(value, dict):
        return json.dumps(value)
    body = ",\n".join(f"{json.dumps(key)}: {lines(item, depth - 1)}" for key, item in value.items())
    return "{\n" + body + "\n}"


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    recorded_names, recorded_logits = record_all(read(FACTS / "names.json").get("families", {}))
    write(FACTS / "names.json", recorded_names)
    write(FACTS / "logits.json", recorded_logits)
