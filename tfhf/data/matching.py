"""Which column of a file plays which role."""

from tfhf.errors import UserError, did_you_mean

SEPARATORS = {";": ";", "\t": "\\t", "|": "|", ",": ","}  # the character → how a recipe writes it


def match_columns(kinds, columns, found, name, inner=()):
    """Finds the column of a file that plays each role.

    A role that `columns` does not mention is played by the column of the same name; for the role
    `label`, also by `labels`.

    Args:
        kinds: role → kind (`tfhf.data.columns`).
        columns: role → column name, or a list of names where the kind takes one; or None.
        found: the column names of the file.
        name: the file, as messages call it.
        inner: names of values inside objects, such as `translation.en`, which `columns` may name.

    Returns:
        Role → column name or list of names. An optional role without a column is left out.

    Raises:
        UserError: if a role is unknown, or a column is missing or named for two roles.
    """
    columns = columns or {}
    _check_mapping(kinds, columns)
    there = [*found, *inner]
    columns = {role: kinds[role].pick(given, there) for role, given in columns.items()}
    taken = {column for _, column in named(columns)}
    matched = {}
    for role, kind in kinds.items():
        if role in columns:
            matched[role] = columns[role]
        else:
            plural = role == "label" and role not in found and "labels" in found
            column = "labels" if plural else role
            if not kind.optional or (column in found and column not in taken):
                matched[role] = column
    missing = [(role, one) for role, one in named(matched) if one not in there]
    if missing:
        raise UserError(_missing(missing[0], matched, found, name, inner))
    _check_used_once(matched)
    return matched


def named(matched):
    """Lists every `(role, column name)` of a role → column mapping."""
    return [
        (role, one)
        for role, column in matched.items()
        for one in (column if isinstance(column, list) else [column])
    ]


def _check_mapping(kinds, columns):
    for role, column in columns.items():
        if role not in kinds:
            raise UserError(
                f"data.columns: unknown role {role!r}; the roles are {list(kinds)}"
                + did_you_mean(role, kinds)
            )
        if not kinds[role].takes(column):
            raise UserError(
                f"data.columns.{role}: expected {kinds[role].allowed}, received {column!r}"
            )


def _check_used_once(matched):
    used = {}
    for role, column in named(matched):
        if column in used:
            raise UserError(
                f"data.columns: column {column!r} cannot be {used[column]} and {role} at once"
            )
        used[column] = role


def _missing(first, matched, found, name, inner):
    """One line for a column that is not there, with the likeliest reason."""
    role, column = first
    plays = "" if role == column else f" ({role})"
    if len(found) == 1:
        for separator, written in SEPARATORS.items():
            if separator in found[0]:
                return (
                    f"{name}: one column {found[0]!r}: wrong separator? "
                    f'set data.separator: "{written}"'
                )
    expected = [one for _, one in named(matched)]
    if _looks_like_data(found):
        return (
            f"{name}: column {column!r} not found; the first row looks like data, not like column "
            f"names: {_short(found)}; add a first line that names the columns"
        )
    likely = inner if inner and "." in column else found
    return (
        f"{name}: column {column!r}{plays} not found; expected columns {expected}, found columns "
        f"{_short(found)}; set data.columns{did_you_mean(column, likely)}"
    )


def _looks_like_data(found):
    """Whether a header holds a number, nothing at all, or a whole sentence."""
    return any(
        one.replace(".", "", 1).lstrip("-").isdigit() or one.count(" ") > 3 or len(one) > 60
        for one in found
    )


def _short(found, most=12):
    """Column names for a message, cut where a table is very wide."""
    cut = [one if len(one) <= 60 else one[:57] + "..." for one in found[:most]]
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return f"{cut}{more}"
