"""A recipe's file: found by its path or a shipped one's name, and read as YAML of plain values."""

from pathlib import Path

import yaml

from tfhf.errors import UserError, did_you_mean

LARGEST_RECIPE = 1_000_000  # bytes; a recipe is a page of text, not a data set


def find(name):
    """Finds a recipe by file name or by the name of a shipped recipe.

    Raises:
        UserError: if there is neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    if path.is_dir():
        raise UserError(f"recipe: {name} is a folder; name a YAML file in it")
    by_name = _shipped_folder() / (name if name.endswith(".yaml") else f"{name}.yaml")
    if by_name.is_file():
        return by_name
    hint = did_you_mean(name.removesuffix(".yaml"), shipped())
    raise UserError(f"recipe: no such file or shipped recipe{hint}; received {name!r}")


def shipped():
    """Names of the recipes that come with tfhf, such as `text_classification/sst2`."""
    folder = _shipped_folder()
    return sorted(
        file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob("*.yaml")
    )


def _shipped_folder():
    """Inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


class _Loader(yaml.SafeLoader):
    """Safe YAML without anchors (a short file must stay short), tags and repeated keys."""

    def compose_node(self, parent, index):
        event = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"line {line}: aliases are not allowed in a recipe")
        if getattr(event, "tag", None) is not None:
            raise yaml.YAMLError(f"line {line}: tags such as {event.tag} are not allowed")
        return super().compose_node(parent, index)

    def construct_object(self, node, deep=False):
        try:
            return super().construct_object(node, deep)
        except (ValueError, IndexError) as error:  # 2026-02-31, 0b, 1:_ and the like
            line = node.start_mark.line + 1
            raise yaml.YAMLError(
                f"line {line}: {node.value!r} is no number or date; put it in quotes"
            ) from error

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool | None):
                raise yaml.YAMLError(f"line {key_node.start_mark.line + 1}: a key must be a word")
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: the key {key!r} stands twice")
            seen.add(key)
        return super().construct_mapping(node, deep)


def parse(text):
    """YAML → plain values.

    Raises:
        yaml.YAMLError: for whatever is wrong with it.
    """
    try:
        return yaml.load(text, _Loader)  # a SafeLoader
    except RecursionError:
        raise yaml.YAMLError("lists or keys are nested too deeply") from None


def read(path):
    """The keys and values of a recipe's file, unchecked.

    Raises:
        UserError: if the file is too large for a recipe, no UTF-8 text, or no YAML of keys.
    """
    if path.stat().st_size > LARGEST_RECIPE:
        raise UserError(f"{path}: too large for a recipe: {path.stat().st_size:,} bytes")
    try:
        values = parse(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: a recipe is a list of `key: value` lines; received {values!r}")
    return values
