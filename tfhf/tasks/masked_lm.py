"""Masked language modelling: words hidden in a text, guessed from both sides (`fill-mask`)."""

import copy
from typing import Annotated

from annotated_types import Ge, Gt, Le

from tfhf.data import blocks
from tfhf.data.columns import Text
from tfhf.data.lengths import check_length
from tfhf.data.next_tokens import IGNORED
from tfhf.errors import UserError
from tfhf.exports import TEXT
from tfhf.learning import block_records, fill_mask
from tfhf.tasks.base import Task


class MaskedLM(Task):
    """Pre-training, adapting a model to texts of a field, and filling blanks.

    Texts become blocks of at most `max_length` tokens; of each block some tokens are drawn anew in
    every epoch, hidden, and guessed. A row that holds a mask token of its own is a question to
    answer: it stays by itself, and its masks are what a prediction fills.

    Args:
        processor: a fast tokenizer of transformers with a mask token; None where results are only
            decoded.
        features: `datasets.Features` with `text`.
        max_length: tokens of a block, special tokens included. Longer texts give several blocks.
        join: whether texts are joined, a separator between them, into blocks that are full; else
            every row begins a block of its own.
        mask_probability: of a token to be drawn.
        mask_replace_probability: of a drawn token to become the mask token.
        random_replace_probability: of a drawn token to become a random one; it stays as it is with
            the probability that is left.
        whole_word: whether all tokens of a word are drawn together.

    Raises:
        UserError: if the model has no mask token, reads less than `max_length` tokens, or the two
            shares of replaced tokens are more than 1.

    Source: Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers".
    """

    unread = ("pooler",)
    auto_class = "TFAutoModelForMaskedLM"
    fixed_shapes = False
    architectures = ("ForMaskedLM",)
    pipelines = ("fill-mask",)
    default_model = ("distilbert/distilroberta-base", "fb53ab8")
    monitor = "perplexity"

    @classmethod
    def columns(cls, **_):
        return {"text": Text(blank=True)}

    def __init__(
        self,
        processor,
        features,
        *,
        max_length: Annotated[int, Ge(8)] = 128,
        join: bool = True,
        mask_probability: Annotated[float, Gt(0.0), Le(1.0)] = 0.15,
        mask_replace_probability: Annotated[float, Ge(0.0), Le(1.0)] = 0.8,
        random_replace_probability: Annotated[float, Ge(0.0), Le(1.0)] = 0.1,
        whole_word: bool = False,
    ):
        super().__init__(processor, features, max_length=max_length)
        replaced = mask_replace_probability + random_replace_probability
        if replaced > 1.0 + 1e-9:
            raise UserError(
                "options.mask_replace_probability: with random_replace_probability at most 1; "
                f"received {mask_replace_probability} + {random_replace_probability}"
            )
        self.join = join
        self.mask_probability = mask_probability
        self.mask_replace_probability = mask_replace_probability
        self.random_replace_probability = random_replace_probability
        self.whole_word = whole_word
        self.top_k = 5
        self.target_ids = ()
        if processor is not None:
            self._read(processor)

    def _read(self, tokenizer):
        """What the tokenizer tells: its mask, its special tokens, what stands around a text."""
        if tokenizer.mask_token_id is None:
            raise UserError(
                "model: its tokenizer has no mask token, so there is nothing to fill; take a model "
                "that reads both ways, such as BERT, or train the task causal_lm"
            )
        check_length(tokenizer, self.max_length)
        one = tokenizer("a", return_special_tokens_mask=True)
        special = one["special_tokens_mask"]
        first = special.index(0)
        last = len(special) - special[::-1].index(0)
        self.before, self.after = one["input_ids"][:first], one["input_ids"][last:]
        separator = tokenizer.sep_token_id
        separator = tokenizer.eos_token_id if separator is None else separator
        self.separator = [] if separator is None else [separator]

    @classmethod
    def features_of(cls, config):
        return cls.features_for(None, ["text"])

    @classmethod
    def features_for(cls, labels, roles, problem=None):
        from datasets import Features, Value

        return Features({"text": Value("string")})

    def settings(self):
        names = (
            "join",
            "mask_probability",
            "mask_replace_probability",
            "random_replace_probability",
            "whole_word",
        )
        return super().settings() | {name: getattr(self, name) for name in names}

    @property
    def inputs(self):
        return self.columns()

    # === From rows to blocks ===

    def encode(self, rows):
        encoded = self.processor(
            rows["text"], add_special_tokens=False, return_attention_mask=False, verbose=False
        )
        found = self._blocks(encoded)
        ids = [self.before + block + self.after for block in found.ids]
        columns = {"input_ids": ids, "full_length": list(map(len, ids)), "row": found.rows}
        if self.whole_word:
            before, after = [1] * len(self.before), [1] * len(self.after)
            columns["word_start"] = [before + marks + after for marks in found.marks]
        return columns

    def _blocks(self, encoded):
        """The rows' tokens as blocks, in the order of the rows."""
        ids = encoded["input_ids"]
        marks = None
        if self.whole_word:
            marks = [_word_starts(encoding.word_ids) for encoding in encoded.encodings]
        size = self.max_length - len(self.before) - len(self.after)
        if not self.join:
            return blocks.cut(ids, size, marks=marks)
        mask = self.processor.mask_token_id
        alone = [row for row, tokens in enumerate(ids) if mask in tokens]
        return blocks.join_between(ids, size, alone, separator=self.separator, marks=marks)

    @property
    def padding(self):
        values = {"input_ids": self.processor.pad_token_id}
        # Padding begins no word, and is never drawn.
        return values | ({"word_start": 0} if self.whole_word else {})

    # === In the graph ===

    def prepare(self, columns, seed, training):
        import tensorflow as tf

        from tfhf.learning import masking

        ids = columns["input_ids"]
        seen, drawn = masking.mask(
            ids,
            seed,
            ordinary=tf.constant(masking.ordinary_ids(self.processor)),
            mask_token=self.processor.mask_token_id,
            probability=self.mask_probability,
            masked=self.mask_replace_probability,
            randomized=self.random_replace_probability,
            words=columns.pop("word_start", None),
        )
        positions, real = masking.places(drawn)
        labels = tf.where(real, tf.gather(ids, positions, batch_dims=1), IGNORED)
        return columns | {"input_ids": seen, "asked": positions, "label": labels}

    def forward(self, backbone, inputs, training):
        import tensorflow as tf

        from tfhf.learning import masking

        fed = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        if "asked" in inputs:
            asked = inputs["asked"]
        else:  # a prediction: what the rows themselves hide
            asked, _ = masking.places(inputs["input_ids"] == self.processor.mask_token_id)
        with masking.only_at(backbone.get_lm_head(), asked):
            logits = backbone(fed, training=training).logits
        return {"logits": tf.cast(logits, tf.float32)}

    def loss(self, targets, outputs):
        import tensorflow as tf

        from tfhf.learning import likelihoods

        losses, real = likelihoods.losses(targets, outputs["logits"])
        return tf.reduce_sum(losses, -1), tf.reduce_sum(real, -1)

    def outputs(self, outputs, inputs, backbone):
        import tensorflow as tf

        hidden = tf.cast(inputs["input_ids"] == self.processor.mask_token_id, tf.int32)
        probabilities = tf.nn.softmax(outputs["logits"])
        if self.target_ids:
            probabilities = tf.gather(probabilities, self.target_ids, axis=-1)
        best = tf.math.top_k(probabilities, min(self.top_k, probabilities.shape[-1]))
        token = tf.gather(self.target_ids, best.indices) if self.target_ids else best.indices
        return {"masks": tf.reduce_sum(hidden, -1), "token": token, "score": best.values}

    def measured(self, outputs, inputs, targets, backbone):
        from tfhf.learning import likelihoods

        return likelihoods.sums(targets, outputs["logits"])

    # === Serving ===

    @property
    def serving_inputs(self):
        return {"text": TEXT}

    def proof_rows(self, rows):
        """Texts with a word hidden in each, the middle one, unless one is hidden already."""
        rows = super().proof_rows(rows)
        texts = [row if isinstance(row, str) else row["text"] for row in rows]
        return [{"text": fill_mask.with_mask(self.processor.mask_token, one)} for one in texts]

    def fed(self, inputs):
        ours = ("written", "word_start")
        return {name: value for name, value in super().fed(inputs).items() if name not in ours}

    def encode_in_graph(self, tokenizer, strings):
        import tensorflow as tf

        from tfhf.exports import windows

        ids = tokenizer.tokenize(strings["text"])
        ones = ids.with_values(tf.ones_like(ids.values))
        room = tokenizer.template.room(self.max_length)
        (ids, ones), rows, _ = windows.cut([ids, ones], room, 0)
        written = tokenizer.template.beside(ones, fill=0)  # what the text says, beside its frame
        return tokenizer.template.columns(ids) | {"written": written, "row": rows}

    def answers_in_graph(self, results, inputs, strings, tokenizer):
        import tensorflow as tf

        from tfhf.exports.answers.masks import filled

        tokens = tf.RaggedTensor.from_value_rowids(
            tf.boolean_mask(inputs["input_ids"], inputs["written"] > 0),
            tf.boolean_mask(
                tf.broadcast_to(
                    inputs["row"][:, None], tf.shape(inputs["written"], out_type=tf.int64)
                ),
                inputs["written"] > 0,
            ),
            tf.size(strings["text"], tf.int64),
        )
        names = [self.processor.decode([token]) for token in range(len(self.processor))]
        mask = self.processor.mask_token_id
        return filled(results, inputs["row"], tokens, tokenizer, mask, tf.constant(names))

    def read_served(self, answers, index, row):
        masks = []
        columns = (answers[name][index].tolist() for name in ("score", "token", "token_str"))
        for scores, tokens, words in zip(*columns, strict=True):
            if scores[0]:
                written = [word.decode("utf-8") for word in words]
                guesses = zip(scores, tokens, written, strict=True)
                names = ("score", "token", "token_str")
                masks.append([dict(zip(names, guess, strict=True)) for guess in guesses])
        return {"sequence": answers["sequence"][index].decode("utf-8"), "masks": masks}

    # === After the graph ===

    def gather(self, results, rows):
        # Blocks that were measured stay blocks.
        return fill_mask.per_row(results, rows) if "masks" in results else results

    def configured(self, top_k=None, targets=None, **rest):
        """Takes over what a call may choose.

        Args:
            top_k: guesses for each mask, best first; 5 by default.
            targets: a word or a list of words to choose among, in place of the whole vocabulary.

        Raises:
            UserError: if `top_k` is no number from 1 up, or a target gives no token.
        """
        chosen = copy.copy(self)
        if top_k is not None:
            if not isinstance(top_k, int) or top_k < 1:
                raise UserError(f"top_k: must be a number from 1 up; received {top_k!r}")
            chosen.top_k = top_k
        if targets is not None:
            chosen.target_ids = fill_mask.target_ids(self.processor, targets)
        return chosen, rest

    @property
    def traced_with(self):
        return (self.top_k, self.target_ids)

    def decode(self, results, index, row):
        ids, masks = fill_mask.guesses(self.processor, results, index, row["text"])
        for place, best in masks:
            ids[place] = best[0]["token"]
        text = self.processor.decode(ids, skip_special_tokens=True)
        return {"sequence": text, "masks": [best for _, best in masks]}

    def present(self, results, index, row):
        """Guesses as transformers' pipeline gives them.

        Returns:
            For a row with one mask a list of `{"score", "token", "token_str", "sequence"}`, best
            first; for several masks a list of such lists.
        """
        ids, masks = fill_mask.guesses(self.processor, results, index, row["text"])
        found = fill_mask.with_sequences(self.processor, ids, masks)
        return found[0] if len(found) == 1 else found

    def arrange(self, answers):
        # As in transformers: the answer to a list of one text stands by itself.
        return answers[0] if len(answers) == 1 else answers

    def line(self, row, answer):
        words = ", ".join(best[0]["token_str"].strip() for best in answer["masks"])
        score = min(best[0]["score"] for best in answer["masks"])
        return f"{words:<24} {score:.3f}  {answer['sequence']}"

    def records(self, rows, results):
        """Yields one record per block: how well its hidden tokens were guessed."""
        return block_records.records(self, rows, results, "input_ids")

    @property
    def metric_names(self):
        return ("perplexity", "accuracy")

    def score(self, rows, results):
        from tfhf.learning.likelihood_metrics import TokenLikelihood

        return TokenLikelihood().compute(
            losses=results["loss"], tokens=results["tokens"], correct=results["correct"]
        )


def _word_starts(words):
    """1 for each token that begins a word, else 0, from the word's number for each token."""
    # Some tokenizers give no number to a special token that is written in the text.
    before = [None, *words]
    return [int(word is None or word != last) for word, last in zip(words, before, strict=False)]
