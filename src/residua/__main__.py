"""``python -m residua``: the command, for starters that want a module, such as torchrun."""

from residua.cli import main

if __name__ == "__main__":
    main()
