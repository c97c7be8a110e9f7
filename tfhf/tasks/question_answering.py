"""Answers to questions as exact parts of a context, of any length, or that there is none."""

import copy
from typing import Annotated

from annotated_types import Ge, Le

from tfhf.data import towers
from tfhf.data.columns import Answers, Text
from tfhf.data.lengths import check_length
from tfhf.exports import TEXT
from tfhf.learning.answers import by_window, distinct, nothing
from tfhf.learning.asked_answers import Call, check_numbers
from tfhf.tasks.base import Task

PADDING = -1e9  # a logit that no softmax notices
EVEN = 0.5  # above it no answer is more probable than the best one


class QuestionAnswering(Task):
    """Extractive question answering as in SQuAD 1.1 and 2.0.

    A context that is too long is read in windows that overlap. Every span of tokens of a window
    has a probability, that of its first token times that of its last; so has no answer, which the
    first token of the window stands for.

    Args:
        processor: a fast tokenizer of transformers; None where results are only decoded.
        features: `datasets.Features` with `question`, `context` and `answers`.
        max_length: tokens of a window, question and special tokens included.
        stride: tokens of the context that a window repeats of the one before.
        max_answer_tokens: tokens of an answer at most.
        n_best: answers kept for each row, the best and its alternatives.
        null_threshold: probability of no answer, against that of the best answer, above which a
            question counts as unanswerable. None: where validation has unanswerable questions,
            the one with the best F1 is looked for after the last epoch; else all are answered.
        max_question_tokens: tokens at which questions are cut; None for never, as fast tokenizers
            have it in transformers' pipeline (slow ones cut at 64).

    Raises:
        UserError: if `max_length` is more than the model can read.

    Source: Rajpurkar et al. 2018, "Know What You Don't Know", https://arxiv.org/abs/1806.03822.
    """

    auto_class = "TFAutoModelForQuestionAnswering"
    architectures = ("ForQuestionAnswering", "ForQuestionAnsweringSimple")
    pipelines = ("question-answering",)
    default_model = ("distilbert/distilbert-base-cased-distilled-squad", "564e9b5")
    monitor = "f1"
    targets = ("start", "end")

    @classmethod
    def columns(cls, **_):
        return {"question": Text(), "context": Text(), "answers": Answers(of="context")}

    def __init__(
        self,
        processor,
        features,
        *,
        max_length: Annotated[int, Ge(8)] = 384,
        stride: Annotated[int, Ge(0)] = 128,
        max_answer_tokens: Annotated[int, Ge(1)] = 30,
        n_best: Annotated[int, Ge(1)] = 20,
        null_threshold: Annotated[float, Ge(0.0), Le(1.0)] | None = None,
        max_question_tokens: Annotated[int, Ge(1)] | None = None,
    ):
        super().__init__(processor, features, max_length=max_length)
        self.stride = stride
        self.max_answer_tokens = max_answer_tokens
        self.n_best = n_best
        self.null_threshold = null_threshold
        self.max_question_tokens = max_question_tokens
        self.call = None
        self.is_tuned = False  # whether there was a validation split to find the threshold on
        check_length(processor, max_length)

    @classmethod
    def features_of(cls, config):
        return cls.features_for(None, None)

    @classmethod
    def features_for(cls, labels, roles, problem=None):
        from datasets import Features

        return Features({role: kind.feature() for role, kind in cls.columns().items()})

    @classmethod
    def known_options(cls, processor, config, options):
        known = super().known_options(processor, config, options)
        if cls.saved(config):
            return known
        # A model that was trained elsewhere is asked as transformers' pipeline asks it.
        longest = options.get("max_length", min(384, known["max_length"]))
        usual = {"max_length": longest, "stride": min(128, longest // 2), "max_answer_tokens": 15}
        return known | usual | options

    def model_config(self):
        # Two scores for each token, whatever the checkpoint's last head gave.
        pad = {"pad_token_id": self.processor.pad_token_id}
        return super().model_config() | pad | {"num_labels": 2}

    def settings(self):
        return {name: getattr(self, name) for name in self.options()}

    @property
    def inputs(self):
        return {role: kind for role, kind in self.columns().items() if role != "answers"}

    # === Data ===

    def encode(self, rows):
        from tfhf.data.windows import answer_tokens, encode_windows

        columns = encode_windows(
            self.processor,
            rows["question"],
            rows["context"],
            max_length=self.max_length,
            stride=self.stride,
            max_question_tokens=self.max_question_tokens,
        )
        # Windows cut nothing off.
        columns["full_length"] = [len(ids) for ids in columns["input_ids"]]
        if "answers" in rows:
            columns["start"], columns["end"] = answer_tokens(columns, rows["answers"])
        return columns

    @property
    def padding(self):
        return towers.fills(self.processor) | {"offset_start": -1, "offset_end": -1}

    # === In the graph ===

    def fed(self, inputs):
        ours = ("offset_start", "offset_end", "null")
        return {name: value for name, value in super().fed(inputs).items() if name not in ours}

    def forward(self, backbone, inputs, training):
        import tensorflow as tf

        from tfhf.learning.tracing import run

        found = run(backbone, self.fed(inputs) | {"training": training})
        # Padding is no place for an answer; left in, it would change the loss with the batch.
        real = inputs["attention_mask"] > 0
        sides = {"start_logits": found.start_logits, "end_logits": found.end_logits}
        return {
            side: tf.where(real, tf.cast(logits, tf.float32), PADDING)
            for side, logits in sides.items()
        }

    def loss(self, targets, outputs):
        import tensorflow as tf

        losses = [
            tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.cast(targets[side], tf.int32), outputs[f"{side}_logits"]
            )
            for side in self.targets
        ]
        return (losses[0] + losses[1]) / 2.0, tf.ones_like(losses[0])

    @property
    def traced_with(self):
        return (self.max_answer_tokens, self.n_best)

    def outputs(self, outputs, inputs, backbone):
        from tfhf.learning.spans import best_spans

        return best_spans(
            outputs["start_logits"],
            outputs["end_logits"],
            inputs["offset_start"],
            inputs["offset_end"],
            inputs["null"],
            count=self.n_best,
            longest=self.max_answer_tokens,
        )

    # === After the graph ===

    def gather(self, results, rows):
        from tfhf.learning.spans import gather_windows

        # A call adds up what windows say alike, so it needs what each of them says.
        return gather_windows(results, rows, best=self.call is None)

    def decode(self, results, index, row):
        return self._decoded(results, index, row, self.null_threshold)

    def _decoded(self, results, index, row, threshold):
        found = self._answers(results, index, row["context"])
        if self.call is not None:
            found = found[: self.call.top_k]
        answer = found[0] if found else nothing(0.0)
        absent = {}
        if threshold is not None:
            absent["no_answer_probability"] = float(results["no_answer_probability"][index])
            if absent["no_answer_probability"] > threshold:
                answer = nothing(results["null_score"][index])
        return answer | absent | {"n_best": found}

    def _answers(self, results, index, context):
        """All different answers to a row, best first."""
        return distinct(context, _spans(results, index))

    def line(self, row, answer):
        return f"{answer['score']:.3f}  {row['question']}  →  {answer['answer'] or '(no answer)'}"

    def expected(self, rows):
        return [answers["text"] for answers in rows["answers"]]

    def records(self, rows, results):
        threshold = self._threshold(rows)
        for index, row in enumerate(rows):
            asked = {role: row[role] for role in self.inputs}
            expected = {"expected": row["answers"]["text"]}
            yield asked | expected | self._decoded(results, index, row, threshold)

    # === Metrics ===

    @property
    def metric_names(self):
        return ("exact_match", "f1")

    def score(self, rows, results):
        from tfhf.learning.span_metrics import SpanAnswers

        found = [
            self._answers(results, index, context) for index, context in enumerate(rows["context"])
        ]
        return SpanAnswers(self._threshold(rows)).compute(
            predictions=[answers[0]["answer"] if answers else "" for answers in found],
            no_answer_probabilities=results["no_answer_probability"],
            references=self.expected(rows),
        )

    def _threshold(self, rows):
        """The null threshold that answers are measured with.

        It is that of `decode`; but before `tune`, and for a model of another tool, it is an even
        one where a question has no answer.
        """
        if self.null_threshold is None and not self.is_tuned and not all(self.expected(rows)):
            return EVEN
        return self.null_threshold

    def tune(self, rows, results):
        if self.null_threshold is None and not all(self.expected(rows)):
            best = self.score(rows, results)["best_f1_threshold"]
            # That is the probability of some row. Rounding must not decide on it, so the
            # threshold goes halfway to the next.
            above = [one for one in results["no_answer_probability"].tolist() if one > best]
            self.null_threshold = (best + min(above, default=1.0)) / 2
        self.is_tuned = True

    def adopt(self, settings):
        self.is_tuned = True
        if self.null_threshold is None:
            self.null_threshold = settings.get("null_threshold")

    # === Serving ===

    @property
    def serving_inputs(self):
        return {"question": TEXT, "context": TEXT}

    def encode_in_graph(self, tokenizer, strings):
        # A question that leaves no room for a context is cut: a graph cannot refuse it.
        from tfhf.exports import windows

        return windows.of_questions(
            tokenizer,
            strings["question"],
            strings["context"],
            max_length=self.max_length,
            stride=self.stride,
            max_question_tokens=self.max_question_tokens,
        )

    def answers_in_graph(self, results, inputs, strings, tokenizer):
        from tfhf.exports.answers.spans import best_answer

        return best_answer(results, inputs["row"], strings["context"], self.null_threshold)

    def read_served(self, answers, index, row):
        found = {name: values[index].item() for name, values in answers.items() if name != "answer"}
        if self.null_threshold is None:
            found.pop("no_answer_probability")
        return {"answer": answers["answer"][index].decode("utf-8")} | found

    # === Pipeline ===

    def configured(
        self,
        *,
        top_k=None,
        handle_impossible_answer=None,
        align_to_words=True,
        max_answer_len=None,
        max_seq_len=None,
        doc_stride=None,
        max_question_len=None,
        **others,
    ):
        """The choices of transformers' question answering pipeline.

        Args:
            top_k: answers to give, best first; by default 1.
            handle_impossible_answer: whether no answer may be one of them; by default not.
            align_to_words: whether `present` widens answers to whole words.
            max_answer_len, max_seq_len, doc_stride, max_question_len: take the place of the
                options `max_answer_tokens`, `max_length`, `stride` and `max_question_tokens`.

        Raises:
            UserError: if a number is out of its range.
        """
        check_numbers(
            (1, {"top_k": top_k, "max_answer_len": max_answer_len}),
            (1, {"max_question_len": max_question_len}),
            (8, {"max_seq_len": max_seq_len}),
            (0, {"doc_stride": doc_stride}),
        )
        task = copy.copy(self)
        task.call = Call(top_k, handle_impossible_answer, align_to_words)
        task.n_best = max(self.n_best, task.call.spans_per_window)
        task.max_answer_tokens = max_answer_len or self.max_answer_tokens
        task.max_question_tokens = max_question_len or self.max_question_tokens
        if max_seq_len is not None:
            task.max_length, task.stride = max_seq_len, min(self.stride, max_seq_len // 2)
        if doc_stride is not None:
            task.stride = doc_stride
        check_length(task.processor, task.max_length, "max_seq_len")
        if handle_impossible_answer is not None:
            even = EVEN if self.null_threshold is None else self.null_threshold
            task.null_threshold = even if handle_impossible_answer else None
        return task, others

    def present(self, results, index, row):
        """Answers as transformers' pipeline gives them: spans that read alike are added up.

        Returns:
            `{"score", "start", "end", "answer"}`, or a list of them where `top_k` asks for more;
            no answer is an empty text from 0 to 0.
        """
        context = row["context"]
        columns = self.encode({"question": [row["question"]], "context": [context]})
        windows = by_window(
            columns, _spans(results, index), self.n_best, self.call.spans_per_window
        )
        answers = self.call.answers(self.processor, context, windows, results["null_score"][index])
        return answers[0] if len(answers) == 1 else answers


def _spans(results, index):
    """`(score, start, end)` of every span that was found for a row."""
    columns = (results[name][index].tolist() for name in ("span_score", "span_start", "span_end"))
    return list(zip(*columns, strict=True))
