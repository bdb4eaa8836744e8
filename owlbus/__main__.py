"""``python -m owlbus`` is the command ``owlbus``."""

from __future__ import annotations

from owlbus.cli import main

if __name__ == "__main__":
    main()
