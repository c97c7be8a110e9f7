"""A tag for each word: named entities, parts of speech, chunks."""

import copy
from functools import cached_property
from itertools import chain
from typing import Annotated, Literal

from annotated_types import Ge

from tfhf.data import problems, token_windows, towers
from tfhf.data.columns import Tags, Text, Words
from tfhf.data.lengths import check_length
from tfhf.errors import UserError
from tfhf.exports import TEXT
from tfhf.learning import entity_groups, tagged_words, tagging
from tfhf.learning.losses import ClassLoss, ClassWeights, Gamma, Smoothing
from tfhf.tasks.base import Task

PLACES = ("word", "position", "start", "end")  # columns that say where a sub-token belongs


class TokenClassification(Task):
    """Names of people, places and products; parts of speech; any other tag for each word.

    It learns from words and their tags, and answers words as well as plain text. Texts longer than
    `max_length` are read in windows that overlap; nothing is cut off. A word without a sub-token
    (of control characters alone) is "O", or has no tag where there is no "O".

    Args:
        processor: a fast tokenizer of transformers; None where results are only decoded.
        features: `datasets.Features` with `tokens` and `tags`, a list of `ClassLabel`.
        max_length: longest window in sub-tokens, special tokens included.
        stride: sub-tokens that neighbouring windows share; a quarter of `max_length` if None.
        label_all_tokens: whether all sub-tokens of a word learn its tag; else the first one does.
        aggregation: how sub-tokens make their word's tag: the `first` one's; that of the largest
            mean probability (`average`); or that of the surest one (`max`).
        entities: whether tags mark entities in BIO, BIOES, BILOU or IO (then F1 counts), or say of
            each word what it is (then accuracy does); found out from the tags if None.
        class_weights, label_smoothing, focal_gamma: see `losses.ClassLoss`; classes are tags.

    Raises:
        UserError: if `max_length` is more than the model can read, or windows cannot move on.
    """

    auto_class = "TFAutoModelForTokenClassification"
    architectures = ("ForTokenClassification",)
    pipelines = ("token-classification", "ner")
    default_model = ("dbmdz/bert-large-cased-finetuned-conll03-english", "4c53496")
    targets = ("tags",)
    shown = ("logits", "input_ids")

    @classmethod
    def columns(cls, **_):
        return {"tokens": Words(), "tags": Tags()}

    @classmethod
    def load_processor(cls, source):
        from tfhf.models.prefix_space import with_prefix_space

        tokenizer = super().load_processor(source)
        tokenizer.truncation_side = "right"  # windows are cut from the beginning on
        # Whoever trained the model already has decided for or against blanks before words.
        trained = (tokenizer.checkpoint.architectures or [""])[0].endswith(cls.architectures)
        if not trained:
            config, tokenizer = tokenizer.checkpoint, with_prefix_space(tokenizer)
            tokenizer.checkpoint = config
        return tokenizer

    def __init__(
        self,
        processor,
        features,
        *,
        max_length: Annotated[int, Ge(4)] = 128,
        stride: Annotated[int, Ge(0)] | None = None,
        label_all_tokens: bool = False,
        aggregation: Literal["first", "average", "max"] = "first",
        entities: bool | None = None,
        class_weights: ClassWeights | None = None,
        label_smoothing: Smoothing = 0.0,
        focal_gamma: Gamma = 0.0,
    ):
        super().__init__(processor, features, max_length=max_length)
        self.labels = features["tags"].feature.names
        self.stride, self.aggregation, self.entities = stride, aggregation, entities
        self.label_all_tokens = label_all_tokens
        self.marks_entities = tagging.mark_entities(self.labels) if entities is None else entities
        self.joins_windows = True
        self.class_loss = ClassLoss(self.labels, class_weights, label_smoothing, focal_gamma)
        if processor is not None:
            self._check_lengths()

    def _check_lengths(self):
        check_length(self.processor, self.max_length)
        special = self.processor.num_special_tokens_to_add()
        if self.max_length <= special or self.overlap >= self.max_length - special:
            raise UserError(
                f"options.stride: windows of {self.max_length} tokens, {special} of them special, "
                f"must share less than {self.max_length - special}; received {self.overlap}"
            )

    @property
    def overlap(self):
        """Sub-tokens that neighbouring windows share."""
        return self.max_length // 4 if self.stride is None else self.stride

    @property
    def monitor(self):
        """F1 of entities, or accuracy of tags that mark none."""
        return "f1" if self.marks_entities else "accuracy"

    @classmethod
    def features_of(cls, config):
        return cls.features_for(cls.learned_labels(config))

    @classmethod
    def learned_labels(cls, config):
        return problems.class_names(config)

    @classmethod
    def features_for(cls, labels, roles=None, problem=None):
        from datasets import ClassLabel, Features, List, Value

        tag = ClassLabel(names=[str(name) for name in labels])
        return Features({"tokens": List(Value("string")), "tags": List(tag)})

    def model_config(self):
        return super().model_config() | problems.named(self.labels)

    def settings(self):
        names = ("stride", "label_all_tokens", "aggregation", "entities")
        options = {name: getattr(self, name) for name in names}
        return super().settings() | options | self.class_loss.settings()

    def weigh(self, rows):
        if self.class_loss.needs_counts:
            self.class_loss.balance(chain.from_iterable(rows["tags"]))

    def adopt(self, settings):
        if self.class_loss.needs_counts:
            self.class_loss.class_weights = settings.get("class_weights")

    @property
    def inputs(self):
        """A text, or its words; where a row has both, its words count."""
        return {"text": Text(optional=True), "tokens": Words(optional=True)}

    def encode(self, rows):
        by_words = "tokens" in rows
        if not by_words and "text" not in rows:
            raise UserError("this model takes text or tokens; the rows have neither")
        stored = [name for name in self.padding if name != "tags"]
        columns = {name: [] for name in (*stored, "row", "full_length")}
        columns |= {"tags": []} if "tags" in rows else {}
        cut = token_windows.cut(
            self._word_tokenizer if by_words else self.processor,
            rows["tokens" if by_words else "text"],
            by_words=by_words,
            max_length=self.max_length,
            stride=self.overlap,
        )
        for row, windows in enumerate(cut):
            for window in windows:
                columns["row"].append(row)
                columns["full_length"].append(len(window.input_ids))
                for name in stored:
                    columns[name].append(getattr(window, name))
                if "tags" in rows:
                    tags = rows["tags"][row]
                    columns["tags"].append(
                        tagging.targets_of(window, tags, self.labels, self.label_all_tokens)
                    )
        return columns

    @cached_property
    def _word_tokenizer(self):
        """The tokenizer for words given one by one."""
        from tfhf.models.prefix_space import with_prefix_space

        return with_prefix_space(self.processor)

    @property
    def padding(self):
        return towers.fills(self.processor) | dict.fromkeys(PLACES, 0) | {"tags": tagging.NO_TAG}

    def fed(self, inputs):
        known = super().fed(inputs)
        return {name: value for name, value in known.items() if name not in PLACES}

    def forward(self, backbone, inputs, training):
        import tensorflow as tf

        from tfhf.learning.tracing import run

        logits = run(backbone, self.fed(inputs) | {"training": training}).logits
        return {"logits": tf.cast(logits, tf.float32), "input_ids": inputs["input_ids"]}

    def loss(self, targets, outputs):
        import tensorflow as tf

        counts = tf.cast(targets >= 0, tf.float32)
        losses = self.class_loss.of_classes(tf.maximum(targets, 0), outputs["logits"])
        return tf.reduce_sum(losses * counts, -1), tf.reduce_sum(counts, -1)

    @property
    def traced_with(self):
        return (self.aggregation,)

    def outputs(self, outputs, inputs, backbone):
        import tensorflow as tf

        probabilities = tf.nn.softmax(outputs["logits"])
        results = {
            "label": tf.argmax(probabilities, -1, tf.int32),
            "score": tf.reduce_max(probabilities, -1),
        }
        if self.aggregation == "average":
            results["probabilities"] = probabilities
        return results | {name: inputs[name] for name in PLACES}

    def gather(self, results, rows):
        lay = token_windows.join if self.joins_windows else token_windows.lay_end_to_end
        return lay(results, rows)

    def decode(self, results, index, row):
        words = self._words(results, index, row)
        entities = tagged_words.entities(words, _text(row), self.marks_entities)
        tags = {"tags": [word.tag for word in words]} if "tokens" in row else {}
        return {"entities": entities} | tags

    def _words(self, results, index, row):
        """The tagged words of a row."""
        how = self.labels, self.aggregation
        if "tokens" not in row:
            return tagged_words.of_text(results, index, row["text"], *how, self.marks_entities)
        outside = tagging.OUTSIDE if self.marks_entities else None
        return tagged_words.of_words(results, index, row["tokens"], *how, outside)

    def configured(self, stride=None, **rest):
        """Takes `stride` of transformers' pipeline: windows of the model's full length.

        Groups of several windows that overlap are then told apart as there: the longest, or the
        surest, remains. Without it windows are joined before tokens are grouped.

        Raises:
            UserError: if windows cannot move on, or tokens are not grouped.
        """
        if stride is None:
            return self, rest
        if rest.get("aggregation_strategy", "none") == "none":
            raise UserError("stride: it needs an aggregation_strategy other than none")
        task = copy.copy(self)
        task.max_length, task.stride = self.processor.model_max_length, stride
        task.joins_windows = False
        task._check_lengths()
        return task, rest

    def present(self, results, index, row, aggregation_strategy="none", ignore_labels=("O",)):
        """Tokens or groups of them as transformers' pipeline gives them.

        Args:
            results: name → array, one entry per row; `logits` and `input_ids` among them.
            index, row: which row, and the row itself.
            aggregation_strategy: `none`, `simple`, `first`, `average` or `max`.
            ignore_labels: tags or types that are left out.

        Returns:
            For `none` a list of `{"entity", "score", "index", "word", "start", "end"}`, else of
            `{"entity_group", "score", "word", "start", "end"}`.

        Raises:
            UserError: if there is no such strategy.
        """
        strategy = entity_groups.checked(aggregation_strategy)
        real = results["word"][index] > 0
        own = {name: values[index, real] for name, values in results.items()}
        return entity_groups.answers(
            self.processor, _text(row), own, self.labels, strategy, ignore_labels
        )

    def line(self, row, answer):
        text, end, parts = _text(row), 0, []
        for entity in answer["entities"]:
            parts += [text[end : entity["start"]], f"[{entity['entity_group']} {entity['word']}]"]
            end = entity["end"]
        return "".join([*parts, text[end:]]) or "(an empty text)"

    # === Serving ===

    @property
    def serving_inputs(self):
        return {"text": TEXT}

    def proof_rows(self, rows):
        rows = super().proof_rows(rows)
        return [{"text": row if isinstance(row, str) else _text(row)} for row in rows]

    def encode_in_graph(self, tokenizer, strings):
        import tensorflow as tf

        from tfhf.exports import windows

        found = tokenizer.tokenize_with_offsets(strings["text"])
        position = tf.ragged.range(found.ids.row_lengths())
        position = found.ids.with_values(tf.cast(position.values, tf.int32))
        columns = [found.ids, found.words + 1, found.starts, found.ends, position]
        room = tokenizer.template.room(self.max_length)
        cut, rows, _ = windows.cut(columns, room, self.overlap)
        beside = [tokenizer.template.beside(column, fill=0) for column in cut[1:]]
        places = dict(zip(("word", "start", "end", "position"), beside, strict=True))
        return tokenizer.template.columns(cut[0]) | places | {"row": rows}

    def answers_in_graph(self, results, inputs, strings, tokenizer):
        from tfhf.exports.answers.entities import entities

        return entities(
            results,
            inputs["row"],
            strings["text"],
            labels=self.labels,
            aggregation=self.aggregation,
            mark_entities=self.marks_entities,
        )

    def read_served(self, answers, index, row):
        columns = {name: values[index].tolist() for name, values in answers.items()}
        entities = []
        for number, end in enumerate(columns["end"]):
            if end:
                one = {name: values[number] for name, values in columns.items()}
                kind, word = (one[name].decode("utf-8") for name in ("entity_group", "word"))
                entities.append(one | {"entity_group": kind, "word": word})
        return {"entities": entities}

    def expected(self, rows):
        return [[self.labels[tag] for tag in tags] for tags in rows["tags"][:]]

    @property
    def metric_names(self):
        if self.marks_entities:
            return ("precision", "recall", "f1", "f1_macro", "accuracy")
        return ("accuracy", "precision_macro", "recall_macro", "f1_macro", "mcc")

    def score(self, rows, results):
        from tfhf.learning import entity_metrics, metrics

        predicted = []
        for index, tokens in enumerate(rows["tokens"]):
            words = self._words(results, index, {"tokens": tokens})
            predicted.append([word.tag for word in words])
        if self.marks_entities:
            references = self.expected(rows)
            return entity_metrics.Entities().compute(references=references, predictions=predicted)
        number = {name: index for index, name in enumerate(self.labels)}
        return metrics.Classes(self.labels).compute(
            references=[tag for tags in rows["tags"][:] for tag in tags],
            predictions=[number.get(tag, -1) for tags in predicted for tag in tags],
        )


def _text(row):
    """A row's text: its words joined by a blank, where it has words."""
    return " ".join(row["tokens"]) if "tokens" in row else row["text"]
