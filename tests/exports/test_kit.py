"""The files beside the versions, read back by those they are written for."""

import json
import shlex

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfhf.exports import kit, records, versions

ROWS = {"text": ['it\'s "quoted" $HOME ü', "b"], "text_pair": ["x", "y"]}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "my model:2"
    (folder / "1").mkdir(parents=True)
    return folder


def test_nothing_beside_the_versions_is_taken_for_one(folder):
    kit.write(folder, ROWS)
    records.collect(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "1",
        "README.md",
        "batching_parameters.txt",
        "docker-compose.yml",
        "export.json",
        "models.config",
        "request.json",
    ]
    assert versions.numbered(folder) == {1: folder / "1"}


def test_the_curl_line_asks_for_the_first_row(folder):
    line = kit.write(folder, ROWS)
    command = shlex.split(line)
    assert command[:3] == ["curl", "http://localhost:8501/v1/models/my_model_2:predict", "-d"]
    expected = {"instances": [{"text": 'it\'s "quoted" $HOME ü', "text_pair": "x"}]}
    assert json.loads(command[3]) == expected
    assert json.loads((folder / "request.json").read_text("utf-8")) == expected
    assert line in (folder / "README.md").read_text("utf-8")


def test_long_rows_are_sent_from_a_file(folder):
    line = kit.write(folder, {"image": [b"\x00\xff" * 1000]})
    assert line.endswith(":predict -d @request.json")
    (row,) = json.loads((folder / "request.json").read_text())["instances"]
    assert row["image"]["b64"].startswith("AP8A")
    assert "client.predict(image=[...])" in (folder / "README.md").read_text()


def test_what_the_server_is_started_with(folder):
    kit.write(folder, ROWS)
    config = ModelServerConfig()
    text_format.Parse((folder / "models.config").read_text(), config)
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("my_model_2", "/models/my_model_2")
    assert model.model_platform == "tensorflow"
    service = yaml.safe_load((folder / "docker-compose.yml").read_text())["services"]["serving"]
    assert service["image"] == "tensorflow/serving:2.20.0"
    assert service["command"] == [
        "--model_config_file=/models/my_model_2/models.config",
        "--enable_batching",
        "--batching_parameters_file=/models/my_model_2/batching_parameters.txt",
    ]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    (volume,) = service["volumes"]
    assert (volume["target"], volume["read_only"]) == ("/models/my_model_2", True)


def test_batching_parameters_have_the_fields_that_tensorflow_serving_reads():
    lines = [line for line in kit.BATCHING.splitlines() if not line.startswith("#")]
    assert [line.split()[0].rstrip(":") for line in lines] == [
        "max_batch_size",
        "batch_timeout_micros",
        "max_enqueued_batches",
        "pad_variable_length_inputs",
    ]


def test_a_record_for_each_version(folder):
    (folder / "notes").mkdir()
    records.write(folder / "1", {"rows": 3, "max_difference": float("nan")})
    assert records.collect(folder) == {"1": {"rows": 3, "max_difference": None}}
    (folder / "12").mkdir()
    records.write(folder / "12", {"rows": 4})
    assert records.collect(folder) == json.loads((folder / "export.json").read_text())
    assert list(records.collect(folder)) == ["1", "12"]


def test_the_card_is_an_asset(folder):
    kit.add_card(folder / "1", "# A card\n")
    assert (folder / "1" / "assets.extra" / "README.md").read_text() == "# A card\n"
