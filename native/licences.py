"""Fails if a crate that would be built in has a licence that is not allowed: `python native/licences.py`.

Reads `cargo metadata` alone. Test and build dependencies count too: telling them apart would save nothing.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

ALLOWED: Final = frozenset({
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT",
    "MIT-0", "Unicode-3.0", "Unlicense", "Zlib",
})  # fmt: skip
"""They ask for a notice at most, and all go with Apache-2.0."""

PLATFORM: Final = "x86_64-unknown-linux-gnu"
"""Crates for other systems are never downloaded, so nothing is known of them."""


def allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met with allowed licences; "/" is an old way to write OR.

    >>> allowed("MIT OR Apache-2.0"), allowed("GPL-3.0 OR MIT"), allowed("Apache-2.0 AND ISC"), allowed("MIT/Apache-2.0")
    (True, True, True, True)
    >>> allowed("GPL-3.0"), allowed("MIT AND GPL-3.0"), allowed("(MIT OR ISC) AND GPL-3.0"), allowed("")
    (False, False, False, False)
    """
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR ").replace(" WITH ", "_WITH_"))
    return bool(tokens) and _either(tokens) and not tokens


def _either(tokens: list[str]) -> bool:
    met = _both(tokens)
    while tokens and tokens[0] == "OR":
        tokens.pop(0)
        met = _both(tokens) or met
    return met


def _both(tokens: list[str]) -> bool:
    met = _one(tokens)
    while tokens and tokens[0] == "AND":
        tokens.pop(0)
        met = _one(tokens) and met
    return met


def _one(tokens: list[str]) -> bool:
    token = tokens.pop(0) if tokens else ""
    if token != "(":
        return token.replace("_WITH_", " WITH ") in ALLOWED
    met = _either(tokens)
    return bool(tokens) and tokens.pop(0) == ")" and met


def packages(folder: Path) -> list[dict[str, Any]]:
    """Every crate that the build in `folder` needs on this platform, this one included."""
    command = ["cargo", "metadata", "--format-version=1", f"--filter-platform={PLATFORM}"]
    metadata = json.loads(subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout)
    needed = {node["id"] for node in metadata["resolve"]["nodes"]}
    return [package for package in metadata["packages"] if package["id"] in needed]


def main() -> int:
    """Prints the licences and how many crates have them, and each crate that is not allowed."""
    crates = packages(Path(__file__).parent)
    refused = [crate for crate in crates if not allowed(crate["license"] or "")]
    for licence, count in Counter(crate["license"] for crate in crates).most_common():
        sys.stdout.write(f"{count:4} {licence}\n")
    for crate in refused:
        sys.stdout.write(f"not allowed: {crate['name']} {crate['version']}: {crate['license']}\n")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
