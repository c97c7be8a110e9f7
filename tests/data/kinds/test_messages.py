import pytest
from datasets import List, Value

from tfhf.data.columns import Messages

KINDS = {"messages": Messages()}
USER = {"role": "user", "content": "Hello?"}
ASSISTANT = {"role": "assistant", "content": "Hello."}


def chats(*chats):
    return [{"messages": chat} for chat in chats]


def test_conversations(loaded):
    found = loaded(KINDS, chats([USER, ASSISTANT], [ASSISTANT])).splits["train"]
    text = Value("string")
    assert found.features["messages"] == List({"role": text, "content": text})
    assert found["messages"][:] == [[USER, ASSISTANT], [ASSISTANT]]


def test_whatever_else_messages_hold_is_told(loaded):
    found = loaded(KINDS, chats([USER | {"name": "Ada"}, ASSISTANT]))
    assert found.splits["train"]["messages"][:] == [[USER, ASSISTANT]]
    assert found.notes[0] == (
        "data.train: the messages of column 'messages' also hold 'name', not read"
    )


def test_conversations_of_csv(train, fails):
    table = 'messages\n"[{""role"": ""assistant"", ""content"": ""a""}]"\n'
    assert train(KINDS, table) == [{"messages": [{"role": "assistant", "content": "a"}]}]
    assert fails(KINDS, table + "hello\n").startswith(
        "a.csv row 2: column 'messages' (messages) holds 'hello', not a list of messages; write it"
    )


@pytest.mark.parametrize(
    ("chat", "expected"),
    [
        (
            [USER],
            "column 'messages' has no message of the assistant, which is what is learned; remove "
            "the row",
        ),
        (
            [],
            "column 'messages' (messages) holds no messages; write one or remove the row",
        ),
        (
            None,
            "column 'messages' (messages) holds no messages; write one or remove the row",
        ),
        (
            [USER, {"role": "assistent", "content": "a"}],
            "unknown role 'assistent' in column 'messages'; the roles are system, user, assistant, "
            "tool; did you mean 'assistant'?",
        ),
        (
            [USER, {"role": "assistant"}],
            "a message of column 'messages' has no content; it holds role; a message needs role "
            "and content",
        ),
    ],
)
def test_conversations_that_cannot_be(fails, chat, expected):
    given = chats([USER, ASSISTANT], chat, [USER, ASSISTANT])
    assert fails(KINDS, given) == f"a.jsonl:2: {expected}"


def test_columns_of_something_else(fails):
    assert fails(KINDS, chats(["hello"])) == (
        "data.columns: column 'messages' (messages) has type list of text, not list of messages "
        '(a.jsonl:1: [\'hello\']); a message is an object {"role": ..., "content": ...}'
    )
    assert fails(KINDS, chats([{"from": "human", "value": "hello"}])) == (
        "a.jsonl:1: a message of column 'messages' has no role; it holds from, value; a message "
        "needs role and content"
    )
    assert fails(KINDS, chats([{"role": "user", "content": ["hello"]}])) == (
        "a.jsonl:1: the content of a message has type list of text, not text"
    )
