import datasets
import huggingface_hub
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from datasets.exceptions import DatasetNotFoundError

from tfhf.data import load
from tfhf.data.columns import Label, Text
from tfhf.errors import UserError

KINDS = {"text": Text(), "label": Label()}
FEATURES = Features({"sentence": Value("large_string"), "label": ClassLabel(names=["bad", "good"])})


def split(labels):
    rows = {"sentence": [f"text {i}" for i in range(len(labels))], "label": labels}
    return Dataset.from_dict(rows, features=FEATURES)


@pytest.fixture
def hub(monkeypatch):
    """hub(answer) makes `datasets.load_dataset` return a `DatasetDict`, or raise."""

    def hub(answer):
        def load_dataset(path, name, revision):
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)

    return hub


def load_hub(**options):
    return load(KINDS, path="a/b", columns={"text": "sentence"}, **options)


def test_class_names_are_kept_and_unlabeled_test_is_left_out(hub):
    hub(DatasetDict(train=split([1, 0, 1]), validation=split([0]), test=split([-1, -1])))
    loaded = load_hub(name="c")
    assert loaded.splits["train"].features == Features(
        {"text": Value("string"), "label": ClassLabel(names=["bad", "good"])}
    )
    assert loaded.splits["train"]["label"][:] == [1, 0, 1]
    assert list(loaded.splits) == ["train", "validation"]
    assert loaded.notes == ["data.test: none of its 2 rows has a label; left out"]


def test_class_names_may_be_reordered(hub):
    hub(DatasetDict(train=split([1, 0]), validation=split([0])))
    assert load_hub(labels=["good", "bad"]).splits["train"]["label"][:] == [0, 1]


def test_unlabeled_training_rows_are_an_error(hub):
    hub(DatasetDict(train=split([1, -1, 0]), validation=split([0])))
    with pytest.raises(UserError) as caught:
        load_hub(name="c")
    assert str(caught.value) == (
        "a/b c train row 2: label -1 means unlabeled test data (1 of 3 rows); use a labeled file, "
        "or set data.on_unlabeled: drop"
    )


def test_splits_of_other_names(hub):
    hub(
        DatasetDict(
            train=split([1, 0]),
            validation_matched=split([1]),
            validation_mismatched=split([0]),
            dev=split([]),
        )
    )
    loaded = load_hub()
    assert loaded.splits["validation"]["label"][:] == [1]
    assert loaded.notes == ["data.validation: split 'validation_matched' of a/b"]


def test_no_train_split(hub):
    hub(DatasetDict(test=split([1])))
    with pytest.raises(UserError) as caught:
        load_hub()
    assert str(caught.value) == "data.path: a/b has no train split; found ['test']"


@pytest.mark.parametrize(
    "error, expected",
    [
        (
            DatasetNotFoundError("Dataset 'a/b' doesn't exist on the Hub or cannot be accessed."),
            "data.path: no dataset a/b on the Hub, or it is private; check the name, or log in "
            "with `hf auth login`",
        ),
        (
            DatasetNotFoundError("Dataset 'a/b' is a gated dataset on the Hub."),
            "data.path: a/b is gated; ask for access on its page on the Hub, then log in with "
            "`hf auth login`",
        ),
        (
            DatasetNotFoundError("Revision 'v9' doesn't exist for dataset 'a/b' on the Hub."),
            "data.revision: a/b has no revision 'v9' on the Hub",
        ),
        (
            ValueError("BuilderConfig 'sst' not found. Available: ['sst2', 'mnli']"),
            "data.name: a/b has the configurations ['sst2', 'mnli']; received 'sst'; did you mean "
            "'sst2'?",
        ),
        (
            RuntimeError("Dataset scripts are no longer supported, but found b.py"),
            "data.path: a/b is a Python script, which is not run; use a version of it in Parquet, "
            "such as data.revision: refs/convert/parquet",
        ),
        (
            ConnectionError("Couldn't reach 'a/b' on the Hub"),
            "data.path: the Hub cannot be reached for a/b; check the network, or name files",
        ),
        (
            ValueError("cannot read https://x/y?token=1 with hf_abc\nand more"),
            "data.path: a/b cannot be loaded: cannot read https://x/y… with …",
        ),
    ],
)
def test_errors_are_one_line(hub, error, expected):
    hub(error)
    with pytest.raises(UserError) as caught:
        load_hub(name="sst", revision="v9")
    assert str(caught.value) == expected


def test_missing_configuration(hub):
    hub(ValueError("Config name is missing.\nPlease pick one among the available configs: ['x']"))
    with pytest.raises(UserError) as caught:
        load_hub()
    assert str(caught.value) == "data.name: a/b has the configurations ['x']; none was given"


def test_id_that_cannot_be():
    with pytest.raises(UserError) as caught:
        load(KINDS, path="bad name!")
    assert str(caught.value) == (
        "data.path: 'bad name!' is no file, no folder, and no dataset id of the Hub"
    )


def test_offline():
    with pytest.raises(UserError) as caught:  # tests/conftest.py switches the Hub off
        load(KINDS, path="nobody/nothing")
    assert str(caught.value) == (
        "data.path: nobody/nothing is not in the cache, and the Hub is switched off "
        "(HF_HUB_OFFLINE or HF_DATASETS_OFFLINE); switch it on or name files"
    )
