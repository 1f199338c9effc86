import struct
from pathlib import Path

from bench.bodies import BODIES, write_bodies
from devstack.places import REPOSITORY
from interlude.v1 import decision_pb2 as pb


def test_bodies_are_requests_with_the_mark_that_the_load_generator_looks_for(tmp_path: Path) -> None:
    written = write_bodies(tmp_path / "bodies", customers=10).read_bytes()
    place, customers = 0, set()
    for _ in range(BODIES):
        (length,) = struct.unpack_from("<I", written, place)
        request = pb.DecideRequest.FromString(written[place + 4 : place + 4 + length])
        place += 4 + length
        customers.add(request.customer_id)
    assert place == len(written)
    assert customers == set(range(10))
    assert f'b"{request.request_id}"' in (REPOSITORY / "bench/load/src/bodies.rs").read_text()
