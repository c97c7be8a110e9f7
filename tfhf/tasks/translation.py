"""Texts from one language into another."""

import contextlib
import copy
import re
from typing import Annotated, Any, Literal

from annotated_types import Ge, Lt

from tfhf.errors import UserError, did_you_mean
from tfhf.tasks.text2text import Text2Text

BleuTokenizer = Literal[
    "13a", "zh", "ja-mecab", "ko-mecab", "char", "intl", "none", "spm", "flores101", "flores200"
]
PIPELINE = re.compile(r"translation_(\w+?)_to_(\w+)")


class Translation(Text2Text):
    """A text becomes its translation; scored by BLEU and chrF against one or several references.

    Args:
        source_language, target_language: codes, for models of several languages: mBART's
            (`en_XX`), or those of T5's prefixes (`en`, `de`). Models of one pair (Marian) need
            none.
        bleu_tokenizer: how sacreBLEU splits words; `char` is the one for languages without blanks
            that needs nothing installed.
        **options: those of `Text2Text`.

    Raises:
        UserError: if the model does not know a language, or `encode` meets answers to be scored
            while the words of `bleu_tokenizer` cannot be split here.
    """

    architectures = ()
    pipelines = ("translation",)
    monitor = "bleu"
    answer = "translation_text"

    def __init__(
        self,
        processor,
        features,
        *,
        max_length: Annotated[int, Ge(4)] = 256,
        max_target_length: Annotated[int, Ge(4)] | None = None,
        source_language: str | None = None,
        target_language: str | None = None,
        prefix: str | None = None,
        label_smoothing: Annotated[float, Ge(0.0), Lt(1.0)] = 0.0,
        generation: dict[str, Any] | None = None,
        bleu_tokenizer: BleuTokenizer = "13a",
    ):
        self.source_language = source_language
        self.target_language = target_language
        super().__init__(
            processor,
            features,
            max_length=max_length,
            max_target_length=max_target_length,
            prefix=prefix,
            label_smoothing=label_smoothing,
            generation=generation,
        )
        self.bleu_tokenizer = bleu_tokenizer
        self._codes = getattr(processor, "lang_code_to_id", None) or {}
        if self._codes:
            self._check_languages("options.source_language", "options.target_language")
            processor.src_lang, processor.tgt_lang = source_language, target_language

    def _check_languages(self, *names):
        """Refuses languages that a model of many does not know; `names` are what they are called"""
        languages = (self.source_language, self.target_language)
        for name, language in zip(names, languages, strict=True):
            if language not in self._codes:
                hint = did_you_mean(str(language), self._codes)
                raise UserError(
                    f"{name}: the model knows {', '.join(sorted(self._codes))[:200]}; "
                    f"received {language!r}{hint}"
                )

    @contextlib.contextmanager
    def _reading(self):
        """Tells the tokenizer of a many-language model what stands before and behind its texts."""
        before = (
            getattr(self.processor, "src_lang", None),
            getattr(self.processor, "tgt_lang", None),
        )
        if not self._codes or before == (self.source_language, self.target_language):
            yield
            return
        self.processor.src_lang, self.processor.tgt_lang = (
            self.source_language,
            self.target_language,
        )
        try:
            yield
        finally:
            self.processor.src_lang, self.processor.tgt_lang = before

    def encode(self, rows):
        from tfhf.learning import text_metrics

        if "target" in rows:  # better said now than after the first epoch
            text_metrics.check_bleu(self.bleu_tokenizer)
        with self._reading():
            return super().encode(rows)

    def configured(self, src_lang=None, tgt_lang=None, **choices):
        """Takes languages and settings of decoding for one call.

        Args:
            src_lang, tgt_lang: take the place of `source_language` and `target_language`.
            **choices: as for `Text2Text`.

        Raises:
            UserError: if the model does not know a language.
        """
        if src_lang is None and tgt_lang is None:
            return super().configured(**choices)
        task = copy.copy(self)
        task.source_language = src_lang or self.source_language
        task.target_language = tgt_lang or self.target_language
        if self._codes:
            task._check_languages("src_lang", "tgt_lang")
        else:
            task.prefix = task._prefix_of_languages()
        chosen, rest = super(Translation, task).configured(**task.language_settings() | choices)
        chosen.start = chosen.decoding.decoder_start_token_id
        return chosen, rest

    def _prefix_of_languages(self):
        """What a model without language codes (T5) was told before texts of the two languages."""
        usual = self.usual_settings(getattr(self.processor, "checkpoint", None))
        if "prefix" not in usual:
            raise UserError(
                f"src_lang, tgt_lang: the model's config knows no {self.pipeline_name()}; leave "
                "them out where a model translates between two languages only"
            )
        return usual["prefix"]

    @classmethod
    def named(cls, pipeline):
        found = PIPELINE.fullmatch(pipeline)
        if found:
            return {"source_language": found[1], "target_language": found[2]}
        return super().named(pipeline)

    def settings(self):
        return super().settings() | {
            "source_language": self.source_language,
            "target_language": self.target_language,
            "bleu_tokenizer": self.bleu_tokenizer,
        }

    def pipeline_name(self):
        return f"translation_{self.source_language}_to_{self.target_language}"

    def language_settings(self):
        if not self._codes:
            return {}
        # mBART-50 writes the language as its first token; mBART begins with it.
        begins = "MBart50" not in type(self.processor).__name__
        name = "decoder_start_token_id" if begins else "forced_bos_token_id"
        return {name: self._codes[self.target_language]}

    @property
    def metric_names(self):
        return ("bleu", "chrf", "exact_match")

    def score(self, rows, results):
        from tfhf.learning import text_metrics

        pairs = self._pairs(rows, results)
        found = text_metrics.Translation(self.bleu_tokenizer).compute(**pairs)
        exact = text_metrics.ExactMatch().compute(**pairs)
        return found | {"exact_match": exact["exact_match"]} | self._lengths(results)
