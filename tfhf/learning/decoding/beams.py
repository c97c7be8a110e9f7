"""Beam search: the likeliest continuations of all hypotheses, step by step.

The bookkeeping follows transformers' PyTorch version, scores included: of each row, `beams`
hypotheses run on and the `beams` best finished ones are kept. Shapes: B rows, K beams, N = B × K,
S tokens of prompt and answer, V vocabulary.
"""

from typing import NamedTuple

import tensorflow as tf

from tfhf.learning.decoding import rules, stepping

NEVER = -1.0e9  # the score of what is not there


class State(NamedTuple):
    """What a step hands to the next."""

    made: tf.Tensor  # (), tokens made so far
    running: tf.Tensor  # (B, K, S), hypotheses that go on
    running_scores: tf.Tensor  # (B, K), their log-probabilities
    kept: tf.Tensor  # (B, K, S), the best finished ones
    kept_scores: tf.Tensor  # (B, K), penalized by length
    kept_lengths: tf.Tensor  # (B, K), tokens made
    kept_real: tf.Tensor  # (B, K), whether there is one
    open: tf.Tensor  # (B,), whether a row's finished ones may still be bettered
    origins: tf.Tensor  # (N,), the row of the cache that each running one continues
    goes_on: tf.Tensor  # ()


def search(model, settings, limits):
    """Finds each prompt's likeliest continuations.

    Args:
        model: a stepper, see `stepping`.
        settings: a Generation with two or more beams.
        limits: `(B,)` int32, most tokens to make per row.

    Returns:
        `sequences` `(B, answers, L)` int32, `lengths` `(B, answers)` int32 and `scores`
        `(B, answers)` float32, the best first: log-probability / length ** length_penalty.
    """
    beams = settings.num_beams
    logits, cache = model.start()
    logits, cache = tf.repeat(logits, beams, axis=0), stepping.repeated(cache, beams)
    step = _Step(model, settings, limits)
    state = tf.cond(step.most > 0, lambda: step(step.start(), logits), lambda: step.start())

    def body(state, cache):
        cache = stepping.reordered(cache, state.origins)
        tokens = tf.reshape(state.running, [-1, tf.shape(state.running)[2]])
        logits, cache = model.step(tokens, state.made, cache, beams)
        return step(state, logits), cache

    shapes = State(*(tf.TensorShape([None] * value.shape.rank) for value in state))
    state, _ = tf.while_loop(
        lambda state, cache: state.goes_on,
        body,
        (state, cache),
        shape_invariants=(shapes, stepping.growing(cache)),
    )
    answers = settings.num_return_sequences
    lengths = state.kept_lengths[:, :answers]
    width = tf.shape(model.prompt)[1]
    return {
        "sequences": state.kept[:, :answers, width : width + tf.reduce_max(lengths)],
        "lengths": lengths,
        "scores": state.kept_scores[:, :answers],
    }


