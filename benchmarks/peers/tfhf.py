"""tfhf, taken piece by piece as a Keras user takes it."""

import datasets
import tf_keras

import tfhf
from tfhf.console import load_tensorflow
from tfhf.learning.optimizers import undecayed

load_tensorflow()


def build(job):
    tf_keras.mixed_precision.set_global_policy(job.get("dtype_policy", "float32"))
    model = tfhf.load_model(job["model"], job["task"], **job["options"])
    rows = datasets.load_dataset("json", data_files=job["rows"], split="train")
    dataset = tfhf.to_tf_dataset(
        rows.cast(model.task.features),
        model,
        batch_size=job["batch_size"],
        shuffle=job["shuffle"],
    )
    model.tells_step_loss = True
    model.compile(
        tfhf.AdamW(
            job["learning_rate"],
            weight_decay=job["weight_decay"],
            global_clipnorm=job["clip"],
            exclude=undecayed(model.backbone),
        )
    )

    def train(steps, begin, after_step):
        class Steps(tf_keras.callbacks.Callback):
            _supports_tf_logs = True  # no wait for the device after every step

            def on_train_begin(self, logs=None):
                begin()

            def on_train_batch_end(self, batch, logs=None):
                after_step(lambda: float(logs["step_loss"]))

        model.fit(dataset.repeat(), steps_per_epoch=steps, callbacks=[Steps()], verbose=0)

    return train
