"""Made-up run folders of every task, with the fields that the tasks write."""

import json
import random

import yaml

from tfhf.data.image_files import thumbnail

NAMES = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Emmy Noether"]
PLACES = ["London", "New York", "Göttingen"]
FILLER = "the old library stands at the end of a quiet street and is open on most days of the week"
HOSTILE = '<script>alert(2)</script> & "quotes"'

# Run → task, architecture of its model, and what else its recipe says.
RUNS = {
    "token_classification": ("token_classification", "TFBertForTokenClassification", {}),
    "parts_of_speech": ("token_classification", "TFBertForTokenClassification", {}),
    "question_answering": ("question_answering", "TFBertForQuestionAnswering", {}),
    "answerable": ("question_answering", "TFBertForQuestionAnswering", {}),
    "embedding_pairs": ("embedding", "TFBertModel", {}),
    "embedding_scores": ("embedding", "TFBertModel", {}),
    "multiple_choice": ("multiple_choice", "TFBertForMultipleChoice", {}),
    "masked_lm": ("masked_lm", "TFBertForMaskedLM", {}),
    "causal_lm": ("causal_lm", "TFGPT2LMHeadModel", {"model": {"model_type": "gpt2"}}),
    "text2text": ("text2text", "TFT5ForConditionalGeneration", {}),
    "summarization": ("summarization", "TFBartForConditionalGeneration", {}),
    "translation": ("translation", "TFMarianMTModel", {}),
    "zero_shot_classification": (
        "zero_shot_classification",
        "TFBertForSequenceClassification",
        {"data": {"columns": {"text": "premise", "text_pair": "hypothesis"}}},
    ),
    "image_classification": ("image_classification", "TFViTForImageClassification", {}),
}


def write_task_run(folder, name, seed=3):
    """Writes the run folder that a training of a task would leave.

    Args:
        folder: where to write.
        name: one of `RUNS`.
        seed: of the made-up rows.
    """
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    task, architecture, more = RUNS[name]
    rows, metrics, monitor = MAKERS[name](rng, folder)
    data = {"train": "data/train.jsonl", "columns": {}} | more.get("data", {})
    recipe = {"task": task, "model": more.get("model", "minilm"), "data": data}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe | {"train": {"epochs": 2}}))
    epochs = [metrics, {key: _worse(value) for key, value in metrics.items()}]
    log = [
        {"step": 100 * epoch, "epoch": epoch, "validation": figures}
        for epoch, figures in enumerate(reversed(epochs), 1)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    figures = {"monitor": monitor, "best_epoch": 2, "validation": metrics, "test": metrics}
    _write(folder / "metrics.json", figures)
    split = {"rows": len(rows), "lengths": {"truncated": 0.02}}
    _write(folder / "data.json", {"splits": {"train": split, "test": split}, "max_length": 64})
    _write(folder / "model" / "config.json", {"architectures": [architecture]})
    predictions = folder / "predictions" / "test.jsonl"
    predictions.parent.mkdir()
    predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _worse(value):
    return value * 0.9 if isinstance(value, float) else value


def _write(path, values):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(values))


def _entities(rng, folder):
    rows = []
    for _ in range(60):
        tokens, tags = [], []
        for kind, texts in (("PER", NAMES), ("LOC", PLACES)):
            said = FILLER.split()[: rng.randint(1, 6)]
            words = rng.choice(texts).split()
            tokens += said + words
            tags += ["O"] * len(said) + [f"B-{kind}"] + [f"I-{kind}"] * (len(words) - 1)
        given = [rng.choice(["O", "B-LOC"]) if rng.random() < 0.08 else tag for tag in tags]
        rows.append({"tokens": tokens, "expected": tags, "entities": [], "tags": given})
    rows[0]["tokens"][0] = HOSTILE
    rows[0]["tags"] = ["B-PER"] + ["O"] * (len(rows[0]["tags"]) - 1)
    figures = {"precision": 0.8, "recall": 0.7, "f1": 0.75, "support": 60.0}
    per_class = {
        kind: figures | {"f1": f1} for kind, f1 in {"PER": 0.8, "LOC": 0.7, "ORG": 0.0}.items()
    }
    overall = {"loss": 0.2, "precision": 0.8, "recall": 0.7, "f1": 0.747, "f1_macro": 0.5}
    return rows, overall | {"accuracy": 0.95, "per_class": per_class}, "f1"


