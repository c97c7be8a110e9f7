"""Loss per character: what compares language models whose tokens differ."""

import evaluate
import numpy as np
from datasets import Features, Value


class CharacterLikelihood(evaluate.Metric):
    """Nats per character over a whole split: the summed loss, divided once by its characters.

    The loss of tokens that spell nothing (the end of a text) counts, too: they must be said.
    """

    def __init__(self, **kwargs):
        super().__init__(keep_in_memory=True, **kwargs)

    def _info(self):
        return evaluate.MetricInfo(
            description="Sums over each example: loss in nats, characters that were predicted.",
            citation="Mielke 2019, https://sjmielke.com/comparing-perplexities.htm",
            features=Features({"losses": Value("float64"), "characters": Value("int64")}),
        )

    def _compute(self, losses, characters):
        count = int(np.sum(characters))
        nats = float(np.sum(losses) / count) if count else float("nan")
        return {"nats_per_character": nats, "characters": count}
