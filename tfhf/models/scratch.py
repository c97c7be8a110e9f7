"""Models trained from scratch: a config and a tokenizer become a folder without weights."""

import copy
import inspect
import json
from pathlib import Path

from tfhf.errors import UserError, did_you_mean, reason
from tfhf.models import intake
from tfhf.models.agreement import positions
from tfhf.models.sources import Source, load_config
from tfhf.storage import storing

# What every config may say beside its family's own settings.
COMMON = ("num_labels", "id2label", "label2id", "problem_type", "tie_word_embeddings")
# Families whose decoder begins with the padding token; others begin with the end of text.
BEGIN_WITH_PADDING = ("t5", "mt5", "pegasus", "marian", "led")


def create(config, folder, tokenizer=None):
    """Writes the folder of a model that has no weights yet.

    Args:
        config: the settings of the family's config that shall differ from its defaults, and
            `model_type`, as in `{"model_type": "gpt2", "n_layer": 4}`.
        folder: where `config.json` and the tokenizer's files shall be; made if absent.
        tokenizer: its tokenizer; the vocabulary's size and the ids of special tokens come from it
            where `config` does not state them. None for models of images.

    Returns:
        A Source; `load_backbone` makes new weights for it.

    Raises:
        UserError: if TensorFlow has no such family, the family no such setting, or a model of
            texts has no tokenizer.
        StorageError: if the system refuses (no space, no permission).
    """
    family = _family(config)
    settings = dict(config)
    reads_text = "vocab_size" in inspect.signature(family).parameters
    if reads_text and tokenizer is None:
        raise UserError(
            f"model: a {family.model_type} from scratch reads text and needs a tokenizer; add"
            " tokenizer: characters, {kind: bpe, vocab_size: 1000}, or a folder or Hub id"
        )
    if reads_text:
        settings |= {k: v for k, v in _told_by(tokenizer, family).items() if k not in config}
    del settings["model_type"]
    try:
        made = family(**settings)
    except (ValueError, TypeError) as error:
        raise UserError(
            f"model: no {family.model_type} can be like this: {reason(error)}"
        ) from error
    folder = Path(folder)
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(made.to_json_string(), encoding="utf-8")
        if reads_text:
            _fitted(tokenizer, made).save_pretrained(folder)
    intake.check_folder(folder, weights=False)
    source = Source(folder, f"a new {family.model_type}", scratch=True)
    load_config(source)
    return source


def _family(config):
    """The config class of a `model_type`, whose settings the config's keys must be."""
    from transformers import CONFIG_MAPPING

    model_type, known = config.get("model_type"), intake.tensorflow_model_types()
    if model_type not in known:
        raise UserError(
            f"model: model_type {model_type!r} has no TensorFlow class in transformers 4.57"
            f"{did_you_mean(model_type, known)}"
        )
    family = CONFIG_MAPPING[model_type]
    settings = {name for name in inspect.signature(family).parameters if name != "kwargs"}
    settings |= {*family.attribute_map, *COMMON}
    for key in config:
        if key not in settings and key != "model_type":
            raise UserError(
                f"model: {model_type} has no setting {key!r}{did_you_mean(key, settings)}; received"
                f" {json.dumps(config[key], default=str)}"
            )
    return family


def _told_by(tokenizer, family):
    """What a config must say for a tokenizer: how many tokens, and which ones are special."""
    told = {"vocab_size": len(tokenizer)}
    end = tokenizer.eos_token_id
    if end is None:
        end = tokenizer.sep_token_id
    begin = tokenizer.bos_token_id
    if begin is None:
        begin = tokenizer.cls_token_id
    pad = end if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    told |= {"pad_token_id": pad, "eos_token_id": end, "bos_token_id": begin}
    stated = inspect.signature(family).parameters
    if "forced_eos_token_id" in stated:
        told["forced_eos_token_id"] = end
    if "decoder_start_token_id" in stated or "encoder_layers" in stated or "d_kv" in stated:
        told["decoder_start_token_id"] = pad if family.model_type in BEGIN_WITH_PADDING else end
    return told


def _fitted(tokenizer, config):
    """A copy of the tokenizer that reads as much as the model, and ends what a decoder reads."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.model_max_length = positions(config) or int(1e30)
    inner, end = getattr(tokenizer, "backend_tokenizer", None), tokenizer.eos_token
    ends_nothing = inner is not None and inner.post_processor is None and end is not None
    if config.is_encoder_decoder and ends_nothing:
        # Without an end of text in its targets, a model never learns to stop.
        inner.post_processor = TemplateProcessing(
            single=f"$A {end}",
            pair=f"$A $B {end}",
            special_tokens=[(end, tokenizer.eos_token_id)],
        )
    return tokenizer
