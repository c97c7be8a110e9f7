"""The sections of a recipe: where its rows come from, and how to train."""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BeforeValidator, Field

from tfhf.recipe.values import Section


def _listed(value):
    return value if isinstance(value, list) else [value]


Texts = list[Annotated[str, MinLen(1)]]
Files = Annotated[list[str], BeforeValidator(_listed)]
Patterns = Annotated[Texts, BeforeValidator(_listed)]
# A name, or a name and its arguments: `Lion`, `{name: Lion, beta_1: 0.95}`.
Named = Annotated[
    dict[str, Any],
    BeforeValidator(lambda value: {"name": value} if isinstance(value, str) else value),
]
Split = Literal["train", "validation", "test"]


class Data(Section):
    """Where the rows come from: a `path` (Hub id or folder), or files per split."""

    path: str | None = None
    name: str | None = None
    revision: str | None = None
    train: Files | None = None
    validation: Files | None = None
    test: Files | None = None
    columns: dict[str, str | list[str]] = Field(default_factory=dict)
    labels: list[str | int] | None = None
    limit: dict[Split, Annotated[int, Gt(0)]] = Field(default_factory=dict)
    encoding: str | None = None
    separator: str | None = None
    field: str | None = None
    on_unlabeled: Literal["error", "drop"] = "error"
    on_empty: Literal["keep", "drop"] = "keep"
    streaming: bool = False
    shuffle_window: Annotated[int, Gt(0)] | None = None
    rows: Annotated[int, Gt(0)] | None = None

    @property
    def files(self):
        """Files by split, for the splits that name some."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {split: files for split, files in named.items() if files}


class Train(Section):
    """How to train. A batch is what one update sees, over all replicas and accumulated steps.

    Its size is either `batch_size` rows, 32 unless said otherwise, or `batch_tokens` tokens.
    """

    epochs: Annotated[int, Gt(0)] = 3
    steps_per_epoch: Annotated[int, Gt(0)] | None = None
    batch_size: Annotated[int, Gt(0)] | None = None
    batch_tokens: Annotated[int, Gt(0)] | None = None
    shapes: Annotated[int, Gt(0)] | None = None
    accumulate: Annotated[int, Gt(0)] = 1
    learning_rate: Annotated[float, Gt(0), Le(10)] = 5e-5
    optimizer: Named = Field(default_factory=dict)
    schedule: Named = Field(default_factory=dict)
    warmup_ratio: Annotated[float, Ge(0), Lt(1)] = 0.0
    weight_decay: Annotated[float, Ge(0)] = 0.01
    global_clipnorm: Annotated[float, Gt(0)] | None = 1.0
    freeze: Patterns = Field(default_factory=list)
    unfreeze: dict[Annotated[int, Gt(1)], Patterns] = Field(default_factory=dict)
    layer_decay: Annotated[float, Gt(0), Le(1)] | None = None
    ema: Annotated[float, Gt(0), Lt(1)] | None = None
    seed: Annotated[int, Ge(0), Lt(2**31)] = 42
    loss: Named | None = None
    metrics: Texts = Field(default_factory=list)
    callbacks: list[Named] = Field(default_factory=list)
    monitor: str | None = None
    patience: Annotated[int, Gt(0)] | None = None
    dtype_policy: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    jit_compile: bool = False
    log_every: Annotated[int, Gt(0)] = 10
