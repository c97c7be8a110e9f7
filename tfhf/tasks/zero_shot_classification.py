"""Classes that a model was never trained on, named when it is asked."""

import copy
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from tfhf.data.columns import Label, Text
from tfhf.errors import UserError
from tfhf.exports import TEXT, TEXTS
from tfhf.learning import text_ends
from tfhf.learning.entailment import checked_labels, checked_template, contradiction, entailment
from tfhf.tasks.base import Task
from tfhf.tasks.embedding import Embedding
from tfhf.tasks.text_classification import TextClassification

Method = Literal["entailment", "embedding"]
TEMPLATES = {"entailment": "This example is {}.", "embedding": "This text is about {}."}


class ZeroShotClassification(TextClassification):
    """Which of some labels fits a text, told by what the labels mean.

    By entailment, a model that was trained on pairs of texts says whether the text entails a
    hypothesis such as "This example is sport."; any model with a class `entailment` will do, and
    training is that of text_classification on pairs. By embedding, a sentence embedding model tells
    how near the text is to each label; such a model is not trained here.

    Args:
        processor: a fast tokenizer of transformers.
        features: `datasets.Features` with `text`, `text_pair` and `label`, a `ClassLabel` one of
            whose names begins with "entail" (in whatever case).
        max_length: longest input in tokens, special tokens included; longer texts are cut, labels
            never.
        candidate_labels: the labels to choose from, a list or one string with commas between them;
            a call of the pipeline may name others.
        hypothesis_template: what is made of a label, with `{}` where it goes; by default
            "This example is {}." by entailment, as in transformers, and "This text is about {}."
            by embedding, where it did better.
        multi_label: whether several labels may fit; each then has a score of its own in [0, 1].
            Otherwise the scores add up to 1.
        method: `entailment` or `embedding`; where it is None, what the model was trained for.
        temperature: divides the cosines before the softmax, by embedding; above 0. The default is
            the inverse of the scale 20 with which sentence embedding models are usually trained.

    Raises:
        UserError: if no class means entailment, or an option is out of range.

    Source: Yin et al. 2019, "Benchmarking Zero-shot Text Classification", for entailment; Reimers
        and Gurevych 2019, "Sentence-BERT", for embeddings.
    """

    architectures = ()
    pipelines = ("zero-shot-classification",)
    default_model = ("facebook/bart-large-mnli", "d7645e1")
    shown = ()
    monitor = "accuracy"
    served_labels = None  # they are named with each text

    @classmethod
    def columns(cls, **_):
        return {"text": Text(), "text_pair": Text(), "label": Label("single_label")}

    def __init__(
        self,
        processor,
        features,
        *,
        max_length: Annotated[int, Ge(8)] = 128,
        candidate_labels: list[str] | str | None = None,
        hypothesis_template: str | None = None,
        multi_label: bool = False,
        method: Method | None = None,
        temperature: Annotated[float, Gt(0)] = 0.05,
    ):
        super().__init__(processor, features, max_length=max_length)
        self.method = method or "entailment"
        self.unread = ("pooler",) if self.method == "embedding" else ()
        self.candidate_labels = checked_labels(candidate_labels)
        self.hypothesis_template = checked_template(hypothesis_template or TEMPLATES[self.method])
        self.multi_label = multi_label
        self.temperature = temperature
        if self.method == "entailment":
            self.entailment = entailment(self.labels or [])
        else:
            towers = Embedding.features_for(None, ["anchor", "positive"])
            self.embedder = Embedding(processor, towers, max_length=max_length)
            self.auto_class = self.embedder.auto_class

    @classmethod
    def load_processor(cls, source):
        return Embedding.load_processor(source)  # it knows, too, how vectors of tokens become one

    @classmethod
    def from_config(cls, processor, config, **options):
        known = cls.known_options(processor, config, options)
        if known.get("method") is None:
            known["method"] = _method_of(config)
        return cls(processor, cls.features_of(config), **known)

    def model_config(self):
        if self.method == "embedding":
            return Task.model_config(self)
        return super().model_config()

    def settings(self):
        return {name: getattr(self, name) for name in self.options()}

    @property
    def inputs(self):
        return {"text": Text()}

    def configured(self, **choices):
        """Takes other labels for one call.

        Args:
            **choices: `candidate_labels`, `hypothesis_template`, `multi_label` and `temperature`,
                as for the task itself.
        """
        task = copy.copy(self)
        if "candidate_labels" in choices:
            task.candidate_labels = checked_labels(choices.pop("candidate_labels"))
        if "hypothesis_template" in choices:
            task.hypothesis_template = checked_template(choices.pop("hypothesis_template"))
        for name in ("multi_label", "temperature"):
            setattr(task, name, choices.pop(name, getattr(task, name)))
        return task, choices

    # === Data ===

    def encode(self, rows):
        if "text_pair" in rows:  # pairs to learn from; to be asked about labels, a row has no pair
            self._check_trainable()
            return super().encode(rows)
        if not self.candidate_labels:
            raise UserError(
                "candidate_labels: name the labels to choose from, such as [sport, politics]"
            )
        hypotheses = [self.hypothesis_template.replace("{}", one) for one in self.candidate_labels]
        encode = self._encode_pairs if self.method == "entailment" else self._encode_apart
        return encode(rows["text"], hypotheses)

    def _check_trainable(self):
        if self.method == "embedding":
            raise UserError(
                "options.method: embedding learns nothing from pairs with classes; train with "
                "task: embedding, and name the model here afterwards"
            )

    def _encode_pairs(self, texts, hypotheses):
        """A feature for each text with each hypothesis."""
        self._check_lengths(hypotheses, 1)
        columns = self._encoded(
            [text for text in texts for _ in hypotheses], hypotheses * len(texts)
        )
        rows = [row for row in range(len(texts)) for _ in hypotheses]
        return columns | {"row": rows}

    def _encode_apart(self, texts, hypotheses):
        """A feature for each hypothesis, then one for each text; `candidate` tells which is which.

        The hypotheses belong to no row of their own, so they are counted to the first.
        """
        self._check_lengths(hypotheses, 0)
        columns = self._encoded(hypotheses + texts)
        candidates = [*range(len(hypotheses)), *[-1] * len(texts)]
        rows = [0] * len(hypotheses) + list(range(len(texts)))
        return columns | {"candidate": candidates, "row": rows}

    def _encoded(self, texts, pairs=None):
        encoded = self.processor(
            texts,
            pairs,
            truncation="only_first",
            max_length=self.max_length,
            return_attention_mask=False,
        )
        text_ends.check(self.processor, encoded["input_ids"], texts, pairs)
        columns = {name: encoded[name] for name in self.padding}
        return columns | {"full_length": self._full_lengths(encoded, texts, pairs)}

    def _check_lengths(self, hypotheses, least):
        """Refuses labels that leave no room for `least` tokens of text."""
        special = self.processor.num_special_tokens_to_add(pair=self.method == "entailment")
        tokens = self.processor(hypotheses, add_special_tokens=False)["input_ids"]
        for label, ids in zip(self.candidate_labels, tokens, strict=True):
            if len(ids) + special + least > self.max_length:
                raise UserError(
                    f"candidate_labels: {label[:60]!r} in its template has {len(ids)} tokens, too "
                    f"many for max_length {self.max_length}; shorten it"
                )

    # === In the graph ===

    def fed(self, inputs):
        return {name: value for name, value in super().fed(inputs).items() if name != "candidate"}

    def forward(self, backbone, inputs, training):
        import tensorflow as tf

        if self.method == "embedding":
            vectors = self.embedder.forward(backbone, self.fed(inputs), training)["embedding"]
            return {"embedding": tf.math.l2_normalize(vectors, -1)}
        return super().forward(backbone, inputs, training)

    def measured(self, outputs, inputs, targets, backbone):
        return super().outputs(outputs, inputs, backbone)

    def outputs(self, outputs, inputs, backbone):
        import tensorflow as tf

        if self.method == "embedding":
            return {"embedding": outputs["embedding"], "candidate": inputs["candidate"]}
        classes = [contradiction(self.labels), self.entailment]
        return {"evidence": tf.gather(outputs["logits"], classes, axis=-1)}

    # === Serving ===

    @property
    def serving_inputs(self):
        return {"text": TEXT, "candidate_labels": TEXTS}

    def as_served(self):
        """Asked with the labels it was trained on, where none were named as candidates."""
        task = copy.copy(self)
        task.candidate_labels = self.candidate_labels or self.labels or ["good", "bad"]
        return task

    def proof_rows(self, rows):
        rows = super().proof_rows(rows)
        return [{"text": row if isinstance(row, str) else row["text"]} for row in rows]

    def served_rows(self, rows):
        labels = [list(self.candidate_labels)] * len(rows)
        return {"text": rows["text"][:], "candidate_labels": labels}

    def encode_in_graph(self, tokenizer, strings):
        import tensorflow as tf

        from tfhf.exports.answers.candidates import hypotheses
        from tfhf.exports.tokenizers.template import first_of_rows

        labels, template = strings["candidate_labels"], tokenizer.template
        texts = tokenizer.tokenize(strings["text"])
        said = tokenizer.tokenize(hypotheses(labels, self.hypothesis_template))
        pairs = self.method == "entailment"
        room = template.room(self.max_length, pair=pairs) - int(pairs)
        said = first_of_rows(said, tf.minimum(said.row_lengths(), room))
        if not pairs:
            found = template(tf.concat([said, texts], 0), max_length=self.max_length)
            count = tf.shape(said.row_lengths())[0]
            candidate = tf.concat([tf.range(count), -tf.ones_like(labels[:, 0], tf.int32)], 0)
            return found | {"candidate": candidate}
        shape = tf.shape(labels)
        texts = tf.gather(texts, tf.repeat(tf.range(shape[0]), shape[1]))
        return template(texts, said, max_length=self.max_length, truncated="only_first")

    def answers_in_graph(self, results, inputs, strings, tokenizer):
        import tensorflow as tf

        from tfhf.exports.answers import candidates

        labels = strings["candidate_labels"]
        there = labels != ""
        shape = tf.concat([tf.shape(labels), [-1]], 0)
        if self.method == "entailment":
            evidence = tf.reshape(results["evidence"], shape)
            scores = candidates.entailed(evidence, there, self.multi_label)
        else:
            count = tf.size(labels)
            said = tf.reshape(results["embedding"][:count], shape)
            cosines = tf.linalg.matvec(said, results["embedding"][count:])
            scores = candidates.nearness(cosines, there, self.multi_label, self.temperature)
        return candidates.ranked(scores, labels, there)

    def read_served(self, answers, index, row):
        labels = [label.decode("utf-8") for label in answers["labels"][index]]
        return {"labels": labels, "scores": answers["scores"][index].tolist()}

    # === After the graph ===

    def gather(self, results, rows):
        from tfhf.learning import label_scores

        if "evidence" in results:
            evidence = results["evidence"].reshape(-1, len(self.candidate_labels), 2)
            return {"scores": label_scores.entailed(evidence, self.multi_label)}
        if "embedding" in results:
            hypotheses = results["candidate"] >= 0
            labels = results["embedding"][hypotheses][: len(self.candidate_labels)]
            cosines = results["embedding"][~hypotheses] @ labels.T
            scores = label_scores.nearness(cosines, self.multi_label, self.temperature)
            return {"scores": scores}
        return results  # of pairs

    def decode(self, results, index, row):
        if "scores" not in results:
            return super().decode(results, index, row)
        scores = results["scores"][index]
        order = scores.argsort()[::-1]
        return {
            "labels": [self.candidate_labels[i] for i in order],
            "scores": [float(scores[i]) for i in order],
        }

    def present(self, results, index, row):
        return {"sequence": row["text"]} | self.decode(results, index, row)

    def arrange(self, answers):
        return answers

    def line(self, row, answer):
        return f"{answer['labels'][0]:<24} {answer['scores'][0]:.3f}  {row['text']}"


def _method_of(config):
    """What a model is good for: one without any head for classes embeds."""
    architectures = config.architectures or []
    classifies = any(name.endswith(TextClassification.architectures) for name in architectures)
    return "entailment" if classifies else "embedding"
