"""Which of several texts goes best with a premise; any number of choices, row by row."""

from itertools import chain
from typing import Annotated

from annotated_types import Ge

from tfhf.data import towers
from tfhf.data.columns import Choice, Text, Texts
from tfhf.data.lengths import check_length
from tfhf.exports import TEXT, TEXTS
from tfhf.tasks.base import Task


class MultipleChoice(Task):
    """Causes and effects, endings of a story, answers to a question about a text.

    The model reads the premise as its first text, and the question with one choice as its second;
    it gives each choice a score, and the softmax over a row's choices tells which one fits.

    Args:
        processor: a fast tokenizer of transformers; None where results are only decoded.
        features: `datasets.Features` with `premise`, perhaps `question`, `choices` and `label`.
        max_length: longest premise with question and choice in tokens, special tokens included;
            longer ones are cut, the longer of the two texts first.

    Raises:
        UserError: if `max_length` is more than the model can read.

    Source: Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training",
        section 3.3, as BERT's and transformers' multiple choice heads do it.
    """

    auto_class = "TFAutoModelForMultipleChoice"
    fixed_shapes = False
    architectures = ("ForMultipleChoice",)
    pipelines = ("multiple-choice",)
    monitor = "accuracy"

    @classmethod
    def columns(cls, **_):
        return {
            "premise": Text(),
            "question": Text(optional=True),
            "choices": Texts(least=2),
            "label": Choice(of="choices"),
        }

    def __init__(self, processor, features, *, max_length: Annotated[int, Ge(8)] = 128):
        super().__init__(processor, features, max_length=max_length)
        check_length(processor, max_length)

    @classmethod
    def features_of(cls, config):
        return cls.features_for(None, cls.saved(config).get("roles", ["premise", "choices"]))

    @classmethod
    def features_for(cls, labels, roles, problem=None):
        from datasets import Features

        kinds = cls.columns()
        return Features({role: kinds[role].feature() for role in [*roles, "label"]})

    def model_config(self):
        return super().model_config() | {"pad_token_id": self.processor.pad_token_id}

    def settings(self):
        return super().settings() | {"roles": [role for role in self.features if role != "label"]}

    @property
    def inputs(self):
        return {role: kind for role, kind in self.columns().items() if role != "label"}

    # === Data ===

    def encode(self, rows):
        counts = [len(choices) for choices in rows["choices"]]
        premises, choices = self._pairs(rows)
        encoded = self.processor(
            premises,
            choices,
            truncation=True,
            max_length=self.max_length,
            return_attention_mask=False,
        )
        lengths = [len(ids) for ids in encoded["input_ids"]]
        full = self._full_lengths(encoded, premises, choices)
        # One feature per row: the choices end to end, and where to cut them apart again.
        columns = {
            name: [list(chain(*parts)) for parts in _cut(encoded[name], counts)]
            for name in towers.token_names(self.processor)
        }
        columns["choice_length"] = _cut(lengths, counts)
        # Choices are padded to the longest of the batch, so rows are sorted by their longest.
        columns["length"] = [max(lengths) for lengths in columns["choice_length"]]
        columns["full_length"] = [max(lengths) for lengths in _cut(full, counts)]
        if "label" in rows:
            columns["label"] = rows["label"]
        return columns

    def _pairs(self, rows):
        """First and second text of every choice of every row."""
        questions = rows.get("question") or [None] * len(rows["premise"])
        premises, choices = [], []
        for premise, question, texts in zip(
            rows["premise"], questions, rows["choices"], strict=True
        ):
            premises += [premise] * len(texts)
            choices += [f"{question} {text}" if question else text for text in texts]
        return premises, choices

    def _full_lengths(self, encoded, premises, choices):
        """Tokens per choice before truncation; only those that were cut are tokenized once more."""
        lengths = [len(ids) for ids in encoded["input_ids"]]
        for index, encoding in enumerate(encoded.encodings):
            if encoding.overflowing:
                whole = self.processor(premises[index], choices[index], verbose=False)
                lengths[index] = len(whole["input_ids"])
        return lengths

    @property
    def padding(self):
        return towers.fills(self.processor) | {"choice_length": 0}

    # === In the graph ===

    def forward(self, backbone, inputs, training):
        import tensorflow as tf

        from tfhf.learning import padding
        from tfhf.learning.choices import fold, unfold

        inputs = self.fed(inputs)
        lengths = inputs.pop("choice_length")
        fills = towers.fills(self.processor) | {"attention_mask": 0}
        folded = {name: fold(inputs[name], lengths, fill) for name, fill in fills.items()}
        if padding.reads_last(backbone):
            folded = padding.on_the_left(folded)
        # To transformers the batch is one row that has all the choices.
        folded = {name: values[None] for name, values in folded.items()}
        scores = backbone(folded, training=training).logits
        return {"logits": unfold(tf.cast(scores[0], tf.float32), lengths)}

    def loss(self, targets, outputs):
        import tensorflow as tf

        right = tf.cast(targets, tf.int32)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(right, outputs["logits"])
        return losses, tf.ones_like(losses)

    def outputs(self, outputs, inputs, backbone):
        import tensorflow as tf

        probabilities = tf.nn.softmax(outputs["logits"])
        return {
            "choice": tf.argmax(probabilities, -1, tf.int32),
            "score": tf.reduce_max(probabilities, -1),
            "probabilities": probabilities,
        }

    # === Serving ===

    @property
    def serving_inputs(self):
        roles = {"premise": TEXT, "question": TEXT, "choices": TEXTS}
        return {role: kind for role, kind in roles.items() if role in self.features}

    def encode_in_graph(self, tokenizer, strings):
        """As `encode`; an empty choice is none, where a row has fewer than others."""
        import tensorflow as tf

        choices = strings["choices"]
        there, count = choices != "", tf.shape(choices)[1]
        if "question" in strings:
            question = tf.broadcast_to(strings["question"][:, None], tf.shape(choices))
            choices = tf.where(
                question == "", choices, tf.strings.join([question, choices], separator=" ")
            )
        premises = tokenizer.tokenize(strings["premise"])
        premises = tf.gather(premises, tf.repeat(tf.range(premises.nrows()), count))
        said = tokenizer.tokenize(tf.reshape(choices, [-1]))
        columns = tokenizer.template(premises, said, max_length=self.max_length)
        lengths = tf.reduce_sum(columns["attention_mask"], 1)
        lengths = tf.where(tf.reshape(there, [-1]), lengths, 0)
        inputs = {"choice_length": tf.reshape(lengths, tf.shape(choices))}
        ends = tf.concat([[0], tf.cumsum(tf.reduce_sum(inputs["choice_length"], 1))], 0)
        for name, fill in (towers.fills(self.processor) | {"attention_mask": 0}).items():
            flat = tf.RaggedTensor.from_tensor(columns[name], lengths=lengths).values
            inputs[name] = tf.RaggedTensor.from_row_splits(flat, ends).to_tensor(fill)
        return inputs

    def answers_in_graph(self, results, inputs, strings, tokenizer):
        import tensorflow as tf

        label = tf.gather(strings["choices"], results["choice"], batch_dims=1)
        return results | {"label": label}

    def read_served(self, answers, index, row):
        answer = self.decode(answers, index, row)
        return answer | {"label": answers["label"][index].decode("utf-8")}

    # === After the graph ===

    def decode(self, results, index, row):
        choice = int(results["choice"][index])
        # A row with fewer choices than others has more probabilities, all 0, than choices.
        probabilities = results["probabilities"][index][: len(row["choices"])]
        return {
            "choice": choice,
            "label": row["choices"][choice],
            "score": float(results["score"][index]),
            "probabilities": probabilities.tolist(),
        }

    def line(self, row, answer):
        return f"{answer['score']:.3f}  {row['premise']}  →  {answer['label']}"

    def expected(self, rows):
        return [
            choices[label] for choices, label in zip(rows["choices"], rows["label"], strict=True)
        ]

    @property
    def metric_names(self):
        return ("accuracy",)

    def score(self, rows, results):
        from tfhf.learning.choice_metrics import Choices

        return Choices().compute(references=rows["label"][:], predictions=results["choice"])


def _cut(values, counts):
    """A list cut into parts of the given lengths."""
    remaining = iter(values)
    return [[next(remaining) for _ in range(count)] for count in counts]
