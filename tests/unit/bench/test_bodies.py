import struct
from pathlib import Path

import numpy as np

from bench.bodies import BODIES, write_bodies, write_scores
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


def test_scores_stand_in_the_order_of_the_bodies(tmp_path: Path) -> None:
    bodies = write_bodies(tmp_path / "bodies", customers=10).read_bytes()
    scores = np.frombuffer(write_scores(tmp_path / "scores", np.arange(10) / 10).read_bytes(), "<f4")
    (length,) = struct.unpack_from("<I", bodies, 0)
    first = pb.DecideRequest.FromString(bodies[4 : 4 + length])
    assert len(scores) == BODIES
    assert scores[0] == np.float32(first.customer_id / 10)
