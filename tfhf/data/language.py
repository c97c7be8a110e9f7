"""Rows of a causal language model as tokens: what is learned from, and what is to be answered."""

from dataclasses import dataclass

from tfhf.data import chats, next_tokens
from tfhf.data.lengths import check_length
from tfhf.errors import UserError


@dataclass(frozen=True)
class Frame:
    """What stands around the text of a prompt.

    Attributes:
        opening, closing: text before and behind it.
        before: token ids before all of it.
        strips: whether the prompt loses the blanks at its ends.
    """

    opening: str
    closing: str
    before: list[int]
    strips: bool


class Reader:
    """Reads rows with one tokenizer, in one format.

    Args:
        tokenizer: a fast tokenizer of transformers, with a token that ends a text.
        format: `text`, `prompt` or `chat`: which columns are learned from.
        max_length: most tokens of what is learned from at once.
        join: how texts follow each other: `documents`, `lines` or `none`.
        separator: what stands between prompt and response.

    Attributes:
        before: token ids that the tokenizer puts before every text, such as OPT's `</s>`.

    Raises:
        UserError: if the model reads less than `max_length` tokens, or no token ends a text.
    """

    def __init__(self, tokenizer, *, format, max_length, join, separator):
        check_length(tokenizer, max_length)
        self.tokenizer, self.format, self.max_length = tokenizer, format, max_length
        self.join, self.separator = join, separator if format == "prompt" else ""
        ends = (tokenizer.eos_token_id, tokenizer.sep_token_id)
        self._end = next((token for token in ends if token is not None), None)
        if self._end is None:
            raise UserError("model: its tokenizer has no end-of-text token (set eos_token)")
        begins = (tokenizer.bos_token_id, tokenizer.cls_token_id, self._end)
        self.begin = next(token for token in begins if token is not None)
        one = tokenizer("a", return_special_tokens_mask=True)
        self.before = one["input_ids"][: one["special_tokens_mask"].index(0)]

    def learned(self, rows):
        """What a model learns from rows.

        Args:
            rows: role → list of values.

        Returns:
            `next_tokens.Features`.
        """
        if self.format == "text":
            return self._documents(rows["text"])
        if self.format == "prompt":
            return self._answers(rows)
        return self._chats(rows["messages"])

    def _documents(self, texts):
        end = [self._end]
        if self.join == "lines":
            texts, end = [f"{text}\n" for text in texts], []
        ids, characters = self._ended(texts, end)
        joined = self.join != "none"
        return next_tokens.from_documents(
            ids, characters, self.max_length, begin=self.begin, joined=joined
        )

    def _answers(self, rows):
        answers, characters = self._ended(rows["response"], [self._end])
        questions = [self.question({"prompt": prompt}) for prompt in rows["prompt"]]
        return next_tokens.from_answers(
            questions, answers, characters, self.max_length, self.before
        )

    def _chats(self, conversations):
        told = [chats.assistant_spans(self.tokenizer, messages) for messages in conversations]
        encoded = self._encoded([text for text, _ in told])
        offsets = [encoding.offsets for encoding in encoded.encodings]
        learned = [chats.inside(o, spans) for o, (_, spans) in zip(offsets, told, strict=True)]
        ids, special = encoded["input_ids"], set(self.tokenizer.all_special_ids)
        # The template spells the tokens that end a turn; they are no characters of the chat.
        characters = [
            [0 if token in special else count for token, count in zip(tokens, counts, strict=True)]
            for tokens, counts in zip(ids, map(next_tokens.spelled, offsets), strict=True)
        ]
        return next_tokens.from_marked(ids, learned, characters, self.max_length)

    def _ended(self, texts, end):
        """Token ids per text with `end` behind them, none for an empty one; their characters."""
        encoded = self._encoded(texts)
        characters = [next_tokens.spelled(encoding.offsets) for encoding in encoded.encodings]
        ids = [tokens + end if tokens else [] for tokens in encoded["input_ids"]]
        return ids, [counts + [0] * len(end) if counts else [] for counts in characters]

    def _encoded(self, texts):
        return self.tokenizer(
            texts, add_special_tokens=False, return_attention_mask=False, verbose=False
        )

    def question(self, row):
        """The tokens of what is to be continued or answered.

        Args:
            row: `prompt`, a text, or `chat`, a list of messages. A text becomes the user's message
                where chats were learned from.

        Returns:
            Token ids, at least one.
        """
        chat = row.get("chat")
        if chat is None and self.format == "chat":
            chat = [{"role": "user", "content": row["prompt"]}]
        if chat is not None:
            text, before = chats.told(self.tokenizer, chat, answering=True), []
        else:
            text, before = row["prompt"] + self.separator, self.before
        return before + self._encoded([text])["input_ids"][0] or [self.begin]

    def kept(self, prompt, made):
        """The last tokens of a prompt, so that there is room for what is generated.

        Args:
            prompt: token ids, from `question`.
            made: most tokens to generate; None leaves room for one.

        Raises:
            UserError: if the model cannot read as many.
        """
        return next_tokens.last(prompt, self.longest(made), self.before)

    def longest(self, made):
        """Most tokens of a prompt behind which `made` more can be generated; as for `kept`."""
        longest, made = self.tokenizer.model_max_length, made or 1
        if made >= longest:
            raise UserError(
                f"max_new_tokens: the model reads {longest} tokens, those of the prompt and new "
                f"ones; received {made}"
            )
        return longest - made

    def frame(self):
        """What stands around every prompt.

        Returns:
            Frame.

        Raises:
            UserError: if a chat template does more with a message than to stand around it.
        """
        if self.format != "chat":
            return Frame("", self.separator, self.before, strips=False)

        def told(content):
            return chats.told(
                self.tokenizer, [{"role": "user", "content": content}], answering=True
            )

        marks = ("\ue000one\ue001", "\ue000another\ue001")
        frames = {tuple(told(mark).split(mark)) for mark in marks}
        frame = frames.pop()
        if frames or len(frame) != 2:
            raise UserError("model: its chat template changes messages, so that no prompt fits in")
        strips = told(f" {marks[0]} ") == told(marks[0])
        return Frame(*frame, [], strips)

    def behind(self, row, text):
        """A generated text behind its prompt, or the chat with it.

        Args:
            row: as for `question`.
            text: what was generated for it.
        """
        chat = row.get("chat")
        if chat is None:
            return f"{row['prompt']}{self.separator}{text}"
        *before, last = chat
        if last["role"] == "assistant":  # its words were continued
            return [*before, last | {"content": last["content"] + text}]
        return [*chat, {"role": "assistant", "content": text}]


def prompt_of(row):
    """A prompt made of a row: its own, a chat's first question, or the beginning of a text."""
    if isinstance(row, str):
        return row
    if "prompt" in row:
        return row["prompt"]
    if "messages" in row:
        return next((one["content"] for one in row["messages"] if one["role"] == "user"), "")
    return row["text"][: min(200, len(row["text"]) // 2)]
