import csv
import re
import string
from collections import Counter

import pytest

from tfhf.data import supportdesk


@pytest.fixture(scope="module")
def splits():
    return supportdesk.messages()


def test_same_seed_writes_the_same_bytes(tmp_path):
    first, again = supportdesk.write(tmp_path / "a"), supportdesk.write(tmp_path / "b")
    other = supportdesk.write(tmp_path / "c", seed=8)
    for split in ("train", "validation", "test"):
        assert first[split].read_bytes() == again[split].read_bytes()
        assert first[split].read_bytes() != other[split].read_bytes()


def test_files_hold_the_messages(tmp_path, splits):
    for split, path in supportdesk.write(tmp_path).items():
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert header == ["text", "intent"]
        assert [tuple(row) for row in rows] == splits[split]


def test_every_intent_is_everywhere_and_as_frequent_as_any_other(splits):
    counts = {split: Counter(intent for _, intent in rows) for split, rows in splits.items()}
    intents = set(supportdesk.patterns()["intents"])
    assert len(intents) == 10
    assert counts == {
        "train": dict.fromkeys(intents, 200),
        "validation": dict.fromkeys(intents, 24),
        "test": dict.fromkeys(intents, 40),
    }


def test_no_message_occurs_twice(splits):
    texts = [text.lower() for rows in splits.values() for text, _ in rows]
    assert len(texts) == len(set(texts)) == 2640


def test_messages_look_typed(splits):
    texts = [text for rows in splits.values() for text, _ in rows]
    assert {len(text.split()) for text in texts} <= set(range(4, 36))
    assert not any(re.search(r"[{}#|]|  | [.,?!]|\( ?\)", text) for text in texts)
    shares = {
        "lower": sum(text.islower() for text in texts) / len(texts),
        "upper": sum(text.isupper() for text in texts) / len(texts),
        "unpunctuated": sum(not set(text) & set(".,!?") for text in texts) / len(texts),
    }
    assert 0.2 < shares["lower"] < 0.5
    assert 0.01 < shares["upper"] < 0.1
    assert 0.1 < shares["unpunctuated"] < 0.5


def test_test_patterns_are_never_trained_on():
    source = supportdesk.patterns()
    trained, tested = (
        [pattern for intent in source["intents"].values() for pattern in intent[split]]
        for split in ("train", "test")
    )
    assert len(set(trained)) == len(trained) and len(set(tested)) == len(tested)
    assert not set(trained) & set(tested)
    for intent in source["intents"].values():
        assert len(intent["train"]) >= 8 and len(intent["test"]) >= 4


def test_patterns_name_known_slots_only():
    source = supportdesk.patterns()
    patterns = source["greetings"] + source["remarks"] + source["signoffs"]
    for intent in source["intents"].values():
        patterns += intent["train"] + intent["test"]
    named = {field for pattern in patterns for _, field, *_ in string.Formatter().parse(pattern)}
    assert named - {None} == set(source["slots"])
