"""Images as TensorFlow reads them, against pillow and transformers' image processors."""

import io

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tensorflow as tf
from transformers import (
    BitImageProcessor,
    ConvNextImageProcessor,
    DeiTImageProcessor,
    ViTImageProcessor,
)

from tfhf.errors import UserError
from tfhf.exports import images


def picture(width, height, mode="RGB"):
    """Smooth colours and some noise, as photos have."""
    draws = np.random.default_rng(width)
    x, y = np.meshgrid(np.linspace(0, 3, width), np.linspace(0, 2, height))
    waves = [np.sin(x * k + y) * 90 + 128 for k in (1, 2, 3)]
    noisy = np.stack(waves, -1) + draws.normal(scale=8, size=(height, width, 3))
    return PIL.Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).convert(mode)


def file_of(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


PROCESSORS = {
    "vit": ViTImageProcessor(size={"height": 24, "width": 20}),
    "vit, bicubic": ViTImageProcessor(size={"height": 32, "width": 32}, resample=3),
    "deit": DeiTImageProcessor(
        size={"height": 36, "width": 36}, crop_size={"height": 28, "width": 28}
    ),
    "deit, too small": DeiTImageProcessor(
        size={"height": 20, "width": 21}, crop_size={"height": 28, "width": 28}
    ),
    "convnext": ConvNextImageProcessor(size={"shortest_edge": 28}, crop_pct=0.875),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_pixels_are_those_of_the_image_processor(name):
    processor = PROCESSORS[name]
    pictures = [picture(60, 40), picture(31, 47), picture(32, 32, "L"), picture(45, 45, "P")]
    found = images.pixels(
        tf.constant([file_of(one) for one in pictures]), processor, channels=3
    ).numpy()
    for one, pixels in zip(pictures, found, strict=True):
        array = np.asarray(one.convert("RGB"))
        wanted = processor(
            array, do_rescale=False, do_normalize=False, data_format="channels_last"
        )["pixel_values"][0]
        distance = np.abs(pixels.astype(int) - np.asarray(wanted).astype(int))
        assert distance.max() <= 3  # of 255
        assert distance.mean() < 0.3


def test_grey_is_made_as_pillow_makes_it():
    processor = ViTImageProcessor(size={"height": 40, "width": 60})
    found = images.pixels(tf.constant([file_of(picture(60, 40))]), processor, channels=1)[0, ..., 0]
    wanted = np.asarray(picture(60, 40, "L")).astype(int)
    assert np.abs(found.numpy().astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("little", [True, False])
def test_photos_are_turned_upright(little):
    for orientation in range(1, 9):
        exif = PIL.Image.Exif()
        exif.endian = "<" if little else ">"
        exif[0x0112] = orientation
        file = file_of(picture(24, 16), "JPEG", quality=100, subsampling=0, exif=exif)
        image = PIL.Image.open(io.BytesIO(file))
        wanted = np.asarray(PIL.ImageOps.exif_transpose(image)).astype(int)
        found = images.upright(images.decoded(file), file).numpy().astype(int)
        assert found.shape == wanted.shape, orientation
        assert np.abs(found - wanted).max() <= 3, orientation


def test_refusals():
    files = tf.constant([file_of(picture(8, 8))])
    with pytest.raises(UserError) as caught:
        images.pixels(files, BitImageProcessor(), channels=3)
    assert str(caught.value) == (
        "image processors that can be exported are ViTImageProcessor, DeiTImageProcessor, "
        "ConvNextImageProcessor; received BitImageProcessor"
    )
    assert images.obstacle(ViTImageProcessor(resample=0)) == (
        "its image processor's resample must be 1, 2 or 3; received 0"
    )
