"""The classes of the heads that tfhf adds; `heads` says which and why.

Each is a class of transformers' body with layers behind it, so that its variables get PyTorch's
names like those of any other model.

Shapes: B examples, T tokens, C classes, D width.
"""

import inspect

import tensorflow as tf
import tf_keras
from transformers import modeling_tf_outputs as results

from tfhf.models import heads

T5 = ("mt5", "t5")  # which scale each new matrix by a width
WIDE = 0.02  # how far new weights are spread, until `initialization` draws them


def make(config, auto_class):
    """Makes the class of a head.

    Args:
        config: a config for which `heads.architecture` has a name.
        auto_class: name of the TFAuto class that stands for the kind of head.

    Returns:
        A subclass of transformers' body of the family.
    """
    import transformers

    name = heads.architecture(config.model_type, auto_class)
    kind = {
        "TFAutoModelForTokenClassification": Tokens,
        "TFAutoModelForQuestionAnswering": Spans,
        "TFAutoModelForSequenceClassification": Ends if config.is_encoder_decoder else Last,
    }[auto_class]
    body = getattr(transformers, heads.body(config) if kind is Tokens else "TFAutoModel")
    # PyTorch's T5 has its body one level down, but for questions.
    inner = "transformer." if config.model_type in T5 and kind is not Spans else ""
    return type(name, (kind, body._model_mapping[type(config)]), {"inner": inner})


class Head:
    """What the heads share: the body's states, and layers built behind it.

    Attributes:
        inner: what PyTorch's names of the body's weights begin with and TensorFlow's do not.
    """

    inner = ""

    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        self.head_layers = self.make_layers(config)

    def make_layers(self, config):
        """The layers behind the body, by PyTorch's names."""
        raise NotImplementedError

    def build(self, input_shape=None):
        if self.built:
            return
        super().build(input_shape)
        for name, layer in self.head_layers.items():
            with tf.name_scope(name):
                layer.build([None, None, width(self.config)])

    def tf_to_pt_weight_rename(self, name):
        if name.split(".")[0] in self.head_layers:
            return (name,)
        known = getattr(super(), "tf_to_pt_weight_rename", lambda name: (name,))(name)
        return tuple(f"{self.inner}{one}" for one in known)

    def states(self, inputs, training):
        """The body's states of every token, the decoder's where it has one: `(B, T, D)`."""
        known = inspect.signature(super().call).parameters
        if "decoder_input_ids" in known:
            inputs = inputs | heads.decoder_inputs(self.config, inputs["input_ids"])
        given = {"use_cache": False, "training": training, "return_dict": True}
        inputs = inputs | {name: value for name, value in given.items() if name in known}
        return super().call(**inputs).last_hidden_state

    def call(self, input_ids=None, attention_mask=None, training=False, **others):
        """Runs body and head.

        Args:
            input_ids: `(B, T)`, or a dictionary of all inputs.
            attention_mask: `(B, T)`, 1 for real tokens.
            training: whether dropout is on.
            **others: further inputs of the body.
        """
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, **others}
        if isinstance(input_ids, dict):
            inputs = dict(input_ids)
        inputs = {name: value for name, value in inputs.items() if value is not None}
        mask = inputs.get("attention_mask")
        if mask is None:
            mask = inputs["input_ids"] != self.config.pad_token_id
        return self.answer(self.states(inputs, training), inputs["input_ids"], mask, training)

    def answer(self, states, ids, mask, training):
        """What the head makes of the body's states."""
        raise NotImplementedError


def width(config):
    """How wide a body's states are; OPT may narrow them."""
    return getattr(config, "word_embed_proj_dim", None) or config.hidden_size


def layer(config, size, *, spread=None, **options):
    """A layer that starts as PyTorch's does.

    Args:
        config: the model's config.
        size: numbers it gives.
        spread: of T5's layers, how wide they start in multiples of its `initializer_factor`.
    """
    deviation = WIDE
    if config.model_type in T5:
        deviation = config.initializer_factor * (spread or config.d_model**-0.5)
    start = tf_keras.initializers.RandomNormal(stddev=deviation)
    return tf_keras.layers.Dense(size, kernel_initializer=start, **options)


def dropout(config):
    """The share of numbers that a head drops in training, as PyTorch's heads choose it."""
    stated = (getattr(config, name, None) for name in ("classifier_dropout", "hidden_dropout"))
    return next((share for share in stated if share is not None), 0.1)


class Tokens(Head):
    """A class for every token."""

    def make_layers(self, config):
        name = "score" if config.model_type == "mistral" else "classifier"
        self.dropout = tf_keras.layers.Dropout(dropout(config))
        return {name: layer(config, config.num_labels, spread=1.0, name=name)}

    def answer(self, states, ids, mask, training):
        (head,) = self.head_layers.values()
        logits = head(self.dropout(states, training=training))
        return results.TFTokenClassifierOutput(logits=logits)


class Spans(Head):
    """Where an answer begins and where it ends."""

    def make_layers(self, config):
        return {"qa_outputs": layer(config, 2, name="qa_outputs")}

    def answer(self, states, ids, mask, training):
        start, end = tf.unstack(self.head_layers["qa_outputs"](states), axis=-1)
        return results.TFQuestionAnsweringModelOutput(start_logits=start, end_logits=end)


class Last(Head):
    """Classes of a text from a decoder's last token of it, on whichever side it is padded."""

    def make_layers(self, config):
        return {"score": layer(config, config.num_labels, use_bias=False, name="score")}

    def answer(self, states, ids, mask, training):
        logits = self.head_layers["score"](at(states, last(mask)))
        return results.TFSequenceClassifierOutput(logits=logits)


class Ends(Head):
    """Classes of a text from where an encoder-decoder reads its last end-of-text token."""

    def make_layers(self, config):
        return {"classification_head": Classifier(config, name="classification_head")}

    def answer(self, states, ids, mask, training):
        ends = tf.logical_and(ids == self.config.eos_token_id, tf.cast(mask, tf.bool))
        ended = tf.reduce_any(ends, -1)
        place = tf.where(ended, last(ends), last(mask))
        logits = self.head_layers["classification_head"](at(states, place), training=training)
        return results.TFSequenceClassifierOutput(logits=logits)


class Classifier(tf_keras.layers.Layer):
    """Two layers with a tanh between them, as BART has them."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.dense = layer(config, config.hidden_size, activation="tanh", name="dense")
        self.out_proj = layer(config, config.num_labels, name="out_proj")
        self.dropout = tf_keras.layers.Dropout(getattr(config, "classifier_dropout", None) or 0.0)

    def build(self, input_shape=None):
        for inner in (self.dense, self.out_proj):
            with tf.name_scope(inner.name):
                inner.build([None, None, self.dense.units])
        self.built = True

    def call(self, states, training=False):
        states = self.dense(self.dropout(states, training=training))
        return self.out_proj(self.dropout(states, training=training))


def last(marks):
    """The last marked place of each row: `(B, T)` → `(B,)`; 0 where there is none."""
    places = tf.range(tf.shape(marks)[1])[None, :]
    return tf.reduce_max(tf.cast(marks, tf.int32) * places, -1)


def at(states, places):
    """The states at one place of each row: `(B, T, D)` → `(B, D)`."""
    return tf.gather(states, places, batch_dims=1)
