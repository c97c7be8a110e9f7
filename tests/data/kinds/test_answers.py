import pytest
from datasets import List, Value

from tfhf.data.columns import Answers, Text

KINDS = {"context": Text(), "answers": Answers()}
FEATURE = {"text": List(Value("string")), "answer_start": List(Value("int32"))}
CONTEXT = "Zoë 🙂 lives in Paris, and Paris is old."


def row(*spans, context=CONTEXT):
    texts, starts = [text for text, _ in spans], [start for _, start in spans]
    return {"context": context, "answers": {"text": texts, "answer_start": starts}}


def test_answers_are_characters_of_the_context(loaded):
    found = loaded(KINDS, [row(("Paris", 15), ("🙂 lives", 4)), row()]).splits["train"]
    assert found.features["answers"] == FEATURE
    assert found["answers"][:] == [
        {"text": ["Paris", "🙂 lives"], "answer_start": [15, 4]},
        {"text": [], "answer_start": []},
    ]


def test_a_list_of_objects(loaded, fails):
    answer = {"text": "Paris", "answer_start": 15}
    rows = [{"context": CONTEXT, "answers": [answer, answer]}, {"context": "x", "answers": []}]
    found = loaded(KINDS, rows).splits["train"]
    assert found.features["answers"] == FEATURE
    assert found["answers"][:] == [
        {"text": ["Paris", "Paris"], "answer_start": [15, 15]},
        {"text": [], "answer_start": []},
    ]
    rows[1]["answers"] = [answer]
    assert fails(KINDS, rows) == (
        "a.jsonl:2: answer 'Paris' is not at 15 of the context, where '' stands; the context does "
        "not hold it; write an exact part of the context"
    )


def test_answers_of_csv(train, fails):
    table = 'context,answers\nin Paris,"{""text"": [""Paris""], ""answer_start"": [3]}"\n'
    assert train(KINDS, table)[0]["answers"] == {"text": ["Paris"], "answer_start": [3]}
    assert fails(KINDS, table + "x,Paris\n").startswith(
        "a.csv row 2: column 'answers' (answers) holds 'Paris', not a list of answers; write it as "
        'JSON, such as {"text": ["one"], "answer_start": [0]}'
    )


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        (
            [("Paris", 18)],  # counted in bytes
            "answer 'Paris' is not at 18 of the context, where 'is, a' stands; it is at 15; starts "
            "count characters from 0",
        ),
        (
            [("Paris", 25)],
            "answer 'Paris' is not at 25 of the context, where ' Pari' stands; it is at 26; starts "
            "count characters from 0",
        ),
        (
            [("paris", 15)],
            "answer 'paris' is not at 15 of the context, where 'Paris' stands; the context does "
            "not hold it; write an exact part of the context",
        ),
        (
            [("Paris", -1)],
            "answer 'Paris' has the answer_start -1; it is at 15; starts count characters from 0",
        ),
        (
            [("Paris", None)],
            "answer 'Paris' has the answer_start None; it is at 15; starts count characters from 0",
        ),
        (
            [("", 0)],
            "an answer is empty; where a question has no answer both lists are",
        ),
    ],
)
def test_answers_that_do_not_stand_there(fails, spans, expected):
    assert fails(KINDS, [row(("Paris", 15)), row(*spans)]) == f"a.jsonl:2: {expected}"


def test_lists_of_two_lengths(fails):
    rows = [row(("Paris", 15)), row(("Paris", 15))]
    rows[1]["answers"]["answer_start"].append(15)
    assert fails(KINDS, rows) == (
        "a.jsonl:2: answers has 1 text and 2 answer_start; write one start for each text"
    )


def test_starts_that_are_no_whole_numbers(fails):
    assert fails(KINDS, [row(("Paris", 15.5))]).startswith(
        "data.train: an answer_start in column 'answers' is no whole number (Float value 15.5"
    )


@pytest.mark.parametrize(
    "answers", ["Paris", {"text": ["Paris"]}, [1], {"text": 1, "answer_start": 2}]
)
def test_columns_of_something_else(fails, answers):
    assert fails(KINDS, [{"context": CONTEXT, "answers": answers}]) == (
        f"data.columns: column 'answers' holds {answers} (a.jsonl:1), not answers, which are an "
        'object {"text": [...], "answer_start": [...]} for each row'
    )


def test_rows_without_answers(fails, train):
    rows = [row(("Paris", 15)), {"context": "x", "answers": None}]
    assert fails(KINDS, rows) == (
        "data.train: 1 of 2 rows has no list of answers (first: a.jsonl:2); label them, or set "
        "data.on_unlabeled: drop"
    )
    assert len(train(KINDS, rows, on_unlabeled="drop")) == 1


def test_every_question_may_be_unanswerable(train):
    empty = {"text": [], "answer_start": []}
    assert train(KINDS, [row(), row()])[1]["answers"] == empty
    assert train(KINDS, [{"context": "x", "answers": []}])[0]["answers"] == empty


def test_answers_of_another_role(train):
    kinds = {"passage": Text(), "answers": Answers(of="passage", optional=True)}
    assert train(kinds, [{"passage": "x"}]) == [{"passage": "x"}]
