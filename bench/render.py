"""`docs/measured.md` from what lies in `var/measured`: `python -m bench.render`."""

import json
from pathlib import Path
from typing import Any

from bench.measured import DIRECTORY

TARGET = Path("docs/measured.md")
HEADER = """# Measured

Made by `make measured` from the newest run of each measurement on one machine; ratios were taken side by side in one run.
"""


def render(documents: list[dict[str, Any]]) -> str:
    """The page for these measurements."""
    parts = [HEADER]
    for document in documents:
        parts.append(
            f"\n## {document['name']}\n\n{document['machine']}; commit {document['commit']}; {document['at']}\n"
        )
        parts.append("\n| figure | value | unit | compared to, or under |\n|---|---:|---|---|\n")
        for name, figure in document["figures"].items():
            parts.append(f"| `{name}` | {figure['value']} | {figure['unit']} | {figure['compared_to']} |\n")
    return "".join(parts)


def main() -> None:
    """Write the page."""
    documents = [json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.json"))]
    if not documents:
        raise SystemExit("nothing was measured yet: run `make bench` or `make chaos`")
    TARGET.write_text(render(documents))
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()