def _parts_of_speech(rng, folder):
    tags = ["DET", "ADJ", "NOUN", "VERB"]
    words = ["the", "old", "library", "stands"]
    rows = []
    for _ in range(30):
        given = [rng.choice(tags) if rng.random() < 0.1 else tag for tag in tags]
        rows.append({"tokens": words, "expected": tags, "entities": [], "tags": given})
    figures = {"precision": 0.9, "recall": 0.9, "f1": 0.9, "support": 30.0}
    metrics = {"loss": 0.1, "accuracy": 0.93, "f1_macro": 0.9, "mcc": 0.9}
    return rows, metrics | {"per_class": dict.fromkeys(tags, figures)}, "accuracy"


def _questions(rng, folder, unanswerable=True):
    rows = []
    for number in range(80):
        name, place = rng.choice(NAMES), rng.choice(PLACES)
        context = f"{FILLER}. {name} lived in {place} for {number} years. {FILLER}. " * 3
        expected = [] if unanswerable and rng.random() < 0.3 else [name, name]
        answer = rng.choice([name, name, name, name.split()[0], place, ""])
        if not expected and rng.random() < 0.7:
            answer = ""
        start = context.find(answer) if answer else 0
        row = {"question": f"Who lived there for {number} years?", "context": context}
        row |= {"expected": expected, "answer": answer, "score": rng.random()}
        rows.append(row | {"start": start, "end": start + len(answer), "n_best": [{}]})
    rows[0] |= {"question": HOSTILE, "answer": "wrong", "start": None, "expected": ["Ada"]}
    metrics = {"loss": 1.5, "exact_match": 0.62, "f1": 0.68}
    if unanswerable:
        metrics |= {"has_answer_exact_match": 0.55, "has_answer_f1": 0.6}
        metrics |= {"no_answer_exact_match": 0.75, "no_answer_f1": 0.75}
        metrics |= {"best_f1": 0.7, "best_f1_threshold": 0.31}
    return rows, metrics, "f1"


def _answerable(rng, folder):
    return _questions(rng, folder, unanswerable=False)


def _pairs(rng, folder):
    rows = []
    for number in range(90):
        rank = rng.choice([1, 1, 1, 1, 2, 3, 7, 25, 140])
        row = {"text": f"Who wrote book {number}?", "expected": f"Book {number}. {FILLER}"}
        row["found"] = row["expected"] if rank == 1 else f"Book {number + 1}. {FILLER}"
        rows.append(row | {"score": rng.uniform(0.3, 0.9), "rank": rank})
    rows[0] |= {"text": HOSTILE, "rank": 300}
    metrics = {"loss": 0.3, "ndcg_at_10": 0.71, "mrr_at_10": 0.66}
    return (
        rows,
        metrics | {"recall_at_1": 0.56, "recall_at_5": 0.8, "recall_at_10": 0.87},
        "ndcg_at_10",
    )


def _scores(rng, folder):
    rows = []
    for number in range(120):
        expected = rng.random()
        row = {"text": f"A man plays the guitar {number}.", "text_pair": "Somebody makes music."}
        rows.append(row | {"expected": expected, "score": 0.4 * expected + rng.gauss(0.5, 0.05)})
    return rows, {"loss": 0.8, "spearman": 0.86, "pearson": 0.87}, "spearman"


def _choices(rng, folder):
    rows = []
    for number in range(90):
        choices = [f"ending {number} {letter}" for letter in "abcd"[: rng.choice([2, 4])]]
        right = rng.randrange(len(choices))
        choice = right if rng.random() < 0.65 else 0
        row = {"premise": f"Premise {number}.", "question": "effect", "choices": choices}
        row |= {"expected": choices[right], "choice": choice, "label": choices[choice]}
        score = rng.uniform(0.5, 0.95)
        rows.append(row | {"score": score, "probabilities": [score]})
    rows[0] |= {"premise": HOSTILE, "choice": 1, "label": choices[1]}
    return (
        rows,
        {"loss": 0.6, "accuracy": 0.72, "per_position": {"0": {"chosen": 50.0}}},
        "accuracy",
    )


