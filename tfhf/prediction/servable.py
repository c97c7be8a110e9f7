"""An exported version asked from Python, as TensorFlow Serving would ask it."""

import json
from pathlib import Path

from tfhf import tasks
from tfhf.console import load_tensorflow
from tfhf.errors import UserError


class Servable:
    """An exported version, answering as a `Pipeline` does but through its own signature.

    Args:
        folder: a version's folder.

    Raises:
        UserError: if it is no export of tfhf.
    """

    def __init__(self, folder, batch_size=32):
        load_tensorflow()
        import tensorflow as tf
        from transformers import PretrainedConfig

        about = Path(folder) / "assets.extra" / "task.json"
        if not about.is_file():
            raise UserError(f"{folder} is no export of tfhf: assets.extra/task.json is missing")
        about = json.loads(about.read_text(encoding="utf-8"))
        if about["task"] not in tasks.names():  # a file's word imports nobody's code
            raise UserError(
                f"{folder} was made by a task of your own, {about['task']}; ask it as a SavedModel"
            )
        kind = tasks.get(about["task"])
        self.task = kind.from_config(None, PretrainedConfig(**about["config"])).as_served()
        self.batch_size = batch_size
        self._loaded = tf.saved_model.load(str(folder))

    def configured(self, **choices):
        """Takes the choices of a call that the signature has an input for: `candidate_labels`.

        Raises:
            UserError: if there is another, which the export has fixed.
        """
        names_labels = "candidate_labels" in self.task.serving_inputs
        for name, value in choices.items():
            if not (names_labels and name == "candidate_labels"):
                only = "; a call may choose candidate_labels" if names_labels else ""
                raise UserError(
                    f"{name}: an export answers as it was exported{only}; received {value!r}"
                )
        return self.task.configured(**choices)

    def results(self, dataset, task=None):
        """The named results (name → array) of a dataset's rows, in their order."""
        return self.score(dataset, task)[0]

    def score(self, dataset, task=None, first=0):
        """As `Pipeline.score`; an export does not tell what it cuts."""
        import numpy as np
        import tensorflow as tf

        from tfhf.exports import NUMBER, rehearsal, warmup

        serve = self._loaded.signatures["serving_default"]
        task = task or self.task
        rows = task.served_rows(dataset)
        for name, kind in task.serving_inputs.items():
            if kind == NUMBER:
                rows[name] = [first + number for number in rows[name]]
        taken = serve.structured_input_signature[1]
        rows = {name: warmup.rectangular(rows[name]) for name in rows if name in taken}
        # Texts of like lengths share a batch; characters will do to tell.
        texts = [repr(values) for values in zip(*rows.values(), strict=True)]
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        rows = {name: [values[row] for row in order] for name, values in rows.items()}

        def call(part):
            found = serve(**{name: tf.constant(values) for name, values in part.items()})
            return {name: value.numpy() for name, value in found.items()}

        found = rehearsal.ask(call, rows, self.batch_size)
        back = np.argsort(order)
        return {name: values[back] for name, values in found.items()}, 0

    def answer(self, results, index, row, task=None):
        """A row's answer, as the task's `read_served` words it."""
        return self.task.read_served(results, index, row)
