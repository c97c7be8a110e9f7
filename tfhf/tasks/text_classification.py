"""Classes, sets of classes or a number for one text or a pair of texts."""

import copy
from itertools import chain
from typing import Annotated, Literal

from annotated_types import Ge

from tfhf.data import problems, towers
from tfhf.data.columns import Label, Text
from tfhf.data.lengths import check_length
from tfhf.data.problems import Problem
from tfhf.errors import UserError
from tfhf.exports import TEXT
from tfhf.learning import text_ends
from tfhf.learning.losses import ClassLoss, ClassWeights, Gamma, Smoothing
from tfhf.tasks.base import Task

Threshold = Annotated[float, Ge(0.0)] | Literal["tuned"]
UNTUNED = 0.5


class TextClassification(Task):
    """Sentiment, topics, intents, entailment, similarity scores.

    Args:
        processor: a fast tokenizer of transformers; None where results are only decoded.
        features: `datasets.Features` with `text`, perhaps `text_pair`, and `label`: a `ClassLabel`
            (one class), a list of `ClassLabel` (any number of classes) or a float (regression).
        max_length: longest input in tokens, special tokens included; longer texts are cut, the
            longer text of a pair first.
        problem: what the label column holds; found out from the column where it is None.
        threshold: probability from which a class of a multi-label problem counts as present; with
            `tuned` each class gets its own, the best on validation, at the end of the training.
        class_weights, label_smoothing, focal_gamma: see `losses.ClassLoss`.

    Raises:
        UserError: if `max_length` is more than the model can read, or the labels do not fit the
            options.
    """

    auto_class = "TFAutoModelForSequenceClassification"
    architectures = ("ForSequenceClassification",)
    pipelines = ("text-classification", "sentiment-analysis")
    shown = ("logits",)
    default_model = ("distilbert/distilbert-base-uncased-finetuned-sst-2-english", "714eb0f")

    @classmethod
    def columns(cls, problem=None, **_):
        return {"text": Text(), "text_pair": Text(optional=True), "label": Label(problem)}

    def __init__(
        self,
        processor,
        features,
        *,
        max_length: Annotated[int, Ge(4)] = 128,
        problem: Problem | None = None,
        threshold: Threshold = 0.5,
        class_weights: ClassWeights | None = None,
        label_smoothing: Smoothing = 0.0,
        focal_gamma: Gamma = 0.0,
    ):
        super().__init__(processor, features, max_length=max_length)
        check_length(processor, max_length)
        self.threshold = threshold
        self.number, self.squashed = "score", False  # its name, and whether it is a probability
        self.pair, self.may_read_pairs = "text_pair" in features, False
        self.problem, self.labels = problems.of_column(features["label"])
        if problem is not None and problem != self.problem:
            raise UserError(f"options.problem: the labels make it {self.problem}; got {problem!r}")
        self.class_loss = ClassLoss(self.labels or [], class_weights, label_smoothing, focal_gamma)
        self._check_problem()

    def _check_problem(self):
        """Refuses options that say nothing about this kind of problem."""
        if self.threshold == "tuned" and self.problem != "multi_label":
            raise UserError(
                "options.threshold: tuned is for sets of classes; the labels make it "
                f"{self.problem}"
            )
        if self.problem == "regression" and self.class_loss.is_changed:
            raise UserError(
                "options: class_weights, label_smoothing and focal_gamma are for classes; the "
                "labels are numbers"
            )

    @property
    def monitor(self):
        """Accuracy for one class, macro F1 for sets of classes, Pearson's r for numbers."""
        return {"single_label": "accuracy", "multi_label": "f1_macro", "regression": "pearson"}[
            self.problem
        ]

    @classmethod
    def features_of(cls, config):
        names, roles = problems.class_names(config), cls.saved(config).get("roles", ["text"])
        return cls.features_for(names, roles, problems.of_config(config))

    @classmethod
    def from_config(cls, processor, config, **options):
        task = super().from_config(processor, config, **options)
        if task.problem == "regression":
            # A cross-encoder's one class is a probability, unless its config says otherwise.
            task.number = config.id2label[0]
            task.squashed = config.problem_type != "regression"
        # What other tools trained may read one text or two: their configs do not say.
        task.may_read_pairs = "roles" not in cls.saved(config)
        return task

    @classmethod
    def learned_labels(cls, config):
        if config.problem_type == "regression" or config.num_labels == 1:
            return None
        return problems.class_names(config)

    @classmethod
    def features_for(cls, labels, roles, problem=None):
        from datasets import Features, Value

        label = {"label": problems.column(labels, problem)}
        return Features({role: Value("string") for role in roles} | label)

    def model_config(self):
        pad = {"pad_token_id": self.processor.pad_token_id}
        return super().model_config() | self._classes() | pad

    def _classes(self):
        """What the config says of the classes, or of the number."""
        problem_type = None if self.squashed else problems.PROBLEM_TYPES[self.problem]
        return problems.named(self.labels or [self.number]) | {"problem_type": problem_type}

    def settings(self):
        roles = {"roles": list(self.serving_inputs), "threshold": self.threshold}
        return super().settings() | roles | self.class_loss.settings()

    def weigh(self, rows):
        if not self.class_loss.needs_counts:
            return
        labels = rows["label"][:]
        if self.problem == "single_label":
            self.class_loss.balance(labels)
        else:
            self.class_loss.balance(chain.from_iterable(labels), rows=len(labels))

    def tune(self, rows, results):
        if self.threshold == "tuned":
            from tfhf.learning.thresholds import best_thresholds

            references = self._targets(rows["label"][:])
            self.threshold = best_thresholds(references, results["probabilities"], UNTUNED)

    def adopt(self, settings):
        if self.threshold == "tuned":
            self.threshold = settings.get("threshold", UNTUNED)
        if self.class_loss.needs_counts:
            self.class_loss.class_weights = settings.get("class_weights")

    @property
    def _cut(self):
        """The threshold in use: one for all classes, or a list with one for each."""
        return UNTUNED if self.threshold == "tuned" else self.threshold

    @property
    def inputs(self):
        second = {"text_pair": Text(optional=True)} if self.may_read_pairs else {}
        return super().inputs | second

    def encode(self, rows):
        pairs = rows.get("text_pair")
        encoded = self.processor(
            rows["text"],
            pairs,
            truncation=True,
            max_length=self.max_length,
            return_attention_mask=False,
        )
        text_ends.check(self.processor, encoded["input_ids"], rows["text"], pairs)
        columns = {name: encoded[name] for name in self.padding}
        columns["full_length"] = self._full_lengths(encoded, rows["text"], pairs)
        if "label" in rows:
            columns["label"] = self._targets(rows["label"])
        return columns

    def _full_lengths(self, encoded, texts, pairs):
        """Tokens per row before truncation; only rows that were cut are tokenized once more."""
        lengths = [len(ids) for ids in encoded["input_ids"]]
        for index, encoding in enumerate(encoded.encodings):
            if encoding.overflowing:
                pair = pairs[index] if pairs else None
                whole = self.processor(texts[index], pair, truncation=False, verbose=False)
                lengths[index] = len(whole["input_ids"])
        return lengths

    def _targets(self, labels):
        if self.problem != "multi_label":
            return labels
        targets = [[0.0] * len(self.labels) for _ in labels]
        for target, present in zip(targets, labels, strict=True):
            for index in present:
                target[index] = 1.0
        return targets

    @property
    def padding(self):
        return towers.fills(self.processor)

    def forward(self, backbone, inputs, training):
        import tensorflow as tf

        from tfhf.learning import padding
        from tfhf.learning.tracing import run

        fed = self.fed(inputs)
        if padding.reads_last(backbone):
            fed = padding.on_the_left(fed)
        found = run(backbone, fed | {"training": training})
        return {"logits": tf.cast(found.logits, tf.float32)}

    def loss(self, targets, outputs):
        import tensorflow as tf

        logits = outputs["logits"]
        if self.problem == "single_label":
            losses = self.class_loss.of_classes(tf.cast(targets, tf.int32), logits)
        elif self.problem == "multi_label":
            losses = self.class_loss.of_sets(tf.cast(targets, tf.float32), logits)
        else:
            losses = tf.square(self._numbers(logits) - tf.cast(targets, tf.float32))
        return losses, tf.ones_like(losses)

    def _numbers(self, logits):
        """What a model of one number says: `(B, 1)` → `(B,)`."""
        import tensorflow as tf

        return tf.sigmoid(logits[:, 0]) if self.squashed else logits[:, 0]

    def outputs(self, outputs, inputs, backbone):
        import tensorflow as tf

        logits = outputs["logits"]
        if self.problem == "regression":
            return {"score": self._numbers(logits)}
        squash = tf.nn.softmax if self.problem == "single_label" else tf.nn.sigmoid
        probabilities = squash(logits)
        return {
            "label": tf.gather(tf.constant(self.labels), tf.argmax(logits, -1)),
            "score": tf.reduce_max(probabilities, -1),
            "probabilities": probabilities,
        }

    def decode(self, results, index, row):
        import numpy as np

        score = float(results["score"][index])
        if self.problem == "regression":
            return {"score": score}
        probabilities = results["probabilities"][index].tolist()
        named = dict(zip(self.labels, probabilities, strict=True))
        if self.problem == "single_label":
            label = results["label"][index].decode("utf-8")
        else:
            over = results["probabilities"][index] >= np.float32(self._cut)
            label = [name for name, present in zip(self.labels, over, strict=True) if present]
        return {"label": label, "score": score, "probabilities": named}

    def configured(self, max_length=None, **rest):
        """Takes the tokenizer's `max_length` of a call, as transformers' pipeline hands it on.

        Raises:
            UserError: if the model cannot read so much.
        """
        if max_length is None:
            return self, rest
        check_length(self.processor, max_length, "max_length")
        task = copy.copy(self)
        task.max_length = max_length
        return task, rest

    def present(self, results, index, row, top_k=1, threshold=0.0, function_to_apply=None):
        """Labels and scores as transformers' pipeline gives them.

        Args:
            results: name → array, one entry per row; `logits` among them.
            index, row: which row, and the row itself.
            top_k: how many labels, best first; None for all.
            threshold: labels with a lower score are left out.
            function_to_apply: `softmax`, `sigmoid` or `none` (logits); by default what the
                problem asks for.

        Returns:
            A list of `{"label", "score"}`.

        Raises:
            UserError: if `function_to_apply` is something else.
        """
        from tfhf.learning import label_scores

        usual = {"single_label": "softmax", "multi_label": "sigmoid", "regression": "none"}
        applied = function_to_apply or ("sigmoid" if self.squashed else usual[self.problem])
        scores = label_scores.of_logits(results["logits"][index], applied)
        names = self.labels or [self.number]
        best = (-scores).argsort(kind="stable")[:top_k]
        kept = [i for i in best if applied == "none" or scores[i] >= threshold]
        return [{"label": names[i], "score": float(scores[i])} for i in kept]

    def arrange(self, answers, **choices):
        # As in transformers: where one label was asked for, it stands by itself.
        if "top_k" in choices:
            return answers
        return [answer[0] if len(answer) == 1 else answer for answer in answers]

    def line(self, row, answer):
        label = answer.get("label", "")
        label = ", ".join(label) if isinstance(label, list) else label
        return f"{label:<24} {answer['score']:.3f}  {row['text']}"

    def expected(self, rows):
        labels = rows["label"][:]
        if self.problem == "single_label":
            return [self.labels[index] for index in labels]
        if self.problem == "multi_label":
            return [[self.labels[index] for index in sorted(present)] for present in labels]
        return [float(value) for value in labels]

    @property
    def metric_names(self):
        averaged = tuple(
            f"{name}_{average}"
            for average in ("macro", "micro")
            for name in ("precision", "recall", "f1")
        )
        return {
            "single_label": ("accuracy", *averaged, "mcc"),
            "multi_label": ("exact_match", *averaged),
            "regression": ("pearson", "spearman", "mse", "mae"),
        }[self.problem]

    def score(self, rows, results):
        import numpy as np

        from tfhf.learning import metrics

        references, predictions = rows["label"][:], results["score"]
        metric = metrics.Numbers() if self.problem == "regression" else None
        if self.problem == "single_label":
            predictions = results["probabilities"].argmax(-1)
            metric = metrics.Classes(self.labels)
        elif self.problem == "multi_label":
            references = [[int(value) for value in row] for row in self._targets(references)]
            predictions = (results["probabilities"] >= np.float32(self._cut)).astype(int)
            metric = metrics.LabelSets(self.labels)
        return metric.compute(references=references, predictions=predictions)

    @property
    def serving_inputs(self):
        return {"text": TEXT, "text_pair": TEXT} if self.pair else {"text": TEXT}

    def answers_in_graph(self, results, inputs, strings, tokenizer):
        if self.problem != "multi_label":
            return results
        import tensorflow as tf

        over = results["probabilities"] >= tf.constant(self._cut, tf.float32)
        return results | {"present": tf.where(over, tf.constant(self.labels), "")}

    def read_served(self, answers, index, row):
        answer = self.decode(answers, index, row)
        if "present" not in answers:
            return answer
        present = [name.decode("utf-8") for name in answers["present"][index].tolist() if name]
        return answer | {"label": present}

    def encode_in_graph(self, tokenizer, strings):
        return tokenizer(strings["text"], strings.get("text_pair"), max_length=self.max_length)
