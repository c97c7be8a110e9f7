"""The Hugging Face Trainer on PyTorch, with fused AdamW; by default, or with `grouped` rows."""

import tempfile

import transformers
from peers import hugging_face


def build(job):
    transformers.logging.set_verbosity_error()
    heads = {
        "text_classification": transformers.AutoModelForSequenceClassification,
        "token_classification": transformers.AutoModelForTokenClassification,
        "summarization": transformers.AutoModelForSeq2SeqLM,
    }
    model = heads[job["task"]].from_pretrained(job["model"])
    rows, collate = hugging_face.tokenized(job, "pt")
    order = "group_by_length" if job.get("grouped") else "random"
    folder = tempfile.mkdtemp()

    class Told(transformers.Trainer):
        def training_step(self, *arguments, **keywords):
            self.step_loss = super().training_step(*arguments, **keywords)
            return self.step_loss

    def train(steps, begin, after_step):
        class Steps(transformers.TrainerCallback):
            def on_train_begin(self, arguments, state, control, **_):
                begin()

            def on_step_end(self, arguments, state, control, **_):
                after_step(lambda: float(trainer.step_loss))

        arguments = transformers.TrainingArguments(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=job["batch_size"],
            train_sampling_strategy=order if job["shuffle"] else "sequential",
            learning_rate=job["learning_rate"],
            lr_scheduler_type="constant",
            weight_decay=job["weight_decay"],
            max_grad_norm=job["clip"],
            optim="adamw_torch_fused",
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = Told(model, arguments, collate, train_dataset=rows, callbacks=[Steps()])
        trainer.train()

    return train
