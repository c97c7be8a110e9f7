"""Do folders that tfhf saved open in PyTorch, with the same answers?

Two environments, one after the other; the second ends with an error if any logit differs by 1e-4:

    python benchmarks/open_in_pytorch.py save FOLDER [FAMILY ...]   # tfhf's environment: TensorFlow
    python benchmarks/open_in_pytorch.py open FOLDER [FAMILY ...]   # an environment with PyTorch

Every family and head of `tests/models/facts/names.json` is built in TensorFlow, moved away from its
initial weights, run and saved; PyTorch opens the folder by its auto class and runs the same inputs.
"""

import json
import runpy
import sys
from pathlib import Path

import numpy as np

MODELS = Path(__file__).resolve().parents[1] / "tests" / "models"
LIMIT = 1e-4
TEXT = "good film, bad film"

inputs = runpy.run_path(str(MODELS / "formula.py"))["inputs"]


def cases(chosen):
    """Yields the family, head and facts of the recorded models; of all where none is chosen."""
    facts = json.loads((MODELS / "facts" / "names.json").read_text(encoding="utf-8"))
    for family, heads in facts["families"].items():
        for head, fact in heads.items() if family in chosen or not chosen else ():
            yield family, head, fact


def numbers(output, mask):
    """What a model says about real tokens, as one array (frameworks differ at padding)."""
    output = np.asarray(output)
    if mask is not None and output.shape[:2] == mask.shape:
        output = output[mask.astype(bool)]
    return output.ravel()


def save(folder, chosen):
    """Builds, runs and saves every case with TensorFlow."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    from tfhf.models import save_backbone
    from tfhf.models.loading import from_config

    words = Tokenizer(models.WordLevel({"[UNK]": 0, "good": 1, "bad": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")
    random = np.random.default_rng(0)
    for family, head, fact in cases(chosen):
        settings = dict(fact["config"])
        config = transformers.AutoConfig.for_model(settings.pop("model_type"), **settings)
        backbone = from_config(config, f"TF{head}")
        backbone.build_in_name_scope()
        for variable in backbone.weights:
            variable.assign_add(random.normal(0, 0.2, variable.shape).astype(np.float32))
        features = inputs(head, config)
        outputs = backbone(features, training=False)
        place = folder / family / head
        save_backbone(backbone, tokenizer, place)
        answers = {
            name: numbers(value, features.get("attention_mask")).tolist()
            for name, value in outputs.items()
            if name.endswith(("logits", "last_hidden_state"))
        }
        answers["text"] = tokenizer(TEXT).input_ids
        (place / "answers.json").write_text(json.dumps(answers))


def open_all(folder, chosen):
    """Opens every folder with PyTorch; prints the largest difference per family."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    worst = {}
    for family, head, fact in cases(chosen):
        place = folder / family / head
        answers = json.loads((place / "answers.json").read_text())
        tokenizer = transformers.AutoTokenizer.from_pretrained(place)
        assert tokenizer(TEXT).input_ids == answers.pop("text"), (family, head)
        model, loading = getattr(transformers, head).from_pretrained(
            place, output_loading_info=True, attn_implementation="eager"
        )
        assert type(model).__name__ == fact["class"] == model.config.architectures[0]
        assert not any(loading[key] for key in ("missing_keys", "unexpected_keys")), loading
        features = inputs(head, model.config)
        with torch.no_grad():
            tensors = {name: torch.from_numpy(ids.copy()) for name, ids in features.items()}
            found = model.eval()(**tensors)
        for name, expected in answers.items():
            apart = np.abs(numbers(found[name], features.get("attention_mask")) - expected).max()
            worst[family] = max(worst.get(family, 0.0), float(apart))
    for family, apart in worst.items():
        print(f"{family:<30}{apart:.1e}")
    if max(worst.values()) > LIMIT:
        sys.exit(f"logits differ by more than {LIMIT}")


if __name__ == "__main__":
    step, place, *chosen = sys.argv[1:]
    {"save": save, "open": open_all}[step](Path(place), chosen)
