"""Image processors: what pillow itself makes, from every form of config the Hub has."""

import json

import numpy as np
import pytest
from PIL import Image

from tfhf.errors import UserError
from tfhf.models import Source, create, load_image_processor, resolve
from tfhf.models.intake import check_processors

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
BICUBIC = Image.Resampling.BICUBIC


@pytest.fixture(scope="module")
def photo():
    """A wide RGB image without two equal halves."""
    y, x = np.mgrid[0:90, 0:130]
    values = np.stack([127 * np.sin(x / 9) + 127, 127 * np.cos(y / 7) + 127, x * y % 256], -1)
    return Image.fromarray(values.astype(np.uint8))


def processor(folder, model_type, **settings):
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    normal = {"image_mean": MEAN, "image_std": STD, "resample": 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(normal | settings))
    check_processors(folder)
    return load_image_processor(Source(folder, str(folder)))


def middle(image, size):
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))


@pytest.mark.parametrize(
    "model_type, settings, by_hand",
    [
        (
            "vit",
            {"image_processor_type": "ViTImageProcessor", "size": {"height": 24, "width": 32}},
            lambda image: image.resize((32, 24), BICUBIC),
        ),
        (
            "swin",
            {"feature_extractor_type": "ViTFeatureExtractor", "size": 24},
            lambda image: image.resize((24, 24), BICUBIC),
        ),
        (
            "vit",
            {"image_processor_type": "ViTImageProcessorFast", "size": {"height": 8, "width": 8}},
            lambda image: image.resize((8, 8), BICUBIC),
        ),
        (
            "deit",
            {"feature_extractor_type": "DeiTFeatureExtractor", "size": 32, "crop_size": 24},
            lambda image: middle(image.resize((32, 32), BICUBIC), 24),
        ),
        (
            "convnext",
            {
                "image_processor_type": "ConvNextImageProcessor",
                "size": {"shortest_edge": 28},
                "crop_pct": 0.875,
            },
            lambda image: middle(image.resize((46, 32), BICUBIC), 28),
        ),
    ],
)
def test_geometry_and_constants(model_type, settings, by_hand, photo, tmp_path):
    loaded = processor(tmp_path, model_type, **settings)
    parts = {"do_rescale": False, "do_normalize": False, "data_format": "channels_last"}
    made = loaded(photo, **parts)["pixel_values"][0]
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, np.asarray(by_hand(photo)))
    whole = loaded(photo, data_format="channels_last")["pixel_values"][0]
    apart = (made * loaded.rescale_factor - loaded.image_mean) / np.array(loaded.image_std)
    np.testing.assert_allclose(whole, apart, atol=1e-5)
    assert (list(loaded.image_mean), list(loaded.image_std)) == (MEAN, STD)


def test_a_model_from_scratch(tmp_path):
    config = {"model_type": "vit", "image_size": 28, "num_channels": 1, "patch_size": 7}
    source = create(config, tmp_path / "new")
    loaded = load_image_processor(source)
    assert loaded.size == {"height": 28, "width": 28}
    assert (loaded.image_mean, loaded.image_std) == ([0.5], [0.5])
    loaded.save_pretrained(tmp_path / "new")
    assert load_image_processor(Source(tmp_path / "new", "x")).size == loaded.size


def refusal(action):
    with pytest.raises(UserError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_refusals(bert, tmp_path):
    assert refusal(lambda: load_image_processor(resolve(bert))) == (
        f"model: no image processor in {bert} (want preprocessor_config.json)"
    )
    path = tmp_path / "preprocessor_config.json"
    line = refusal(lambda: processor(tmp_path, "vit", image_processor_type="Nothing"))
    assert line.startswith(f"model: {path} makes no image processor: ")
    assert refusal(lambda: processor(tmp_path, "vit", auto_map={"a": "b"})) == (
        f"{path} asks for auto_map: tfhf runs no code from checkpoints"
    )
    assert refusal(lambda: processor(tmp_path, "vit", size={"height": 10**6, "width": 8})) == (
        f"{path}: height is 1000000 (want a whole number up to 10,000)"
    )
    one = {"image_processor_type": "ViTImageProcessor", "image_mean": [0.5], "image_std": [0.5]}
    assert refusal(lambda: processor(tmp_path, "vit", **one)) == (
        f"model: {path} has an image_mean of 1 channels, the model reads 3"
    )
