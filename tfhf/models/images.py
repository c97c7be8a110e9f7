"""Image processors of checkpoints, run by pillow and NumPy alone."""

from tfhf.errors import UserError, reason
from tfhf.models.sources import load_config


def load_image_processor(source):
    """Loads a checked folder's image processor.

    Called with `do_rescale=False, do_normalize=False` it gives the geometric part alone, uint8
    arrays of the model's size; its `rescale_factor`, `image_mean` and `image_std` say the rest.

    Args:
        source: the model's Source. A model from scratch has no `preprocessor_config.json`: images
            become as large as its config says, and their values lie between -1 and 1.

    Returns:
        One of transformers' image processors that need no PyTorch, such as a `ViTImageProcessor`.

    Raises:
        UserError: if the folder has none, or one that cannot run without PyTorch.
    """
    from tfhf.console import load_tensorflow

    load_tensorflow()  # transformers' image functions import it
    from transformers import AutoImageProcessor

    config = load_config(source)
    if source.scratch:
        return _plain(config)
    path = source.folder / "preprocessor_config.json"
    if not path.is_file():
        raise UserError(f"model: no image processor in {source.folder} (want {path.name})")
    try:
        processor = AutoImageProcessor.from_pretrained(
            source.folder, use_fast=False, trust_remote_code=False
        )
    except Exception as error:  # missing classes and wrong values raise whatever they meet
        raise UserError(f"model: {path} makes no image processor: {reason(error)}") from error
    channels, mean = getattr(config, "num_channels", 3), getattr(processor, "image_mean", None)
    if mean is not None and len(mean) != channels:
        raise UserError(
            f"model: {path} has an image_mean of {len(mean)} channels, the model reads {channels}"
        )
    return processor


def _plain(config):
    """The image processor of a model that has seen no image yet."""
    from transformers import ViTImageProcessor

    size = getattr(config, "image_size", 224)
    height, width = size if isinstance(size, list | tuple) else (size, size)
    middle = [0.5] * getattr(config, "num_channels", 3)
    return ViTImageProcessor(
        size={"height": height, "width": width}, image_mean=middle, image_std=middle
    )
