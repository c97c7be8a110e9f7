"""One vector per text, near those of like texts: search, similarity, clusters."""

from functools import partial
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from tfhf.data import towers
from tfhf.data.columns import Number, Text, Texts
from tfhf.data.lengths import check_length
from tfhf.errors import UserError
from tfhf.exports import TEXT
from tfhf.tasks.base import Task

Loss = Literal["multiple_negatives", "triplet", "cosine", "cosent"]
COMPARING = ("multiple_negatives", "cosent")  # losses between the rows of a batch
Pooling = Literal["mean", "cls", "max", "last"]

USUAL_LENGTH = 128  # where neither the recipe nor the checkpoint says how long texts may be


class Embedding(Task):
    """Texts as vectors that can be compared by their cosine.

    What the rows hold depends on the loss: `multiple_negatives` has `anchor`, `positive` and, where
    there are some, hard negatives (`negative`: a text or a list of them); `triplet` has one
    `negative` in each row; `cosine` and `cosent` have `text`, `text_pair` and their `score`.

    Args:
        processor: a fast tokenizer of transformers, as `load_processor` gives it; None where
            results are only decoded.
        features: `datasets.Features` with the columns of the loss.
        max_length: longest text in tokens, special tokens included; by default what the
            checkpoint's sentence-transformers settings say, else 128.
        loss: `multiple_negatives`: each anchor's positive must be nearer than every other document
            of the batch; `triplet`: nearer than its negative; `cosine`: the cosine shall be the
            score; `cosent`: cosines shall have the order of the scores. `multiple_negatives` and
            `cosent` compare the rows of a batch, so the loss of a split, too, depends on
            `batch_size` and on which rows share a batch; its metrics do not.
        pooling: how token vectors become one: their mean, their largest values, the first token's
            or the last one's, which alone has seen a whole text in a decoder (GPT-2); by default
            the checkpoint's own, else the mean.
        normalise: whether vectors have length 1; by default as the checkpoint has it, else not.
        scale: what `multiple_negatives` and `cosent` multiply cosines by: the inverse of a
            temperature.
        margin: how much nearer than the negative `triplet` wants the positive.
        score_range: lowest and highest score of the data; `cosine` maps them to 0 and 1.

    Raises:
        UserError: if `max_length` is more than the model can read.

    Source: Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084; the losses and their
        defaults are those of https://sbert.net.
    """

    architectures = ("Model",)
    unread = ("pooler",)
    pipelines = ("feature-extraction",)
    default_model = ("minilm", None)
    shown = ("last_hidden_state", "tokens")

    @classmethod
    def columns(cls, loss="multiple_negatives", **_):
        if loss in ("cosine", "cosent"):
            return {"text": Text(), "text_pair": Text(), "score": Number()}
        anchored = {"anchor": Text(), "positive": Text()}
        if loss == "triplet":
            return anchored | {"negative": Text()}
        return anchored | {"negative": Texts(optional=True, single=True)}

    @classmethod
    def compares_rows(cls, loss="multiple_negatives", **_):
        return loss in COMPARING

    @classmethod
    def load_processor(cls, source):
        from tfhf import models

        tokenizer = super().load_processor(source)
        tokenizer.sentence_modules = models.sentence_modules(source)
        return tokenizer

    def __init__(
        self,
        processor,
        features,
        *,
        max_length: Annotated[int, Ge(4)] | None = None,
        loss: Loss = "multiple_negatives",
        pooling: Pooling | None = None,
        normalise: bool | None = None,
        scale: Annotated[float, Gt(0)] = 20.0,
        margin: Annotated[float, Ge(0)] = 5.0,
        score_range: tuple[float, float] = (0.0, 1.0),
    ):
        from tfhf import models

        self.auto_class = models.body(getattr(processor, "checkpoint", None))
        stated = _stated(processor)
        longest = processor.model_max_length if processor is not None else max_length
        check_length(processor, max_length)
        if score_range[0] >= score_range[1]:
            raise UserError(
                "options.score_range: wants the lowest and the highest score, such as [0, 5]; "
                f"received {list(score_range)}"
            )
        usual = stated.get("max_length") or USUAL_LENGTH
        super().__init__(processor, features, max_length=max_length or min(usual, longest or usual))
        self.objective = loss
        self.columns = partial(self.columns, loss)  # what the rows of this one hold
        self.pooling = pooling or stated.get("pooling") or "mean"
        self.normalise = bool(stated.get("normalise")) if normalise is None else normalise
        self.scale, self.margin, self.score_range = scale, margin, tuple(score_range)
        self.scored = loss in ("cosine", "cosent")
        self.targets = ("score",) if self.scored else ()
        self.monitor = "spearman" if self.scored else "ndcg_at_10"
        # The first role needs no name in the columns: it is what predictions give, too.
        self.roles = [role for role in self.columns() if role in features and role != "score"]

    @classmethod
    def features_of(cls, config):
        saved = cls.saved(config)
        return cls._features(saved.get("loss", "multiple_negatives"), saved.get("roles"))

    @classmethod
    def features_for(cls, labels, roles, problem=None):
        loss = "cosent" if "text_pair" in roles else "multiple_negatives"
        return cls._features(loss, roles)

    @classmethod
    def _features(cls, loss, roles=None):
        from datasets import Features

        kinds = cls.columns(loss)
        optional = set(roles or ())
        kept = {role: kind for role, kind in kinds.items() if not kind.optional or role in optional}
        return Features({role: kind.feature() for role, kind in kept.items()})

    @classmethod
    def from_config(cls, processor, config, **options):
        known = cls.known_options(processor, config, options)
        features = cls.features_of(config)
        if "loss" in options:
            features = cls._features(options["loss"], list(features))
        return cls(processor, features, **known)

    @classmethod
    def known_options(cls, processor, config, options):
        known = super().known_options(processor, config, options)
        stated = _stated(processor).get("max_length")
        if stated and "max_length" not in options | cls.saved(config):
            known["max_length"] = min(stated, processor.model_max_length)
        return known

    def settings(self):
        return super().settings() | {
            "loss": self.objective,
            "roles": self.roles,
            "pooling": self.pooling,
            "normalise": self.normalise,
            "scale": self.scale,
            "margin": self.margin,
            "score_range": list(self.score_range),
        }

    def set_up(self, backbone):
        # BERT's own pooling layer stands behind the first token; no loss here reaches it.
        for layer in backbone.submodules:
            if getattr(layer, "name", "").split("/")[-1] == "pooler":
                layer.trainable = False

    def save_extras(self, folder, backbone):
        from tfhf import models

        width = backbone.config.hidden_size
        models.write_sentence_modules(folder, self.pooling, self.normalise, self.max_length, width)

    # === Data ===

    @property
    def inputs(self):
        return {"text": Text()}

    def asked(self, rows):
        if "anchor" in rows.column_names:
            rows = rows.select_columns(["anchor"]).rename_column("anchor", "text")
        return super().asked(rows)

    @property
    def _several(self):
        """Roles with a list of texts in each row."""
        return ("negative",) if self.objective == "multiple_negatives" else ()

    def encode(self, rows):
        roles = self.roles if all(role in rows for role in self.roles) else ["text"]
        columns, full = {}, []
        for number, role in enumerate(roles):
            encode = towers.several_each if role in self._several else towers.one_each
            tower, lengths = encode(self.processor, rows[role], self.max_length)
            # The first tower's columns have the plain names, which predictions have, too.
            prefix = f"{role}." if number else ""
            columns |= {f"{prefix}{name}": values for name, values in tower.items()}
            full.append(lengths)
        columns["full_length"] = [max(lengths) for lengths in zip(*full, strict=True)]
        if "score" in rows:
            columns["score"] = [self._target(score) for score in rows["score"]]
        return columns

    def _target(self, score):
        """A score as the loss wants it: `cosine` compares it with a cosine."""
        low, high = self.score_range
        if self.objective != "cosine":
            return score
        if not low <= score <= high:
            raise UserError(
                "options.score_range: give the lowest and the highest score, such as [0, 5]; "
                f"received {[low, high]}, and a score is {score:g}"
            )
        return (score - low) / (high - low)

    @property
    def padding(self):
        fills = towers.fills(self.processor)
        prefixes = ["", *(f"{role}." for role in self.roles[1:])]
        values = {f"{prefix}{name}": fill for prefix in prefixes for name, fill in fills.items()}
        for role in self._several:
            if role in self.roles:
                values |= {f"{role}.text_length": 0, f"{role}.text_number": 0}
        return values

    # === In the graph ===

    def fed(self, inputs):
        known = super().fed(inputs)
        return {name: known[name] for name in known if not name.endswith("text_number")}

    def forward(self, backbone, inputs, training):
        import tensorflow as tf

        from tfhf.learning import layers
        from tfhf.learning.towers import apart, states_of, tokens

        def states(read, number):
            with layers.tower(number):  # whose dropouts draw numbers of their own
                return states_of(backbone, read, training)

        others = [role for role in self.roles[1:] if f"{role}.input_ids" in inputs]
        if others:  # traced once for all towers
            states = tf.function(states, autograph=False, reduce_retracing=True)
        outputs = {name: inputs[name] for name in inputs if name.endswith("text_number")}
        if "feature" in inputs:
            outputs["real"] = inputs["feature"] >= 0
        # What tells the towers apart to dropout; no part of what is exported.
        numbers = [tf.constant(place) if training else None for place in range(1 + len(others))]
        read = tokens(inputs, "")
        outputs["last_hidden_state"] = states(read, numbers[0])
        outputs["tokens"] = tf.reduce_sum(read["attention_mask"], -1)
        outputs["embedding"] = self._pooled(outputs["last_hidden_state"], read)
        for number, role in zip(numbers[1:], others, strict=True):
            read = tokens(inputs, f"{role}.")
            if role in self._several:
                lengths = inputs[f"{role}.text_length"]
                outputs[f"{role}.there"] = lengths > 0
                read = apart(read, lengths, towers.fills(self.processor))
            outputs[role] = self._pooled(states(read, number), read)
        return outputs

    def _pooled(self, states, read):
        import tensorflow as tf

        from tfhf.learning.towers import pooled

        vectors = pooled(states, read["attention_mask"], self.pooling)
        return tf.math.l2_normalize(vectors, -1) if self.normalise else vectors

    def loss(self, targets, outputs):
        import tensorflow as tf

        from tfhf.learning import embedding_losses

        values = embedding_losses.per_row(
            self.objective, outputs, targets, scale=self.scale, margin=self.margin
        )
        return values, tf.ones_like(values)

    def outputs(self, outputs, inputs, backbone):
        return {"embedding": outputs["embedding"]}

    def measured(self, outputs, inputs, targets, backbone):
        import tensorflow as tf

        from tfhf.learning.embedding_losses import cosines

        if self.scored:
            return {"similarity": cosines(outputs["embedding"], outputs["text_pair"])}
        return {
            "anchor": tf.math.l2_normalize(outputs["embedding"], -1),
            "positive": tf.math.l2_normalize(outputs["positive"], -1),
        }

    # === After the graph ===

    def decode(self, results, index, row):
        return {"embedding": results["embedding"][index].tolist()}

    def present(self, results, index, row, return_tensors=False):
        """Vectors of the tokens, as transformers' `feature-extraction` gives them.

        Args:
            results: name → array, one entry per row; `last_hidden_state` and `tokens` among them.
            index, row: which row, and the row itself.
            return_tensors: a tensor in place of nested lists.

        Returns:
            `[1][T][D]`, special tokens included: lists of floats, or a `(1, T, D)` tensor.
        """
        import tensorflow as tf

        states = results["last_hidden_state"][index, : results["tokens"][index]][None]
        return tf.constant(states) if return_tensors else states.tolist()

    def line(self, row, answer):
        vector = answer["embedding"]
        start = " ".join(f"{value:.3f}" for value in vector[:4])
        return f"[{start} …] ({len(vector)} numbers)  {row['text']}"

    def expected(self, rows):
        return rows["score" if self.scored else "positive"][:]

    def records(self, rows, results):
        """Each row with its cosine; without scores, with the rank of its positive among all."""
        if not self.scored:
            from tfhf.learning import retrieval_metrics

            yield from retrieval_metrics.records(rows, results["anchor"], results["positive"])
            return
        for row, cosine in zip(rows, results["similarity"].tolist(), strict=True):
            texts = {"text": row["text"], "text_pair": row["text_pair"]}
            yield texts | {"expected": row["score"], "score": cosine}

    @property
    def metric_names(self):
        if self.scored:
            return ("spearman", "pearson")
        from tfhf.learning import retrieval_metrics

        return retrieval_metrics.NAMES

    def score(self, rows, results):
        from tfhf.learning import metrics, retrieval_metrics

        if not self.scored:
            return retrieval_metrics.of_pairs(rows, results["anchor"], results["positive"])
        scores = self.expected(rows)
        values = metrics.Numbers().compute(references=scores, predictions=results["similarity"])
        return {name: values[name] for name in self.metric_names}

    # === Serving ===

    @property
    def serving_inputs(self):
        return {"text": TEXT}

    def encode_in_graph(self, tokenizer, strings):
        return tokenizer(strings["text"], None, max_length=self.max_length)


def _stated(processor):
    """What a sentence-transformers folder says of its embeddings; `{}` where it says nothing."""
    return getattr(processor, "sentence_modules", None) or {}
