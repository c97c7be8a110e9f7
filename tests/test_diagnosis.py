"""What `tfhf doctor` finds, and the fix it names; the slow tests alone import TensorFlow."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from tfhf import diagnosis
from tfhf.cli import main
from tfhf.diagnosis import installed, machine, settings, trial
from tfhf.diagnosis.finding import Finding

PIP = f"{sys.executable} -m pip"
REQUIRED = ["transformers<5,>=4.57.6", "huggingface-hub<1", "PyYAML>=6", 'faiss-cpu; extra == "x"']
GOOD = {"transformers": "4.57.6", "huggingface-hub": "0.36.2", "pyyaml": "6.0.3"}
FOUND = {
    "version": "2.21.0",
    "devices": ["CPU 0"],
    "cuda": True,
    "keras": "tf_keras",
    "threads": 0,
    "transformers": True,
}


def must(findings):
    return [(one.name, one.found, one.fix) for one in findings if one.must]


def test_packages_as_declared():
    (found,) = installed.packages(REQUIRED, GOOD)
    assert found == Finding(
        "packages", "3 as declared: transformers 4.57.6, huggingface-hub 0.36.2"
    )


def test_packages_of_another_release():
    wrong = {"transformers": "5.1.0", "huggingface-hub": "1.0.1"}
    assert must(installed.packages(REQUIRED, wrong)) == [
        (
            "transformers",
            "5.1.0 is installed, want transformers<5,>=4.57.6: transformers 5 has no TensorFlow "
            "classes",
            f'{PIP} install "transformers<5,>=4.57.6"',
        ),
        (
            "huggingface-hub",
            "1.0.1 is installed, want huggingface-hub<1: transformers 4.57 refuses release 1",
            f'{PIP} install "huggingface-hub<1"',
        ),
        ("PyYAML", "not installed", f'{PIP} install "PyYAML>=6"'),
    ]


def test_packages_in_the_way():
    versions = {"tensorflow": "2.21.0", "tf-nightly": "2.22.0", "keras-nlp": "0.13.1"}
    nightly, nlp, text, torch = installed.rivals(versions)
    assert nightly.must and nightly.fix == (
        f"{PIP} uninstall --yes tf-nightly\n"
        f'{PIP} install --force-reinstall --no-deps "tensorflow==2.21.*"'
    )
    assert nlp.fix == f"{PIP} uninstall --yes keras-nlp" and not nlp.must
    assert text.found == "not installed; nothing here needs it" and text.fix is None
    assert torch == Finding("torch", "not installed, not needed")
    *_, text, torch = installed.rivals(
        {"tensorflow": "2.21.0", "tensorflow-text": "2.15.0", "torch": "2.13.0"}
    )
    assert text.found == ("2.15.0 does not load beside tensorflow 2.21.0; nothing here needs it")
    assert text.fix == f"{PIP} uninstall --yes tensorflow-text"
    assert torch == Finding("torch", "2.13.0; tfhf does not use it")
    *_, text, _ = installed.rivals({"tensorflow": "2.21.0", "tensorflow-text": "2.21.1"})
    assert text.fix is None


def test_keras_2_and_3():
    (good,) = settings.keras({"TF_USE_LEGACY_KERAS": "1"}, {})
    assert good == Finding("keras", "tf.keras is Keras 2 (tf-keras)")
    (off,) = settings.keras({"TF_USE_LEGACY_KERAS": "0"}, {})
    assert off.must and off.fix == "unset TF_USE_LEGACY_KERAS"
    late = SimpleNamespace(_tf_uses_legacy_keras=False)
    (found,) = settings.keras({"TF_USE_LEGACY_KERAS": "1"}, {"tensorflow": late, "keras": 1})
    assert found.must
    assert found.found == (
        "TensorFlow was imported before TF_USE_LEGACY_KERAS was set, so tensorflow.keras is Keras 3"
    )
    early = SimpleNamespace(_tf_uses_legacy_keras=True)
    (mixed,) = settings.keras({}, {"tensorflow": early, "keras": 1})
    assert not mixed.must and mixed.found.startswith("Keras 3 is imported")


def test_switches():
    assert list(settings.switches({"USE_TF": "1", "USE_TORCH": "0"})) == []
    wrong = {"USE_TORCH": "1", "USE_TF": "0", "TF_XLA_FLAGS": "--tf_xla_auto_jit=2"}
    fixes = {one.name: (one.fix, one.must) for one in settings.switches(wrong)}
    assert fixes == {
        "USE_TORCH": ("unset USE_TORCH", True),
        "USE_TF": ("unset USE_TF", True),
        "TF_XLA_FLAGS": ("unset TF_XLA_FLAGS", False),
    }


def test_bytecode_is_looked_for_and_compiled(tmp_path, monkeypatch):
    package = tmp_path / "uncompiled"
    package.mkdir()
    for name in ("__init__", "inner"):
        (package / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    environ = {"PYTHONDONTWRITEBYTECODE": "1"}
    (found,) = machine.bytecode(environ, ["uncompiled", "not_there"])
    assert found.found == (
        "2 of 2 files looked at have none: every start compiles them; "
        "PYTHONDONTWRITEBYTECODE is set"
    )
    assert found.fix == f"{sys.executable} -m compileall -q -j 0 {package}"
    subprocess.run(found.fix.replace("-j 0 ", "").split(), check=True)
    (found,) = machine.bytecode({}, ["uncompiled"])
    assert (found.found, found.fix) == ("2 of 2 files looked at have it", None)


def test_disk(tmp_path, monkeypatch):
    places = {"the Hub's cache": tmp_path / "not" / "yet", "this folder": tmp_path}
    for free, fix, needed in ((900, False, False), (3, True, False), (0.5, True, True)):
        usage = SimpleNamespace(free=free * 2**30)
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda _, usage=usage: usage)
        (found,) = machine.disk(places)
        assert found.found == (f"{free:.1f} GiB free for the Hub's cache, this folder ({tmp_path})")
        assert (found.fix is not None, found.must) == (fix, needed)
    monkeypatch.setattr(machine.os, "access", lambda *_: False)
    assert [one.fix for one in machine.disk(places)][:2] == [
        "export HF_HOME=/another/folder",
        "go to another folder",
    ]


@pytest.mark.parametrize(
    ("files", "allowed"),
    [
        ({}, 4),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "max 100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
    ],
)
def test_processors_that_may_be_used(files, allowed, tmp_path, monkeypatch):
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: range(4), raising=False)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert machine.allowed_processors(tmp_path) == allowed


def test_more_threads_than_processors():
    (found,) = machine.processors(64, 2, {})
    assert found.fix == (
        "export TF_NUM_INTRAOP_THREADS=2 TF_NUM_INTEROP_THREADS=2 OMP_NUM_THREADS=2"
    )
    (found,) = machine.processors(64, 2, {"TF_NUM_INTRAOP_THREADS": "2"})
    assert found == Finding("processors", "2 of 64 may be used; TensorFlow is limited to 2 threads")


def test_the_hub_and_its_token(monkeypatch):
    token = "hf_" + "secret" * 6
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    (found,) = machine.hub()
    assert found.found.endswith(", a token is set") and token not in found.found
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert next(machine.hub()).fix == "unset HF_HUB_OFFLINE"


def test_what_tensorflow_said():
    devices, xla = trial.probed(0, "a word\nfound " + json.dumps(FOUND) + "\n")
    assert (devices.found, xla.found) == ("2.21.0 sees CPU 0", "compiles")
    wrong = FOUND | {"keras": "keras", "transformers": False, "xla": "no ptxas"}
    found = trial.probed(0, "found " + json.dumps(wrong))
    assert [one.name for one in found] == ["devices", "keras", "transformers", "xla"]
    assert [one.must for one in found] == [False, True, True, False]
    assert found[1].fix == f'{PIP} install "tf-keras==2.21.*"'


@pytest.mark.parametrize(
    ("status", "output", "line"),
    [
        (1, "Traceback\nImportError: no such thing\n", "ImportError: no such thing"),
        (-4, "", "signal 4: the processor lacks AVX"),
        (None, "", "nothing within 600 seconds"),
    ],
)
def test_tensorflow_that_cannot_be_imported(status, output, line):
    (found,) = trial.probed(status, output)
    assert must([found]) == [
        (
            "tensorflow",
            f"cannot be imported: {line}",
            f'{PIP} install --force-reinstall "tensorflow==2.21.*"',
        )
    ]


def test_a_gpu_that_is_overlooked(tmp_path):
    found = trial._devices(FOUND, driver=tmp_path)
    assert found.must and found.fix == f'{PIP} install "tensorflow[and-cuda]==2.21.*"'
    seen = FOUND | {"devices": ["CPU 0", "GPU 0"]}
    assert trial._devices(seen, driver=tmp_path).fix is None


def test_the_command(monkeypatch):
    good = [Finding("torch", "not installed, not needed")]
    monkeypatch.setattr(diagnosis, "diagnose", lambda: good)
    found = CliRunner().invoke(main, ["doctor"])
    assert (found.exit_code, found.stdout) == (
        0,
        "ok    torch            not installed, not needed\n",
    )
    bad = [
        *good,
        Finding("disk", "0.1 GiB free", "free some"),
        Finding("keras", "3", "unset X", True),
    ]
    monkeypatch.setattr(diagnosis, "diagnose", lambda: bad)
    found = CliRunner().invoke(main, ["doctor"])
    assert found.exit_code == 2
    assert found.stdout == (
        "mend  keras            3\n"
        "                       unset X\n"
        "note  disk             0.1 GiB free\n"
        "                       free some\n"
        "ok    torch            not installed, not needed\n"
    )
    assert found.stderr == "tfhf: to be mended, as shown above: keras\n"


@pytest.mark.slow
def test_this_environment():
    assert must(diagnosis.diagnose()) == []


@pytest.mark.slow
def test_tensorflow_before_tfhf():
    code = (
        "import os, sys, tensorflow, tfhf\n"
        "from tfhf.diagnosis import settings\n"
        "print([one.must for one in settings.keras(os.environ, sys.modules)])\n"
    )
    environ = {"PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3"}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ
    )
    assert found.stdout == "[True]\n", found.stderr
