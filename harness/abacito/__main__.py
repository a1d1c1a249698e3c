"""``python -m abacito``."""

from abacito.cli import main

main()
