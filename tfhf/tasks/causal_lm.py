"""Causal language modelling: a text continued, token by token (`text-generation`)."""

import copy
import functools
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from tfhf.console import say
from tfhf.data import chats, language, next_tokens
from tfhf.data.columns import Messages, Text
from tfhf.errors import UserError
from tfhf.exports import NUMBER, TEXT
from tfhf.learning import block_records
from tfhf.learning.decoding import families
from tfhf.learning.decoding.settings import Generation, has_limit, remember
from tfhf.learning.text_stream import TextStream, cut, new_text, stop_strings
from tfhf.tasks.base import Task

ROLES = {
    "text": {"text": Text(blank=True)},
    "prompt": {"prompt": Text(), "response": Text()},
    "chat": {"messages": Messages()},
}
# Options that say how text is generated: transformers' names, None for the model's own setting.
GENERATION = (
    "max_new_tokens", "do_sample", "temperature", "top_k", "top_p", "num_beams",
    "repetition_penalty",
)  # fmt: skip
PRESENTED = ("return_full_text", "clean_up_tokenization_spaces")  # choices of `present`


class CausalLM(Task):
    """Pre-training, fine-tuning on instructions or chats, and generating text.

    Args:
        processor: a fast tokenizer of transformers; None where nothing is encoded or decoded.
        features: `datasets.Features` with the columns of the format.
        format: what a row is. `text` is learned whole; of `prompt` and `response` the response is
            learned; of `messages` (`chat`) what the assistant says.
        max_length: most tokens of what is learned from at once. Texts are cut into blocks of so
            many; of a longer prompt the beginning is left out, of a longer chat the end.
        join: how the rows of format `text` follow each other. `documents`: each ends with the
            end-of-text token, and blocks run on from one into the next (a token may look at the
            document before, as in GPT-2's own training). `lines`: the rows are lines of one text,
            a line break behind each. `none`: each begins a block of its own.
        separator: what stands between prompt and response, when training and when answering.
        chat_template: Jinja template of a chat, for a tokenizer that has none; saved with it.
        max_new_tokens, do_sample, temperature, top_k, top_p, num_beams, repetition_penalty: how
            text is generated, see `Generation`; saved with the model. By default as the model's
            own generation_config.json says, and `max_new_tokens` 256, or half of what the model
            can read if that is less.
        stop: strings that end a text; they do not belong to it.

    Raises:
        UserError: if the model reads less than `max_length` tokens, or an option does not fit.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".
    """

    auto_class = "TFAutoModelForCausalLM"
    generates = True
    architectures = ("ForCausalLM", "LMHeadModel")
    pipelines = ("text-generation",)
    default_model = ("openai-community/gpt2", "607a30d")
    # What is joined is joined within so many rows, lines of text among them.
    rows_at_once = 100_000

    @classmethod
    def columns(cls, *, format=None, **_):
        every = {role: kind for roles in ROLES.values() for role, kind in roles.items()}
        return ROLES.get(format, every)

    def __init__(
        self,
        processor,
        features,
        *,
        format: Literal["text", "prompt", "chat"] = "text",
        max_length: Annotated[int, Ge(2)] = 128,
        join: Literal["documents", "lines", "none"] = "documents",
        separator: str = "\n",
        chat_template: str | None = None,
        max_new_tokens: Annotated[int, Gt(0)] | None = None,
        do_sample: bool | None = None,
        temperature: Annotated[float, Gt(0.0)] | None = None,
        top_k: Annotated[int, Ge(0)] | None = None,
        top_p: Annotated[float, Gt(0.0), Le(1.0)] | None = None,
        num_beams: Annotated[int, Gt(0)] | None = None,
        repetition_penalty: Annotated[float, Gt(0.0)] | None = None,
        stop: list[str] | None = None,
    ):
        super().__init__(processor, features, max_length=max_length)
        self.format, self.join, self.separator = format, join, separator
        chosen = (max_new_tokens, do_sample, temperature, top_k, top_p, num_beams)
        chosen = zip(GENERATION, (*chosen, repetition_penalty), strict=True)
        self.choices = {name: value for name, value in chosen if value is not None}
        self.stop = stop_strings(stop)
        self.stream = None
        self.generation_config = None
        if processor is not None:
            if chat_template is not None:
                processor.chat_template = chat_template
            self.reader = language.Reader(
                processor, format=format, max_length=max_length, join=join, separator=separator
            )
            self.streamed = TextStream(processor)

    @classmethod
    def features_of(cls, config):
        return cls.features_for(None, ROLES[cls.saved(config).get("format", "text")])

    @classmethod
    def features_for(cls, labels, roles, problem=None):
        from datasets import Features

        return Features({role: cls.columns()[role].feature() for role in roles})

    def settings(self):
        names = ("format", "join", "separator")
        settings = super().settings() | {name: getattr(self, name) for name in names}
        return settings | self.choices | ({"stop": list(self.stop)} if self.stop else {})

    def set_up(self, backbone):
        families.check(backbone.config)
        self.generation_config = backbone.generation_config
        self.__dict__.pop("generation", None)
        remember(self.generation_config, self.choices, self.processor)

    @functools.cached_property
    def generation(self):
        """How text is generated: the model's settings, the task's options, a call's choices."""
        choices = dict(self.choices)
        limited = "max_new_tokens" in choices or "max_length" in choices
        if not limited and not has_limit(self.generation_config):
            choices["max_new_tokens"] = min(256, max(self.processor.model_max_length // 2, 1))
        return Generation.of(self.generation_config, **choices)

    @property
    def inputs(self):
        # Not the roles that are learned from: a chat to be answered is one without the answer.
        if self.processor is None or not self.processor.chat_template:
            return {"prompt": Text(blank=True)}
        return {"prompt": Text(optional=True, blank=True), "chat": Messages(optional=True)}

    # === From rows to tokens ===

    def encode(self, rows):
        if rows.keys() & {"prompt", "chat"} and "response" not in rows:
            return self._questions(rows)
        found = self.reader.learned(rows)
        return {
            "input_ids": found.inputs,
            "label": found.labels,
            "characters": found.characters,
            "full_length": found.full_lengths,
            "row": found.rows,
        }

    def _questions(self, columns):
        """What is to be answered, as long as the model can read it and still answer."""
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        asked = list(map(self.reader.question, rows))
        kept = [self.reader.kept(ids, self.generation.max_new_tokens) for ids in asked]
        longer = sum(len(ids) > len(last) for ids, last in zip(asked, kept, strict=True))
        if longer:
            say(
                f"  note: {longer} of {len(rows)} prompts are longer than the model can read and "
                f"still answer; it reads their last {max(map(len, kept))} tokens"
            )
        if self.stream:
            if len(rows) > 1:
                raise UserError(
                    f"stream: one text at a time can be printed as it comes; received {len(rows)}"
                )
            shown = rows[0].get("prompt", "") if self.format == "text" else ""
            self.streamed.begin(self.stream, kept[0], self.stop, shown)
        return {"input_ids": kept}

    @property
    def padding(self):
        return {"input_ids": self.processor.pad_token_id, "label": next_tokens.IGNORED}

    # === In the graph ===

    def forward(self, backbone, inputs, training):
        import tensorflow as tf

        from tfhf.learning.tracing import run

        if "characters" not in inputs:  # a prediction: decoding reads the prompts itself
            return {}
        fed = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        return {"logits": tf.cast(run(backbone, fed | {"training": training}).logits, tf.float32)}

    def loss(self, targets, outputs):
        import tensorflow as tf

        from tfhf.learning import likelihoods

        losses, real = likelihoods.losses(targets, outputs["logits"])
        return tf.reduce_sum(losses, -1), tf.reduce_sum(real, -1)

    def measured(self, outputs, inputs, targets, backbone):
        from tfhf.learning import likelihoods

        found = likelihoods.sums(targets, outputs["logits"])
        return found | {"characters": inputs["characters"]}

    def outputs(self, outputs, inputs, backbone):
        from tfhf.learning.decoding.generation import generate
        from tfhf.learning.decoding.stops import Stops

        return generate(
            backbone,
            inputs,
            self.generation,
            seeds=inputs.get("seed", inputs.get("feature")),
            stops=Stops(self.stop, self.processor) if self.stop else None,
            on_tokens=self.streamed if self.stream else None,
        )

    # === Serving ===

    @property
    def serving_inputs(self):
        sampled = self.generation_config is not None and self.generation.do_sample
        return {"prompt": TEXT} | ({"seed": NUMBER} if sampled else {})

    @property
    def continues(self):
        return self.generation.answers == 1

    def proof_rows(self, rows):
        return [{"prompt": language.prompt_of(row)} for row in rows]

    def served_rows(self, rows):
        return {"prompt": rows["prompt"][:], "seed": list(range(len(rows)))}

    def fed(self, inputs):
        names = ("input_ids", "attention_mask", "seed")
        return {name: inputs[name] for name in names if name in inputs}

    def encode_in_graph(self, tokenizer, strings):
        import tensorflow as tf

        from tfhf.exports.answers import generated

        reader, texts = self.reader, strings["prompt"]
        frame = reader.frame()
        if frame.strips:
            texts = generated.stripped(texts)
        ids = generated.prompts(
            tokenizer.tokenize(tf.strings.join([frame.opening, texts, frame.closing])),
            before=frame.before,
            begin=reader.begin,
            room=reader.longest(self.generation.max_new_tokens),
        )
        seed = {"seed": strings["seed"]} if "seed" in strings else {}
        return generated.padded(ids, self.processor.pad_token_id) | seed

    def answers_in_graph(self, results, inputs, strings, tokenizer):
        import tensorflow as tf

        from tfhf.exports.answers import generated

        asked = tf.RaggedTensor.from_tensor(
            inputs["input_ids"], lengths=tf.reduce_sum(inputs["attention_mask"], 1)
        )
        texts = generated.continuations(results, asked, tokenizer, self.stop)
        alone = self.generation.num_return_sequences == 1
        return {"generated_text": texts[:, 0] if alone else texts}

    def read_served(self, answers, index, row):
        found = answers["generated_text"][index]
        alone = isinstance(found, bytes)
        texts = [one.decode("utf-8") for one in ([found] if alone else found)]
        return {"generated_text": texts[0] if alone else texts}

    # === After the graph ===

    def as_rows(self, rows):
        """As for every task; a list of messages is one row, a chat, as in transformers.

        Raises:
            UserError: if it is a chat, and the tokenizer has no template for those.
        """
        rows, many = ([rows], False) if chats.is_chat(rows) else super().as_rows(rows)
        if any(map(chats.is_chat, rows)):
            chats.check_template(self.processor)
        return [{"chat": row} if chats.is_chat(row) else row for row in rows], many

    def configured(self, stop=None, stream=None, **choices):
        """Takes over what a call may choose.

        Args:
            stop: a string or a list of them that end a text, in place of the task's own.
            stream: True prints the text on standard output as it comes; a function is called with
                each piece. For one row at a time.
            **choices: settings of `Generation`, such as `max_new_tokens=40`; and what `present`
                takes.

        Raises:
            UserError: if a setting is unknown, out of range, or does not go with another.
        """
        rest = {name: choices.pop(name) for name in PRESENTED if name in choices}
        chosen = copy.copy(self)
        chosen.choices = self.choices | choices
        chosen.__dict__.pop("generation", None)  # what it was before these choices
        if stop is not None:
            chosen.stop = stop_strings(stop)
        chosen.stream = stream
        settings = chosen.generation
        if stream and settings.answers > 1:
            raise UserError(
                "stream: one text can be printed as it comes; set num_beams and "
                f"num_return_sequences to 1; received {settings.answers} at once"
            )
        return chosen, rest

    @property
    def traced_with(self):
        return (self.generation, self.stop, bool(self.stream))

    def decode(self, results, index, row):
        """What was generated: a text, or a list of them where several were asked for."""
        texts = self._texts(results, index, row)
        return {"generated_text": texts[0] if len(texts) == 1 else texts}

    def present(
        self, results, index, row, return_full_text=True, clean_up_tokenization_spaces=True
    ):
        """Texts as transformers' pipeline gives them.

        Args:
            results, index, row: as for `decode`.
            return_full_text: whether the prompt, or the chat, stands before what was generated.
            clean_up_tokenization_spaces: whether blanks before punctuation are left out.

        Returns:
            A list of `{"generated_text"}`, one for each answer.
        """
        texts = self._texts(results, index, row, clean_up_tokenization_spaces)
        if return_full_text:
            texts = [self.reader.behind(row, text) for text in texts]
        return [{"generated_text": text} for text in texts]

    def _texts(self, results, index, row, clean_up=None):
        """The texts generated for a row, without special tokens, up to a stop."""
        prompt = self.reader.question(row)
        prompt = self.reader.kept(prompt, self.generation.max_new_tokens)
        pairs = zip(results["sequences"][index], results["lengths"][index], strict=True)
        tokens = [sequence[:length].tolist() for sequence, length in pairs]
        clean_up = False if self.stream else clean_up  # what was printed is not changed
        texts = [new_text(self.processor, prompt, one, clean_up) for one in tokens]
        texts = [cut(text, self.stop) for text in texts]
        if self.stream:
            self.streamed.end(texts[0])
        return texts

    def line(self, row, answer):
        if self.stream:
            return ""  # it is on the screen already
        texts = answer["generated_text"]
        texts = [texts] if isinstance(texts, str) else texts
        shown = row.get("prompt") if self.format == "text" else None
        return "\n".join(f"{shown or ''}{text}" for text in texts) or "(nothing)"

    def records(self, rows, results):
        """Yields one record per block, or per row: how well its tokens were predicted."""
        return block_records.records(self, rows, results, "label")

    @property
    def metric_names(self):
        return ("perplexity", "nats_per_character", "accuracy")

    def score(self, rows, results):
        from tfhf.learning.character_metrics import CharacterLikelihood
        from tfhf.learning.likelihood_metrics import TokenLikelihood

        per_token = TokenLikelihood().compute(
            losses=results["loss"], tokens=results["tokens"], correct=results["correct"]
        )
        per_character = CharacterLikelihood().compute(
            losses=results["loss"], characters=results["characters"]
        )
        return per_token | per_character
