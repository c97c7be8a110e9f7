"""Windows over long contexts: a question with one part of its context after the other."""

from tfhf.errors import UserError


def encode_windows(tokenizer, questions, contexts, *, max_length, stride, max_question_tokens=None):
    """Encodes questions and contexts; what does not fit into one window goes on in the next.

    Args:
        tokenizer: a fast tokenizer of transformers. The question comes first, and second where
            the tokenizer pads on the left, as XLNet learned it.
        questions, contexts: lists of texts, one pair per row.
        max_length: tokens of a window, special tokens included.
        stride: tokens of the context that a window repeats of the one before.
        max_question_tokens: tokens at which questions are cut; None for never.

    Returns:
        Column → list with one entry per window: `input_ids` and, where the model reads them,
        `token_type_ids`; `row`, the index into `questions`; `null`, the token that stands for no
        answer; `offset_start` and `offset_end`, the characters of the context that each token
        stands for, -1 for tokens outside it.

    Raises:
        UserError: if a question leaves too few tokens for the context.
    """
    room = max_length - tokenizer.num_special_tokens_to_add(pair=True)
    questions = _fitting(tokenizer, questions, room, stride, max_question_tokens)
    encoded = _encoded(tokenizer, questions, contexts, max_length, stride)
    columns = {
        "input_ids": encoded["input_ids"],
        "row": encoded["overflow_to_sample_mapping"],
        "null": [_null(tokenizer, ids) for ids in encoded["input_ids"]],
        "offset_start": [],
        "offset_end": [],
    }
    if "token_type_ids" in tokenizer.model_input_names:
        columns["token_type_ids"] = encoded["token_type_ids"]
    part = _context_part(tokenizer)
    for encoding in encoded.encodings:
        tokens = list(zip(encoding.offsets, encoding.sequence_ids, strict=True))
        columns["offset_start"].append([o[0] if of == part else -1 for o, of in tokens])
        columns["offset_end"].append([o[1] if of == part else -1 for o, of in tokens])
    return columns


def _encoded(tokenizer, questions, contexts, max_length, stride):
    question_first = _context_part(tokenizer) == 1
    return tokenizer(
        *((questions, contexts) if question_first else (contexts, questions)),
        truncation="only_second" if question_first else "only_first",
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=True,
        return_attention_mask=False,
    )


def _context_part(tokenizer):
    """Whether the context is the second text (1) or the first (0)."""
    return int(tokenizer.padding_side == "right")


def _fitting(tokenizer, questions, room, stride, limit):
    """The questions, cut where they have more than `limit` tokens.

    The tokenizer stops the whole process where the windows could not move on, so it must not see
    such a question.
    """
    encoded = tokenizer(questions, add_special_tokens=False, verbose=False)
    fitting = []
    for question, encoding in zip(questions, encoded.encodings, strict=True):
        length = len(encoding)
        if limit is not None and length > limit:
            question = question[: encoding.offsets[limit - 1][1]]
            length = len(tokenizer(question, add_special_tokens=False)["input_ids"])
        if room - length <= stride:
            raise UserError(
                f"question {question[:60]!r}: its {length} tokens leave {max(0, room - length)} for"
                f" the context, and windows with a stride of {stride} need more; raise max_length"
                " (in a call: max_seq_len), lower stride (doc_stride) or set max_question_tokens"
                " (max_question_len)"
            )
        fitting.append(question)
    return fitting


def _null(tokenizer, ids):
    """Place of the token that stands for no answer: the classifier's, else the first."""
    for token in (tokenizer.cls_token_id, tokenizer.bos_token_id):
        if token is not None and token in ids:
            # XLNet's stands at the end.
            from_end = tokenizer.padding_side == "left"
            return len(ids) - 1 - ids[::-1].index(token) if from_end else ids.index(token)
    return 0


def answer_tokens(columns, answers):
    """First and last token of each row's first answer, window by window.

    An answer that begins or ends inside a token is widened to the whole token.

    Args:
        columns: what `encode_windows` gave.
        answers: one `{"text", "answer_start"}` per row, two lists, empty where there is no answer.

    Returns:
        Two lists, start and end, with one token place per window: the `null` token where the
        window does not hold the whole answer.
    """
    rows, starts, ends = columns["row"], [], []
    for window, (row, null) in enumerate(zip(rows, columns["null"], strict=True)):
        place = None
        if answers[row]["text"]:
            begin = answers[row]["answer_start"][0]
            # What the tokenizer drops before the first token and behind the last belongs to them.
            first = window == 0 or rows[window - 1] != row
            last = window + 1 == len(rows) or rows[window + 1] != row
            place = _held(
                columns["offset_start"][window],
                columns["offset_end"][window],
                *_without_blanks(answers[row]["text"][0], begin),
                open_sides=(first, last),
            )
        start, end = place or (null, null)
        starts.append(start)
        ends.append(end)
    return starts, ends


def _without_blanks(text, begin):
    begin += len(text) - len(text.lstrip())
    return begin, begin + len(text.strip())


def _held(offset_start, offset_end, begin, stop, open_sides):
    """First and last token of the characters from `begin` to `stop`; None if some are outside."""
    tokens = [place for place, start in enumerate(offset_start) if start >= 0]
    if not tokens:
        return None
    if not open_sides[0] and offset_start[tokens[0]] > begin:
        return None
    if not open_sides[1] and offset_end[tokens[-1]] < stop:
        return None
    touched = [t for t in tokens if offset_end[t] > begin and offset_start[t] < stop]
    return (touched[0], touched[-1]) if touched else None
