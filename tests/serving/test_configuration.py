"""models.config and batching parameters, in TensorFlow Serving's words."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfhf.errors import UserError
from tfhf.exports import kit
from tfhf.serving import configuration
from tfhf.serving.configuration import Batching, ModelConfig

MODELS = """
model_config_list {
  config { name: "a" base_path: "/models/a" model_platform: "tensorflow" }
  config {
    name: "b" base_path: "/models/b"
    model_version_policy { specific { versions: 3 versions: 5 } }
    version_labels { key: "stable" value: 3 }
  }
  config { name: "c" base_path: "/c" model_version_policy { all {} } }
  config { name: "d" base_path: "/d" model_version_policy { latest { num_versions: 2 } } }
}
"""
READ = [
    ModelConfig("a", Path("/models/a")),
    ModelConfig("b", Path("/models/b"), None, (3, 5), {"stable": 3}),
    ModelConfig("c", Path("/c"), None),
    ModelConfig("d", Path("/d"), 2),
]


def written(tmp_path, text):
    path = tmp_path / "config"
    path.write_text(text)
    return path


def test_models(tmp_path):
    assert configuration.read_models(written(tmp_path, MODELS)) == READ


def test_models_are_written_as_they_were_read(tmp_path):
    text = text_format.MessageToString(configuration.message(READ))
    assert text_format.Parse(text, ModelServerConfig()).model_config_list.config[1].name == "b"
    assert configuration.read_models(written(tmp_path, text)) == READ


def test_the_file_of_an_export(tmp_path):
    path = written(tmp_path, kit.models_config({"m": "/models/m"}))
    assert configuration.read_models(path) == [ModelConfig("m", Path("/models/m"))]
    settings = configuration.read_batching(written(tmp_path, kit.BATCHING))
    assert settings.max_batch_size == 32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('config { base_path: "/a" }', "a model needs a name; its base_path is '/a'"),
        ('config { name: "a" base_path: "a" }', "model 'a': base_path must be absolute"),
        ('config { name: "a" base_path: "/a" } config { name: "a" base_path: "/b" }', "2 times"),
        ('config { name: "a" base_path: "/a" model_platform: "x" }', 'must be "tensorflow"'),
        (
            'config { name: "a" base_path: "/a" model_version_policy { specific {} } }',
            "names no versions",
        ),
    ],
)
def test_models_refused(tmp_path, text, message):
    path = written(tmp_path, f"model_config_list {{ {text} }}")
    with pytest.raises(UserError, match=f"^{path}: .*{message}"):
        configuration.read_models(path)


def test_files_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        configuration.read_models(tmp_path / "nothing")
    with pytest.raises(UserError, match="config: 1:1 : .*no field named"):
        configuration.read_models(written(tmp_path, "modelz {}"))
    with pytest.raises(UserError, match="custom_model_config is not served"):
        configuration.read_models(written(tmp_path, "custom_model_config {}"))


BATCHING = """
# Comments count for nothing.
max_batch_size { value: 16 }   batch_timeout_micros: 500
max_enqueued_batches: { value: 4 }
num_batch_threads { value: 2 }  # as many as cores
thread_pool_name { value: "pool" }
allowed_batch_sizes: 4
allowed_batch_sizes: [8, 16]
pad_variable_length_inputs: true
"""
SETTINGS = Batching(16, 500, 4, 2, (4, 8, 16), True)


def test_batching(tmp_path):
    assert configuration.read_batching(written(tmp_path, BATCHING)) == SETTINGS
    assert configuration.read_batching(written(tmp_path, "")) == Batching()


def test_batching_is_written_as_it_was_read(tmp_path):
    path = written(tmp_path, configuration.batching_text(SETTINGS))
    assert configuration.read_batching(path) == SETTINGS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size", "1: expected NAME { value: N } or NAME: N"),
        ("\nmax_batch_size { 32 }", "2: expected"),
        ("max_batchsize: 3", "unknown name 'max_batchsize'; did you mean 'max_batch_size'"),
        ("max_batch_size: 0", "max_batch_size must be an integer from 1 up; received 0"),
        ("batch_timeout_micros: x", "must be an integer from 0 up; received x"),
        ("pad_variable_length_inputs: 1", "must be true or false; received 1"),
        ("allowed_batch_sizes: 8 max_batch_size: 4", "must ascend and end with max_batch_size 4"),
        ("allowed_batch_sizes: [8, 4, 32]", r"received \[8, 4, 32\]"),
    ],
)
def test_batching_refused(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        configuration.read_batching(written(tmp_path, text))
