"""How fast each weight learns: not at all, from some epoch on, more slowly the deeper it lies.

Weights are named as in `model.safetensors`, so by PyTorch: `bert.pooler.dense.weight`.
A pattern is a name or the beginning of one up to a dot, and may be a glob: `bert.encoder` and
`bert.encoder.layer.[0-5]` stand for all that is in there.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tfhf.errors import UserError, did_you_mean
from tfhf.models import names

# In PyTorch's names: what lies below all layers, or is shared by them; and the number of a layer.
BELOW = re.compile(
    r"(^|\.)(\w*emb(ed\w*)?|shared|wte|wpe|w|encoder\.relative_attention_bias)(\.|$)"
)
NUMBER = re.compile(r"\.(?:h|\w*layers?|blocks?|stages|\w*layer_groups)\.(\d+)\.")
SHOWN = 8  # names that an error lists


@dataclass(frozen=True)
class Pace:
    """A weight's own learning rate: the training's times `factor`, and 0 before update `start`."""

    variable: Any
    factor: float = 1.0
    start: int = 0


def matching(backbone, patterns, key):
    """The variables of a model that any of some patterns names.

    Args:
        backbone: a built transformers model.
        patterns: a list of strings.
        key: the recipe's key that holds them, for errors.

    Returns:
        A list of variables.

    Raises:
        UserError: if a pattern names none.
    """
    known = _named(backbone)
    found = {}
    for pattern in patterns:
        named = {name: one for name, one in known.items() if _names(pattern, name)}
        if not named:
            parts = _beginnings(known)
            hint = did_you_mean(pattern, parts) or f"; there are {', '.join(parts[:SHOWN])} …"
            raise UserError(f"{key}: no weight of the model is called {pattern!r}{hint}")
        found |= named
    return [variable for variables in found.values() for variable in variables]


def frozen(backbone, patterns):
    """The variables that training shall leave as they are; see `matching`.

    Raises:
        UserError: if a pattern names none, or nothing would be left to train.
    """
    found = matching(backbone, patterns, "train.freeze")
    left = {v.ref() for v in backbone.trainable_variables} - {v.ref() for v in found}
    if not left:
        raise UserError(f"train.freeze: nothing is left to train; received {patterns!r}")
    return found


def frozen_in_file(known, patterns, family):
    """The weights of a checkpoint's file that training shall leave as they are.

    A file without a head leaves out what its part of the model is called (`bert.`). There, patterns
    count without their first word, which alone means all of the file.

    Args:
        known: names of the weights in the file; a new head is not among them.
        patterns: a list of strings.
        family: the config's `model_type`.

    Returns:
        A set of names.
    """
    parts, found = {"model", "transformer", *re.split("[-_]", family)}, set()
    for pattern in patterns:
        named = {name for name in known if _names(pattern, name)}
        first, _, rest = pattern.partition(".")
        if not named and first in parts:
            named = {name for name in known if not rest or _names(rest, name)}
        found |= named
    return found


def paces(backbone, *, frozen=(), layer_decay=None, unfreeze=None, steps_per_epoch=1):
    """The weights whose learning rate is not simply the training's.

    Args:
        backbone: a built transformers model.
        frozen: variables that are not trained at all.
        layer_decay: factor from each layer to the one below it, in (0, 1]: embeddings lie below the
            first layer, all that is in no layer above the last.
        unfreeze: epoch, counted from 1 → patterns of weights that rest until it begins.
        steps_per_epoch: updates in an epoch.

    Returns:
        A list of Pace.

    Raises:
        UserError: if a pattern names nothing or what is frozen for good, if nothing is left to
            train in the first epoch, or the model has no single stack of layers.

    Source: Clark et al. 2020, appendix A, https://arxiv.org/abs/2003.10555 (layer-wise decay);
        Howard and Ruder 2018, section 3.3, https://arxiv.org/abs/1801.06146 (unfreezing)
    """
    known = {variable.ref() for variable in frozen}
    trained = [v for v in backbone.trainable_variables if v.ref() not in known]
    starts = _starts(backbone, known, unfreeze or {}, steps_per_epoch)
    if all(variable.ref() in starts for variable in trained):
        raise UserError("train.unfreeze: nothing is left to train in the first epoch")
    factors = {} if layer_decay is None else _factors(backbone, layer_decay)
    found = [Pace(v, factors.get(v.ref(), 1.0), starts.get(v.ref(), 0)) for v in trained]
    return [pace for pace in found if (pace.factor, pace.start) != (1.0, 0)]


def _starts(backbone, frozen, unfreeze, steps_per_epoch):
    """Variable → the update from which it learns; the first, where several epochs name it."""
    starts = {}
    for epoch, patterns in sorted(unfreeze.items()):
        key = f"train.unfreeze.{epoch}"
        refs = [variable.ref() for variable in matching(backbone, patterns, key)]
        if not set(refs) - frozen:
            raise UserError(f"{key}: train.freeze leaves these weights as they are for good")
        for ref in refs:
            starts.setdefault(ref, (epoch - 1) * steps_per_epoch)
    return starts


def _factors(backbone, decay):
    """Variable → its rate's factor."""
    if backbone.config.is_encoder_decoder:
        raise UserError(
            "train.layer_decay: is for models of one stack of layers; a "
            f"{backbone.config.model_type} has an encoder and a decoder"
        )
    known = _named(backbone)
    depths = layers_of(known)
    if set(depths.values()) <= {0, 1}:
        raise UserError(
            "train.layer_decay: the model's weights lie in no numbered layers; they begin with "
            f"{', '.join(_beginnings(known)[:SHOWN])} …"
        )
    top = max(depths.values())
    return {v.ref(): decay ** (top - depths[name]) for name in known for v in known[name]}


