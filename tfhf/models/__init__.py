"""Models: found, checked, loaded into TensorFlow and saved so that PyTorch opens them."""

from tfhf.models.agreement import tokenizer_notes
from tfhf.models.footprint import footprint
from tfhf.models.growth import add_tokens
from tfhf.models.heads import body, decoder_inputs, in_pytorch
from tfhf.models.ignored_settings import check_settings
from tfhf.models.images import load_image_processor
from tfhf.models.loading import (
    auto_classes,
    change_config,
    count_parameters,
    families,
    load_backbone,
    restore_weights,
    stored_sizes,
)
from tfhf.models.new_tokenizers import new_tokenizer, train_tokenizer
from tfhf.models.report import LoadReport
from tfhf.models.saving import save_backbone
from tfhf.models.scratch import create
from tfhf.models.sentences import sentence_modules, write_sentence_modules
from tfhf.models.sources import Source, load_config, resolve
from tfhf.models.tokenization import load_tokenizer

__all__ = [
    "LoadReport",
    "Source",
    "add_tokens",
    "auto_classes",
    "body",
    "change_config",
    "check_settings",
    "count_parameters",
    "create",
    "decoder_inputs",
    "families",
    "footprint",
    "in_pytorch",
    "load_backbone",
    "load_config",
    "load_image_processor",
    "load_tokenizer",
    "new_tokenizer",
    "resolve",
    "restore_weights",
    "save_backbone",
    "sentence_modules",
    "stored_sizes",
    "tokenizer_notes",
    "train_tokenizer",
    "write_sentence_modules",
]
