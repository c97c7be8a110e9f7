"""Models: found, checked, loaded into TensorFlow and saved so that PyTorch opens them."""

from tfhf.models.agreement import tokenizer_notes
from tfhf.models.loading import LoadReport, count_parameters, load_backbone, restore_weights
from tfhf.models.saving import save_backbone
from tfhf.models.sources import Source, load_config, load_tokenizer, resolve

__all__ = [
    "LoadReport",
    "Source",
    "count_parameters",
    "load_backbone",
    "load_config",
    "load_tokenizer",
    "resolve",
    "restore_weights",
    "save_backbone",
    "tokenizer_notes",
]
