"""What a person calls the metrics of `metrics.json`, and how they are to be read."""

import re
from typing import NamedTuple

PARTS = {  # beginnings of a name → what they say of the metric that follows
    "has_answer_": "where there is an answer",
    "no_answer_": "where there is none",
    "best_": "with the best threshold",
}
AT_DEPTH = re.compile(r"(ndcg|mrr|recall|precision|map)_at_(\d+)")
DEPTHS = {"ndcg": "nDCG", "mrr": "MRR", "map": "MAP"}


class Metric(NamedTuple):
    """A metric: its name, the Hub's id (None: it has none), its largest value and direction.

    `largest` is 1 for a share, 100 for a score on a scale to 100, None where there is no end.
    """

    name: str
    hub: str | None = None
    largest: float | None = 1
    lower_is_better: bool = False


KNOWN = {
    "loss": Metric("loss", None, None, True),
    "accuracy": Metric("accuracy", "accuracy"),
    "precision": Metric("precision", "precision"),
    "precision_macro": Metric("precision (macro)", "precision"),
    "precision_micro": Metric("precision (micro)", "precision"),
    "recall": Metric("recall", "recall"),
    "recall_macro": Metric("recall (macro)", "recall"),
    "recall_micro": Metric("recall (micro)", "recall"),
    "f1": Metric("F1", "f1"),
    "f1_macro": Metric("F1 (macro)", "f1"),
    "f1_micro": Metric("F1 (micro)", "f1"),
    "f1_weighted": Metric("F1 (weighted)", "f1"),
    "mcc": Metric("Matthews correlation", "matthews_correlation"),
    "matthews_correlation": Metric("Matthews correlation", "matthews_correlation"),
    "pearson": Metric("Pearson correlation", "pearsonr"),
    "spearman": Metric("Spearman correlation", "spearmanr"),
    "mse": Metric("mean squared error", "mse", None, True),
    "mae": Metric("mean absolute error", "mae", None, True),
    "exact_match": Metric("exact match", "exact_match"),
    "perplexity": Metric("perplexity", "perplexity", None, True),
    "nats_per_character": Metric("nats per character", None, None, True),
    "rouge1": Metric("ROUGE-1", "rouge"),
    "rouge2": Metric("ROUGE-2", "rouge"),
    "rougeL": Metric("ROUGE-L", "rouge"),
    "rougeLsum": Metric("ROUGE-Lsum", "rouge"),
    "bleu": Metric("BLEU", "bleu", 100),
    "chrf": Metric("chrF", "chrf", 100),
    "character_error_rate": Metric("character error rate", "cer", None, True),
    "generated_tokens": Metric("generated tokens per row", None, None),
    "tokens": Metric("tokens", None, None),
    "characters": Metric("characters", None, None),
}


def metric(name):
    """What is known of a metric of `metrics.json`; of an unknown one, its name in words."""
    if name in KNOWN:
        return KNOWN[name]
    at_depth = AT_DEPTH.fullmatch(name)
    if at_depth:
        kind, depth = at_depth.groups()
        return Metric(f"{DEPTHS.get(kind, kind)} at {depth}", f"{kind}_at_{depth}")
    if name.endswith("_threshold"):
        whole = metric(name.removesuffix("_threshold").removeprefix("best_"))
        return Metric(f"threshold with the best {whole.name}")
    for beginning, said in PARTS.items():
        if name.startswith(beginning):
            whole = metric(name.removeprefix(beginning))
            return whole._replace(name=f"{whole.name} {said}", hub=None)
    return Metric(name.replace("_", " "), None, None)


def metric_name(name):
    """What a person calls a metric of `metrics.json`."""
    return metric(name).name
