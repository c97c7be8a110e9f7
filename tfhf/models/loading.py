"""Checkpoints into TensorFlow models, without PyTorch.

transformers 4.57 cannot do this itself any more (see `repairs`), and never said in one line what it
had loaded. `stored` says which files are read. Variables are always float32.
"""

import contextlib
import math
import re
import warnings
from pathlib import Path

from tfhf.errors import UserError, reason
from tfhf.models import heads, intake
from tfhf.models.agreement import count_from_padding
from tfhf.models.filling import fill
from tfhf.models.ignored_settings import check_settings
from tfhf.models.initialization import initialize
from tfhf.models.names import places
from tfhf.models.report import LoadReport
from tfhf.models.sources import Source, load_config
from tfhf.models.stored import open_weights
from tfhf.models.ties import settle_ties, tie


def load_backbone(source, auto_class, *, tokens=None, **config_changes):
    """Builds a TensorFlow model and fills it from a checkpoint.

    Args:
        source: the Source, from `resolve`, or from `create`: then every weight is new.
        auto_class: name of the transformers class that picks the model, such as
            `"TFAutoModelForSequenceClassification"`.
        tokens: how many ids the tokenizer has; where the checkpoint has rows for fewer, its
            embeddings grow (see `growth`). Ids for which it keeps spare rows take those.
        **config_changes: settings that differ from the checkpoint's config, such as `num_labels=3`.

    Returns:
        `(model, report)`: the transformers model, in float32, and a LoadReport. Weights the
        checkpoint lacks start as PyTorch starts them, drawn from Keras's global seed.

    Raises:
        UserError: if the family has no such head, TensorFlow's class does not follow the config,
            the config and the weights contradict each other, nothing of the backbone is in the
            checkpoint, or the checkpoint's output layer differs from embeddings that TensorFlow's
            class uses for both.
    """
    config = load_config(source)
    change_config(config, {**config_changes, "dtype": "float32"})
    held = None
    if tokens is not None and tokens > config.vocab_size:
        held, config.vocab_size = config.vocab_size, tokens
    if source.scratch:
        model = _build(config, auto_class, source)
        new = [place for place in places(model) if not (place.is_integer or place.computed)]
        initialize(model, [place.name for place in new])
        parameters = sum(math.prod(place.shape) for place in new)
        return model, LoadReport([], [place.name for place in new], [], [], parameters, "")
    with open_weights(intake.weight_files(source.folder)) as (stored, is_tensorflow):
        settle_ties(config, stored)
        model = _build(config, auto_class, source)
        report = fill(model, stored, is_tensorflow, source, held)
    initialize(model, {*report.new, *report.reshaped})
    if model.generation_config is not None:
        _load_generation_config(model, source)
    return model, report


def change_config(config, changes):
    """Changes settings of a config in place.

    Of `task_specific_params` those that came with the checkpoint stay: T5 and BART keep prefixes
    and lengths there, which transformers' pipelines read. Those of tfhf's own tasks (`tfhf.…`) give
    way to new ones: a model is trained for one task.

    Args:
        config: a transformers config.
        changes: setting → value.
    """
    changes = dict(changes)
    if "task_specific_params" in changes:
        known = config.task_specific_params or {}
        kept = {name: value for name, value in known.items() if not name.startswith("tfhf.")}
        changes["task_specific_params"] = kept | changes["task_specific_params"]
    config.update(changes)


def restore_weights(backbone, folder):
    """Fills a model from a folder that `save_backbone` made of it.

    Args:
        backbone: the transformers model, its variables built.
        folder: its own earlier state.

    Raises:
        UserError: if the folder lacks any of the model's weights.
    """
    source = Source(Path(folder), str(folder))
    with open_weights(intake.weight_files(source.folder)) as (stored, is_tensorflow):
        report = fill(backbone, stored, is_tensorflow, source)
    if report.new or report.reshaped:
        raise UserError(f"model: {folder} holds another model: {report.line()}")


def count_parameters(source):
    """Counts the numbers in a checkpoint's weights from the file headers alone.

    There is no such file for a model from scratch: its base model is built and counted.
    """
    if source.scratch:
        return _build(load_config(source), "TFAutoModel", source).count_params()
    return sum(stored_sizes(source).values())


def stored_sizes(source):
    """Name in the file → count of numbers, for each of a checkpoint's weights."""
    with open_weights(intake.weight_files(source.folder)) as (stored, _):
        return {n: math.prod(weight.shape) for n, weight in stored.items() if weight.kind == "f"}


def _build(config, auto_class, source):
    """Makes the model with fresh variables."""
    if auto_class not in auto_classes(config):
        raise UserError(
            f"model: {source.name} is a {config.model_type}, which has no {auto_class} in"
            f" transformers 4.57; it has {', '.join(auto_classes(config))}"
        )
    check_settings(config, source.name)
    with _without_advice():
        try:
            model = from_config(config, auto_class)
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(
                f"model: the config of {source.name} makes no model: {reason(error)}"
            ) from error
        model.build_in_name_scope()
    tie(model)
    count_from_padding(model)
    return model


def from_config(config, auto_class):
    """Makes a model of fresh weights: of transformers' class, or of one that tfhf adds.

    Args:
        config: a transformers config.
        auto_class: name of the TFAuto class that picks the model.
    """
    import transformers

    if heads.architecture(config.model_type, auto_class) is None:
        config.architectures = config.architectures or []  # looked through where there are several
        return getattr(transformers, auto_class).from_config(config)
    from tfhf.models import head_classes

    return head_classes.make(config, auto_class)(config)


@contextlib.contextmanager
def _without_advice():
    """Holds back the advice to leave TensorFlow, and Keras's about a shared initialiser."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"The initializer \w+ is unseeded")
            warnings.filterwarnings("ignore", "`TFSharedEmbeddings` is scheduled")
            yield
    finally:
        logging.set_verbosity(verbosity)


def auto_classes(config):
    """The TFAuto classes that know a config's family: name → the class each would pick.

    The heads that tfhf adds are among them.
    """
    import transformers

    found = {}
    for name in sorted(dir(transformers)):
        if re.fullmatch(r"TFAutoModel(For\w+)?", name):
            classes = getattr(transformers, name)._model_mapping
            added = heads.architecture(config.model_type, name)
            if added is not None:
                found[name] = added
            elif type(config) in classes:
                chosen = classes._model_mapping[config.model_type]
                found[name] = chosen if isinstance(chosen, str) else chosen[0]
    return found


def families(auto_class):
    """The `model_type`s that have a model for a TFAuto class, heads that tfhf adds among them."""
    import transformers

    known = set(getattr(transformers, auto_class)._model_mapping._model_mapping)
    return known | heads.families(auto_class)


def _load_generation_config(model, source):
    """Takes over the checkpoint's own settings for generation, if it has any."""
    from transformers import GenerationConfig

    if (source.folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(source.folder)
