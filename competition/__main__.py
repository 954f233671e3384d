"""`python -m competition`."""

from competition.cli import main

main()
