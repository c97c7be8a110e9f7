"""A trained model called with rows, by the names transformers' pipelines made usual."""

import inspect
import tempfile

from tfhf import data, models, tasks
from tfhf.console import say
from tfhf.data.tokens import TokenStore
from tfhf.errors import UserError, did_you_mean
from tfhf.recipe.values import check_given
from tfhf.run import Run, is_run

# Keywords of transformers' `pipeline` that have no meaning here: what may be said all the same, and
# where to say what is meant.
_FOLDER = ((), "it is the one in the model's folder")
_DEVICE = (
    (-1, 0, "cpu", "auto"),
    "TensorFlow takes the first GPU; `with tf.device(...)` says otherwise",
)
_TOKEN = ((), "it is read from HF_TOKEN or `hf auth login`")
_DTYPE = (("float32", "auto"), "tf_keras.mixed_precision.set_global_policy decides")
NOT_HERE = {
    "framework": (("tf",), "this is TensorFlow's"),
    "trust_remote_code": ((False,), "no code of a model is ever run"),
    "use_fast": ((True,), "tokenizers are the fast ones"),
    **dict.fromkeys(("tokenizer", "feature_extractor", "image_processor", "config"), _FOLDER),
    **dict.fromkeys(("device", "device_map"), _DEVICE),
    **dict.fromkeys(("token", "use_auth_token"), _TOKEN),
    **dict.fromkeys(("dtype", "torch_dtype"), _DTYPE),
}


def pipeline(task=None, model=None, *, revision=None, batch_size=None, **options):
    """Makes a function from texts to answers, with the names transformers' pipelines made usual.

    Args:
        task: a name of transformers' pipelines: `sentiment-analysis`, `ner`, `fill-mask` …; by
            default what the model was trained for.
        model: a Run, a run's folder, a model folder or a Hub id; a `tfhf.Model` as it stands; the
            task's usual checkpoint where there is none.
        revision: branch, tag or commit of a Hub id.
        batch_size: rows per batch; by default as many as a number of tokens allows. Texts of like
            lengths share one.
        **options: the task's options, such as `max_length=64`; and what each call may choose, such
            as `top_k=3`, for all that choose nothing else.

    Returns:
        A Pipeline.

    Raises:
        UserError: if there is no such task, model or option.

    Example:
        >>> classify = pipeline("sentiment-analysis", "runs/quickstart")  # doctest: +SKIP
        >>> classify("Where is my parcel?")  # doctest: +SKIP
        [{'label': 'delivery', 'score': 0.98}]
    """
    options = _known_here(options, model)
    kind = kind_of(model, revision) if task is None else tasks.by_pipeline(task)
    if task is not None:
        options = kind.named(task) | options
    if hasattr(model, "backbone"):
        return Pipeline(_of_kind(model, kind), batch_size, shown=True, choices=options)
    if model is None and kind.default_model is None:
        raise UserError(f"pipeline {task!r} has no usual checkpoint; name a model")
    if model is None:
        model, revision = kind.default_model
    own = {name: options.pop(name) for name in kind.options() if name in options}
    loaded = load(model, kind, revision, check_given(kind, own, "pipeline"))
    return Pipeline(loaded, batch_size, shown=True, choices=options)


class Pipeline:
    """A trained model, called with rows.

    Args:
        model: a `tfhf.Model`.
        batch_size: rows per batch; by default as many as a number of tokens allows. Texts of like
            lengths share one.
        shown: whether `results` hold what the task's `present` needs, which calls do, too.
        choices: what calls choose that say nothing else.

    Raises:
        UserError: if there is no such choice.
    """

    def __init__(self, model, batch_size=None, *, shown=False, choices=None):
        from tfhf.learning.scoring import Scorer

        self.model = model
        self.task = model.task
        self._scorer = Scorer(model, batch_size, shown=shown)
        self._choices = choices or {}
        _check_choices(*self.configured(**_without_padding(self._choices)))

    def __call__(self, rows=None, *, batch_size=None, **choices):
        """Answers rows.

        Args:
            rows: a text, a dictionary from role to value (`{"text", "text_pair"}`), or several of
                them: a list, a column or all of a dataset, a NumPy array, a generator; a row's
                values may also be given by role: `ask(question="…", context="…")`.
            batch_size: rows per batch of this call.
            **choices: what transformers' pipeline of the task takes beside its rows, such as
                `top_k`; the task's `configured` and `present` name them. `truncation` may be
                True; `padding` is taken, and changes nothing.

        Returns:
            For several rows a list with each row's answer; for one row its answer.

        Raises:
            UserError: if a role is missing or holds something else than it should, or there is no
                such choice.
        """
        if rows is None:
            rows = {role: choices.pop(role) for role in self.task.inputs if role in choices}
        task, rest = self.configured(**_without_padding(self._choices | choices))
        _check_choices(task, rest)
        rows, many = task.as_rows(rows)
        _check_read(rows, task)
        dataset = data.from_rows(rows, task.inputs)
        results = self.results(dataset, task, batch_size)
        answers = [task.present(results, index, row, **rest) for index, row in enumerate(dataset)]
        return task.arrange(answers, **rest) if many else answers[0]

    def configured(self, **choices):
        """The task as the choices of a call make it, and the choices that are left; see `Task`."""
        return self.task.configured(**choices)

    def results(self, dataset, task=None, batch_size=None):
        """The named results (name → array) of a dataset's rows, in their order.

        Args:
            dataset: a `datasets.Dataset` with the columns of the task's `inputs`.
            task: the model's own task, or what its `configured` gave.
            batch_size: rows per batch, where not the pipeline's own.
        """
        if not len(dataset):
            return {}
        results, cut = self.score(dataset, task, batch_size=batch_size)
        say_cut(cut, len(dataset), task or self.task)
        return results

    def score(self, dataset, task=None, first=0, batch_size=None):
        """The results, as `results` gives them, and how many rows were too long.

        Args:
            dataset, task, batch_size: as for `results`; one row or more.
            first: the number of the dataset's first row, where it is a part of another one.
        """
        task = task or self.task
        with tempfile.TemporaryDirectory() as scratch:
            store = TokenStore.build(dataset, task, f"{scratch}/tokens")
            scores = self._scorer(store, "predict", task, first, batch_size)
            return scores.results, len(store.cut_rows())

    def answer(self, results, index, row, task=None):
        """A row's answer, as the task's `decode` words it."""
        return (task or self.task).decode(results, index, row)


