"""Link times by hour: the reader refuses what it is not sure of, and a network keeps them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from owlbus import DataError, HexGrid, Network
from owlbus.network import with_hour_speeds

HOURS = (24, 25, 26)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network.from_lattice(HexGrid.cover([(0, 0), (0.05, 0), (0.05, 0.05), (0, 0.05)], n_hexes=20))


def test_a_factor_holds_for_all_links_and_the_slowest_hour_is_the_link_time(network):
    hourly = with_hour_speeds(network, {"hour": [0, 1, 26, 12], "factor": [1.0, 0.9, 1.25, 3.0]}, HOURS)
    assert hourly.hours == HOURS
    for hour, factor in zip(HOURS, (1.0, 0.9, 1.25), strict=True):
        assert hourly.hour_seconds(hour).tolist() == np.rint(network.link_s * factor).tolist()
    assert hourly.link_s.tolist() == np.rint(network.link_s * 1.25).tolist()
    assert hourly.hour_seconds(27).tolist() == hourly.link_s.tolist(), "an hour without times takes the longest"


def test_measured_links_change_alone(network):
    end = int(network.link_to[0])
    table = {"hour": [1, 2], "from_stop": ["0", "0"], "to_stop": [str(end), str(end)], "seconds": [999, 5]}
    hourly = with_hour_speeds(network, table, HOURS)
    assert hourly.hour_link_s[:, 0].tolist() == [network.link_s[0], 999, 5]
    assert (hourly.hour_link_s[:, 1:] == network.link_s[1:]).all()
    assert hourly.link_s[0] == 999


def test_a_mean_speed_of_an_hour_is_a_factor_against_the_networks_own(network):
    own_kmh = 3.6 * network.link_m.sum() / network.link_s.sum()
    hourly = with_hour_speeds(network, {"hour": [0, 1, 2], "speed_kmh": [own_kmh, 2 * own_kmh, own_kmh / 3]}, HOURS)
    for hour, factor in zip(HOURS, (1.0, 0.5, 3.0), strict=True):
        assert hourly.hour_seconds(hour).tolist() == np.rint(network.link_s * factor).tolist()
        speed_kmh = 3.6 * network.link_m.sum() / hourly.hour_seconds(hour).sum()
        assert speed_kmh == pytest.approx(own_kmh / factor, rel=0.01)


def test_a_link_takes_its_metres_at_the_speed_of_its_row(network):
    end = str(int(network.link_to[0]))
    hourly = with_hour_speeds(network, {"hour": [1, 26], "from_stop": ["0", "0"], "to_stop": [end, end], "speed_kmh": [36.0, 7.2]}, HOURS)
    assert hourly.hour_link_s[:, 0].tolist() == [network.link_s[0], round(network.link_m[0] / 10), round(network.link_m[0] / 2)]
    assert (hourly.hour_link_s[:, 1:] == network.link_s[1:]).all()


def test_hours_with_the_same_seconds_share_one_network(network):
    hourly = with_hour_speeds(network, {"hour": [0, 1, 2], "factor": [1.0, 1.0, 1.5]}, HOURS)
    early, late = hourly.at_hour(24), hourly.at_hour(26)
    assert hourly.at_hour(25) is early
    assert early.drive_s[0, 19] == network.drive_s[0, 19]
    assert late.drive_s[0, 19] == hourly.drive_s[0, 19] > early.drive_s[0, 19]
    assert early.fingerprint == late.fingerprint == hourly.fingerprint != network.fingerprint
    assert network.at_hour(26) is network


def test_fastest_seconds_need_no_matrix(network, monkeypatch):
    start, end = np.arange(20), np.arange(20)[::-1]
    expected = network.drive_s[start, end].tolist()
    fresh = pickle.loads(pickle.dumps(network))  # noqa: S301 - our own bytes
    monkeypatch.setattr("owlbus.network.drive_times._MATRIX_STOPS", 1)
    assert fresh.fastest_s(start, end).tolist() == expected
    assert fresh.fastest_s(start[:, None], end).tolist() == network.drive_s[start[:, None], end].tolist()


def test_times_by_hour_survive_a_file_and_a_pickle(network, tmp_path):
    hourly = with_hour_speeds(network, {"hour": [0, 1, 2], "factor": [1.0, 0.8, 1.5]}, HOURS)
    hourly.write(tmp_path / "network.parquet")
    for again in (Network.read(tmp_path / "network.parquet"), pickle.loads(pickle.dumps(hourly))):  # noqa: S301 - our own bytes
        assert again.hours == HOURS
        assert np.array_equal(again.hour_link_s, hourly.hour_link_s)
        assert again.fingerprint == hourly.fingerprint
        assert not again.hour_link_s.flags.writeable


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"hour": [0, 1], "factor": [1, 1]}, "each hour of the night once, and has 02 not at all; add a row"),
        ({"hour": [0, 1, 25, 2], "factor": [1, 1, 1, 1]}, "each hour of the night once, and has 01 twice; keep one row"),
        ({"hour": [0, 1, 2]}, "must have the columns hour and factor or speed_kmh, or hour, from_stop, to_stop and seconds or"),
        ({"hour": [0, 1, 2], "factor": [1, 1, 1], "seconds": [1, 1, 1]}, "factor and seconds say the same thing, got both; keep one"),
        ({"hour": [0, 1, 2], "factor": [1, 1, 1], "speed_kmh": [9, 9, 9]}, "factor and speed_kmh say the same thing, got both; keep one"),
        (
            {"hour": [0], "from_stop": ["0"], "to_stop": ["1"], "seconds": [9], "speed_kmh": [9]},
            "seconds and speed_kmh say the same thing, got both; keep one",
        ),
        ({"hour": [0], "from_stop": ["0"], "to_stop": ["1"], "factor": [9]}, "must have the columns hour and factor or speed_kmh, or"),
        ({"hour": [0], "seconds": [9]}, "must have the columns hour and factor or speed_kmh, or"),
        ({"hour": [0], "to_stop": ["1"], "speed_kmh": [9]}, "must have the columns hour and factor or speed_kmh, or"),
        (
            {"hour": [0, 1, 2], "speed_kmh": [20, 0, 20]},
            r"held against the network's mean of 19.0 km/h, must be a number in \[1.91, 190\], got '0' in row 2 \(1 such rows\)",
        ),
        ({"hour": [0, 1, 2], "speed_kmh": [20, 20, -3]}, "got '-3' in row 3"),
        ({"hour": [0, 1], "speed_kmh": [20, 20]}, "each hour of the night once, and has 02 not at all"),
        (
            {"hour": [0, 1], "from_stop": ["0", "0"], "to_stop": ["1", "1"], "speed_kmh": [9, 0]},
            r"speed_kmh must be a number in \[0.5, 150\], got '0' in row 2 \(1 such rows\)",
        ),
        ({"hour": [0], "from_stop": ["0"], "seconds": [1]}, "must have the columns hour and factor or speed_kmh, or"),
        ({"hour": [0.5], "factor": [1]}, r"hour must be whole and lie in \[0, 35\], got '0.5' in row 1"),
        ({"hour": [0, 1, 2], "factor": [1, 0, 3]}, r"factor must be a number in \[0.1, 10\], got '0' in row 2 \(1 such rows\)"),
        ({"hour": [0], "from_stop": ["zz"], "to_stop": ["1"], "seconds": [9]}, "got 'zz' in row 1: no stop has that name"),
        ({"hour": [0], "from_stop": ["0"], "to_stop": ["19"], "seconds": [9]}, "no link leads from '0' to '19', in row 1"),
        (
            {"hour": [0, 24], "from_stop": ["0", "0"], "to_stop": ["1", "1"], "seconds": [9, 8]},
            "the link from '0' to '1' has two rows for one hour, in row 2",
        ),
    ],
)
def test_a_table_that_is_not_clear_is_refused(network, table, message):
    with pytest.raises(DataError, match=message):
        with_hour_speeds(network, table, HOURS)


def test_a_name_of_two_stops_is_refused(network):
    names = ("Gate", "Gate", *network.stop_names[2:])
    twins = Network(**{name: getattr(network, name) for name in Network.__dataclass_fields__ if name != "_cache"} | {"stop_names": names})
    table = {"hour": [0], "from_stop": ["Gate"], "to_stop": ["1"], "seconds": [9]}
    with pytest.raises(DataError, match="2 stops have that name, the first are 0 and 1; name stops by their index"):
        with_hour_speeds(twins, table, HOURS)


def test_a_network_refuses_times_that_are_not_its_own(network):
    columns = {name: getattr(network, name) for name in Network.__dataclass_fields__ if name != "_cache"}
    for bad, message in (
        ({"hours": (24, 24), "hour_link_s": np.tile(network.link_s, (2, 1))}, "hours must ascend"),
        ({"hours": (24,), "hour_link_s": np.tile(network.link_s, (2, 1))}, "need shape"),
        ({"hours": (24,), "hour_link_s": network.link_s[None, :] + 1}, "link_s must be the longest time"),
        ({"hours": (24,), "hour_link_s": 0 * network.link_s[None, :]}, "1 s or more in every hour"),
    ):
        with pytest.raises(DataError, match=message):
            Network(**columns | bad)
