"""image_classification: answers as transformers' own pipeline gives them, and random changes."""

import base64
import functools
import io
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import tfhf
from tests.models.formula import weight
from tests.tasks.check import check_task
from tests.toys import image_classification as toy
from tfhf import tasks
from tfhf.data import image_files
from tfhf.errors import UserError
from tfhf.learning.augmentation import augment
from tfhf.models import tensors
from tfhf.tasks.image_classification import ImageClassification

FACTS = json.loads(
    (Path(__file__).parent / "facts" / "image_classification.json").read_text(encoding="utf-8")
)


def picture(name):
    mode, shape = FACTS["images"][name]
    values = np.floor((weight(name, shape) + 0.5) * 256).clip(0, 255).astype(np.uint8)
    return PIL.Image.fromarray(values, mode)


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
@pytest.mark.parametrize("family", FACTS["models"])
def test_answers_are_those_of_transformers(family, tmp_path):
    fact = FACTS["models"][family]
    for file, content in fact["files"].items():
        (tmp_path / file).write_text(json.dumps(content), encoding="utf-8")
    values = {
        place: (tuple(shape), functools.partial(weight, place, shape))
        for place, shape in fact["weights"].items()
    }
    tensors.write(tmp_path / "model.safetensors", values)
    ask = tfhf.pipeline("image-classification", tmp_path)
    pictures = [picture(name) for name in FACTS["images"]]
    check_labels(ask(pictures), fact["answers"])
    check_labels([ask(pictures[0], top_k=2, function_to_apply="sigmoid")], [fact["one"]])


def check_labels(found, expected):
    """The same labels in the same order, and the same scores."""
    for answer, right in zip(found, expected, strict=True):
        assert [one["label"] for one in answer] == [one["label"] for one in right]
        scores = [one["score"] for one in right]
        np.testing.assert_allclose([one["score"] for one in answer], scores, atol=2e-5)


@pytest.fixture(scope="module")
def tiny_vit(tmp_path_factory):
    return toy.model(None, tmp_path_factory.mktemp("tiny-vit"))


def test_from_rows_to_answers(tiny_vit, tmp_path):
    changes = {"min_crop": 0.5, "shift": 0.1, "flip": True, "jitter": 0.2}
    recipe = {"model": str(tiny_vit), "options": changes}
    rows = toy.rows(count=12)
    model, dataset, results = check_task("image_classification", recipe, rows, tmp_path)
    task = model.task
    assert task.labels == toy.LABELS
    plain = {"class_weights": None, "label_smoothing": 0.0, "focal_gamma": 0.0}
    assert task.settings() == {"problem": "single_label", "threshold": 0.5} | plain | changes
    assert results["probabilities"].shape == (12, 2)
    records = list(task.records(dataset, results))
    assert [record["image"] for record in records] == [row["image"] for row in rows]
    assert [record["expected"] for record in records] == [row["label"] for row in rows]
    assert task.line(dataset[0], records[0]).endswith("0.png")


def test_a_wrong_answer_keeps_a_thumbnail_of_an_image_without_a_file():
    from datasets import Dataset

    features = ImageClassification.features_for(["a", "b"], ["image"], None)
    large = image_files.encoded(PIL.Image.new("RGB", (300, 200), (9, 8, 7)))
    stored = [{"bytes": large, "path": None}] * 2
    rows = Dataset.from_dict({"image": stored, "label": [0, 1]}, features=features)
    probabilities = np.array([[0.9, 0.1]] * 2)
    results = {"label": [b"a"] * 2, "score": [0.9] * 2, "probabilities": probabilities}
    right, wrong = ImageClassification(None, features).records(rows, results)
    assert "thumbnail" not in right and right["image"] == "image 1"
    kind, _, content = wrong["thumbnail"].partition(",")
    assert kind == "data:image/png;base64"
    with PIL.Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert (image.size, image.getpixel((0, 0))) == ((64, 43), (9, 8, 7))


def task_of(processor, labels=("a", "b"), problem=None, **options):
    features = ImageClassification.features_for(labels, ["image"], problem)
    return ImageClassification(processor, features, problem=problem, **options)


# === Encoding ===


def test_images_are_kept_as_bytes_of_the_models_size():
    from transformers import ViTImageProcessor

    task = task_of(ViTImageProcessor(size={"height": 4, "width": 6}))
    red = PIL.Image.new("RGB", (9, 9), (255, 0, 128))
    encoded = task.encode({"image": [red, PIL.Image.new("L", (5, 7), 30)], "label": [0, 1]})
    assert [pixels.dtype for pixels in encoded["pixels"]] == [np.uint8, np.uint8]
    assert encoded["pixels"][0].shape == (4, 6, 3)
    assert encoded["pixels"][0][0, 0].tolist() == [255, 0, 128]
    assert (encoded["pixels"][1] == 30).all()
    assert encoded["label"] == [0, 1]


def test_a_model_of_one_channel_sees_grey():
    from transformers import ViTImageProcessor

    processor = ViTImageProcessor(size={"height": 4, "width": 4}, image_mean=[0.5], image_std=[0.5])
    encoded = task_of(processor).encode({"image": [PIL.Image.new("RGB", (9, 9), (255, 0, 0))]})
    assert encoded["pixels"][0].shape == (4, 4, 1)
    assert set(encoded["pixels"][0].ravel()) == {76}  # 0.299 of 255


