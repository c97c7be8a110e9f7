"""Keras as transformers' own TensorFlow examples trained it: `to_tf_dataset`, AdamW, `fit`."""

import tf_keras
import transformers
from peers import hugging_face

import tfhf

tfhf.repair()  # without it, transformers 4.57 reads no PyTorch weights into TensorFlow


def build(job):
    heads = {
        "text_classification": transformers.TFAutoModelForSequenceClassification,
        "token_classification": transformers.TFAutoModelForTokenClassification,
        "summarization": transformers.TFAutoModelForSeq2SeqLM,
    }
    model = heads[job["task"]].from_pretrained(job["model"])
    rows, collate = hugging_face.tokenized(job, "np")
    dataset = rows.to_tf_dataset(
        columns=[name for name in rows.column_names if name != "labels"],
        label_cols=["labels"],
        batch_size=job["batch_size"],
        shuffle=job["shuffle"],
        collate_fn=collate,
    )
    optimizer = tf_keras.optimizers.AdamW(
        job["learning_rate"],
        weight_decay=job["weight_decay"],
        epsilon=1e-8,
        global_clipnorm=job["clip"],
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "LayerNorm", "layer_norm", "layernorm"])
    if job["problem"] == "multi_label":  # for which the model has no loss of its own
        model.compile(optimizer, tf_keras.losses.BinaryCrossentropy(from_logits=True))
    else:
        model.compile(optimizer)

    def train(steps, begin, after_step):
        class Steps(tf_keras.callbacks.Callback):
            _supports_tf_logs = True  # no wait for the device after every step

            def on_train_begin(self, logs=None):
                begin()
                self.mean = 0.0

            def on_train_batch_end(self, batch, logs=None):
                after_step(lambda: self.last(batch, float(logs["loss"])))

            def last(self, batch, mean):
                """The step's own loss; Keras tells the mean of all steps since the beginning."""
                before, self.mean = self.mean, mean
                return (batch + 1) * mean - batch * before

        model.fit(dataset.repeat(), steps_per_epoch=steps, callbacks=[Steps()], verbose=0)

    return train
