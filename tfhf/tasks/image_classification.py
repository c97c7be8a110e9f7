"""Classes, or sets of classes, of an image."""

import functools
import io
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from tfhf.data import image_files, problems
from tfhf.data.columns import Image, Label
from tfhf.data.problems import Problem
from tfhf.errors import UserError
from tfhf.exports import TEXT
from tfhf.learning.losses import ClassWeights, Gamma, Smoothing
from tfhf.tasks.base import Task
from tfhf.tasks.text_classification import TextClassification, Threshold


class ImageClassification(TextClassification):
    """What an image shows: text_classification with an image in the place of the text.

    Images are read, resized and cropped once, as the model's image processor says, and kept as
    bytes; what changes from epoch to epoch, and the scaling of the values, is done by TensorFlow.
    `datasets.Dataset.to_tf_dataset` would decode and resize every image again in every epoch: 100
    images of 224 by 224 pixels a second on two CPU cores, where the stored ones come at 40,000 a
    second for 150 kB of disk each.

    Args:
        processor: an image processor of transformers; None where results are only decoded.
        features: `datasets.Features` with `image` and `label`: a `ClassLabel` (one class), a list
            of `ClassLabel` (any number of classes) or a float (regression).
        problem: what the label column holds; found out from the column where it is None.
        threshold, class_weights, label_smoothing, focal_gamma: as for texts.
        min_crop, shift, flip, jitter: random changes in training, see
            `tfhf.learning.augmentation.augment`. None is made unless asked for: a mirrored digit is
            another sign, and colours tell which fruit is ripe.

    Raises:
        UserError: if the image processor does not make all images equally large.
    """

    auto_class = "TFAutoModelForImageClassification"
    architectures = ("ForImageClassification",)
    pipelines = ("image-classification",)
    default_model = ("google/vit-base-patch16-224", "3f49326")
    rows_at_once = 64
    # Decoders and resizing round differently, and a label may turn on that.
    agreement, tolerance = 0.99, 0.05
    recorded = False

    @classmethod
    def columns(cls, problem=None, **_):
        return {"image": Image(), "label": Label(problem)}

    @classmethod
    def load_processor(cls, source):
        from tfhf import models

        return models.load_image_processor(source)

    @classmethod
    def notes(cls, processor):
        return []

    def __init__(
        self,
        processor,
        features,
        *,
        problem: Problem | None = None,
        threshold: Threshold = 0.5,
        class_weights: ClassWeights | None = None,
        label_smoothing: Smoothing = 0.0,
        focal_gamma: Gamma = 0.0,
        min_crop: Annotated[float, Gt(0), Le(1)] = 1.0,
        shift: Annotated[float, Ge(0), Lt(1)] = 0.0,
        flip: bool = False,
        jitter: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ):
        # The processor is no tokenizer, whose longest input would be checked.
        super().__init__(
            None,
            features,
            problem=problem,
            threshold=threshold,
            class_weights=class_weights,
            label_smoothing=label_smoothing,
            focal_gamma=focal_gamma,
        )
        self.processor = processor
        self.changes = {"min_crop": min_crop, "shift": shift, "flip": flip, "jitter": jitter}

    @classmethod
    def features_for(cls, labels, roles, problem=None):
        from datasets import Features

        return Features({"image": Image().feature(), "label": problems.column(labels, problem)})

    def model_config(self):
        return Task.model_config(self) | self._classes()

    def settings(self):
        known = {"problem": self.problem, "threshold": self.threshold}
        return known | self.class_loss.settings() | self.changes

    @property
    def inputs(self):
        return {"image": Image()}

    # === Data ===

    def encode(self, rows):
        pixels = self._pixels(rows["image"])
        for image, made in zip(rows["image"], pixels, strict=True):
            if made.shape != self._shape:
                raise UserError(
                    f"model: its image processor makes {made.shape} of an image of {image.size} "
                    f"and {self._shape} of others; images must become equally large"
                )
        columns = {"pixels": pixels}
        if "label" in rows:
            columns["label"] = self._targets(rows["label"])
        return columns

    def _pixels(self, images):
        """Images, read by pillow, as uint8 arrays `(H, W, C)` of the model's size."""
        import numpy as np

        mode = "L" if self._channels == 1 else "RGB"
        arrays = [np.atleast_3d(np.asarray(image.convert(mode))) for image in images]
        # The values stay bytes: that is a quarter of the space, and TensorFlow scales faster.
        made = self.processor(
            arrays,
            do_rescale=False,
            do_normalize=False,
            data_format="channels_last",
            input_data_format="channels_last",
        )
        return [np.asarray(pixels) for pixels in made["pixel_values"]]

    @property
    def _channels(self):
        """Values per pixel that the model reads: 1 for grey, 3 for colours."""
        return len(self.processor.image_mean)

    @functools.cached_property
    def _shape(self):
        """`(H, W, C)` of what the image processor makes."""
        import PIL.Image

        return self._pixels([PIL.Image.new("RGB", (96, 64))])[0].shape

    @property
    def padding(self):
        return {}

    # === In the graph ===

    def prepare(self, columns, seed, training):
        from tfhf.learning.augmentation import augment

        unchanged = {"min_crop": 1.0, "shift": 0.0, "flip": False, "jitter": 0.0}
        if not training or self.changes == unchanged:
            return columns
        return columns | {"pixels": augment(columns["pixels"], seed, **self.changes)}

    def forward(self, backbone, inputs, training):
        import tensorflow as tf

        from tfhf.learning.tracing import run

        values = tf.cast(inputs["pixels"], tf.float32)
        if self.processor.do_rescale:
            values *= self.processor.rescale_factor
        if self.processor.do_normalize:
            values = (values - self.processor.image_mean) / self.processor.image_std
        values = tf.transpose(values, [0, 3, 1, 2])  # transformers reads channels first
        found = run(backbone, {"pixel_values": values, "training": training})
        return {"logits": tf.cast(found.logits, tf.float32)}

    # === Serving ===

    @property
    def serving_inputs(self):
        return {"image_bytes": TEXT}

    def obstacle(self):
        from tfhf.exports import images

        return images.obstacle(self.processor)

    def graph_tokenizer(self):
        return None

    def served_rows(self, rows):
        """The bytes of the image files; of an image that is none, those of a PNG file."""
        from datasets import Image as Stored

        stored = rows.cast_column("image", Stored(decode=False))
        return {"image_bytes": [image_files.content(row["image"]) for row in stored]}

    def encode_in_graph(self, tokenizer, strings):
        from tfhf.exports import images

        files = strings["image_bytes"]
        return {"pixels": images.pixels(files, self.processor, channels=self._channels)}

    # === After the graph ===

    def present(self, results, index, row, top_k=5, function_to_apply=None):
        """Labels and scores as transformers' pipeline gives them.

        Args:
            results, index, row, function_to_apply: as for text_classification.
            top_k: how many labels, best first; None for all.
        """
        if function_to_apply is None and self.problem == "regression":
            function_to_apply = "sigmoid"  # as there
        return super().present(
            results, index, row, top_k=top_k, function_to_apply=function_to_apply
        )

    def arrange(self, answers, **choices):
        return answers

    def line(self, row, answer):
        label = answer.get("label", "")
        label = ", ".join(label) if isinstance(label, list) else label
        return f"{label:<24} {answer['score']:.3f}  {_called(row['image'])}"

    def records(self, rows, results):
        """Yields one record per image; with a thumbnail where it has no file and is taken wrong."""
        import PIL.Image
        from datasets import Image as Stored

        from tfhf.data.image_files import thumbnail

        expected = self.expected(rows)
        for index, row in enumerate(rows.cast_column("image", Stored(decode=False))):
            image, answer = row["image"], self.decode(results, index, {})
            record = {"image": image["path"] or f"image {index + 1}", "expected": expected[index]}
            if image["bytes"] is not None and answer["label"] != expected[index]:
                record["thumbnail"] = thumbnail(PIL.Image.open(io.BytesIO(image["bytes"])))
            yield record | answer


def _called(image):
    """What to call an image: its file's name, or its size."""
    return getattr(image, "filename", "") or "{} by {} pixels".format(*image.size)
