from bench.peers.figures import PeerSample, SideBySide, peer_figures

FRONTS = ("native", "grpcio")


def _measured() -> SideBySide:
    """Two rounds. The peers: reading by SDK wins the first round, asking the server the second."""
    measured = SideBySide()
    for in_flight in (1, 32):
        measured.ours["native", in_flight] = [PeerSample(8000, 0.5), PeerSample(8000, 0.5)]
        measured.ours["grpcio", in_flight] = [PeerSample(2000, 1.0), PeerSample(2000, 1.0)]
        measured.peers["both", "sdk", in_flight] = [PeerSample(800, 2.0), PeerSample(100, 9.0)]
        measured.peers["both", "server", in_flight] = [PeerSample(400, 3.0), PeerSample(500, 4.0)]
        measured.peers["feast", "sdk", in_flight] = [PeerSample(3000, 0.4), PeerSample(3200, 0.2)]
        measured.peers["mlserver", "", in_flight] = [PeerSample(900, 1.0), PeerSample(1100, 1.4)]
    measured.from_python_ms = {"native": [1.0, 1.0], "grpcio": [2.0, 2.0]}
    return measured


def test_ratios_are_taken_in_each_round_against_its_faster_way() -> None:
    figures = peer_figures(FRONTS, _measured())
    assert figures["native_p50_vs_peers"].value == 0.188  # of 0.5 / 2 and 0.5 / 4
    assert figures["native_throughput_vs_peers"].value == 13  # of 8000 / 800 and 8000 / 500
    assert figures["grpcio_p50_vs_peers"].value == 0.375
    assert figures["grpcio_throughput_vs_peers"].value == 3.25
    assert figures["grpcio_p50_vs_peers_from_python"].value == 0.75


def test_the_figures_without_a_front_are_those_of_the_first() -> None:
    both, only_grpcio = peer_figures(FRONTS, _measured()), peer_figures(FRONTS[1:], _measured())
    for name in ("p50_vs_peers", "throughput_vs_peers"):
        assert both[name] == both[f"native_{name}"]
        assert only_grpcio[name] == only_grpcio[f"grpcio_{name}"]
    assert not any(name.startswith("native") for name in only_grpcio)


def test_raw_values_stand_beside_the_ratios() -> None:
    figures = peer_figures(FRONTS, _measured())
    raw = {name: figure.value for name, figure in figures.items() if "_vs_peers" not in name}
    assert raw == {
        "peers_p50_ms": 3.0,
        "peers_per_second": 650,
        "peers_feast_p50_ms": 0.3,
        "peers_feast_per_second": 3100,
        "peers_mlserver_p50_ms": 1.2,
        "peers_mlserver_per_second": 1000,
        "peers_sdk_p50_ms": 5.5,
        "peers_sdk_per_second": 450,
        "peers_server_p50_ms": 3.5,
        "peers_server_per_second": 450,
        "native_beside_peers_p50_ms": 0.5,
        "native_beside_peers_per_second": 8000,
        "native_beside_peers_from_python_p50_ms": 1.0,
        "grpcio_beside_peers_p50_ms": 1.0,
        "grpcio_beside_peers_per_second": 2000,
        "grpcio_beside_peers_from_python_p50_ms": 2.0,
    }
