"""Rules for the next token: what the settings forbid, force or make less likely.

Each takes scores `(N, V)` (logits, or log-probabilities in beam search) and gives scores; the order
is that of transformers, so that the same settings give the same tokens.
"""

from dataclasses import dataclass

import tensorflow as tf

FORBIDDEN = float("-inf")


@dataclass
class Place:
    """Where in their texts the rows are.

    Attributes:
        tokens: `(N, S)` int32, prompts, what was made, and room for the rest.
        real: `(N, S)` bool, False at padding and at the room.
        made: scalar int32, tokens made so far.
        prompt_lengths: `(N,)` int32, real tokens of the prompts.
        limits: `(N,)` int32, most tokens to make.
    """

    tokens: tf.Tensor
    real: tf.Tensor
    made: tf.Tensor
    prompt_lengths: tf.Tensor
    limits: tf.Tensor


def ruled(scores, place, settings):
    """Applies every rule of the settings but those of sampling."""
    lengths = place.prompt_lengths + place.made
    if settings.repetition_penalty != 1.0:
        scores = penalized(scores, place, settings.repetition_penalty)
    if settings.no_repeat_ngram_size:
        scores = without_repeats(scores, place, settings.no_repeat_ngram_size)
    if settings.suppress_tokens:
        scores = _without(scores, settings.suppress_tokens)
    if settings.eos_token_id and (settings.min_length or settings.min_new_tokens):
        early = (lengths < settings.min_length) | (place.made < settings.min_new_tokens)
        scores = tf.where(early[:, None], _without(scores, settings.eos_token_id), scores)
    if settings.forced_bos_token_id is not None:
        first = lengths == 1
        scores = tf.where(first[:, None], _only(scores, settings.forced_bos_token_id), scores)
    if settings.forced_eos_token_id is not None:
        last = place.made == place.limits - 1
        scores = tf.where(last[:, None], _only(scores, settings.forced_eos_token_id), scores)
    if settings.renormalize_logits and not settings.do_sample:
        scores = tf.nn.log_softmax(scores)
    return scores


def penalized(scores, place, penalty):
    """Makes tokens that are in the text less likely: Keskar et al. 2019, section 4.1."""
    seen = _marked(scores, place.tokens, place.real)
    return tf.where(seen, tf.where(scores < 0, scores * penalty, scores / penalty), scores)


def without_repeats(scores, place, size):
    """Forbids each token that would repeat `size` tokens in a row."""
    tokens, real = place.tokens, place.real
    width = tf.shape(tokens)[1]
    end = width - tf.reduce_max(place.limits) + place.made  # where the next token goes
    windows = tf.maximum(width - size + 1, 0)
    repeats = real[:, size - 1 :][:, :windows]
    for offset in range(size - 1):
        at = tf.maximum(end - (size - 1) + offset, 0)
        same = tokens[:, offset : offset + windows] == tokens[:, at : at + 1]
        known = real[:, offset : offset + windows] & real[:, at : at + 1]
        repeats &= same & known
    repeats &= end >= size - 1
    followers = tokens[:, size - 1 :][:, :windows]
    return tf.where(_marked(scores, followers, repeats), FORBIDDEN, scores)


def warped(scores, settings):
    """Scores as sampling draws from them: temperature, then the k likeliest, then the top p."""
    scores = scores / settings.temperature
    if settings.top_k:
        best = tf.math.top_k(scores, tf.minimum(settings.top_k, tf.shape(scores)[1])).values
        scores = tf.where(scores < best[:, -1:], FORBIDDEN, scores)
    if settings.top_p < 1.0:
        # Holtzman et al. 2020, https://arxiv.org/abs/1904.09751: the nucleus.
        descending = tf.sort(scores, direction="DESCENDING")
        before = tf.cumsum(tf.nn.softmax(descending), axis=-1, exclusive=True)
        inside = tf.where(before < settings.top_p, descending, float("inf"))
        scores = tf.where(scores < tf.reduce_min(inside, -1, keepdims=True), FORBIDDEN, scores)
    return scores


def _marked(scores, tokens, chosen):
    """`(N, V)` bool: which tokens of the vocabulary stand at the chosen places."""
    rows = tf.broadcast_to(tf.range(tf.shape(tokens)[0])[:, None], tf.shape(tokens))
    places = tf.boolean_mask(tf.stack([rows, tokens], -1), chosen)
    ones = tf.ones(tf.shape(places)[:1], tf.int32)
    return tf.scatter_nd(places, ones, tf.shape(scores)) > 0


def _without(scores, tokens):
    return tf.where(_among(scores, tokens), FORBIDDEN, scores)


def _only(scores, token):
    return tf.where(_among(scores, [token]), 0.0, tf.fill(tf.shape(scores), FORBIDDEN))


def _among(scores, tokens):
    """`(1, V)` bool: whether a token of the vocabulary is one of these."""
    vocabulary = tf.range(tf.shape(scores)[1])
    wanted = tf.constant(list(tokens), tf.int32)
    return tf.reduce_any(vocabulary[None, :, None] == wanted, -1)
