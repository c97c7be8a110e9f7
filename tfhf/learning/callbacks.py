"""Keras callbacks of a training: what is logged and shown, and which epoch is kept."""

import math
import time

import numpy as np
import tf_keras

from tfhf.console import say
from tfhf.errors import Diverged
from tfhf.learning import metrics


class Progress(tf_keras.callbacks.Callback):
    """Logs every few steps, shows progress, and stops when the loss is no number.

    Args:
        log: called with a dictionary per logged step: `step`, `epoch`, `loss` (mean since the last
            row), `learning_rate`, `tokens_per_second` (real tokens), `real_tokens` (share of all
            tokens fed), `seconds` since the start.
        plan: an `orders.Plan` or `windowed.StreamPlan`; says how many tokens each batch has.
        epochs: number of epochs.
        every: steps between two logged rows.
    """

    _supports_tf_logs = True  # Keras would otherwise wait for the device after every step

    def __init__(self, log, plan, *, epochs, every):
        super().__init__()
        self.log, self.plan = log, plan
        self.epochs, self.every = epochs, every
        self.bar = _Bar(plan.steps * epochs)

    def set_model(self, model):
        super().set_model(model)
        model.tells_step_loss = True  # read when the step is traced, after this

    def on_train_begin(self, logs=None):
        self.start = self.since = time.perf_counter()
        self.losses = []
        self.tokens = np.zeros(2, np.int64)
        self.done = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.shares = self.plan.shares(epoch)
        self.epoch = epoch
        # The time of validation and saving is not the training's.
        self.since = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["step_loss"])
        self.tokens += next(self.shares)
        self.done += 1
        last = batch + 1 == self.plan.steps
        if len(self.losses) == self.every or last:
            self._log(last)

    def on_train_end(self, logs=None):
        self.bar.close()

    def _log(self, last_of_epoch):
        losses = np.array([float(loss) for loss in self.losses])
        rate = float(self.model.optimizer.learning_rate.numpy())
        if not np.isfinite(losses).all():
            self.bar.close()
            bad = int(np.argmin(np.isfinite(losses)))
            step = self.done - len(losses) + bad + 1
            raise _diverged("loss", losses[bad], f"at step {step} (learning rate {rate:.3g})")
        now = time.perf_counter()
        row = {
            "step": self.done,
            "epoch": self.epoch + 1,
            "loss": float(losses.mean()),
            "learning_rate": rate,
            "tokens_per_second": round(float(self.tokens[0]) / max(now - self.since, 1e-9), 1),
            "real_tokens": round(float(self.tokens[0] / self.tokens[1]), 4),
            "seconds": round(now - self.start, 2),
        }
        self.log(row)
        self.bar.show(row, last_of_epoch)
        self.losses.clear()
        self.tokens[:] = 0
        self.since = now


def _diverged(what, value, when):
    value = "NaN" if math.isnan(value) else "infinite"
    return Diverged(
        f"{what} became {value} {when}; lower train.learning_rate or raise train.warmup_ratio"
    )


class _Bar:
    """A progress bar in a terminal, plain lines at most every ten seconds elsewhere."""

    def __init__(self, steps):
        import rich.console
        import rich.progress

        self.steps = steps
        self.shown = time.perf_counter()
        self.bar = None
        terminal = rich.console.Console(stderr=True)
        if terminal.is_terminal:
            columns = (
                rich.progress.BarColumn(),
                rich.progress.TextColumn("{task.description}"),
                rich.progress.TimeRemainingColumn(),
            )
            self.bar = rich.progress.Progress(*columns, console=terminal)
            self.task = self.bar.add_task("tracing the first step …", total=steps)
            self.bar.start()

    def show(self, row, last_of_epoch):
        text = (
            f"epoch {row['epoch']}  step {row['step']}/{self.steps}  loss {row['loss']:.4f}  "
            f"{row['tokens_per_second']:,.0f} tokens/s  {row['real_tokens']:.0%} real"
        )
        if self.bar is not None:
            self.bar.update(self.task, completed=row["step"], description=text)
            return
        now = time.perf_counter()
        if last_of_epoch or now - self.shown >= 10:
            left = row["seconds"] * (self.steps - row["step"]) / row["step"]
            say(f"  {text}  {left / 60:.0f}:{left % 60:02.0f} left")
            self.shown = now

    def close(self):
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


class Validation(tf_keras.callbacks.Callback):
    """Scores the validation split after each epoch, keeps the best and stops early.

    Args:
        evaluate: called without arguments; gives metric name → value.
        keep: called without arguments when the epoch is the best so far.
        log: called with `{"step", "epoch", "validation"}` after each epoch.
        monitor: the metric that decides.
        patience: epochs without improvement after which training stops, or None.

    Attributes:
        best: the best value so far, and `best_epoch`, counted from 1.
    """

    _supports_tf_logs = True

    def __init__(self, evaluate, keep, log, *, monitor, patience=None):
        super().__init__()
        self.evaluate, self.keep, self.log = evaluate, keep, log
        self.monitor, self.patience = monitor, patience
        self.best = None
        self.best_epoch = 0

    def on_epoch_end(self, epoch, logs=None):
        values = self.evaluate()
        if not math.isfinite(values["loss"]):
            raise _diverged("validation loss", values["loss"], f"after epoch {epoch + 1}")
        step = int(self.model.optimizer.iterations.numpy())
        numbers = {name: v for name, v in values.items() if not isinstance(v, dict)}
        self.log({"step": step, "epoch": epoch + 1, "validation": numbers})
        if logs is not None:  # for callbacks that come after
            logs |= {f"val_{name}": value for name, value in numbers.items()}
        value = values[self.monitor]
        improved = metrics.better(self.monitor, value, self.best)
        if improved or self.best_epoch == 0:
            self.best, self.best_epoch = value, epoch + 1
            self.keep()
        names = dict.fromkeys(("loss", self.monitor))
        shown = "  ".join(f"{name} {values[name]:.4f}" for name in names)
        say(f"  epoch {epoch + 1}  validation {shown}" + ("  (best)" if improved else ""))
        if self.patience and epoch + 1 - self.best_epoch >= self.patience:
            say(f"  stopping: no better {self.monitor} for {self.patience} epochs")
            self.model.stop_training = True