def load(model, kind, revision=None, options=None):
    """A trained model for a task, from a run, a folder or the Hub, as a `tfhf.Model`."""
    from tfhf.pieces import trained

    if isinstance(model, Run) or is_run(str(model)):
        model = (model if isinstance(model, Run) else Run(model)).model
    source = models.resolve(str(model), revision)
    config = models.load_config(source)
    task = kind.from_config(kind.load_processor(source), config, **(options or {}))
    loaded = trained(source, task)
    missing = [one for one in loaded.load_report.new if not task.unread_by(one)]
    if missing:
        raise UserError(
            f"{source.name} was not trained for {kind.name()}: it has no weights for "
            f"{', '.join(missing)}; train it first"
        )
    return loaded


def kind_of(model, revision=None):
    """The task of a trained model: a run's own, or what its config says.

    Args:
        model, revision: as for `pipeline`.

    Raises:
        UserError: if there is no such model, or no task trains its architecture.
    """
    if model is None:
        raise UserError("pipeline: name a task, such as sentiment-analysis, or a model")
    if hasattr(model, "backbone"):
        return type(model.task)
    if isinstance(model, Run) or is_run(str(model)):
        return tasks.get((model if isinstance(model, Run) else Run(model)).recipe.task)
    return tasks.by_config(models.load_config(models.resolve(str(model), revision, weights=False)))


def _of_kind(model, kind):
    """A `tfhf.Model`, if its task is of a kind."""
    if not isinstance(model.task, kind):
        raise UserError(f"model: is one of {model.task.name()}; the pipeline wants {kind.name()}")
    return model


def _known_here(options, model):
    """Options without those of transformers' `pipeline` that say what is so here anyway."""
    for name, value in options.items():
        if name in NOT_HERE:
            harmless, why = NOT_HERE[name]
            if value is not None and value not in harmless and str(value) != str(model):
                raise UserError(f"{name}: leave it out, because {why}; received {value!r}")
    return {name: value for name, value in options.items() if name not in NOT_HERE}


def _without_padding(choices):
    """A call's choices without transformers' `truncation=True`, which is always so here, and
    without `padding`, on which no answer depends."""
    if choices.get("truncation", True) is not True:
        raise UserError(
            "truncation: must be True, because a text is always cut at the task's max_length; "
            f"received {choices['truncation']!r}"
        )
    return {name: one for name, one in choices.items() if name not in ("truncation", "padding")}


def _check_read(rows, task):
    """Refuses rows that hold more than the model reads, such as pairs for one of single texts."""
    unread = task.passed_over({*task.features, *task.inputs})
    if not unread:
        return
    named = [rows.column_names or ()] if hasattr(rows, "column_names") else rows
    for number, names in enumerate(named, 1):
        found = [role for role in unread if isinstance(names, dict | list) and role in names]
        if found:
            raise UserError(
                f"row {number}: this model takes {' and '.join(task.inputs)}, and would pass over "
                f"{found[0]!r}; leave it out"
            )


def _check_choices(task, choices):
    """Refuses a choice that `present` does not take, before anything is computed."""
    parameters = inspect.signature(task.present).parameters
    known = [name for name in parameters if name not in ("results", "index", "row")]
    for name, value in choices.items():
        if name not in known:
            takes = f"; it takes {', '.join(known)}" if known else ""
            hint = did_you_mean(name, known)
            raise UserError(
                f"{task.name()}: a call has no choice {name!r}{hint or takes}; received {value!r}"
            )


def say_cut(cut, rows, task):
    """Says how many of some rows were too long for a task, if any were."""
    if cut:
        say(
            f"  note: {cut} of {rows} rows are longer than max_length {task.max_length}; only "
            "their beginnings are read"
        )
