"""Records how PyTorch draws the weights of a model that is trained from scratch.

Run in an environment with PyTorch and transformers 4.57 (not tfhf's own):

    python benchmarks/record_starts.py

It writes `tests/models/facts/starts.json`: per family, for its base model and its first head, what
each weight starts with: `{"all": 1.0}` where every number is the same, else the standard deviation
over 100 models, and the number of the row that is all zeros, if there is one. What is recorded
stays; what is missing is added.
"""

import json
import sys
from pathlib import Path

import torch
import transformers

FACTS = Path(__file__).resolve().parents[1] / "tests" / "models" / "facts"
sys.path.insert(0, str(FACTS.parent))

# The first is found through the line above.
from families import HEADS, settings  # noqa: E402
from record_names import lines  # noqa: E402

MODELS = 100


def starts(family, head):
    """What the weights of one head's models start with, by name."""
    model_type, values = settings(family, head)
    drawn = {}
    for seed in range(MODELS):
        transformers.set_seed(seed)
        config = transformers.AutoConfig.for_model(model_type, **values)
        model = getattr(transformers, head).from_config(config)
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                drawn.setdefault(name, []).append(value.detach().clone())
    return {name: described(torch.stack(values)) for name, values in sorted(drawn.items())}


def described(values):
    """The facts of one weight, from its values in every model `(models, …)`."""
    if bool((values == values.flatten()[0]).all()):
        return {"all": round(float(values.flatten()[0]), 6)}
    if bool((values == values[0]).all()):
        return {"computed": True}
    zero = [row for row in range(values.shape[1]) if values.ndim > 2 and not values[:, row].any()]
    rest = [row for row in range(values.shape[1]) if row not in zero]
    return {"deviation": round(float(values[:, rest].std()), 5)} | ({"zero": zero} if zero else {})


def wanted(family, heads):
    """The heads to record: two, and all of T5's, each of which starts in a way of its own."""
    return heads if family == "t5" else heads[:2]


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    facts = json.loads((FACTS / "starts.json").read_text(encoding="utf-8"))
    for family, heads in HEADS.items():
        if family == "resnet":  # used with trained weights alone
            continue
        known = facts["families"].setdefault(family, {})
        for head in wanted(family, heads):
            if head not in known:
                known[head] = starts(family, head)
    (FACTS / "starts.json").write_text(lines(facts, depth=3) + "\n", encoding="utf-8")