def layers_of(names):
    """How far up each weight of a model lies.

    Args:
        names: PyTorch's names of all its weights.

    Returns:
        Name → 0 for embeddings, 1 and up for the layers, one more for all that is in none.
    """
    layers = {name: int(NUMBER.search(name)[1]) + 1 for name in names if NUMBER.search(name)}
    top = max(layers.values(), default=0) + 1
    return {name: layers.get(name, 0 if BELOW.search(name) else top) for name in names}


def _named(backbone):
    """PyTorch's name → the variables that hold the weight."""
    return {place.name: (place.variable, *place.twins) for place in names.places(backbone)}


def _names(pattern, name):
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _beginnings(known):
    """The names' beginnings up to each dot, the shortest first."""
    found = {}
    for name in known:
        parts = name.split(".")
        found |= {".".join(parts[:length]): length for length in range(1, len(parts) + 1)}
    return sorted(found, key=found.get)


def paced(kind):
    """An optimizer class in which weights may have a pace of their own.

    Args:
        kind: a `tf_keras.optimizers.Optimizer` class.

    Returns:
        A subclass; its `set_paces` takes a list of Pace before the optimizer is built.
    """
    import tensorflow as tf

    class Paced(kind):
        """What the class does, at each variable's own rate."""

        _pace = None  # of the variables being updated

        def set_paces(self, found):
            own = {self._var_key(one.variable): (one.factor, one.start) for one in found}
            self._paces = self._no_dependency(own)

        def _current_rate(self):
            rate = kind.learning_rate.fget(self)
            if self._pace is None:
                return rate
            factor, start = self._pace
            return rate * factor * tf.cast(self.iterations >= start, rate.dtype)

        learning_rate = property(_current_rate, kind.learning_rate.fset)

        def update_step(self, gradient, variable):
            self._pace = self._paces.get(self._var_key(variable))
            super().update_step(gradient, variable)
            self._pace = None

        def numbers_of(self, variable):
            # AdamW's own method: a variable with a pace does not share the numbers of the others.
            return super().numbers_of(variable) if self._pace is None else self.numbers_of_step()

        def _apply_weight_decay(self, variables):
            for variable in variables if self.weight_decay else ():
                self._pace = self._paces.get(self._var_key(variable))
                super()._apply_weight_decay([variable])
            self._pace = None

    Paced.__name__ = kind.__name__
    return Paced