class _Step:
    """One step of the search, for all rows."""

    def __init__(self, model, settings, limits):
        self.settings = settings
        self.beams = settings.num_beams
        # So many that `beams` of them go on even if all others end.
        self.candidates = max(2, 1 + len(settings.eos_token_id)) * self.beams
        self.limits = limits
        self.most = tf.reduce_max(limits)
        self.rows = tf.shape(limits)[0]
        self.prompt = tf.repeat(model.prompt, self.beams, axis=0)
        self.real = tf.cast(tf.repeat(model.real, self.beams, axis=0), tf.bool)
        self.width = tf.shape(model.prompt)[1]

    def start(self):
        """Only the first beam counts at first: all hold the same prompt."""
        shape = [self.rows, self.beams]
        room = tf.fill([self.rows * self.beams, self.most], self.settings.pad_token_id)
        tokens = tf.concat([self.prompt, room], 1)
        tokens = tf.reshape(tokens, [self.rows, self.beams, self.width + self.most])
        first = tf.broadcast_to(tf.range(self.beams) == 0, shape)
        return State(
            made=tf.constant(0),
            running=tokens,
            running_scores=tf.where(first, 0.0, NEVER),
            kept=tokens,
            kept_scores=tf.fill(shape, NEVER),
            kept_lengths=tf.zeros(shape, tf.int32),
            kept_real=tf.zeros(shape, tf.bool),
            open=self.limits > 0,
            origins=tf.range(self.rows * self.beams),
            goes_on=tf.constant(False),
        )

    def __call__(self, state, logits):
        scores, sequences, origins = self._continuations(state, logits)
        made = state.made + 1
        last = sequences[:, :, self.width + state.made]
        ended = tf.reduce_any(last[..., None] == tf.constant(self._ending, tf.int32), -1)
        ended |= (made >= self.limits)[:, None]

        # What goes on.
        running_scores, chosen = tf.math.top_k(tf.where(ended, scores + NEVER, scores), self.beams)
        running = tf.gather(sequences, chosen, batch_dims=1)
        origins = tf.gather(origins, chosen, batch_dims=1)

        kept, kept_scores, kept_lengths, kept_real = self._kept(state, scores, sequences, ended)
        may_improve = self._may_improve(state.open, running_scores, kept_scores, kept_real, made)
        goes_on = tf.reduce_any(may_improve) & ~tf.reduce_all(ended)
        if self.settings.early_stopping is True:
            goes_on &= ~tf.reduce_all(kept_real)
        return State(
            made=made,
            running=running,
            running_scores=running_scores,
            kept=kept,
            kept_scores=kept_scores,
            kept_lengths=kept_lengths,
            kept_real=kept_real,
            open=may_improve,
            origins=tf.reshape(origins, [-1]),
            goes_on=goes_on,
        )

    @property
    def _ending(self):
        return list(self.settings.eos_token_id)

    def _continuations(self, state, logits):
        """The best continuations of each row's hypotheses: scores, tokens, where they come from."""
        place = rules.Place(
            tokens=tf.reshape(state.running, [-1, self.width + self.most]),
            real=tf.concat(
                [
                    self.real,
                    tf.broadcast_to(
                        tf.range(self.most) < state.made, [self.rows * self.beams, self.most]
                    ),
                ],
                1,
            ),
            made=state.made,
            prompt_lengths=tf.reduce_sum(tf.cast(self.real, tf.int32), 1),
            limits=tf.repeat(self.limits, self.beams),
        )
        vocabulary = tf.shape(logits)[1]
        scores = rules.ruled(tf.nn.log_softmax(logits), place, self.settings)
        scores = tf.reshape(scores, [self.rows, self.beams, vocabulary])
        scores += state.running_scores[..., None]
        scores, found = tf.math.top_k(tf.reshape(scores, [self.rows, -1]), self.candidates)
        beam, token = found // vocabulary, found % vocabulary
        sequences = tf.gather(state.running, beam, batch_dims=1)
        here = tf.range(self.width + self.most) == self.width + state.made
        sequences = tf.where(here, token[..., None], sequences)
        return scores, sequences, beam + tf.range(self.rows)[:, None] * self.beams

    def _kept(self, state, scores, sequences, ended):
        """The best finished hypotheses, those that have just ended among them."""
        made = state.made + 1
        scores = scores / tf.cast(made, tf.float32) ** self.settings.length_penalty
        # Beyond the first `beams`, candidates are there to go on, not to end.
        ends = ended & (tf.range(self.candidates) < self.beams) & (made <= self.limits)[:, None]
        closed = ~state.open
        if self.settings.early_stopping is True:
            closed |= tf.reduce_all(state.kept_real, 1)
        scores = tf.where(ends & ~closed[:, None], scores, scores + NEVER)
        merged = tf.concat([state.kept_scores, scores], 1)
        kept_scores, chosen = tf.math.top_k(merged, self.beams)
        lengths = tf.concat([state.kept_lengths, tf.fill(tf.shape(ended), made)], 1)
        return (
            tf.gather(tf.concat([state.kept, sequences], 1), chosen, batch_dims=1),
            kept_scores,
            tf.gather(lengths, chosen, batch_dims=1),
            tf.gather(tf.concat([state.kept_real, ends], 1), chosen, batch_dims=1),
        )

    def _may_improve(self, open_before, running_scores, kept_scores, kept_real, made):
        """Whether the best running hypothesis of a row may beat its worst finished one."""
        power = self.settings.length_penalty
        length = tf.fill([self.rows], made)
        if self.settings.early_stopping == "never" and power > 0:
            length = self.limits
        best = running_scores[:, 0] / tf.cast(length, tf.float32) ** power
        worst = tf.where(kept_real, tf.reduce_min(kept_scores, 1, keepdims=True), NEVER)
        return open_before & tf.reduce_any(best[:, None] > worst, 1) & (made < self.limits)
