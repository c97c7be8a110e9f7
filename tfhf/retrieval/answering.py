"""Answers from the passages that were found, each with the place it comes from."""

import re
import string
from dataclasses import dataclass

from tfhf import models, prediction, tasks
from tfhf.errors import UserError
from tfhf.retrieval.passages import sentences
from tfhf.run import Run, is_run

PROMPT = """Answer the question from the passages below. \
Name the passages you used in brackets, such as [1].

{passages}

Question: {question}
Answer:"""


@dataclass(frozen=True)
class Citation:
    """Where an answer comes from.

    Attributes:
        file: the document's file.
        start, end: the quote's characters in the document's text, the end exclusive.
        quote: the document's own words.
        heading: headings the quote stands under; None where there are none.
        page, last_page: pages of a PDF file on which the passage begins and ends; None where there
            are none.
        score: of the passage, as the Index or the Reranker gave it.
    """

    file: str
    start: int
    end: int
    quote: str
    heading: str | None
    page: int | None
    last_page: int | None
    score: float

    def place(self):
        """The place in words: `handbook.pdf, page 3, characters 120-180`."""
        parts = [self.file]
        if self.page is not None and self.page == self.last_page:
            parts.append(f"page {self.page}")
        elif self.page is not None:
            parts.append(f"pages {self.page}-{self.last_page}")
        if self.heading:
            parts.append(self.heading)
        return ", ".join([*parts, f"characters {self.start}-{self.end}"])


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        text: the answer; empty where the passages hold none.
        score: how sure the reader is, in [0, 1] or a cosine; None where it does not say.
        citations: a list of Citation, the most important first.
    """

    text: str
    score: float | None
    citations: list


class Quoting:
    """Answers with the sentence that is most like the question; needs no further model.

    Args:
        embedder: an Embedder.
    """

    def __init__(self, embedder):
        self.embedder = embedder

    def __call__(self, question, hits):
        """Answers a question from a list of Hit; see `Extractive`."""
        found = [(hit, span) for hit in hits for span in sentences(hit.passage.text)]
        if not found:
            return Answer("", None, [])
        texts = [hit.passage.text[slice(*span)] for hit, span in found]
        cosines = self.embedder.passages(texts) @ self.embedder.queries([question])[0]
        best = int(cosines.argmax())
        citation = _cite(*found[best])
        return Answer(citation.quote, float(cosines[best]), [citation])


class Extractive:
    """Answers with words of a passage, by a question answering model.

    Args:
        model: a Hub id, a folder, or a run of `question_answering`.
        may_decline: whether the answer may be that the passages hold none; the model must have
            learned from such questions (SQuAD 2.0).
    """

    def __init__(self, model, *, may_decline=False):
        self.may_decline = may_decline
        self._answer = prediction.pipeline("question-answering", model)

    def __call__(self, question, hits):
        """Answers a question from what was found.

        Args:
            question: a text.
            hits: a list of Hit.

        Returns:
            An Answer; its citation quotes the sentence in which it stands.
        """
        if not hits:
            return Answer("", None, [])
        rows = [{"question": question, "context": hit.passage.text} for hit in hits]
        found = self._answer(rows, handle_impossible_answer=self.may_decline)
        hit, best = max(zip(hits, found, strict=True), key=lambda pair: pair[1]["score"])
        if not best["answer"]:
            return Answer("", best["score"], [])
        span = _around(hit.passage.text, best["start"], best["end"])
        return Answer(best["answer"], best["score"], [_cite(hit, span)])


class Generative:
    """Answers in a model's own words, from passages put before the question.

    The passages that the answer names in brackets are cited; where it names none, the one that has
    most of its words.

    Args:
        model: a Hub id, a folder, or a run of a task that generates text.
        prompt: what the model is given, with places for `{passages}` and `{question}`.
        max_new_tokens: longest answer.
        **choices: further choices of the task's pipeline, such as `do_sample=True`.

    Raises:
        UserError: if there is no such model, or the prompt lacks one of its places.
    """

    def __init__(self, model, *, prompt=PROMPT, max_new_tokens=128, **choices):
        _check_places(prompt)
        self.prompt, self.max_new_tokens, self.choices = prompt, max_new_tokens, choices
        self.name = str(model)
        kind = _kind(model)
        self._generate = prediction.pipeline(kind.pipelines[0], model)
        if kind.pipelines[0] == "text-generation":
            self.choices = {"return_full_text": False} | choices

    def __call__(self, question, hits):
        """Answers a question from a list of Hit; see `Extractive`."""
        if not hits:
            return Answer("", None, [])
        prompt, used = self._prompt(question, hits)
        given = self._generate(prompt, max_new_tokens=self.max_new_tokens, **self.choices)
        given = given[0] if isinstance(given, list) else given
        (text,) = (value for name, value in given.items() if name.endswith("_text"))
        text = text.strip()
        named = {int(number) - 1 for number in re.findall(r"\[(\d+)\]", text)}
        cited = [hit for number, hit in enumerate(used) if number in named]
        plain = re.sub(r"\s*\[\d+\]", "", text)
        cited = cited or [max(used, key=lambda hit: _shared(plain, hit.passage.text))]
        return Answer(text, None, [_cite(hit, _closest(plain, hit.passage.text)) for hit in cited])

    def _prompt(self, question, hits):
        """The prompt with as many passages as the model can read, and their hits."""
        tokenizer = self._generate.task.processor
        room = tokenizer.model_max_length - self.max_new_tokens
        for count in range(len(hits), 0, -1):
            passages = [f"[{n}] {hit.passage.text}" for n, hit in enumerate(hits[:count], 1)]
            prompt = self.prompt.format(passages="\n\n".join(passages), question=question)
            if len(tokenizer(prompt, verbose=False)["input_ids"]) <= room:
                return prompt, hits[:count]
        raise UserError(
            f"reader: {self.name} reads {room} tokens beside its answer, less than one passage "
            "with the prompt; index shorter passages (max_tokens) or lower max_new_tokens"
        )


def reader(model=None, embedder=None):
    """Picks how to answer by what a model was trained for.

    Args:
        model: a question answering model, a model that generates text, or None to quote.
        embedder: an Embedder, for quoting.

    Returns:
        An Extractive, a Generative or a Quoting.

    Raises:
        UserError: if there is no such model, or it does neither.
    """
    if model is None:
        return Quoting(embedder)
    kind = _kind(model)
    return Extractive(model) if "question-answering" in kind.pipelines else Generative(model)


def _check_places(prompt):
    """Refuses a prompt that passages and question would not get into."""
    try:
        places = {name for _, name, _, _ in string.Formatter().parse(prompt) if name is not None}
    except ValueError:  # a single brace
        places = set()
    if places != {"passages", "question"}:
        raise UserError(
            "prompt: want the places {passages} and {question}, and other braces doubled; received "
            f"{prompt!r}"
        )


def _kind(model):
    """The task a model was trained for, one that can answer questions."""
    if isinstance(model, Run) or is_run(str(model)):
        kind = tasks.get((model if isinstance(model, Run) else Run(model)).recipe.task)
    else:
        kind = tasks.by_config(models.load_config(models.resolve(str(model))))
    usable = ("question-answering", "text-generation", "text2text-generation", "summarization")
    if not set(usable) & set(kind.pipelines):
        raise UserError(
            f"reader: {model} is a model for {kind.name()}; want one that answers questions or "
            "generates text"
        )
    return kind


def _cite(hit, span):
    """A citation of part of a passage."""
    passage, (start, end) = hit.passage, span
    return Citation(
        file=passage.file,
        start=passage.start + start,
        end=passage.start + end,
        quote=passage.text[start:end],
        heading=passage.heading,
        page=passage.page,
        last_page=passage.last_page,
        score=hit.score,
    )


def _around(text, start, end):
    """The sentence, or the sentences, in which a part of a text stands."""
    touched = [span for span in sentences(text) if span[0] < end and span[1] > start]
    return (touched[0][0], touched[-1][1]) if touched else (start, end)


def _closest(answer, text):
    """The sentence of a text with most of an answer's words."""
    return max(sentences(text), key=lambda span: _shared(answer, text[slice(*span)]))


def _shared(answer, text):
    """How many different words of an answer stand in a text."""
    return len(_words(answer) & _words(text))


def _words(text):
    return set(re.findall(r"\w+", text.casefold()))
