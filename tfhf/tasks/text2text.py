"""Text in, text out: any sequence-to-sequence task. Summarization and translation build on it."""

import copy
from typing import Annotated, Any

from annotated_types import Ge, Lt

from tfhf.data.columns import Text, Texts
from tfhf.data.lengths import check_length
from tfhf.data.next_tokens import IGNORED
from tfhf.exports import NUMBER, TEXT
from tfhf.learning.decoding.settings import Generation
from tfhf.tasks.base import Task

# How transformers' pipelines decode where a checkpoint does not say it.
USUAL = {"max_new_tokens": 256, "num_beams": 4}
LEFT_ALONE = 20  # the `max_length` of a checkpoint that says none

SHOWN = ("clean_up_tokenization_spaces", "return_tensors")  # choices that `present` takes


class Text2Text(Task):
    """A model with an encoder and a decoder (T5, BART, mBART, Pegasus, Marian) learns to answer.

    A row may have several reference answers: training takes the first, scores take all.

    Args:
        processor: a tokenizer of transformers; None where results are only decoded.
        features: `datasets.Features` with `source` and `target`, a list of texts.
        max_length: longest source in tokens, special tokens included; longer ones are cut.
        max_target_length: longest answer to learn from, likewise; 128 where the model can.
        prefix: put before every source (`"summarize: "` for T5); None takes the checkpoint's own.
        label_smoothing: share of the probability that training spreads over the whole vocabulary.
        generation: settings of decoding that differ from the checkpoint's, with transformers'
            names (`{num_beams: 4, max_new_tokens: 60}`); they are saved with the model.

    Raises:
        UserError: if `max_length` is more than the model can read, or a setting is unknown.
    """

    auto_class = "TFAutoModelForSeq2SeqLM"
    reads_slowly = True
    architectures = ("ForConditionalGeneration", "MTModel")
    pipelines = ("text2text-generation",)
    default_model = ("google-t5/t5-base", "a9723ea")
    monitor = "exact_match"
    generates = True
    answer = "generated_text"
    """Field of an answer that holds the text."""

    @classmethod
    def columns(cls, **_):
        return {"source": Text(), "target": Texts(single=True)}

    def __init__(
        self,
        processor,
        features,
        *,
        max_length: Annotated[int, Ge(4)] = 256,
        max_target_length: Annotated[int, Ge(4)] | None = None,
        prefix: str | None = None,
        label_smoothing: Annotated[float, Ge(0.0), Lt(1.0)] = 0.0,
        generation: dict[str, Any] | None = None,
    ):
        super().__init__(processor, features, max_length=max_length)
        limit = processor.model_max_length if processor is not None else 128
        self.max_target_length = max_target_length or min(128, limit)
        for name in ("max_length", "max_target_length"):
            check_length(processor, getattr(self, name), f"options.{name}")
        self.usual = self.usual_settings(getattr(processor, "checkpoint", None))
        own = self.usual.pop("prefix", "")
        self.prefix = own if prefix is None else prefix
        self.label_smoothing = label_smoothing
        self.changes = dict(generation or {})
        Generation.check(**self.changes)
        self.decoding = None  # known once there is a model, see `set_up`
        self.start = None

    @classmethod
    def features_of(cls, config):
        return cls.features_for(None, ["source"])

    @classmethod
    def features_for(cls, labels, roles, problem=None):
        from datasets import Features, List, Value

        return Features({"source": Value("string"), "target": List(Value("string"))})

    @classmethod
    def load_processor(cls, source):
        """The tokenizer; a folder's `target_tokenizer/` is that of a decoder with its own words."""
        from transformers import PreTrainedTokenizerFast

        tokenizer = super().load_processor(source)
        own = source.folder / "target_tokenizer"
        if (own / "tokenizer.json").is_file():
            tokenizer.target_tokenizer = PreTrainedTokenizerFast.from_pretrained(own)
        return tokenizer

    def settings(self):
        return super().settings() | {
            "max_target_length": self.max_target_length,
            "prefix": self.prefix,
            "label_smoothing": self.label_smoothing,
            "generation": self.changes,
        }

    def save_extras(self, folder, backbone):
        own = getattr(self.processor, "target_tokenizer", None)
        if own is not None:
            own.save_pretrained(f"{folder}/target_tokenizer")

    # === Which settings decode ===

    def usual_settings(self, config):
        """What a checkpoint's config says of the task: T5's prefixes, BART's beams.

        Args:
            config: the checkpoint's config as it came, or None.
        """
        named = getattr(config, "task_specific_params", None) or {}
        prefix = getattr(config, "prefix", None)
        usual = {"prefix": prefix} if prefix else {}
        return usual | named.get(self.pipeline_name(), {})

    def pipeline_name(self):
        """The name under which checkpoints' configs know the task."""
        return self.pipelines[0]

    def set_up(self, backbone):
        config = _completed(backbone)
        changes = self.usual | self.language_settings() | self.changes
        missing = USUAL.keys() - config.to_diff_dict().keys() - changes.keys()
        if config.max_length != LEFT_ALONE or "max_length" in changes:
            missing.discard("max_new_tokens")
        changes |= {name: USUAL[name] for name in missing}
        self.decided = (config, changes)
        self.decoding = Generation.of(config, **changes)
        self.start = self.decoding.decoder_start_token_id
        backbone.generation_config.update(**changes)

    def language_settings(self):
        """Settings of decoding that the languages ask for; none where there are no languages."""
        return {}

    def configured(self, **choices):
        """Takes settings of decoding for one call.

        Args:
            **choices: transformers' names, such as `num_beams=4`, `max_new_tokens=40`; `prefix`;
                `clean_up_tokenization_spaces` and `return_tensors` are left to `present`.
        """
        rest = {name: choices.pop(name) for name in SHOWN if name in choices}
        if not choices:
            return self, rest
        chosen = copy.copy(self)
        if "prefix" in choices:
            chosen.prefix = choices.pop("prefix")
        config, changes = self.decided
        limits = {"max_length", "max_new_tokens"}
        if limits & choices.keys():  # a call's own limit is the one that is meant
            changes = {name: value for name, value in changes.items() if name not in limits}
        chosen.decoding = Generation.of(config, **changes | choices)
        return chosen, rest

    @property
    def traced_with(self):
        return (self.decoding,)

    # === Data ===

    @property
    def inputs(self):
        return {"source": Text()}

    def encode(self, rows):
        from tfhf.learning.sequences import encode_texts

        sources = [self.prefix + source for source in rows["source"]]
        columns = {}
        columns["input_ids"], missing = encode_texts(self.processor, sources, self.max_length)
        lengths = [len(ids) for ids in columns["input_ids"]]
        if "target" in rows:
            targets = [references[0] for references in rows["target"]]
            columns["label"], cut = self._encode_targets(targets)
            lengths = [max(pair) for pair in zip(lengths, map(len, columns["label"]), strict=True)]
            missing = [sum(pair) for pair in zip(missing, cut, strict=True)]
        columns["full_length"] = [sum(pair) for pair in zip(lengths, missing, strict=True)]
        return columns

    def _encode_targets(self, targets):
        from tfhf.learning.sequences import encode_texts

        own = getattr(self.processor, "target_tokenizer", None)
        if own is not None:
            return encode_texts(own, targets, self.max_target_length)
        return encode_texts(self.processor, targets, self.max_target_length, as_target=True)

    @property
    def padding(self):
        return {"input_ids": self.processor.pad_token_id} | {"label": IGNORED}

    # === In the graph ===

    def prepare(self, columns, seed, training):
        from tfhf.learning.sequences import shifted_right

        pad = self.processor.pad_token_id
        return columns | {"decoder_input_ids": shifted_right(columns["label"], self.start, pad)}

    def forward(self, backbone, inputs, training):
        import tensorflow as tf

        from tfhf.learning.tracing import run

        if "decoder_input_ids" not in inputs:
            return {}  # a prediction: `outputs` reads and writes
        names = ("input_ids", "attention_mask", "decoder_input_ids")
        fed = {name: inputs[name] for name in names}
        # PyTorch's classes take no cache in training; T5's TensorFlow class returns one otherwise.
        found = run(backbone, fed | {"use_cache": False, "training": training})
        return {"logits": tf.cast(found.logits, tf.float32)}

    def loss(self, targets, outputs):
        import tensorflow as tf

        from tfhf.learning import likelihoods

        losses, real = likelihoods.losses(targets, outputs["logits"], self.label_smoothing)
        return tf.reduce_sum(losses, -1), tf.reduce_sum(real, -1)

    def outputs(self, outputs, inputs, backbone):
        from tfhf.learning.decoding.generation import generate

        seeds = inputs.get("seed", inputs.get("feature"))
        return generate(backbone, inputs, self.decoding, seeds=seeds)

    # === Serving ===

    @property
    def serving_inputs(self):
        sampled = {"seed": NUMBER} if self.decoding and self.decoding.do_sample else {}
        return {"source": TEXT} | sampled

    @property
    def continues(self):
        return self.decoding.answers == 1

    def served_rows(self, rows):
        return {"source": rows["source"][:], "seed": list(range(len(rows)))}

    def fed(self, inputs):
        names = ("input_ids", "attention_mask", "seed")
        return {name: inputs[name] for name in names if name in inputs}

    def encode_in_graph(self, tokenizer, strings):
        import tensorflow as tf

        sources = tf.strings.join([self.prefix, strings["source"]])
        seed = {"seed": strings["seed"]} if "seed" in strings else {}
        return tokenizer(sources, None, max_length=self.max_length) | seed

    def graph_tokenizer(self):
        from tfhf.exports import tokenizers

        own = getattr(self.processor, "target_tokenizer", None)
        reads = tokenizers.in_graph(self.processor)
        if own is None:
            return reads
        from tfhf.exports.tokenizers.writing import WithTarget

        return WithTarget(reads, tokenizers.in_graph(own))

    def answers_in_graph(self, results, inputs, strings, tokenizer):
        from tfhf.exports.answers import generated

        texts = generated.texts(results, tokenizer, clean_up=False)
        others = {"alternatives": texts[:, 1:]} if self.decoding.num_return_sequences > 1 else {}
        return {self.answer: texts[:, 0]} | others

    def read_served(self, answers, index, row):
        found = {self.answer: answers[self.answer][index].decode("utf-8")}
        if "alternatives" in answers:
            found["alternatives"] = [one.decode("utf-8") for one in answers["alternatives"][index]]
        return found

    # === Answers ===

    def texts(self, results, index, clean_up_tokenization_spaces=False):
        """The generated texts of a row, best first."""
        tokenizer = getattr(self.processor, "target_tokenizer", self.processor)
        pairs = zip(results["sequences"][index], results["lengths"][index], strict=True)
        return [
            tokenizer.decode(
                ids[:length].tolist(),
                skip_special_tokens=True,
                clean_up_tokenization_spaces=clean_up_tokenization_spaces,
            )
            for ids, length in pairs
        ]

    def decode(self, results, index, row):
        texts = self.texts(results, index)
        others = {"alternatives": texts[1:]} if len(texts) > 1 else {}
        return {self.answer: texts[0]} | others

    def present(
        self, results, index, row, return_tensors=False, clean_up_tokenization_spaces=False
    ):
        """Texts as transformers' pipeline gives them.

        Args:
            results: `sequences` `(rows, answers, L)` and `lengths` `(rows, answers)`.
            index, row: which row, and the row itself.
            return_tensors: whether token ids are asked for in place of texts.
            clean_up_tokenization_spaces: whether blanks before punctuation are left out.

        Returns:
            A list of `{"generated_text"}` (`summary_text`, `translation_text`), one per answer.
        """
        if return_tensors:
            name = self.answer.replace("_text", "_token_ids")
            pairs = zip(results["sequences"][index], results["lengths"][index], strict=True)
            # As transformers gives them: what the decoder began with stands first.
            return [{name: [self.start, *ids[:length].tolist()]} for ids, length in pairs]
        texts = self.texts(results, index, clean_up_tokenization_spaces)
        return [{self.answer: text} for text in texts]

    def arrange(self, answers, **choices):
        # As in transformers: single answers stand by themselves.
        if all(len(answer) == 1 for answer in answers):
            return [answer[0] for answer in answers]
        return answers

    def line(self, row, answer):
        return answer[self.answer]

    def expected(self, rows):
        return [list(references) for references in rows["target"]]

    # === Metrics ===

    @property
    def metric_names(self):
        return ("exact_match", "character_error_rate", "chrf")

    def score(self, rows, results):
        from tfhf.learning import text_metrics

        pairs = self._pairs(rows, results)
        return (
            text_metrics.ExactMatch().compute(**pairs)
            | text_metrics.Translation().compute(**pairs)
            | self._lengths(results)
        )

    def _pairs(self, rows, results):
        """First answers and their references, as metrics take them."""
        predictions = [self.texts(results, index)[0] for index in range(len(rows))]
        return {"predictions": predictions, "references": self.expected(rows)}

    def _lengths(self, results):
        return {"generated_tokens": float(results["lengths"][:, 0].mean())}


def _completed(backbone):
    """A model's generation settings, and the ids that old checkpoints keep in their config."""
    settings = copy.deepcopy(backbone.generation_config)
    names = ("decoder_start_token_id", "eos_token_id", "pad_token_id", "forced_eos_token_id")
    for name in names:
        if getattr(settings, name, None) is None:
            setattr(settings, name, getattr(backbone.config, name, None))
    return settings
