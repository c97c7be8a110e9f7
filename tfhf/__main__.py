"""`python -m tfhf` is the command `tfhf`."""

from tfhf.cli import main

main(prog_name="tfhf")
