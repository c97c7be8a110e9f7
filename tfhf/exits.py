"""How a command ends: its exit code, and in one line what went wrong."""

import traceback

import click

from tfhf.errors import UserError, redacted


class Commands(click.Group):
    """The group of commands: one line for what the user can mend, and the error's own exit code."""

    def invoke(self, context):
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            click.echo("tfhf: stopped", err=True)
            context.exit(130)
        except (click.exceptions.Exit, click.ClickException, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if context.params["debug"]:
                click.echo(redacted(traceback.format_exc()), err=True, nl=False)
            click.echo(redacted(_line(error)), err=True)
            context.exit(getattr(error, "exit_code", 1))


def _line(error):
    """What went wrong in one line: a mistake as it is worded, anything else as the bug it is."""
    if isinstance(error, UserError):
        return "tfhf: " + "\\n".join(str(error).splitlines())  # a file's name may hold a break
    last = str(error).strip().splitlines() or [""]
    name = type(error).__name__
    return f"tfhf: this is a bug in tfhf: {name}: {last[-1]} (tfhf --debug shows where)"
