"""`python -m devstack.smsc --port N --record FILE ...`: the operator as a process of its own."""

import argparse
import asyncio
from dataclasses import fields
from pathlib import Path

import smpp34

from devstack.ports import LOOPBACK
from devstack.smsc.behaviour import SmscSettings
from devstack.smsc.server import Operator


async def serve(port: int, settings: SmscSettings, record: Path) -> None:
    """Listens on the loopback interface until cancelled."""
    server = smpp34.Server(LOOPBACK, port, system_id=settings.system_id)
    await server.start()
    print(f"listening on {LOOPBACK}:{port}", flush=True)
    await Operator(server, settings, record).run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--record", type=Path, required=True)
    for field in fields(SmscSettings):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    return parser.parse_args()


def main() -> None:
    """Runs until a signal ends it."""
    given = vars(_arguments())
    port, record = given.pop("port"), given.pop("record")
    asyncio.run(serve(port, SmscSettings(**given), record))


if __name__ == "__main__":
    main()
