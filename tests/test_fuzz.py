"""Broken inputs at every door: refused in one line or taken, never a traceback, and in bounded time and memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import fuzzing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    import random

ENDS = {"taken", "DataError"}
LINKS = "from_node,to_node,length_m,freespeed_m_per_s\n"


@pytest.mark.parametrize("door", fuzzing.DOORS + fuzzing.SLOW_DOORS, ids=lambda door: door.name)
def test_a_valid_input_is_taken(door: fuzzing.Door, tmp_path: Path) -> None:
    if door.name == "words":
        pytest.skip("words have no valid form here")
    assert fuzzing.knock(door, tmp_path, door.seed()) in {"taken", "exit 0"}


@pytest.mark.parametrize("door", fuzzing.DOORS, ids=lambda door: door.name)
@settings(max_examples=9)
@given(rng=st.randoms(use_true_random=False))
def test_a_spoilt_input_is_refused_in_one_line_or_taken(door: fuzzing.Door, rng: random.Random) -> None:
    with tempfile.TemporaryDirectory() as place:
        fuzzing.knock(door, Path(place), door.drawn(rng))


@pytest.mark.parametrize("door", fuzzing.SLOW_DOORS, ids=lambda door: door.name)
@settings(max_examples=4)
@given(rng=st.randoms(use_true_random=False))
def test_a_spoilt_run_directory_is_refused_in_one_line_or_taken(door: fuzzing.Door, rng: random.Random) -> None:
    with tempfile.TemporaryDirectory() as place:
        fuzzing.knock(door, Path(place), door.drawn(rng))


def refusal(enter: object, folder: Path, data: bytes) -> str:
    """Return what a door says of an input that it refuses."""
    from owlbus.common.errors import OwlbusError

    with pytest.raises(OwlbusError) as caught:
        enter(folder, data)  # type: ignore[operator]
    return str(caught.value)


def test_a_link_that_takes_months_is_refused(tmp_path: Path) -> None:
    text = fuzzing.links_csv().decode().replace("n12,n13,700,10", "n12,n13,700,1e-320")
    assert refusal(fuzzing.read_links, tmp_path, text.encode()).startswith("links: length_m / freespeed_m_per_s must be at most 1e+07 s")


def test_a_feed_whose_directory_points_nowhere_is_refused(tmp_path: Path) -> None:
    data = bytearray(fuzzing.feed())
    place = data.rindex(b"PK\x01\x02")
    data[place + 42 : place + 46] = (2**31 - 1).to_bytes(4, "little")  # offset of the last member
    assert "download" in refusal(fuzzing.read_feed, tmp_path, bytes(data))


def test_a_feed_with_a_distance_that_is_none_is_read_as_a_plan(tmp_path: Path) -> None:
    from zipfile import ZipFile

    with ZipFile(fuzzing.at(tmp_path, "in.zip", fuzzing.plan_feed())) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    spoilt = [(name, data.replace(b",0,0,", b",0,x,") if name == "stop_times.txt" else data) for name, data in members]
    fuzzing.read_plan_feed(tmp_path, fuzzing.zipped(spoilt))  # distances only help where times are missing


def test_a_table_of_a_feed_with_endless_fields_is_read_or_refused_as_a_plan(tmp_path: Path) -> None:
    from zipfile import ZipFile

    with ZipFile(fuzzing.at(tmp_path, "in.zip", fuzzing.plan_feed())) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    spoilt = [(name, data + b"b" * 200_000 if name == "stops.txt" else data) for name, data in members]
    assert fuzzing.knock(fuzzing.Door("a feed", fuzzing.plan_feed, (), fuzzing.read_plan_feed), tmp_path, fuzzing.zipped(spoilt)) in ENDS


def test_a_run_directory_whose_city_is_no_name_is_refused(tmp_path: Path) -> None:
    import json

    from owlbus.common.errors import DataError
    from owlbus.pipeline import read_study

    made = fuzzing.unpacked(tmp_path, fuzzing.made_run())
    about = json.loads((made / "run.json").read_bytes())
    about["settings"]["city"] = {}
    (made / "run.json").write_text(json.dumps(about))
    with pytest.raises(DataError, match=r"city must be a name or null in the settings of run\.json, got dict; write the run again"):
        read_study(made)


def test_an_outline_around_half_the_globe_is_refused(tmp_path: Path) -> None:
    from owlbus.common.errors import OwlbusError
    from owlbus.grid.hexgrid import HexGrid

    half = [(-120.0, -60.0), (120.0, -60.0), (120.0, 60.0), (-120.0, 60.0)]
    with pytest.raises(OwlbusError, match=r"must leave at most 2000000 hexes in the area's box|must fit one local projection"):
        HexGrid.from_h3(half)
    with pytest.raises(OwlbusError, match=r"must leave at most 2000000 hexes in the area's box, got about \d+; choose a coarser one"):
        HexGrid.from_h3([(100, 0), (140, 0), (140, 50), (100, 50)], 9)
    rows = b"2013-03-12 01:10:00,-170,-80,127,37\n2013-03-12 01:10:00,9,89,127,37\n2013-03-12 01:10:00,170,5,127,37\n"
    assert refusal(fuzzing.outline_records, tmp_path, b"time,lon,lat,home_lon,home_lat\n" + rows)
