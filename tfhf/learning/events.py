"""The rows of log.jsonl as TensorBoard scalars."""

import tensorflow as tf


class EventLog:
    """Writes a training's rows into a TensorBoard folder.

    Args:
        folder: holds the event files; `tensorboard --logdir` takes it.
    """

    def __init__(self, folder):
        self.writer = tf.summary.create_file_writer(str(folder))

    def write(self, row):
        """Writes every number of a row, validation's under `validation/`, the others `train/`."""
        values = row.get("validation", row)
        group = "validation" if "validation" in row else "train"
        with self.writer.as_default(step=row["step"]):
            for name, value in values.items():
                if isinstance(value, int | float) and name not in ("step", "epoch"):
                    tf.summary.scalar(f"{group}/{name}", value)
        self.writer.flush()
