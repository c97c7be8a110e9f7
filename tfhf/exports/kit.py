"""What stands beside the versions of a served model: all it takes to run TensorFlow Serving.

No name here is a number, so TensorFlow Serving ignores these files, and each is written whole or
not at all: the folder may be served meanwhile.
"""

import base64
import json
import re
import shlex
from pathlib import Path

from tfhf import storage

# The newest image that is known to hold all ops of tensorflow-text that an export may use.
IMAGE = "tensorflow/serving:2.20.0"
REST_PORT, GRPC_PORT = 8501, 8500
LONGEST_COMMAND = 1000  # characters of a request that stands in the curl line itself
LONGEST_SHOWN = 200  # characters of a value that stands in a line of Python

BATCHING = """\
# Requests that arrive together are answered together. Read by
#   tensorflow_model_server --enable_batching --batching_parameters_file=batching_parameters.txt
# A batch is run when it is full, or when its first request has waited this long.
max_batch_size { value: 32 }
batch_timeout_micros { value: 2000 }
# More than this waits nowhere: further requests are refused (UNAVAILABLE), not kept for ever.
max_enqueued_batches { value: 128 }
# Requests whose tensors differ in length are never padded to fit: TensorFlow Serving would repeat
# their first value, which is no padding to a model. Send texts; they have no length to differ in.
pad_variable_length_inputs: false
"""

README = """\
# {name}

Versions of a model for TensorFlow Serving, written by `tfhf export`. The largest number is served;
a new version is taken up within seconds, an old one can be deleted.

| file | what it is |
|---|---|
| `1/`, `2/`, … | a SavedModel each, with warm-up requests in `assets.extra/` |
| `export.json` | per version: rows compared with the model, largest difference, latency, size |
| `docker-compose.yml` | TensorFlow Serving (`{image}`) on this folder, ports of this machine only |
| `models.config`, `batching_parameters.txt` | what it is started with |
| `request.json` | a request, as the command below sends it |

Start it, here in this folder:

```bash
docker compose up
```

Ask it:

```bash
{curl}
```

```python
from tfhf.client import Client

client = Client("http://localhost:{rest}", model="{name}")  # or grpc://localhost:{grpc}
print(client.predict({example}))
```

What each signature takes and gives, and what would fail in TensorFlow Serving:

```bash
tfhf export --check .
```
"""


def served_name(name):
    """A model's name that stands in addresses and file paths as it is.

    Args:
        name: such as a run's name.

    Returns:
        The name with anything but ASCII letters, digits, `.`, `_` and `-` replaced by `_`.
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def write(folder, rows):
    """Writes the files beside the versions of a served model.

    Args:
        folder: holds the versions; its name is the model's, see `served_name`.
        rows: input of `serving_default` → its values; the first row is the example.

    Returns:
        The curl line that asks for the first row.

    Raises:
        StorageError: if a file cannot be written.
    """
    folder = Path(folder)
    name = served_name(folder.resolve().name)
    example = {role: values[0] for role, values in rows.items()}
    body = json.dumps({"instances": [example]}, ensure_ascii=False, default=_as_base64)
    storage.write(folder / "request.json", body + "\n")
    command = curl(name, body)
    storage.write(folder / "models.config", models_config({name: f"/models/{name}"}))
    storage.write(folder / "batching_parameters.txt", BATCHING)
    storage.write(folder / "docker-compose.yml", compose(name))
    readme = README.format(
        name=name,
        image=IMAGE,
        curl=command,
        rest=REST_PORT,
        grpc=GRPC_PORT,
        example=", ".join(f"{role}=[{_short(value)}]" for role, value in example.items()),
    )
    storage.write(folder / "README.md", readme)
    return command


def _as_base64(content):
    """Bytes as TensorFlow Serving's REST takes them."""
    return {"b64": base64.b64encode(content).decode("ascii")}


def _short(value):
    """A value as Python code, if it is not long."""
    return repr(value) if len(repr(value)) <= LONGEST_SHOWN else "..."


def curl(name, body):
    """The command that sends a request body to a model on this machine."""
    sent = shlex.quote(body) if len(body) <= LONGEST_COMMAND else "@request.json"
    return f"curl http://localhost:{REST_PORT}/v1/models/{name}:predict -d {sent}"


def models_config(folders):
    """What `--model_config_file` reads.

    Args:
        folders: model's name → absolute path of the folder of its versions, as the server sees it.
    """
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    config = ModelServerConfig()
    for name, folder in folders.items():
        config.model_config_list.config.add(
            name=name, base_path=folder, model_platform="tensorflow"
        )
    return text_format.MessageToString(config)


def compose(name):
    """A `docker compose` file that serves the folder it stands in; read-only, for this machine."""
    import yaml

    inside = f"/models/{name}"
    service = {
        "image": IMAGE,
        "command": [
            f"--model_config_file={inside}/models.config",
            "--enable_batching",
            f"--batching_parameters_file={inside}/batching_parameters.txt",
        ],
        "ports": [f"127.0.0.1:{port}:{port}" for port in (GRPC_PORT, REST_PORT)],
        "volumes": [{"type": "bind", "source": ".", "target": inside, "read_only": True}],
        "restart": "unless-stopped",
    }
    return yaml.safe_dump({"services": {"serving": service}}, sort_keys=False)


def add_card(folder, card):
    """Puts the model card into a version that is not published yet: `assets.extra/README.md`.

    Args:
        folder: the version's folder.
        card: its text.
    """
    storage.write(Path(folder, "assets.extra", "README.md"), card)
