"""A model as decoding sees it: the logits of the next token, and a cache that grows with it.

Decoders with and without an encoder differ in what they read first and in nothing else.
Shapes: B rows, N = B × answers, T tokens of the longest prompt, S tokens of prompt and answer, V
vocabulary.
"""

import tensorflow as tf

from tfhf.errors import UserError
from tfhf.learning.decoding import families
from tfhf.learning.tracing import run


def stepper(backbone, inputs, settings):
    """The model with its prompts.

    Args:
        backbone: a transformers TensorFlow model with a language modelling head.
        inputs: `input_ids` and `attention_mask`, `(B, T)` int32.
        settings: a Generation.

    Raises:
        UserError: if it is of a family that cannot be decoded.
    """
    families.check(backbone.config)
    kind = EncoderDecoder if backbone.config.is_encoder_decoder else DecoderOnly
    return kind(backbone, inputs, settings)


class DecoderOnly:
    """A decoder that continues its prompts.

    Prompts of different lengths end at the same place: padding stands before them, where the mask
    and the positions leave it out.

    Attributes:
        prompt: `(B, T)` int32, padding first.
        real: `(B, T)` int32, 1 where a token is no padding.
    """

    def __init__(self, backbone, inputs, settings):
        self.backbone = backbone
        mask = tf.cast(inputs["attention_mask"], tf.int32)
        order = tf.argsort(mask, axis=1, stable=True)
        self.real = tf.gather(mask, order, batch_dims=1)
        ids = tf.gather(tf.cast(inputs["input_ids"], tf.int32), order, batch_dims=1)
        self.prompt = tf.where(self.real > 0, ids, settings.pad_token_id)
        self.positions = backbone.config.max_position_embeddings
        self.counts = backbone.config.model_type in families.COUNTING
        self.cached = backbone.config.model_type in families.CACHED

    def start(self, begun=None):
        """Reads the prompts, and what is behind them already.

        Args:
            begun: `(B, M)` int32, tokens made before; None where there are none.

        Returns:
            The logits of the next token `(B, V)`, and the cache.
        """
        if begun is None:
            return self._read(self.prompt, self.real, None)
        real = self._filled(self.real, tf.shape(begun)[1])
        return self._read(tf.concat([self.prompt, begun], 1), real, None)

    def step(self, tokens, made, cache, answers):
        """Reads the last token.

        Args:
            tokens: `(N, S)` int32, prompts and what was made.
            made: scalar, tokens made so far.
            cache: what the step before gave, for N rows.
            answers: N / B.

        Returns:
            The logits of the next token `(N, V)`, and the cache.
        """
        real = self._filled(tf.repeat(self.real, answers, axis=0), made)
        end = tf.shape(self.prompt)[1] + made
        if self.cached:
            return self._read(tokens[:, end - 1][:, None], real, cache)
        return self._read(tokens[:, :end], real, cache)

    def _filled(self, prompt, made):
        """The mask of the prompts and of what is made behind them."""
        follows = tf.reduce_sum(prompt, 1, keepdims=True) + tf.range(made)[None, :]
        # Beyond the last position there are only rows that have ended.
        return tf.concat([prompt, tf.cast(follows < self.positions, tf.int32)], 1)

    def _read(self, ids, real, cache):
        inputs = {"input_ids": ids, "attention_mask": real}
        if not self.counts:
            positions = tf.maximum(tf.cumsum(real, axis=1) - 1, 0)
            inputs["position_ids"] = positions[:, -tf.shape(ids)[1] :]
        if cache:
            inputs["past_key_values"] = cache
        return _last(run(self.backbone, inputs | {"use_cache": self.cached}))


class EncoderDecoder:
    """A decoder that looks at encoded inputs; the encoder runs once.

    Attributes:
        prompt: `(B, 1)` int32, what the decoder begins with.
        real: `(B, 1)` int32, ones.
    """

    def __init__(self, backbone, inputs, settings):
        self.backbone = backbone
        self.mask = tf.cast(inputs["attention_mask"], tf.int32)
        ids = tf.cast(inputs["input_ids"], tf.int32)
        encoder = backbone.get_encoder()
        self.hidden = encoder(ids, attention_mask=self.mask)[0]
        start = settings.decoder_start_token_id
        if start is None:
            raise UserError("decoder_start_token_id: the model names none, and generating needs it")
        self.prompt = tf.fill([tf.shape(ids)[0], 1], start)
        self.real = tf.ones_like(self.prompt)

    def start(self, begun=None):
        """As `DecoderOnly.start`."""
        known = self.prompt if begun is None else tf.concat([self.prompt, begun], 1)
        return self._read(known, self.mask, self.hidden, {})

    def step(self, tokens, made, cache, answers):
        """As `DecoderOnly.step`."""
        mask, hidden = (tf.repeat(x, answers, axis=0) for x in (self.mask, self.hidden))
        return self._read(tokens[:, made][:, None], mask, hidden, {"past_key_values": cache})

    def _read(self, ids, mask, hidden, past):
        from transformers.modeling_tf_outputs import TFBaseModelOutput

        encoded = TFBaseModelOutput(last_hidden_state=hidden)
        inputs = {"input_ids": None, "attention_mask": mask, "decoder_input_ids": ids}
        return _last(self.backbone(**inputs, **past, encoder_outputs=encoded, use_cache=True))


def _last(found):
    """The last position's logits as float32 `(N, V)`, and the cache, `()` where there is none."""
    return tf.cast(found.logits[:, -1], tf.float32), found.past_key_values or ()


# === The cache: nested tuples of tensors (…, N, heads, length, width) ===


def repeated(cache, answers):
    """The cache of B rows for N = B × answers."""
    return tf.nest.map_structure(lambda x: tf.repeat(x, answers, axis=x.shape.rank - 4), cache)


def reordered(cache, rows):
    """The cache after beams have changed places; what belongs to the encoder stays as it is.

    Args:
        cache: for N rows.
        rows: `(N,)` int32, from which row each now continues.
    """

    def layer(past):
        if isinstance(past, tf.Tensor):  # keys and values stacked
            return tf.gather(past, rows, axis=past.shape.rank - 4)
        own, encoder = past[:2], past[2:]  # the encoder's are the same for all beams of a row
        return (*(tf.gather(x, rows) for x in own), *encoder)

    return tuple(layer(past) for past in cache)


def growing(cache):
    """Shapes of a cache inside a loop: all lengths and batch sizes."""

    def shape(x):
        sizes = x.shape.as_list()
        sizes[-4], sizes[-2] = None, None
        return tf.TensorShape(sizes)

    return tf.nest.map_structure(shape, cache)
