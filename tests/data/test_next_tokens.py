"""Inputs and labels one place apart: every token is predicted once, every letter counted."""

import pytest

from tests.learning.letters import TEMPLATE, tokenizer
from tfhf.data import chats, next_tokens
from tfhf.data.language import Reader
from tfhf.errors import UserError

IGNORED = next_tokens.IGNORED


def reader(format="text", max_length=8, join="documents", separator="?"):
    letters = tokenizer()
    found = Reader(letters, format=format, max_length=max_length, join=join, separator=separator)
    return letters, found


def shown(letters, features):
    """Inputs and labels as text; `|` is the end of text, `_` a label that is not learned."""

    def text(ids):
        return "".join("_" if i < 0 else "|" if i == 2 else letters.decode([i]) for i in ids)

    pairs = zip(features.inputs, features.labels, strict=True)
    return [(text(inputs), text(labels)) for inputs, labels in pairs]


def test_documents_run_on_behind_an_end_of_text():
    letters, found = reader()
    features = found.learned({"text": ["hello you", "", "ok"]})
    assert shown(letters, features) == [("|hello y", "hello yo"), ("ou|ok", "u|ok|")]
    assert features.characters == [8, 3]
    assert features.rows == [0, 0]


def test_lines_keep_their_breaks():
    letters, found = reader(join="lines")
    features = found.learned({"text": ["hello", "", "you"]})
    # The tokenizer of the test has no line break: it is unknown, and decodes to nothing.
    assert sum(features.characters) == len("hello\n\nyou\n")
    assert [len(ids) for ids in features.inputs] == [8, 3]
    assert features.labels[0][5:7] == [letters.unk_token_id] * 2


def test_rows_by_themselves_begin_anew():
    letters, found = reader(join="none", max_length=4)
    features = found.learned({"text": ["hello", "", "ok"]})
    assert shown(letters, features) == [("|hel", "hell"), ("lo", "o|"), ("|ok", "ok|")]
    assert features.rows == [0, 0, 2]
    assert features.characters == [4, 1, 2]


def test_the_prompt_is_not_learned():
    letters, found = reader("prompt", max_length=12)
    features = found.learned({"prompt": ["hi", ""], "response": ["you", "!"]})
    assert shown(letters, features) == [("hi?you", "__you|"), ("?!", "!|")]
    assert features.characters == [3, 1]


def test_a_long_prompt_loses_its_beginning_and_a_long_response_its_end():
    letters, found = reader("prompt", max_length=6)
    rows = {"prompt": ["hello", "a"], "response": ["you", "hello you"]}
    features = found.learned(rows)
    assert shown(letters, features) == [("lo?you", "__you|"), ("?hello", "hello ")]
    assert features.characters == [3, 6]
    assert features.full_lengths == [9, 11]


def test_only_what_the_assistant_says_is_learned():
    letters, found = reader("chat", max_length=24)
    talk = [("user", "hi"), ("assistant", "yes?"), ("user", "no"), ("assistant", "ok")]
    messages = [{"role": role, "content": content} for role, content in talk]
    features = found.learned({"messages": [messages]})
    assert shown(letters, features) == [("u!hi.a!yes?|.u!no.a!ok|", "______yes?|._______ok|.")]
    assert features.characters == [len("yes?.ok.")]
    assert letters.decode(found.question({"chat": messages[:3]})) == "u!hi.a!yes?</s>.u!no.a!"
    assert letters.decode(found.question({"prompt": "hi"})) == "u!hi.a!"
    assert letters.decode(found.question({"chat": messages[:2]})).endswith("a!yes?")


def test_a_long_chat_loses_its_end_unless_that_is_all_there_is_to_learn():
    letters, found = reader("chat", max_length=8)
    talk = [("user", "hi"), ("assistant", "hello"), ("user", "x")]
    late = [("user", "hello you all"), ("assistant", "yes")]
    chats_ = [[{"role": r, "content": c} for r, c in messages] for messages in (talk, late)]
    features = found.learned({"messages": chats_})
    assert shown(letters, features) == [("u!hi.a!h", "______he"), ("l.a!yes|", "___yes|.")]
    assert features.characters == [2, 4]
    assert features.full_lengths == [17, 22]


def test_a_chat_without_a_template_is_refused():
    letters = tokenizer()
    letters.chat_template = None
    with pytest.raises(UserError) as caught:
        chats.told(letters, [{"role": "user", "content": "hi"}], answering=True)
    assert str(caught.value) == (
        "model: its tokenizer has no chat template; set options.chat_template, or take a model "
        "made for chats"
    )


def test_a_template_that_refuses_or_rewrites_is_named():
    letters = tokenizer()
    talk = [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}]
    letters.chat_template = "{{ raise_exception('users first') }}" + TEMPLATE
    with pytest.raises(UserError) as caught:
        chats.assistant_spans(letters, talk)
    assert str(caught.value) == (
        "messages: the chat template refuses them (users first); received the roles assistant, "
        "assistant"
    )
    letters.chat_template = "{{ messages | length }}" + TEMPLATE
    with pytest.raises(UserError, match="messages: the chat template tells message 1 otherwise"):
        chats.assistant_spans(letters, talk)


def test_letters_of_several_tokens_count_once():
    assert next_tokens.spelled([(0, 5), (5, 6), (5, 6), (5, 6), (6, 9)]) == [5, 1, 0, 0, 3]
    assert next_tokens.spelled([]) == []


def test_the_tokens_of_a_real_vocabulary_spell_the_whole_text(shared):
    from transformers import AutoTokenizer

    gpt2 = AutoTokenizer.from_pretrained(shared / "checkpoints" / "tokenizers" / "gpt2")
    gpt2.model_max_length = 64
    found = Reader(gpt2, format="text", max_length=8, join="documents", separator="")
    texts = ["Hello  world \n\n x ", "", " naïve 日本語 😀", "\n"]
    assert sum(found.learned({"text": texts}).characters) == sum(map(len, texts))


@pytest.mark.parametrize(
    ("prompt", "room", "before", "kept"),
    [
        ([9, 1, 2, 3], 4, [9], [9, 1, 2, 3]),
        ([9, 1, 2, 3], 3, [9], [9, 2, 3]),
        ([9, 1, 2, 3], 1, [9], [3]),
        ([1, 2, 3], 2, [], [2, 3]),
    ],
)
def test_a_prompt_keeps_what_stands_before_every_text(prompt, room, before, kept):
    assert next_tokens.last(prompt, room, before) == kept
