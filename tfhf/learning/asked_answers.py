"""Answers as a call of the pipeline asks for them: what transformers' own pipeline would say."""

from dataclasses import dataclass

from tfhf.errors import UserError
from tfhf.learning.answers import merged, nothing, whole_words


@dataclass(frozen=True)
class Call:
    """What a pipeline's call says of its answers; None where it says nothing."""

    top_k: int | None
    handle_impossible_answer: bool | None
    align_to_words: bool

    @property
    def spans_per_window(self):
        """Spans that transformers looks at in each window: more where words may fall together."""
        top_k = self.top_k or 1
        return top_k * 2 + 10 if self.align_to_words else top_k

    def answers(self, tokenizer, context, windows, null_score):
        """The answers to a row, best first, at most `top_k`.

        Args:
            tokenizer: a fast tokenizer of transformers.
            context: the text.
            windows: what `answers.by_window` gave.
            null_score: score of no answer.

        Returns:
            A list of `{"score", "start", "end", "answer"}`.
        """
        if self.align_to_words:
            spans = whole_words(tokenizer, context, windows)
        else:
            spans = [span for _, _, spans in windows for span in spans]
        answers = merged(context, spans)
        if self.handle_impossible_answer:
            answers.append(nothing(null_score))
            answers.sort(key=lambda answer: -answer["score"])
        return answers[: self.top_k or 1]


def check_numbers(*limits):
    """Refuses what is no whole number from a limit up; None is no choice.

    Args:
        *limits: the least number, and a dictionary from names to values.

    Raises:
        UserError: for the first that is out of its range.
    """
    for least, named in limits:
        for name, value in named.items():
            whole = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and not (whole and value >= least):
                raise UserError(f"{name}: must be a whole number from {least}; received {value!r}")
