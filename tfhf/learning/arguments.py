"""Optimizers and schedules that a recipe may name, and their arguments; no TensorFlow.

Each is name → argument → (type and range, default). The names of optimizers and of their arguments
are tf-keras', whose defaults they have, too, but for AdamW, which is ours and has PyTorch's. What
all of them take stands beside them in a recipe: learning rate, weight decay, clipping, warm-up.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

Decay = Annotated[float, Ge(0), Lt(1)]
Positive = Annotated[float, Gt(0), Le(1000)]

_MOMENTS = {"beta_1": (Decay, 0.9), "beta_2": (Decay, 0.999)}
_ADAM = _MOMENTS | {"epsilon": (Positive, 1e-7)}

# Not Ftrl, which divides by the learning rate: at the beginning of a warm-up that is 0.
OPTIMIZERS = {
    "AdamW": _MOMENTS | {"epsilon": (Positive, 1e-8)},
    "Adam": _ADAM | {"amsgrad": (bool, False)},
    "Adadelta": {"rho": (Decay, 0.95), "epsilon": (Positive, 1e-7)},
    # Its relative steps are for a constant rate; ours follows a schedule.
    "Adafactor": {
        "beta_2_decay": (Annotated[float, Ge(-100), Lt(0)], -0.8),
        "epsilon_1": (Positive, 1e-30),
        "epsilon_2": (Positive, 1e-3),
        "clip_threshold": (Positive, 1.0),
    },
    "Adagrad": {
        "initial_accumulator_value": (Annotated[float, Ge(0), Le(1000)], 0.1),
        "epsilon": (Positive, 1e-7),
    },
    "Adamax": _ADAM,
    "Lion": {"beta_1": (Annotated[float, Gt(0), Lt(1)], 0.9), "beta_2": (Decay, 0.99)},
    "Nadam": _ADAM,
    "RMSprop": {
        "rho": (Decay, 0.9),
        "momentum": (Decay, 0.0),
        "epsilon": (Positive, 1e-7),
        "centered": (bool, False),
    },
    "SGD": {"momentum": (Decay, 0.0), "nesterov": (bool, False)},
}

_FLOOR = {"min_ratio": (Decay, 0.0)}

SCHEDULES = {
    "linear": {},
    "cosine": {},
    "constant": {},
    "polynomial": {"power": (Positive, 2.0)} | _FLOOR,
    "cosine_with_restarts": {"cycles": (Annotated[int, Gt(0), Le(1000)], 2)},
    "inverse_sqrt": {"timescale": (Annotated[int, Gt(0), Le(10**9)] | None, None)},
    "warmup_stable_decay": {
        "decay_ratio": (Annotated[float, Gt(0), Le(1)], 0.2),
        "decay": (Literal["linear", "cosine", "1-sqrt"], "linear"),
    }
    | _FLOOR,
}
