"""Answers of `tfhf.pipeline` against those of transformers' own pipelines on PyTorch.

    .venv/bin/python benchmarks/pipelines.py record FOLDER SHARED      # in tfhf's environment
    pytorch/bin/python benchmarks/pipelines.py compare FOLDER SHARED   # torch, transformers 4.57

`record` makes the models (small ones with drawn weights and the real vocabularies; the trained
ones that are at hand), saves them so that PyTorch opens them, and keeps tfhf's answers; `compare`
asks transformers' pipelines the same and prints a table. Everything but numbers must be equal:
labels, spans, tokens, texts and their order. `--case NAME` takes only cases whose name begins so.
The cases stand in `pipelines_cases.py`.
"""

import argparse
import json
import math
import warnings
from pathlib import Path

from pipelines_cases import CASES, MODELS


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=["record", "compare"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--case", default="", help="only cases whose name begins so")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    cases = [case for case in CASES if case.name.startswith(given.case)]
    {"record": record, "compare": compare}[given.verb](given.folder, given.shared, cases)


# === In tfhf's environment ===


def record(folder, shared, cases):
    """Asks tfhf; one pipeline per model serves all its cases."""
    import tfhf

    pipelines = {}
    for case in cases:
        key = (case.pipeline, case.model)
        if key not in pipelines:
            options = {} if case.options is None else case.options
            pipelines[key] = tfhf.pipeline(case.pipeline, model(folder, shared, case), **options)
        rows = case.rows(shared)
        print(f"== {case.name}: {len(rows)} rows", flush=True)
        answers = pipelines[key](rows, **case.choices)
        path = folder / "answers" / f"{case.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(answers), encoding="utf-8")


def model(folder, shared, case):
    """The model of a case: a checkpoint that is there, or a small one drawn once."""
    import tf_keras

    from tfhf import models

    found = MODELS[case.model]
    if isinstance(found, str):
        path = shared / "checkpoints" / found
        path = str(path) if path.is_dir() else found
        source = models.resolve(path)
        (folder / "models").mkdir(parents=True, exist_ok=True)
        (folder / "models" / case.model).write_text(str(source.folder))
        return path
    made = folder / "models" / case.model
    if not (made / "model.safetensors").is_file():
        tf_keras.utils.set_random_seed(7)
        tokenizer = models.new_tokenizer(str(shared / "checkpoints/tokenizers" / found.words), ())
        source = models.create(found.config, folder / "configs" / case.model, tokenizer)
        backbone, _ = models.load_backbone(source, found.auto_class)
        models.save_backbone(backbone, models.load_tokenizer(source), made)
    return str(made)


# === In PyTorch's environment ===


def compare(folder, shared, cases):
    """Asks transformers and prints a Markdown table of the differences."""
    import torch
    import transformers

    torch.set_num_threads(2)
    transformers.logging.set_verbosity_error()
    print(f"torch {torch.__version__}, transformers {transformers.__version__}\n")
    print("| pipeline | model | choices | rows | equal | largest difference of a number |")
    print("|---|---|---|---|---|---|")
    for case in cases:
        path = folder / "answers" / f"{case.name}.json"
        if not path.is_file():
            continue
        ours = json.loads(path.read_text(encoding="utf-8"))
        place = folder / "models" / case.model
        place = place.read_text() if place.is_file() else str(place)
        with torch.no_grad():
            ask = transformers.pipeline(case.theirs or case.pipeline, place, device="cpu")
            theirs = ask(case.rows(shared), **case.choices)
        theirs = json.loads(json.dumps(theirs, default=_plain))
        differences = [difference(a, b) for a, b in zip(ours, theirs, strict=True)]
        equal = [value for value in differences if value is not None]
        choices = ", ".join(f"{name}={value}" for name, value in case.choices.items())
        print(
            f"| {case.pipeline} | {case.model} | {choices or '–'} | {len(ours)} | {len(equal)} | "
            f"{max(equal, default=math.nan):.1e} |",
            flush=True,
        )
        unlike = [i for i, value in enumerate(differences) if value is None]
        for index in unlike[:2]:
            print(f"<!-- row {index}\n  {str(ours[index])[:400]}\n  {str(theirs[index])[:400]} -->")


def _plain(value):
    """NumPy's numbers and PyTorch's tensors as JSON knows them."""
    return value.tolist()


def difference(ours, theirs):
    """The largest difference of two answers' numbers; None where anything else differs."""
    if isinstance(ours, float) or isinstance(theirs, float):
        numbers = isinstance(ours, int | float) and isinstance(theirs, int | float)
        return abs(ours - theirs) if numbers else None
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        found = [difference(ours[name], theirs[name]) for name in ours]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        found = [difference(a, b) for a, b in zip(ours, theirs, strict=True)]
    else:
        return 0.0 if ours == theirs else None
    return None if None in found else max(found, default=0.0)


if __name__ == "__main__":
    main()
