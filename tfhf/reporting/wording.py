"""Numbers, times and names as people write them."""

from datetime import datetime

from tfhf.reporting.values import number


def figure(value, digits=4):
    """A number of a results table; a dash where there is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    value = number(value)
    return "–" if value is None else f"{value:,.{digits}f}"


def headline_figure(value, largest):
    """A number on its own, with as many digits as its scale deserves.

    Args:
        value: the number, or None.
        largest: the scale's end: 1, 100, or None where there is none.
    """
    if value is not None and largest != 1 and abs(value) >= 10:
        return f"{value:,.1f}"
    return figure(value, 2 if largest == 100 else 3)


def short(value):
    """A large count in three digits: 22.7 M."""
    if value is None:
        return None
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if value >= size:
            scale = 1e3 if unit == " k" else size
            return f"{value / scale:.3g}{unit}"
    return f"{value:,.0f}"


def percent(share):
    """A share in per cent, or None."""
    return None if share is None else f"{share:.1%}"


def seconds(value):
    """A duration as people say it: 0.42 s, 31 s, 7 min 12 s, 2 h 5 min."""
    value = number(value)
    if value is None:
        return "–"
    if value < 10:
        return f"{value:.2g} s"
    if round(value) < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s"


def date(text):
    """An ISO time as `2025-11-22 04:11 UTC`; the text itself where it is no such time."""
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M %Z").strip()
    except (TypeError, ValueError):
        return text


def model_name(model):
    """What a recipe's `model` is called; a config (a dict) is one that starts from scratch."""
    if isinstance(model, dict):
        return f"{model.get('model_type', 'a model')}, from scratch"
    return model
