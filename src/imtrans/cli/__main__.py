"""``python -m imtrans.cli``."""

from imtrans.cli import main

main()
