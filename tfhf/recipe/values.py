"""Values checked against a schema; what pydantic finds is told in one line."""

import re

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from tfhf.errors import UserError, did_you_mean


class Section(BaseModel):
    """Keys of a recipe that stand together; any other is a mistake."""

    model_config = ConfigDict(extra="forbid")


def validated(schema, values, where, prefix=""):
    """Values as an object of a schema.

    Args:
        schema: a pydantic model class.
        values: a dictionary.
        where: the file they stand in, for messages.
        prefix: what their keys begin with there.

    Raises:
        UserError: for the first value that does not fit, with its key.
    """
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{where}: {_first_line(error, schema, prefix)}") from error


def check_arguments(keywords, values, where, key):
    """Values by keyword, checked; keywords are name → (annotation, default)."""
    schema = create_model(key.rpartition(".")[2], __base__=Section, **keywords)
    return validated(schema, values, where, f"{key}.").model_dump()


def check_options(task, options, where):
    """A task's options, checked, with the defaults of those that are not given."""
    keywords = {name: (one.annotation, one.default) for name, one in task.options().items()}
    return check_arguments(keywords, options, where, "options")


def check_given(task, options, where):
    """Some of a task's options, checked, and no others."""
    checked = check_options(task, options, where)
    return {name: checked[name] for name in options}


def check_named(known, value, where, key):
    """One of several by its name, the first unless it is said, with all its arguments."""
    arguments = dict(value)
    name = arguments.pop("name", next(iter(known)))
    if not isinstance(name, str) or name not in known:
        hint = did_you_mean(name, known)
        raise UserError(
            f"{where}: {key}: must be one of {', '.join(known)}{hint}; received {name!r}"
        )
    return {"name": name} | check_arguments(known[name], arguments, where, key)


def _first_line(error, schema, prefix=""):
    """The first of pydantic's findings, in one line with the dotted key.

    Of a key that may hold one of several kinds of value, the finding that goes deepest into it;
    where all stop at the key, what each of them expects.
    """
    errors = [(_keys(found["loc"]), found) for found in error.errors()]
    first = errors[0][0]
    about = [pair for pair in errors if pair[0][: len(first)] == first]
    path = max((keys for keys, _ in about), key=len)
    alike = [found for keys, found in about if keys == path]
    found, key = alike[0], prefix + ".".join(path)
    if found["type"] == "extra_forbidden":
        fields = _fields(schema, path[:-1])
        hint = did_you_mean(path[-1], fields)
        known = "" if hint else f"; keys here: {', '.join(fields) or 'none'}"
        return f"unknown key {key!r}{hint}{known}"
    if found["type"] == "missing":
        return f"{key} is missing"
    messages = dict.fromkeys(one["msg"][0].lower() + one["msg"][1:] for one in alike)
    message = " or ".join(messages).replace(" or input should be ", " or ")
    return f"{key}: {message}; received {found['input']!r}"


def _keys(place):
    """Where pydantic found something, without its names for the kinds of value it tried."""
    kinds = r"(literal|dict|list|constrained-\w+|function-\w+)(\[.*\])?|\[key\]|str|int|float|bool"
    return [str(part) for part in place if not re.fullmatch(kinds, str(part))]


def _fields(schema, path):
    for part in path:
        schema = schema.model_fields[part].annotation
    return list(schema.model_fields)
