"""Versions that come and go, with a loader that reads a number from a file."""

import shutil
import threading

import pytest

from tfhf.errors import UserError
from tfhf.serving.configuration import ModelConfig
from tfhf.serving.models import Models
from tfhf.serving.statuses import RequestError


class Loaded:
    """What a version is loaded to; closed when nobody uses it any more."""

    def __init__(self, name, version, folder):
        self.name, self.version = name, version
        content = (folder / "saved_model.pb").read_text()
        if content == "broken":
            raise ValueError("it is broken")
        self.users = 1

    def acquire(self):
        self.users += bool(self.users)
        return bool(self.users)

    def release(self):
        self.users -= 1


@pytest.fixture
def base(tmp_path):
    return tmp_path / "m"


def publish(base, version, content="good"):
    """As an export does: written aside, then renamed."""
    aside = base / ".tmp"
    aside.mkdir(parents=True)
    (aside / "saved_model.pb").write_text(content)
    aside.rename(base / str(version))


@pytest.fixture
def started():
    """Makes Models that look at their folders only when told; closed at the end."""
    made = []

    def start(*configs):
        made.append(Models(list(configs), Loaded, poll_seconds=3600))
        made[-1].start()
        return made[-1]

    yield start
    for models in made:
        models.close()


def states(models, name="m"):
    return {state.version: state.state for state in models.states(name)}


def served(models, **which):
    with models.leased("m", **which) as servable:
        return servable.version


def test_the_largest_version_is_served(base, started):
    for version in ("1", "0002", "10", "text", "3x"):
        publish(base, version)
    (base / "11").write_text("no folder")
    models = started(ModelConfig("m", base))
    assert states(models) == {10: "AVAILABLE"}
    assert served(models) == 10
    assert models.names() == ["m"]


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ({"latest": 2}, [10, 2]),
        ({"latest": None}, [10, 2, 1]),
        ({"latest": None, "specific": (1, 7)}, [1]),
    ],
)
def test_other_policies(base, started, policy, versions):
    for version in ("1", "2", "10"):
        publish(base, version)
    models = started(ModelConfig("m", base, **policy))
    assert list(states(models)) == versions
    assert served(models, version=versions[-1]) == versions[-1]


def test_a_new_version_takes_over(base, started):
    publish(base, 1)
    models = started(ModelConfig("m", base))
    with models.leased("m") as old:
        publish(base, 2)
        models.refresh()
        assert states(models) == {2: "AVAILABLE", 1: "END"}
        assert served(models) == 2
        assert old.users == 1  # in use still
        with pytest.raises(RequestError, match=r"NOT_FOUND: .*Specific\(m, 1\)"):
            served(models, version=1)
    assert old.users == 0


def test_a_broken_version_takes_nobodys_place(base, started, capsys):
    publish(base, 1)
    models = started(ModelConfig("m", base))
    publish(base, 2, "broken")
    models.refresh()
    assert served(models) == 1
    new, old = models.states("m")
    assert (new.state, old.state) == ("END", "AVAILABLE")
    assert "it is broken" in new.error.message
    models.refresh()
    assert capsys.readouterr().err.count("version 2 cannot be served") == 1  # tried once
    publish(base, 3)
    models.refresh()
    assert states(models) == {3: "AVAILABLE", 2: "END", 1: "END"}


def test_a_version_that_was_mended_is_tried_again(base, started):
    publish(base, 1)
    models = started(ModelConfig("m", base))
    publish(base, 2, "broken")
    models.refresh()
    shutil.rmtree(base / "2")
    models.refresh()
    publish(base, 2)
    models.refresh()
    assert served(models) == 2


def test_a_version_that_is_taken_away_gives_way_to_the_one_before(base, started):
    publish(base, 1)
    publish(base, 2)
    models = started(ModelConfig("m", base))
    shutil.rmtree(base / "2")
    models.refresh()
    assert served(models) == 1
    shutil.rmtree(base)
    models.refresh()
    assert served(models) == 1  # better than nothing


def test_labels(base, started):
    publish(base, 1)
    publish(base, 2)
    models = started(ModelConfig("m", base, latest=None, labels={"stable": 1, "new": 2}))
    assert (served(models, label="stable"), served(models, label="new")) == (1, 2)
    with pytest.raises(RequestError, match="INVALID_ARGUMENT: Unrecognized .* label: zz"):
        served(models, label="zz")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"labels": {"stable": 1}}, "Request to assign label stable to version 1 of model m"),
        ({"latest": None, "specific": (7,)}, "no version of m in "),
        ({"base_path": "nowhere"}, "no version of m in "),
        ({"base_path": "broken"}, "model m cannot be served: ValueError: it is broken"),
    ],
)
def test_what_cannot_be_started(tmp_path, base, started, config, message):
    publish(base, 1)
    publish(base, 2)
    publish(tmp_path / "broken", 1, "broken")
    folder = tmp_path / config.pop("base_path", "m")
    with pytest.raises(UserError, match=message):
        started(ModelConfig("m", folder, **config))


def test_reload(base, tmp_path, started):
    publish(base, 1)
    publish(tmp_path / "other", 5)
    models = started(ModelConfig("m", base))
    with models.leased("m") as first:
        models.reload([ModelConfig("m", base), ModelConfig("other", tmp_path / "other")])
        assert states(models, "other") == {5: "AVAILABLE"}
        with models.leased("m") as again:
            assert again is first
        with pytest.raises(RequestError, match="no version of nothing"):
            models.reload([ModelConfig("nothing", tmp_path / "nothing")])
        assert models.names() == ["m", "other"]
        assert served(models) == 1
    models.reload([ModelConfig("other", tmp_path / "other")])
    assert first.users == 0
    assert states(models) == {1: "END"}
    with pytest.raises(RequestError, match=r"Latest\(m\)"):
        served(models)


def test_the_folders_are_watched(base):
    publish(base, 1)
    loaded = threading.Event()

    def load(name, version, folder):
        if version == 2:
            loaded.set()
        return Loaded(name, version, folder)

    models = Models([ModelConfig("m", base)], load, poll_seconds=0.01)
    models.start()
    publish(base, 2)
    assert loaded.wait(30)
    models.close()
