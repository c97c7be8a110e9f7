"""Schemes of tags, the entities they mark, and how these are counted."""

import pytest

from tfhf.learning.entity_metrics import Entities
from tfhf.learning.tagging import entities, mark_entities

PERSON, PLACE = ("PER", 1, 3), ("LOC", 4, 4)


@pytest.mark.parametrize(
    "tags",
    [
        "O B-PER I-PER I-PER B-LOC O",
        "O B-PER I-PER E-PER S-LOC O",
        "O B-PER I-PER L-PER U-LOC O",
        "O B-PER M-PER E-PER S-LOC O",
        "O I-PER I-PER I-PER I-LOC O",
        "O PER PER PER LOC O",
    ],
    ids=["BIO", "BIOES", "BILOU", "BMES", "IO", "IO without prefix"],
)
def test_every_scheme_marks_the_same_entities(tags):
    assert entities(tags.split()) == [PERSON, PLACE]
    assert mark_entities(sorted(set(tags.split())))


def test_neighbours_of_one_type_are_told_apart_where_the_scheme_can():
    assert entities(["B-creative-work", "B-creative-work", "I-creative-work"]) == [
        ("creative-work", 0, 0),
        ("creative-work", 1, 2),
    ]
    assert entities(["S-PER", "U-PER"]) == [("PER", 0, 0), ("PER", 1, 1)]
    assert entities(["PER", "PER"]) == [("PER", 0, 1)]


def test_an_entity_without_its_beginning_is_one():
    assert entities(["O", "I-PER", "E-PER", "I-LOC"]) == [("PER", 1, 2), ("LOC", 3, 3)]


def test_parts_of_speech_mark_no_entities():
    assert not mark_entities(["NOUN", "VERB", "X"])
    assert not mark_entities(["B", "NN-TL"])
    assert mark_entities(["B-NP", "I-NP"])  # chunks of a text without outside


def test_entities_count_where_type_and_both_ends_are_right():
    references = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-PER", "O"]]
    predictions = [["B-PER", "I-PER", "O", "B-PER"], ["O", "B-PER", "I-PER"]]
    found = Entities().compute(references=references, predictions=predictions)
    assert (found["precision"], found["recall"]) == (1 / 3, 1 / 3)
    assert found["f1"] == pytest.approx(1 / 3)
    assert found["f1_macro"] == pytest.approx(0.2)
    assert found["accuracy"] == 5 / 7
    assert found["per_class"] == {
        "LOC": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1.0},
        "PER": {"precision": 1 / 3, "recall": 0.5, "f1": pytest.approx(0.4), "support": 2.0},
    }


def test_all_schemes_are_counted_alike():
    bio = [["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "I-PER", "O", "O"]]
    bilou = [["B-PER", "L-PER", "O", "U-LOC"]], [["B-PER", "L-PER", "O", "O"]]
    bare = [["PER", "PER", "O", "LOC"]], [["PER", "PER", "O", "O"]]
    found = [Entities().compute(references=r, predictions=p) for r, p in (bio, bilou, bare)]
    assert found[0] == found[1] == found[2]
    assert found[0]["f1"] == pytest.approx(2 / 3)


def test_rows_without_entities_have_no_f1():
    found = Entities().compute(references=[["O", "O"]], predictions=[["O", "O"]])
    assert (found["f1"], found["accuracy"], found["per_class"]) == (0.0, 1.0, {})
    missed = Entities().compute(references=[["B-PER", "O"]], predictions=[["O", "O"]])
    assert (missed["f1"], missed["per_class"]["PER"]["support"]) == (0.0, 1.0)
