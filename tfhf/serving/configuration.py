"""What is served and how, in TensorFlow Serving's own words: models.config, batching parameters."""

import re
from dataclasses import dataclass, field, fields
from pathlib import Path

from tfhf.errors import UserError, did_you_mean, reason


@dataclass(frozen=True)
class ModelConfig:
    """A model to be served.

    Attributes:
        name: what addresses and requests call it.
        base_path: absolute path of the folder that holds its versions.
        latest: how many of the largest versions are served; None: as `specific` says.
        specific: the versions that are served; None: as `latest` says. Both None: all.
        labels: label → version.
    """

    name: str
    base_path: Path
    latest: int | None = 1
    specific: tuple[int, ...] | None = None
    labels: dict[str, int] = field(default_factory=dict)

    def wanted(self, versions):
        """Those of some versions that are to be served, in ascending order."""
        if self.specific is not None:
            return sorted(set(versions) & set(self.specific))
        found = sorted(versions)
        return found if self.latest is None else found[-self.latest :]


@dataclass(frozen=True)
class Batching:
    """How requests are answered together; names as in TensorFlow Serving's parameters file.

    Attributes:
        max_batch_size: rows of a batch; a larger request is a batch of its own.
        batch_timeout_micros: how long a batch that is not full waits for more. At 0 nothing waits:
            what arrives while a batch is computed makes the next one.
        max_enqueued_batches: full batches that may wait; what comes then is refused.
        num_batch_threads: batches computed at the same time.
        allowed_batch_sizes: ascending, ends with `max_batch_size`; a batch is filled up to the
            next of them with copies of a row. Empty: batches are as they come.
        pad_variable_length_inputs: whether requests of unlike lengths share a batch, the shorter
            filled up with zeros or "".
    """

    max_batch_size: int = 32
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 32
    num_batch_threads: int = 1
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False


def read_models(path):
    """Reads a models.config.

    Args:
        path: a text file, `model_config_list { config { name: … base_path: … } … }`.

    Returns:
        list of ModelConfig.

    Raises:
        UserError: if it cannot be read, or says what is not served.
    """
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    config = ModelServerConfig()
    try:
        text_format.Parse(_text(path), config)
    except text_format.ParseError as error:
        raise UserError(f"{path}: {reason(error)}") from error
    try:
        return models(config)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def models(config):
    """The models of a `ModelServerConfig`.

    Args:
        config: the protocol buffer.

    Returns:
        list of ModelConfig.

    Raises:
        UserError: if a model has no name or no absolute path, is there twice, or is none of
            TensorFlow's.
    """
    if config.WhichOneof("config") == "custom_model_config":
        raise UserError("custom_model_config is not served; use model_config_list")
    found = [_model(one) for one in config.model_config_list.config]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"model {name!r} is listed {names.count(name)} times; keep one")
    return found


def _model(config):
    if not config.name:
        raise UserError(f"a model needs a name; its base_path is {config.base_path!r}")
    where = f"model {config.name!r}"
    if not config.base_path.startswith("/"):
        raise UserError(f"{where}: base_path must be absolute; received {config.base_path!r}")
    if config.model_platform not in ("", "tensorflow"):
        raise UserError(
            f'{where}: model_platform must be "tensorflow"; received {config.model_platform!r}'
        )
    policy = config.model_version_policy
    kind = policy.WhichOneof("policy_choice")
    latest, specific = 1, None
    if kind == "latest":
        latest = policy.latest.num_versions or 1
    elif kind == "all":
        latest = None
    elif kind == "specific":
        latest, specific = None, tuple(policy.specific.versions)
        if not specific:
            raise UserError(f"{where}: model_version_policy.specific names no versions")
    labels = dict(config.version_labels)
    return ModelConfig(config.name, Path(config.base_path), latest, specific, labels)


_SETTING = re.compile(
    r"""\s* (\w+) \s* (?: :\s*(?P<plain>\[[^\]]*\]|[^\s{}:,;]+)
                    | :?\s*\{\s*value\s*:\s*(?P<wrapped>[^\s{}:]+)\s*\} ) \s*[,;]?""",
    re.VERBOSE,
)


def read_batching(path):
    """Reads a batching parameters file.

    Args:
        path: a text file of lines such as `max_batch_size { value: 32 }`.

    Returns:
        Batching.

    Raises:
        UserError: if it cannot be read, or a value is out of its range.
    """
    text, at, found = re.sub(r"#.*", "", _text(path)).rstrip(), 0, {}
    kinds = {one.name: one.type for one in fields(Batching)}
    while at < len(text):
        setting = _SETTING.match(text, at)
        if not setting:
            line = text.count("\n", 0, len(text) - len(text[at:].lstrip())) + 1
            raise UserError(f"{path}:{line}: expected NAME {{ value: N }} or NAME: N")
        at, name = setting.end(), setting.group(1)
        value = setting.group("plain") or setting.group("wrapped")
        if name == "thread_pool_name":
            continue
        if name not in kinds:
            raise UserError(f"{path}: unknown name {name!r}{did_you_mean(name, kinds)}")
        if name == "allowed_batch_sizes":
            sizes = [_number(path, name, one.strip()) for one in value.strip("[]").split(",")]
            found[name] = found.get(name, ()) + tuple(sizes)
        elif kinds[name] is bool:
            if value not in ("true", "false"):
                raise UserError(f"{path}: {name} must be true or false; received {value}")
            found[name] = value == "true"
        else:
            found[name] = _number(path, name, value)
    batching = Batching(**found)
    sizes = list(batching.allowed_batch_sizes)
    if sizes and (sorted(set(sizes)) != sizes or sizes[-1] != batching.max_batch_size):
        raise UserError(
            f"{path}: allowed_batch_sizes must ascend and end with max_batch_size "
            f"{batching.max_batch_size}; received {sizes}"
        )
    return batching


def _number(path, name, text):
    least = 0 if name == "batch_timeout_micros" else 1
    if not text.isdecimal() or int(text) < least:
        raise UserError(f"{path}: {name} must be an integer from {least} up; received {text}")
    return int(text)


def _text(path):
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise UserError(f"{path} cannot be read: {cause}") from error


def message(configs):
    """Models as a `ModelServerConfig`, which TensorFlow Serving reads.

    Args:
        configs: list of ModelConfig.
    """
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    found = ModelServerConfig()
    for config in configs:
        entry = found.model_config_list.config.add(
            name=config.name,
            base_path=str(config.base_path),
            model_platform="tensorflow",
            version_labels=config.labels,
        )
        policy = entry.model_version_policy
        if config.specific is not None:
            policy.specific.versions.extend(config.specific)
        elif config.latest is None:
            policy.all.SetInParent()
        else:
            policy.latest.num_versions = config.latest
    return found


def batching_text(batching):
    """A Batching as TensorFlow Serving's parameters file."""
    lines = []
    for one in fields(Batching):
        value = getattr(batching, one.name)
        if one.name == "allowed_batch_sizes":
            lines += [f"{one.name}: {size}" for size in value]
        elif isinstance(value, bool):
            lines.append(f"{one.name}: {str(value).lower()}")
        else:
            lines.append(f"{one.name} {{ value: {value} }}")
    return "".join(f"{line}\n" for line in lines)
