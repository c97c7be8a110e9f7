"""What a checkpoint holds and says of itself, told from the headers of its files."""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from tfhf.errors import UserError
from tfhf.models import hub, intake
from tfhf.models.sources import MINILM, MINILM_HUB
from tfhf.models.stored import open_weights

LARGEST_CARD = 1_000_000  # bytes
NUMBERED = re.compile(r"(?P<stack>.+?)\.(?P<number>\d+)\..+")


@dataclass(frozen=True)
class Weights:
    """The weights of a checkpoint.

    Attributes:
        shapes: name → shape; empty where the files do not tell it in their beginnings.
        size: bytes of the files; None where nobody says.
    """

    shapes: dict
    size: int | None

    @property
    def parameters(self):
        """How many numbers there are; None where the shapes are not known."""
        return sum(math.prod(shape) for shape in self.shapes.values()) or None

    def modules(self):
        """Groups the weights by module, layers of a stack together.

        Returns:
            Module → (layers, parameters), in the order of the names; layers is 1 for what is no
            stack of numbered layers.
        """
        layers, parameters = {}, {}
        for name, shape in sorted(self.shapes.items()):
            found = NUMBERED.fullmatch(name)
            module = found["stack"] if found else name.rpartition(".")[0] or name
            layers.setdefault(module, set()).add(found["number"] if found else None)
            parameters[module] = parameters.get(module, 0) + math.prod(shape)
        return {module: (len(layers[module]), parameters[module]) for module in parameters}


def read_weights(source):
    """Reads what a checkpoint's weights are called and how large they are, and none of them.

    Args:
        source: a Source, also of a Hub model whose weights were not fetched; then the Hub is asked.

    Raises:
        UserError: if there are no weights that can be read, or the Hub is out of reach.
    """
    files = os.listdir(source.folder)
    held = any(name.endswith((".safetensors", ".h5", ".bin")) for name in files)
    if source.revision is not None and not held:
        inside = f"{source.folder.name}/" if source.root is not None else ""
        return Weights(*hub.weight_shapes(_hub_id(source), source.revision, inside))
    files = intake.weight_files(source.folder)
    with open_weights(files) as (stored, _):
        shapes = {name: tuple(one.shape) for name, one in stored.items() if one.kind == "f"}
    return Weights(shapes, sum(os.path.getsize(file) for file in files))


def read_card(source, beside=None):
    """Reads the head of a checkpoint's model card.

    Args:
        source: a Source; of a Hub model the card is fetched.
        beside: a further folder where the card may lie, such as that of a run.

    Returns:
        What the card states (`license`, `language`, `base_model`, `datasets` …), or `{}`.

    Raises:
        UserError: if its head cannot be read.
    """
    from huggingface_hub import metadata_load

    folders = [beside, source.root, source.folder]
    paths = [Path(folder) / "README.md" for folder in folders if folder is not None]
    path = next((path for path in paths if path.is_file()), None)
    if path is None and source.revision is not None:
        path = hub.fetch_card(_hub_id(source), source.revision)
    if path is None:
        return {}
    if os.path.getsize(path) > LARGEST_CARD:
        raise UserError(f"model: {path} is too large for a model card")
    try:
        return metadata_load(path) or {}
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"model: the head of {path} is no YAML of keys and values") from error


def _hub_id(source):
    return MINILM_HUB[0] if source.name == MINILM else source.name
