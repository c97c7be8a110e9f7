"""The loss of classes, and what a recipe may change about it: weights, smoothing, focus."""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from tfhf.errors import UserError, did_you_mean

ClassWeights = Literal["balanced"] | dict[str | int, Annotated[float, Gt(0), Le(1e6)]]
Smoothing = Annotated[float, Ge(0), Lt(1)]
Gamma = Annotated[float, Ge(0), Le(10)]


@dataclass
class ClassLoss:
    """Cross-entropy between classes and logits.

    Args:
        labels: names of the classes.
        class_weights: label → factor of its losses, 1 where a label is not named; or `balanced`:
            see `balance`. Losses are divided by the number of labels all the same, as in Keras.
        label_smoothing: share of the probability that is spread evenly, over all classes or, of a
            set of classes, over yes and no.
        focal_gamma: how much less a label counts that the model is sure of: losses are multiplied
            by `(1 − probability of what is right) ^ gamma`.

    Raises:
        UserError: if a weight's label is none of the data's, or smoothing and focus meet, which
            contradict each other.

    Source: Szegedy et al. 2016, section 7, https://arxiv.org/abs/1512.00567 (smoothing); Lin et
        al. 2017, https://arxiv.org/abs/1708.02002 (focus)
    """

    labels: list
    class_weights: str | dict | None = None
    label_smoothing: float = 0.0
    focal_gamma: float = 0.0

    def __post_init__(self):
        if self.focal_gamma and self.label_smoothing:
            raise UserError(
                "options.focal_gamma and options.label_smoothing exclude each other; received "
                f"{self.focal_gamma:g} and {self.label_smoothing:g}"
            )
        if isinstance(self.class_weights, dict):
            # YAML reads a label such as 3 as a number.
            self.class_weights = {str(label): w for label, w in self.class_weights.items()}
            for label in self.class_weights:
                if label not in self.labels:
                    hint = did_you_mean(label, self.labels)
                    raise UserError(
                        f"options.class_weights: the data have no label {label!r}{hint}"
                    )

    @property
    def is_changed(self):
        """Whether it is anything but plain cross-entropy."""
        return bool(self.class_weights or self.label_smoothing or self.focal_gamma)

    @property
    def needs_counts(self):
        """Whether `balance` is still to be called."""
        return self.class_weights == "balanced"

    def balance(self, found, rows=None):
        """Makes the weights that give every class the same part in the loss.

        Args:
            found: the classes of all training labels, as numbers.
            rows: rows of sets of classes; each class is then weighed where it is present, so that
                its presences count as much as its absences. Without it every class counts alike.
        """
        counts, classes = Counter(found), len(self.labels)
        total = sum(counts.values())
        self.class_weights = {}
        for number, label in enumerate(self.labels):
            count = counts.get(number, 0)
            if count:
                balanced = total / (classes * count) if rows is None else (rows - count) / count
                self.class_weights[label] = balanced or 1.0

    def settings(self):
        """What a trained model remembers: the options, `balanced` as the weights that it became."""
        return {
            "class_weights": self.class_weights,
            "label_smoothing": self.label_smoothing,
            "focal_gamma": self.focal_gamma,
        }

    def of_classes(self, targets, logits):
        """Losses of one class each.

        Args:
            targets: `(…)` int32, from 0 on.
            logits: `(…, C)` float32.

        Returns:
            `(…)` float32.
        """
        import tensorflow as tf

        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        if self.focal_gamma:
            losses *= (1.0 - tf.exp(-losses)) ** self.focal_gamma
        if self.label_smoothing:
            uniform = -tf.reduce_mean(tf.nn.log_softmax(logits), -1)
            share = self.label_smoothing
            losses = (1.0 - share) * losses + share * uniform
        return losses if self.class_weights is None else losses * tf.gather(self._weights, targets)

    def of_sets(self, targets, logits):
        """Losses of sets of classes: the mean over the classes.

        Args:
            targets: `(B, C)` float32, 1 where a class is present.
            logits: `(B, C)` float32.

        Returns:
            `(B,)` float32.
        """
        import tensorflow as tf

        spread = targets * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        losses = tf.nn.sigmoid_cross_entropy_with_logits(spread, logits)
        if self.focal_gamma:
            losses *= (1.0 - tf.exp(-losses)) ** self.focal_gamma
        if self.class_weights is not None:
            losses *= 1.0 + targets * (tf.constant(self._weights) - 1.0)
        return tf.reduce_mean(losses, -1)

    @property
    def _weights(self):
        """A factor for each class, in their order."""
        if self.needs_counts:
            raise UserError(
                "options.class_weights: balanced needs to know the training rows: call "
                "model.task.weigh(rows) before fit"
            )
        return [float(self.class_weights.get(label, 1.0)) for label in self.labels]
