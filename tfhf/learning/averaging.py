"""The running average of the weights over the updates (EMA), which tf-keras' optimizers keep."""

import contextlib


@contextlib.contextmanager
def averaged(model):
    """Puts the averages in the place of the weights, and the weights back at the end.

    Args:
        model: a compiled `tfhf.Model`; where its optimizer keeps no average, nothing changes.
    """
    if not model.optimizer.use_ema:
        yield
        return
    variables = model.trainable_variables
    weights = [variable.numpy() for variable in variables]
    with model.distribute_strategy.scope():
        model.optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)
