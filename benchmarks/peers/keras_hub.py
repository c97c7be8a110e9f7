"""KerasHub on TensorFlow and Keras 3: its own text classifier, rows padded to 128 tokens."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import json
from pathlib import Path

import keras
import keras_hub
import numpy as np
import tensorflow as tf
from safetensors.numpy import load_file

LENGTH = 128


def build(job):
    folder = Path(job["model"])
    dropout = json.loads((folder / "config.json").read_text())["hidden_dropout_prob"]
    backbone = keras_hub.models.BertBackbone.from_preset(str(folder), dropout=dropout)
    tokenizer = keras_hub.models.BertTokenizer.from_preset(str(folder))
    model = keras_hub.models.BertTextClassifier(
        backbone,
        num_classes=len(job["labels"]),
        preprocessor=keras_hub.models.BertTextClassifierPreprocessor(tokenizer, LENGTH),
        dropout=dropout,
    )
    _take_head(model, load_file(folder / "model.safetensors"))
    texts, labels, loss = _read(job)
    rows = tf.data.Dataset.from_tensor_slices((texts, labels))
    if job["shuffle"]:
        rows = rows.shuffle(len(texts))
    rows = rows.repeat().batch(job["batch_size"])
    optimizer = keras.optimizers.AdamW(
        job["learning_rate"],
        weight_decay=job["weight_decay"],
        epsilon=1e-8,
        global_clipnorm=job["clip"],
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(optimizer, loss, metrics=[])

    def train(steps, begin, after_step):
        class Steps(keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                begin()
                self.mean = 0.0

            def on_train_batch_end(self, batch, logs=None):
                after_step(lambda: self.last(batch, float(logs["loss"])))

            def last(self, batch, mean):
                """The step's own loss; Keras tells the mean of all steps since the beginning."""
                before, self.mean = self.mean, mean
                return (batch + 1) * mean - batch * before

        model.fit(rows, steps_per_epoch=steps, callbacks=[Steps()], verbose=0)

    return train


def _read(job):
    """Texts, labels and the loss between them."""
    lines = Path(job["rows"]).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    labels = [row["label"] for row in rows]
    if job["problem"] == "multi_label":
        present = np.zeros((len(rows), len(job["labels"])), np.float32)
        for row, found in zip(present, labels, strict=True):
            row[found] = 1.0
        labels, loss = present, keras.losses.BinaryCrossentropy(from_logits=True)
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return [row["text"] for row in rows], labels, loss


def _take_head(model, weights):
    """The start weights of the head, which `from_preset` leaves out."""
    head = model.get_layer("logits")
    head.set_weights([weights["classifier.weight"].T, weights["classifier.bias"]])