def test_images_must_become_equally_large():
    from transformers import ViTImageProcessor

    task = task_of(ViTImageProcessor(do_resize=False))
    with pytest.raises(UserError) as caught:
        task.encode({"image": [PIL.Image.new("RGB", (9, 7))]})
    assert str(caught.value) == (
        "model: its image processor makes (7, 9, 3) of an image of (9, 7) and (64, 96, 3) of "
        "others; images must become equally large"
    )


# === Random changes ===


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 8, 10, 3), dtype=np.uint8)


SEEDS = np.stack([np.full(6, 7), np.arange(6)], 1).astype(np.int32)


def test_nothing_changes_unless_asked_for(images):
    assert (augment(images, SEEDS).numpy() == images).all()
    # A crop of the whole area, moved by nothing, is the image.
    np.testing.assert_allclose(augment(images, SEEDS, shift=1e-9), images, atol=1e-3)
    columns = {"pixels": images}
    assert task_of(None).prepare(columns, SEEDS, training=True) is columns
    assert task_of(None, flip=True).prepare(columns, SEEDS, training=False) is columns


def test_changes_depend_on_the_seed_of_the_image_alone(images):
    changes = {"min_crop": 0.4, "shift": 0.2, "flip": True, "jitter": 0.4}
    changed = augment(images, SEEDS, **changes).numpy()
    assert changed.shape == images.shape
    assert ((changed >= 0) & (changed <= 255)).all()
    alone = augment(images[4:5], SEEDS[4:5], **changes).numpy()
    np.testing.assert_allclose(alone[0], changed[4], atol=1e-4)
    other = augment(images, SEEDS + [1, 0], **changes).numpy()
    assert np.abs(other - changed).mean() > 5


def test_half_of_the_images_are_mirrored(images):
    many, seeds = np.repeat(images[:1], 200, 0), np.stack([np.arange(200)] * 2, 1).astype(np.int32)
    changed = augment(many, seeds, flip=True).numpy()
    same = (changed == many).all((1, 2, 3))
    mirrored = (changed == many[:, :, ::-1]).all((1, 2, 3))
    assert (same ^ mirrored).all()
    assert 70 < same.sum() < 130


def test_a_shift_moves_and_repeats_the_edge():
    ramp = np.tile(np.arange(10, dtype=np.uint8)[:, None] * 10, (50, 10, 1, 1))
    seeds = np.stack([np.arange(50)] * 2, 1).astype(np.int32)
    changed = augment(ramp, seeds, shift=0.2).numpy()
    moved = changed[:, 5, 5, 0] / 10 - 5  # pixels, as the ramp rises by 10 with each
    assert -2 <= moved.min() < -1.5
    assert 1.5 < moved.max() <= 2
    expected = np.clip(np.arange(10) + moved[:, None], 0, 9) * 10
    np.testing.assert_allclose(changed[:, 5, :, 0], expected, atol=0.01)


def test_a_crop_is_enlarged_to_the_whole():
    ramp = np.tile(np.arange(10, dtype=np.uint8)[:, None] * 10, (200, 10, 1, 1))
    seeds = np.stack([np.arange(200)] * 2, 1).astype(np.int32)
    row = augment(ramp, seeds, min_crop=0.25).numpy()[:, 5, :, 0]
    step = (row[:, 7] - row[:, 2]) / 5 / 10  # of the crop's pixels, in pixels of the image
    # A quarter of the area: half of the width, less or more by the square root of the aspect.
    assert 0.5 * 0.75**0.5 <= step.min() < 0.5
    assert 0.95 < step.max() <= 1.0001
    assert (np.diff(row) > -1e-3).all()


def test_jitter_keeps_grey_grey_and_stays_within_its_bounds():
    grey = np.full((60, 4, 4, 3), 100, np.uint8)
    seeds = np.stack([np.arange(60)] * 2, 1).astype(np.int32)
    changed = augment(grey, seeds, jitter=0.3).numpy()
    assert np.ptp(changed, axis=(1, 2, 3)).max() < 1e-3
    assert 70 <= changed.min() < 78
    assert 122 < changed.max() <= 130


# === Answers ===


def test_a_number_is_presented_as_in_transformers():
    results = {"logits": np.array([[0.5]], np.float32)}
    found = task_of(None, None, "regression").present(results, 0, {})
    assert found == [{"label": "score", "score": pytest.approx(0.622459)}]


def test_the_task_is_found_by_its_names():
    from transformers import PretrainedConfig

    assert tasks.by_pipeline("image-classification") is ImageClassification
    config = PretrainedConfig(architectures=["ViTForImageClassification"])
    assert tasks.by_config(config) is ImageClassification
    task = task_of(None, ["a", "b"], "multi_label", threshold=0.3)
    config = PretrainedConfig(**task.model_config())
    assert tasks.by_config(config) is ImageClassification
    again = ImageClassification.from_config(None, config)
    assert (again.problem, again.labels, again.threshold) == ("multi_label", ["a", "b"], 0.3)