def _blocks(rng, folder):
    rows = []
    for number in range(200):
        loss = rng.gammavariate(9, 0.3)
        row = {"row": number + 1, "text": f"{number} {FILLER}", "tokens": rng.randint(10, 128)}
        rows.append(row | {"loss": loss, "accuracy": 1 / (1 + loss)})
    rows[0] |= {"text": HOSTILE, "loss": 11.5}
    rows[1] |= {"tokens": 0, "loss": None, "accuracy": None}
    metrics = {"loss": 2.7, "perplexity": 14.88, "accuracy": 0.4, "tokens": 12345}
    return rows, metrics, "perplexity"


def _continued(rng, folder):
    rows, metrics, _ = _blocks(rng, folder)
    return rows, metrics | {"nats_per_character": 0.71, "characters": 45678}, "loss"


def _written(field, metrics, monitor):
    def make(rng, folder):
        rows = []
        for _ in range(70):
            words = FILLER.split()[: rng.randint(4, 19)]
            given = [word for word in words if rng.random() > 0.15] + words[: rng.randint(0, 2)]
            row = {"source": FILLER, "expected": [" ".join(words)], field: " ".join(given)}
            rows.append(row)
        rows[0] |= {"source": HOSTILE, field: "", "expected": ["one", "another"]}
        return rows, {"loss": 1.9, "generated_tokens": 12.5} | metrics, monitor

    return make


def _entailments(rng, folder):
    labels = ["entailment", "neutral", "contradiction"]
    rows = []
    for number in range(60):
        expected = rng.choice(labels)
        label = expected if rng.random() < 0.7 else rng.choice(labels)
        row = {"text": f"Premise {number}.", "text_pair": "A hypothesis.", "expected": expected}
        row |= {"label": label, "score": rng.uniform(0.4, 0.99)}
        rows.append(row | {"probabilities": {label: row["score"]}})
    figures = {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 20.0}
    per_class = dict.fromkeys(labels, figures)
    return rows, {"loss": 0.7, "accuracy": 0.75, "per_class": per_class}, "accuracy"


def _images(rng, folder):
    import PIL.Image

    rows = []
    for number in range(24):
        path = folder.parent / f"{folder.name}_{number}.png"
        shade = tuple(rng.randrange(256) for _ in range(3))
        image = PIL.Image.new("RGB", (40, 30), shade)
        expected, label = rng.choice("abc"), rng.choice("abc")
        row = {"image": str(path), "expected": expected, "label": label}
        if number < 16:  # the next ones are gone
            image.save(path)
        elif number >= 20:  # and these never had a file
            row |= {"image": f"image {number + 1}", "thumbnail": thumbnail(image)}
        rows.append(row | {"score": rng.uniform(0.4, 1), "probabilities": {}})
    figures = {"precision": 0.3, "recall": 0.3, "f1": 0.3, "support": 8.0}
    metrics = {"loss": 1.0, "accuracy": 0.33, "per_class": dict.fromkeys("abc", figures)}
    return rows, metrics, "accuracy"


MAKERS = {
    "token_classification": _entities,
    "parts_of_speech": _parts_of_speech,
    "question_answering": _questions,
    "answerable": _answerable,
    "embedding_pairs": _pairs,
    "embedding_scores": _scores,
    "multiple_choice": _choices,
    "masked_lm": _blocks,
    "causal_lm": _continued,
    "text2text": _written(
        "generated_text", {"exact_match": 0.2, "character_error_rate": 0.13}, "exact_match"
    ),
    "summarization": _written("summary_text", {"rouge1": 0.41, "rougeL": 0.38}, "rougeL"),
    "translation": _written(
        "translation_text",
        {"bleu": 31.25, "chrf": 58.1, "sacrebleu": {"bleu": "nrefs:1|tok:13a|version:2.5.1"}},
        "bleu",
    ),
    "zero_shot_classification": _entailments,
    "image_classification": _images,
}
