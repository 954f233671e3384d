"""`python -m competition`."""

from competition.cli.app import main

main()
