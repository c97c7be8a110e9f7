"""What `tfhf serve` makes of its arguments, and TensorFlow Serving's program in its place."""

import stat

import pytest
from click.testing import CliRunner

from tfhf.cli import main
from tfhf.errors import UserError
from tfhf.serving import configuration, installed, server, sources
from tfhf.serving.configuration import Batching, ModelConfig
from tfhf.serving.server import Options

HOW = {
    "host": "127.0.0.1",
    "port": 8501,
    "grpc_port": 8500,
    "batching": None,
    "timeout": 30.0,
    "max_body": 64.0,
}


@pytest.fixture
def export(tmp_path):
    """A folder of two versions that hold nothing but their file's name."""
    for version in ("1", "2"):
        (tmp_path / "m" / version).mkdir(parents=True)
        (tmp_path / "m" / version / "saved_model.pb").write_text("")
    return tmp_path / "m"


def test_an_export_a_version_and_a_run(export, tmp_path):
    assert sources.config_of(export) == ModelConfig("m", export)
    assert sources.config_of(export / "1") == ModelConfig("m", export, None, (1,))
    run = tmp_path / "run"
    (run / "export").mkdir(parents=True)
    for name in ("recipe.yaml", "environment.json"):
        (run / name).write_text("{}")
    export.rename(run / "export" / "run")
    assert sources.config_of(run, name="n") == ModelConfig("n", run / "export" / "run")


def test_labels_keep_all_versions(export):
    found = sources.configs(export, labels=["stable=1", "new=2"])
    assert found == [ModelConfig("m", export, None, None, {"stable": 1, "new": 2})]
    for wrong in ("stable", "=1", "stable=x"):
        with pytest.raises(UserError, match="--label takes LABEL=VERSION"):
            sources.configs(export, labels=[wrong])


def test_what_is_not_served(export, tmp_path):
    for path, message in (
        (tmp_path / "nothing", "no such run or export"),
        (tmp_path, "holds neither a run nor numbered versions of a SavedModel"),
        ((export / "1").rename(tmp_path / "model"), "named by its version, a number such as 1"),
    ):
        with pytest.raises(UserError, match=message):
            sources.config_of(path)
    for name in ("recipe.yaml", "environment.json"):
        (tmp_path / "model" / name).write_text("{}")
    with pytest.raises(UserError, match="is not exported yet: tfhf export "):
        sources.config_of(tmp_path / "model")


def test_a_file_of_models(tmp_path, export):
    path = tmp_path / "models.config"
    path.write_text(f'model_config_list {{ config {{ name: "a" base_path: "{export}" }} }}')
    assert sources.configs(None, path) == [ModelConfig("a", export)]
    path.write_text("")
    with pytest.raises(UserError, match="lists no models"):
        sources.configs(None, path)


def test_options(tmp_path):
    assert sources.options(**HOW) == Options()
    assert sources.options(**HOW | {"grpc_port": 0, "batching": "off"}) == Options(
        grpc_port=None, batching=None
    )
    (tmp_path / "batching").write_text("max_batch_size: 4")
    found = sources.options(**HOW | {"batching": tmp_path / "batching", "max_body": 0.5})
    assert (found.batching, found.max_body) == (Batching(4), 2**19)
    for wrong in ({"port": 0}, {"port": 70000}, {"grpc_port": -1}, {"timeout": 0}, {"max_body": 0}):
        (option,) = wrong
        with pytest.raises(UserError, match=f"^--{option.replace('_', '-')}"):
            sources.options(**HOW | wrong)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A `tensorflow_model_server` that writes down its arguments and the files they name."""
    path = tmp_path / "bin" / "tensorflow_model_server"
    path.parent.mkdir()
    path.write_text(
        "#!/bin/sh\n"
        f'for one in "$@"; do echo "$one" >> {tmp_path}/arguments\n'
        f'case "$one" in *_file=*) cat "${{one#*=}}" >> {tmp_path}/files;; esac; done\n'
        "exit 7\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    return path


def test_tensorflow_serving_is_used_where_it_is_installed(program, export, tmp_path, capsys):
    assert sources.serve([ModelConfig("m", export)], Options()) == 7
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert {"--port=8500", "--rest_api_port=8501", "--enable_batching"} <= set(arguments)
    assert "--rest_api_timeout_in_ms=30000" in arguments
    files = (tmp_path / "files").read_text()
    assert f'base_path: "{export}"' in files
    assert "max_batch_size { value: 32 }" in files
    assert "listens on every address" in capsys.readouterr().err


def test_without_batching_and_grpc(export, tmp_path):
    how = Options(grpc_port=None, batching=None)
    command = installed.command("program", [ModelConfig("m", export)], how, tmp_path)
    assert "--port=0" in command and "--enable_batching" not in command
    assert configuration.read_models(tmp_path / "models.config") == [ModelConfig("m", export)]


def test_our_own_server_where_it_is_asked_for(program, export, monkeypatch):
    served = []
    monkeypatch.setattr(server, "serve", lambda *arguments: served.append(arguments))
    models = [ModelConfig("m", export)]
    assert sources.serve(models, Options(), by="tfhf") == 0
    program.unlink()
    assert sources.serve(models, Options()) == 0
    assert served == [(models, Options())] * 2
    with pytest.raises(UserError, match="tensorflow_model_server is not installed"):
        sources.serve(models, Options(), by="tensorflow_model_server")


def test_the_command(export, monkeypatch):
    asked = []
    monkeypatch.setattr(sources, "serve", lambda *given, by: asked.append((*given, by)) or 0)
    found = CliRunner().invoke(main, ["serve", str(export), "--port", "9000", "--name", "n"])
    assert found.exit_code == 0, found.output
    assert asked == [([ModelConfig("n", export)], Options(rest_port=9000), "auto")]
    for arguments in ([], [str(export), "--config", "f"], ["--config", "f", "--name", "n"]):
        found = CliRunner().invoke(main, ["serve", *arguments])
        assert found.exit_code == 2 and found.stderr.startswith("tfhf: serve")
