import numpy as np
import pytest

from tfhf.data.splits import set_aside, subset


def test_subset_is_seeded_and_ascending():
    rows = np.arange(100, 200)
    drawn = subset(rows, 10, [42, 0])
    assert len(drawn) == 10 and (np.diff(drawn) > 0).all() and set(drawn) <= set(rows)
    assert (drawn == subset(rows, 10, [42, 0])).all()
    assert (drawn != subset(rows, 10, [43, 0])).any()
    assert subset(rows, 100, 1) is rows and subset(rows, 1000, 1) is rows


def test_global_randomness_is_left_alone():
    np.random.seed(0)
    expected = np.random.random()
    np.random.seed(0)
    set_aside(np.arange(50), None, 1)
    subset(np.arange(50), 5, 1)
    assert np.random.random() == expected


def test_set_aside_is_stratified():
    classes = np.repeat([0, 1, 2], [700, 200, 100])
    train, aside = set_aside(np.arange(1000), classes, 1)
    assert np.bincount(classes[aside]).tolist() == [70, 20, 10]
    assert sorted([*train, *aside]) == list(range(1000))
    again = set_aside(np.arange(1000), classes, 1)
    assert (again[1] == aside).all()
    assert (set_aside(np.arange(1000), classes, 2)[1] != aside).any()


def test_set_aside_keeps_the_only_row_of_a_class_in_train():
    classes = np.array([0] * 18 + [1, 2])
    for seed in range(20):
        train, aside = set_aside(np.arange(20), classes, seed)
        assert len(aside) == 2 and (classes[aside] == 0).all()


def test_set_aside_of_many_small_classes_meets_the_total():
    classes = np.repeat(np.arange(50), 3)
    train, aside = set_aside(np.arange(150), classes, 0)
    assert len(aside) == 15 and np.bincount(classes[aside]).max() == 1


@pytest.mark.parametrize("rows, expected", [(1, 0), (2, 1), (4, 1), (26, 3), (1000, 100)])
def test_set_aside_at_random(rows, expected):
    train, aside = set_aside(np.arange(rows), None, 3)
    assert len(aside) == expected and len(train) == rows - expected


def test_set_aside_works_on_row_numbers():
    rows = np.array([3, 7, 9, 20, 30, 31, 32, 40, 41, 90])
    train, aside = set_aside(rows, None, 0)
    assert sorted([*train, *aside]) == rows.tolist()
