import copy
import json

import pytest

from tfhf.data import load
from tfhf.data.columns import Answers, Text
from tfhf.errors import UserError

KINDS = {"question": Text(), "context": Text(), "answers": Answers()}
SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Paris",
            "paragraphs": [
                {
                    "context": "Zoë lives in Paris.",
                    "qas": [
                        {
                            "id": "q1",
                            "question": "Where?",
                            "answers": [
                                {"text": "Paris", "answer_start": 13},
                                {"text": "in Paris", "answer_start": 10},
                            ],
                            "is_impossible": False,
                        },
                        {
                            "id": "q2",
                            "question": "Why?",
                            "answers": [],
                            "plausible_answers": [{"text": "Paris", "answer_start": 13}],
                            "is_impossible": True,
                        },
                    ],
                }
            ],
        }
    ],
}


@pytest.fixture
def squad(write):
    """squad(change) → what loading the file gives after `change` was made to its content."""

    def squad(change=None, indent=None, **options):
        value = copy.deepcopy(SQUAD)
        if change:
            change(value["data"][0]["paragraphs"][0])
        write("a.json", json.dumps(value, indent=indent))
        return load(KINDS, files={"train": "a.json", "validation": "a.json"}, **options)

    return squad


@pytest.mark.parametrize("options", [{}, {"indent": 1}, {"field": "data"}])
def test_questions_are_rows(squad, options):
    found = squad(**options).splits["train"]
    assert found.to_list() == [
        {
            "question": "Where?",
            "context": "Zoë lives in Paris.",
            "answers": {"text": ["Paris", "in Paris"], "answer_start": [13, 10]},
        },
        {
            "question": "Why?",
            "context": "Zoë lives in Paris.",
            "answers": {"text": [], "answer_start": []},
        },
    ]


def test_what_the_file_knows_beside_roles(squad, read):
    squad()
    kept = read("a.json", {"text": "question"})
    assert kept.column_names == ["id", "title", "context", "question", "answers"]
    assert kept["id"][:] == ["q1", "q2"]


def test_without_answers_there_is_nothing_to_learn(squad):
    def without(paragraph):
        del paragraph["qas"][1]["answers"]

    with pytest.raises(UserError) as caught:
        squad(without)
    assert str(caught.value) == (
        "data.train: 1 of 2 rows has no list of answers (first: a.json question 'q2'); label "
        "them, or set data.on_unlabeled: drop"
    )


def shift(paragraph):
    paragraph["qas"][0]["answers"][0]["answer_start"] = 14


def contradict(paragraph):
    paragraph["qas"][0]["is_impossible"] = True


def lose_start(paragraph):
    del paragraph["qas"][0]["answers"][0]["answer_start"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            shift,
            "a.json question 'q1': answer 'Paris' is not at 14 of the context, where 'aris.' "
            "stands; it is at 13; starts count characters from 0",
        ),
        (
            contradict,
            "a.json article 1 paragraph 1 question 'q1': is_impossible is true, but there are "
            "answers; correct one",
        ),
        (
            lose_start,
            "a.json article 1 paragraph 1 question 'q1': expected 'answer_start' to be a whole "
            "number, received 'None'",
        ),
        (
            lambda paragraph: paragraph.pop("context"),
            "a.json article 1 paragraph 1: expected 'context' to be a text, received 'None'",
        ),
        (
            lambda paragraph: paragraph.update(qas=["x"]),
            "a.json article 1 paragraph 1: expected 'question' to be a text, received 'None'",
        ),
    ],
)
def test_malformed_files(squad, change, expected):
    with pytest.raises(UserError) as caught:
        squad(change)
    assert str(caught.value) == expected
