"""Metrics of written texts: local `evaluate.Metric` classes, as in `metrics`."""

import re

import evaluate
import numpy as np
from datasets import Features, List, Value

from tfhf.errors import UserError

# Where words have no blanks between them, each character counts as a word.
CHARACTERS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
WORDS = re.compile(rf"[{CHARACTERS}]|[^\W{CHARACTERS}]+")


def _info(description, citation):
    features = {"predictions": Value("string"), "references": List(Value("string"))}
    return evaluate.MetricInfo(
        description=description, citation=citation, features=Features(features)
    )


class _TextMetric(evaluate.Metric):
    def __init__(self, **kwargs):
        super().__init__(keep_in_memory=True, **kwargs)


class ExactMatch(_TextMetric):
    """Texts that equal a reference, and the characters that are wrong in the others (0 and up)."""

    def _info(self):
        return _info("Exact matches and character error rate.", "Levenshtein 1966")

    def _compute(self, predictions, references):
        pairs = list(zip(predictions, references, strict=True))
        exact = [text.strip() in [one.strip() for one in known] for text, known in pairs]
        errors = total = 0
        for text, known in pairs:
            distances = [(edit_distance(text, one), len(one)) for one in known]
            least, length = min(distances)
            errors, total = errors + least, total + length
        rate = errors / total if total else float(errors > 0)
        return {"exact_match": float(np.mean(exact)), "character_error_rate": float(rate)}


class Rouge(_TextMetric):
    """ROUGE-1, -2, -L and -Lsum (F-measures, 0 to 1) by rouge-score; the best of the references.

    rouge-score keeps only the letters a to z and digits of a text. Where most letters of the
    references are others, words are found in every script, and nothing is stemmed.
    """

    def _info(self):
        return _info("ROUGE.", "Lin 2004, https://aclanthology.org/W04-1013")

    def _compute(self, predictions, references):
        from rouge_score import rouge_scorer

        kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
        own = {"tokenizer": _EveryScript()} if _is_other_script(references) else {}
        scorer = rouge_scorer.RougeScorer(kinds, use_stemmer=not own, **own)
        scores = [
            scorer.score_multi(known, text)
            for text, known in zip(predictions, references, strict=True)
        ]
        return {kind: float(np.mean([one[kind].fmeasure for one in scores])) for kind in kinds}


class Translation(_TextMetric):
    """BLEU and chrF of a whole split by sacreBLEU (0 to 100), with its signatures.

    Args:
        tokenizer: how BLEU splits words: sacreBLEU's `13a`, `zh`, `char` …
    """

    def __init__(self, tokenizer="13a", **kwargs):
        super().__init__(**kwargs)
        self.tokenizer = tokenizer

    def _info(self):
        return _info("BLEU and chrF.", "Post 2018, https://aclanthology.org/W18-6319")

    def _compute(self, predictions, references):
        from sacrebleu.metrics import BLEU, CHRF

        bleu, chrf = BLEU(tokenize=self.tokenizer), CHRF()
        most = max(map(len, references))
        # A stream per reference; sacreBLEU takes None where a row has fewer.
        streams = [
            [known[number] if number < len(known) else None for known in references]
            for number in range(most)
        ]
        return {
            "bleu": bleu.corpus_score(predictions, streams).score,
            "chrf": chrf.corpus_score(predictions, streams).score,
            "sacrebleu": {"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())},
        }


def check_bleu(tokenizer):
    """Refuses a way to split words that sacreBLEU has not, or lacks a package or a file for.

    Args:
        tokenizer: as for `Translation`.

    Raises:
        UserError: if `Translation` could not compute with it.
    """
    from sacrebleu.metrics import BLEU

    try:
        BLEU(tokenize=tokenizer)
    except (KeyError, RuntimeError, OSError) as error:
        why = " ".join(str(error).split())
        raise UserError(
            f"options.bleu_tokenizer: {tokenizer!r} does not work here: {why}"
        ) from error


def edit_distance(first, second):
    """Fewest insertions, deletions and replacements that turn one sequence into another."""
    before = np.arange(len(second) + 1)
    codes = np.array([hash(item) for item in second])
    for item in first:
        replaced = before[:-1] + (codes != hash(item))
        now = np.minimum(np.r_[before[0] + 1, replaced], before + 1)
        # Insertions run from left to right: the least of all starts so far, counted on.
        places = np.arange(len(now))
        before = np.minimum.accumulate(now - places) + places
    return int(before[-1])


class _EveryScript:
    """Words of any script, for rouge-score."""

    def tokenize(self, text):
        return WORDS.findall(text.casefold())


def _is_other_script(references):
    letters = [
        letter for known in references for text in known for letter in text if letter.isalpha()
    ]
    return sum(letter.isascii() for letter in letters) * 2 < len(letters)
