"""Windows: all of a context is seen, and answers in any script come back character by character."""

import pytest

from tfhf.data.windows import answer_tokens, encode_windows
from tfhf.errors import UserError

QUESTION = "see it again?"
CONTEXT = "I would see a warm and funny story. I would not see a cold and tired story, number 7."


def answers_of(context, *texts):
    return {"text": list(texts), "answer_start": [context.index(text) for text in texts]}


def shown(columns, context, window, first, last):
    """The characters from one token of a window to another."""
    start, end = columns["offset_start"][window][first], columns["offset_end"][window][last]
    return context[start:end]


def test_windows_overlap_by_the_stride(tiny_tokenizer):
    columns = encode_windows(tiny_tokenizer, ["dull?", QUESTION], ["film", CONTEXT], max_length=16,
                             stride=4)  # fmt: skip
    texts = [tiny_tokenizer.decode(ids) for ids in columns["input_ids"]]
    assert texts[:3] == [
        "[CLS] dull? [SEP] film [SEP]",
        "[CLS] see it again? [SEP] i would see a warm and funny story. [SEP]",
        "[CLS] see it again? [SEP] and funny story. i would not see a [SEP]",
    ]
    assert columns["row"] == [0, 1, 1, 1, 1]
    assert columns["null"] == [0] * 5
    assert columns["token_type_ids"][1] == [0] * 6 + [1] * 10
    # Outside the context there are no characters; inside, every character but blanks is seen.
    assert columns["offset_start"][0] == [-1, -1, -1, -1, 0, -1]
    seen = set()
    for starts, ends in list(zip(columns["offset_start"], columns["offset_end"], strict=True))[1:]:
        for start, end in zip(starts, ends, strict=True):
            seen.update(range(start, end) if start >= 0 else ())
    assert {CONTEXT[place] for place in set(range(len(CONTEXT))) - seen} == {" "}


def test_only_windows_with_the_whole_answer_hold_it(tiny_tokenizer):
    columns = encode_windows(tiny_tokenizer, [QUESTION], [CONTEXT], max_length=16, stride=4)
    starts, ends = answer_tokens(columns, [answers_of(CONTEXT, "warm and funny story", "number")])
    assert [shown(columns, CONTEXT, 0, starts[0], ends[0])] == ["warm and funny story"]
    # The second window begins with "and": it has most of the answer, and is not to find it.
    assert (starts[1:], ends[1:]) == ([0, 0, 0], [0, 0, 0])
    starts, ends = answer_tokens(columns, [{"text": [], "answer_start": []}])
    assert starts == ends == [0] * 4


def test_answers_are_widened_to_tokens(tiny_tokenizer):
    columns = encode_windows(tiny_tokenizer, [QUESTION], [CONTEXT], max_length=40, stride=4)
    for text, whole in [("arm and fun", "warm and funny"), (" warm ", "warm"), ("7.", "7.")]:
        starts, ends = answer_tokens(columns, [answers_of(CONTEXT, text)])
        assert shown(columns, CONTEXT, 0, starts[0], ends[0]) == whole


SCRIPTS = [
    ("東京は日本の首都です。京都は古い都です。", "京都"),
    ("القاهرةُ عاصمةُ مصر منذ قرون", "عاصمةُ مصر"),
    ("Der Zu\u0308rcher Cafe\u0301besitzer ruft 👍🏽 und geht", "Cafe\u0301besitzer"),
    ("He said 👍🏽 👨‍👩‍👧 and left the town", "👍🏽 👨‍👩‍👧"),
    ("  Two  blanks \n and a line break", "blanks"),
    ("नमस्ते दुनिया, कैसे हो", "दुनिया"),
]


@pytest.mark.parametrize("name", ["bert-base-uncased", "gpt2", "t5"])
@pytest.mark.parametrize(("context", "answer"), SCRIPTS, ids=[answer for _, answer in SCRIPTS])
def test_answers_in_any_script(name, context, answer, shared):
    from transformers import AutoTokenizer

    from tfhf.learning.answers import visible

    tokenizer = AutoTokenizer.from_pretrained(shared / "checkpoints/tokenizers" / name)
    columns = encode_windows(tokenizer, ["where?"], [context], max_length=60, stride=20)
    starts, ends = answer_tokens(columns, [answers_of(context, answer)])
    held = [window for window, null in enumerate(columns["null"]) if starts[window] != null]
    assert held
    for window in held:
        start = columns["offset_start"][window][starts[window]]
        end = columns["offset_end"][window][ends[window]]
        start, end = visible(context, start, end)
        # T5 splits nothing but at blanks, so that its answer may be wider.
        assert answer in context[start:end] if name == "t5" else answer == context[start:end]


def test_the_context_comes_first_where_padding_is_left(tiny_tokenizer):
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    inner = type(tiny_tokenizer.backend_tokenizer).from_str(
        tiny_tokenizer.backend_tokenizer.to_str()
    )
    inner.post_processor = TemplateProcessing(
        single="$A [SEP] [CLS]:2",
        pair="$A [SEP] $B:1 [SEP]:1 [CLS]:2",
        special_tokens=[(name, tiny_tokenizer.vocab[name]) for name in ("[CLS]", "[SEP]")],
    )
    xlnet = PreTrainedTokenizerFast(
        tokenizer_object=inner, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]",
        padding_side="left",
    )  # fmt: skip
    columns = encode_windows(xlnet, [QUESTION], [CONTEXT], max_length=16, stride=4)
    assert xlnet.decode(columns["input_ids"][0]) == (
        "i would see a warm and funny story. [SEP] see it again? [SEP] [CLS]"
    )
    assert columns["null"] == [len(ids) - 1 for ids in columns["input_ids"]]
    starts, ends = answer_tokens(columns, [answers_of(CONTEXT, "warm and funny story")])
    assert shown(columns, CONTEXT, 0, starts[0], ends[0]) == "warm and funny story"
    assert starts[1] == columns["null"][1]


def test_a_question_too_long_is_named_or_cut(tiny_tokenizer):
    long = "would I see a funny story again and again?"
    with pytest.raises(UserError) as caught:
        encode_windows(tiny_tokenizer, [QUESTION, long], [CONTEXT] * 2, max_length=16, stride=4)
    assert str(caught.value) == (
        "question 'would I see a funny story again and again?': its 10 tokens leave 3 for the "
        "context, and windows with a stride of 4 need more; raise max_length (in a call: "
        "max_seq_len), lower stride (doc_stride) or set max_question_tokens (max_question_len)"
    )
    cut = encode_windows(
        tiny_tokenizer, [long], [CONTEXT], max_length=16, stride=4, max_question_tokens=3
    )
    assert tiny_tokenizer.decode(cut["input_ids"][0]).startswith("[CLS] would i see [SEP] i would")


def test_a_context_of_nothing_has_one_empty_window(tiny_tokenizer):
    columns = encode_windows(tiny_tokenizer, [QUESTION], [" \u200b "], max_length=16, stride=4)
    assert len(columns["row"]) == 1
    assert answer_tokens(columns, [{"text": [" "], "answer_start": [0]}]) == ([0], [0])
