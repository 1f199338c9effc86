"""Exit codes of every command; scripts rely on them."""

from typing import Final

OK: Final = 0
PROBLEMS: Final = 1
"""The command ran, and what it looked at is not in order or did not answer."""
USAGE: Final = 2
"""The command line is wrong, or names too little. What argparse uses as well."""
