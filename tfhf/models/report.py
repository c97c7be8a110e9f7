"""What became of a checkpoint's weights."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LoadReport:
    """Which of a model's weights came from the checkpoint.

    Attributes:
        loaded: PyTorch names of the weights that were read.
        new: names of those the checkpoint does not have; they start as the model initialises them.
        reshaped: names of those the checkpoint has in another shape; they start anew, too.
        unused: names in the checkpoint that the model has no place for.
        parameters: how many numbers were read; of a model from scratch, how many it has.
        prefix: the family's name for its base model, left out where weights are listed.
        grown: names of those loaded that got rows for new tokens.
    """

    loaded: list
    new: list
    reshaped: list
    unused: list
    parameters: int
    prefix: str
    grown: list = field(default_factory=list)

    def line(self):
        """Says it in one plain line, grouped by module; groups that are empty are left out."""
        if not self.loaded:
            return f"new model: {len(self.new)} weights ({self.parameters:,} parameters)"
        total = len(self.loaded) + len(self.new) + len(self.reshaped)
        parts = [f"loaded {len(self.loaded)} of {total} weights ({self.parameters:,} parameters)"]
        for word, names in [
            ("new", self.new),
            ("new because the shape differs", self.reshaped),
            ("unused", self.unused),
            ("with rows for new tokens", self.grown),
        ]:
            modules = Counter(self._module(name) for name in names)
            if modules:
                listed = ", ".join(f"{module} ({n})" for module, n in sorted(modules.items()))
                parts.append(f"{word}: {listed}")
        return "; ".join(parts)

    def _module(self, name):
        """The part of the model a weight belongs to; unused names may be TensorFlow's, with /."""
        return name.replace("/", ".").removeprefix(self.prefix).split(".")[0]
