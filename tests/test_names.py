"""Names of stops in two languages, and places that name the stops of the lattice."""

from __future__ import annotations

import copy
import csv
import io
import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import polars as pl
import pytest
from test_gtfs import FEED, crossing
from test_network_gtfs import GRID, feed, written
from test_network_osm import ALL, osm
from test_network_osm import GRID as TOWN

from owlbus.common.errors import DataError, UsageError
from owlbus.demand import Demand
from owlbus.evidence.stop_names import StopNames
from owlbus.grid.hexgrid import HexGrid
from owlbus.gtfs import check_gtfs, gtfs_bytes
from owlbus.network import Network
from owlbus.network.latin_names import display_name, has_own_name, latin_tag, local_language
from owlbus.network.lattice_stops import NAME_M, named_after_places, without_idle_stops
from owlbus.pipeline import Sources, Study
from owlbus.pipeline.study import build_grid, build_network, read_named_city
from owlbus.pipeline.study_places import fitted_lattice, places_of
from owlbus.plan import Plan, Route, stops_geojson
from owlbus.plan.plan_frames import plan_to_frame
from owlbus.records.places import Places, read_places, stored_places, write_places
from owlbus.timetable import Operation, build_timetable

if TYPE_CHECKING:
    from collections.abc import Sequence

LATTICE = HexGrid.cover([(127.0, 37.5), (127.06, 37.5), (127.06, 37.54), (127.0, 37.54)])
SEOUL = Path(__file__).parents[2] / "shared" / "seoul"


def tables(**names: Sequence[str]) -> tuple[dict[str, list[object]], dict[str, list[object]]]:
    """Three stops in a row with columns of names, and the links between them."""
    nodes: dict[str, list[object]] = {"stop_id": ["1", "2", "3"], "lon": [127.01, 127.02, 127.03], "lat": [37.52, 37.52, 37.52]}
    links: dict[str, list[object]] = {"from_stop": ["1", "2"], "to_stop": ["2", "3"], "metres": [900, 900]}
    return nodes | {name: list(column) for name, column in names.items()}, links


def bilingual() -> Network:
    """Three stops, the first with both names, the second with a local one, the third with a Latin one."""
    nodes, links = tables(name=["서울역", "장암역", ""], name_en=["Seoul Station", "", "Yeouido"])
    return Network.from_tables(nodes, links, LATTICE)


# ---------------------------------------------------------------- where names come from
@pytest.mark.parametrize("column", ["name_latin", "name_en", "name:en", "int_name", "stop_name_en"])
def test_tables_of_stops_name_them_in_latin_letters_by_usual_columns(column: str) -> None:
    nodes, links = tables(name=["서울역", "장암역", "여의도"], **{column: ["Seoul Station", " Jangam ", None]})
    network = Network.from_tables(nodes, links, LATTICE)
    assert network.stop_names == ("서울역", "장암역", "여의도")
    assert network.stop_names_latin == ("Seoul Station", "Jangam", "")


def test_of_several_latin_columns_the_best_counts() -> None:
    nodes, links = tables(name=["가", "나", "다"], int_name=["x", "y", "z"], name_en=["A", "B", "C"])
    assert Network.from_tables(nodes, links, LATTICE).stop_names_latin == ("A", "B", "C")


def test_stops_moved_to_roads_keep_both_names() -> None:
    nodes, _ = tables()
    roads = {"node_id": nodes["stop_id"], "lon": nodes["lon"], "lat": nodes["lat"]}
    ways = {"from_node": ["1", "2", "2", "3"], "to_node": ["2", "1", "3", "2"], "length_m": [900] * 4}
    stops = {"lon": [127.0101, 127.0299], "lat": [37.52, 37.52], "name": ["서울역", "여의도"], "name_en": ["Seoul Station", "Yeouido"]}
    network = Network.from_tables(roads, ways, LATTICE, stops)
    assert list(zip(network.stop_names, network.stop_names_latin, strict=True)) == [("서울역", "Seoul Station"), ("여의도", "Yeouido")]


def test_openstreetmap_names_stops_by_english_international_and_romanised_tags() -> None:
    assert latin_tag({"name": "서울역", "name:en": "Seoul Station", "int_name": "Seoul"}) == "Seoul Station"
    assert latin_tag({"name": "Αθήνα", "int_name": "Athina"}) == "Athina"
    assert latin_tag({"name": "東京", "name:ja-Latn": "Tōkyō"}) == "Tōkyō"
    assert latin_tag({"name": "Leeds", "name:en": "Leeds"}) == ""
    assert latin_tag({"name": "Leeds", "name:de": "Lids"}) == ""


def test_stops_of_openstreetmap_keep_both_names_on_their_streets(tmp_path: Path) -> None:
    text = osm(ALL).replace("<tag k='name' v='stop 0'/>", "<tag k='name' v='서울역'/><tag k='name:en' v='Seoul Station'/>")
    (tmp_path / "town.osm").write_text(text, encoding="utf-8")
    network = Network.from_osm(tmp_path / "town.osm", TOWN, spacing_m=0, merge_m=0)
    both = dict(zip(network.stop_names, network.stop_names_latin, strict=True))
    assert both["서울역"] == "Seoul Station"
    assert {latin for name, latin in both.items() if name != "서울역"} == {""}


def test_a_feed_translates_names_by_stop_by_name_and_in_the_old_form(tmp_path: Path) -> None:
    files = feed()
    new = "table_name,field_name,language,translation,record_id,field_value\nstops,stop_name,en,Seoul Station,a1,\n"
    new += "stops,stop_name,ko-Latn,Never,a1,\nstops,stop_name,en,Yeouido,,Stop b1\nstops,stop_name,fr,Jamais,c1,\n"
    new += "routes,route_long_name,en,No,a1,\n"
    by_table = Network.from_gtfs(written(tmp_path, files | {"translations.txt": new}), GRID)
    assert dict(zip(by_table.stop_names, by_table.stop_names_latin, strict=True)) == {
        "Stop a1": "Seoul Station",
        "Stop b1": "Yeouido",
        "Stop c1": "",
    }
    old = "trans_id,lang,translation\nStop a1,en,Seoul Station\nStop a1,ja-Hrkt,ソウル\n"
    by_name = Network.from_gtfs(written(tmp_path, files | {"translations.txt": old}), GRID)
    assert by_name.stop_names_latin[by_name.stop_names.index("Stop a1")] == "Seoul Station"
    assert Network.from_gtfs(written(tmp_path, files), GRID).stop_names_latin == ("",) * 3


def test_names_in_latin_letters_survive_files_copies_and_pickles_and_leave_the_fingerprint(tmp_path: Path) -> None:
    network = bilingual()
    network.write(tmp_path / "n.parquet")
    again = Network.read(tmp_path / "n.parquet")
    assert again.stop_names_latin == copy.deepcopy(network).stop_names_latin == network.stop_names_latin
    plain = replace(network, stop_names_latin=())
    assert plain.fingerprint == network.fingerprint
    plain.write(tmp_path / "plain.parquet")
    assert "name_latin" not in pl.read_parquet(tmp_path / "plain.parquet").columns
    assert Network.read(tmp_path / "plain.parquet").stop_names_latin == ("",) * 3
    with pytest.raises(DataError, match="stops need as many"):
        replace(network, stop_names_latin=("one",))


# ---------------------------------------------------------------- who sees which
def test_readers_of_korean_see_the_local_name_and_all_others_the_latin_one_with_the_local_in_brackets() -> None:
    network = bilingual()
    assert [display_name(network, stop) for stop in range(3)] == ["Seoul Station (서울역)", "장암역", "Yeouido (3)"]
    assert display_name(network, 0, short=True) == "Seoul Station"
    assert [display_name(network, stop, "ko") for stop in range(2)] == ["서울역", "장암역"]
    assert display_name(replace(network, stop_names=("", "", ""), stop_names_latin=("", "A", "")), 0) == "stop 0"


def test_the_label_of_a_hex_is_no_name_of_a_stop() -> None:
    network = Network.from_lattice(LATTICE)
    assert not has_own_name(network, 0)
    assert has_own_name(replace(network, stop_names=("Mapo", *network.stop_names[1:])), 0)


@pytest.mark.parametrize("text", ["서울역", "Seoul Station", "Seoul Station (서울역)", "0"])
def test_a_stop_is_found_by_either_name_and_by_both(text: str) -> None:
    assert StopNames().find_stop(bilingual(), text) == 0


def test_a_stop_of_the_lattice_is_found_by_the_label_of_its_hex_after_it_is_named() -> None:
    plain = Network.from_lattice(LATTICE)
    named = named_after_places(plain, Places(("Mapo",), [127.03], [37.52]))
    assert [StopNames().find_stop(named, label) for label in plain.stop_names[:5]] == [0, 1, 2, 3, 4]
    with pytest.raises(UsageError, match="did you mean Mapo"):
        StopNames().find_stop(named, "Mapoo")


def test_stops_geojson_and_frames_hold_both_names() -> None:
    network = bilingual()
    plan = Plan((Route([0, 1, 2], "N1"),), network.fingerprint)
    assert '"name": "서울역", "name_latin": "Seoul Station"' in stops_geojson(network, plan).decode()
    assert plan_to_frame(plan, network)["name_latin"].tolist() == list(network.stop_names_latin)
    assert "name_latin" not in plan_to_frame(plan, replace(network, stop_names_latin=()))


def test_a_feed_holds_local_names_and_their_translations_and_validates(tmp_path: Path) -> None:
    network, demand, plan = crossing()
    network = replace(
        network, stop_names=tuple(f"역{n}" for n in range(9)), stop_names_latin=("Seoul Station", *(f"Stn {n}" for n in range(1, 9)))
    )
    plan = Plan(plan.routes, network.fingerprint)
    timetable, _ = build_timetable(network, demand, plan, Operation(min_headway_s=1800))
    info = replace(FEED, language=local_language(network))
    data = gtfs_bytes(network, timetable, info)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        rows, stops = (list(csv.DictReader(io.StringIO(archive.read(f"{name}.txt").decode()))) for name in ("translations", "stops"))
    assert info.language == "ko"
    assert stops[0]["stop_name"] == "역0"
    assert {
        "table_name": "stops",
        "field_name": "stop_name",
        "language": "en",
        "translation": "Seoul Station",
        "record_id": "s0",
        "field_value": "",
    } in rows
    assert {row["table_name"] for row in rows} == {"stops", "routes", "trips"}
    (tmp_path / "a.zip").write_bytes(data)
    check = check_gtfs(tmp_path / "a.zip", info.start_date)
    assert (check.errors, check.warnings, check.lines) == (0, 0, ())
    again = Network.from_gtfs(tmp_path / "a.zip", network.grid)
    assert dict(zip(again.stop_names, again.stop_names_latin, strict=True))["역0"] == "Seoul Station"


@pytest.mark.real
@pytest.mark.skipif(not SEOUL.is_dir(), reason="needs ../shared/seoul")
def test_every_place_of_the_city_has_both_names() -> None:
    sources = Sources(city="seoul", nodes=str(SEOUL / "street_stops.csv"), links=str(SEOUL / "street_links.csv"), road_factor=1.2)
    city = read_named_city("seoul")
    network = build_network(sources, build_grid(sources, city), city)
    assert all(network.stop_names)
    assert sum(map(bool, network.stop_names_latin)) > 4600


# ---------------------------------------------------------------- places
ROWS = {"name": ["홍대", "강남", ""], "name_en": ["Hongdae", "Gangnam", ""], "lon": [127.01, 127.04, 127.0], "lat": [37.51, 37.53, 37.5]}


def test_places_are_read_from_tables_and_gis_files_of_points(tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS | {"population": [5, 9, 1]})
    frame.write_csv(tmp_path / "p.csv", separator=";")
    frame.write_parquet(tmp_path / "p.parquet")
    points = gpd.GeoDataFrame({"name": ROWS["name"]}, geometry=gpd.points_from_xy(ROWS["lon"], ROWS["lat"]), crs="EPSG:4326")
    points.to_file(tmp_path / "p.geojson")
    points.to_crs("EPSG:5179").to_file(tmp_path / "p.gpkg")
    for source in (frame, tmp_path / "p.csv", tmp_path / "p.parquet", tmp_path / "p.geojson", tmp_path / "p.gpkg"):
        places = read_places(source if isinstance(source, pl.DataFrame) else str(source))
        assert places.names == ("홍대", "강남")
        assert places.lon == pytest.approx(ROWS["lon"][:2], abs=1e-6)
    assert read_places(frame).latin == ("Hongdae", "Gangnam")
    assert read_places(frame).weight.tolist() == [5.0, 9.0]
    write_places(tmp_path / "kept.parquet", read_places(frame))
    assert stored_places(tmp_path / "kept.parquet").latin == ("Hongdae", "Gangnam")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ["", " ", ""], "name_en": None}, "names no place"),
        ({"lat": [37.5, 95.0, 37.5]}, "1 of 3 places have no position on Earth, first in row 2"),
        ({"lon": None}, "needs lon, lat and name, got name"),
    ],
)
def test_places_that_cannot_be_used_are_refused_in_one_line(change: dict[str, list[object] | None], message: str) -> None:
    columns = {name: column for name, column in (ROWS | change).items() if column is not None}
    with pytest.raises(DataError, match=message) as caught:
        read_places(pl.DataFrame(columns))
    assert "\n" not in str(caught.value)


def test_the_stop_nearest_to_a_place_has_its_name_and_others_within_a_kilometre_a_direction() -> None:
    plain = Network.from_lattice(LATTICE)
    centre = int(plain.nearest_stops(127.03, 37.52)[0])
    places = Places(("마포",), [plain.stop_lon[centre]], [plain.stop_lat[centre]], ("Mapo",))
    named = named_after_places(plain, places)
    x, y = LATTICE.project(plain.stop_lon, plain.stop_lat)
    far_m = np.hypot(x - x[centre], y - y[centre])
    is_named = np.array([name.startswith("마포") for name in named.stop_names])
    assert (is_named == (far_m <= NAME_M)).all()
    assert (named.stop_names[centre], named.stop_names_latin[centre]) == ("마포", "Mapo")
    east = int(np.argmax(np.where(is_named & (np.abs(y - y[centre]) < 1), x, -np.inf)))
    assert (named.stop_names[east], named.stop_names_latin[east]) == ("마포 E", "Mapo E")
    assert len(set(named.stop_names)) == named.n_stops
    assert [name for name, is_near in zip(named.stop_names, is_named, strict=True) if not is_near] == [
        name for name, is_near in zip(plain.stop_names, is_named, strict=True) if not is_near
    ]


def test_without_a_place_nearby_the_district_stands_before_the_label_of_the_hex() -> None:
    plain = Network.from_lattice(LATTICE)
    named = named_after_places(plain, None, Places(("West", "East"), [127.0, 127.06], [37.52, 37.52]))
    x, _ = LATTICE.project(plain.stop_lon, plain.stop_lat)
    assert named.stop_names[int(np.argmin(x))] == f"West {plain.stop_names[int(np.argmin(x))]}"
    assert {name.split()[0] for name in named.stop_names} == {"West", "East"}


def test_the_sample_city_names_its_lattice_by_night_spots_and_districts() -> None:
    city = read_named_city("seoul")
    assert city is not None
    named = fitted_lattice(Network.from_lattice(LATTICE), city, None, None, 15)
    assert any(name.endswith(("N", "E", "S", "W")) for name in named.stop_names)
    assert not set(named.stop_names) & set(LATTICE.labels.tolist())


# ---------------------------------------------------------------- only where there is demand
def near(network: Network, stop: int) -> list[tuple[int, int]]:
    """Points within the walk of a stop, and the metres to each."""
    points = network.points
    assert points is not None
    rows = slice(int(points.indptr[stop]), int(points.indptr[stop + 1]))
    return list(zip(points.point[rows].tolist(), points.walk_m[rows].tolist(), strict=True))


def test_stops_without_demand_go_and_buses_still_pass_there_at_the_same_length() -> None:
    plain = Network.from_lattice(LATTICE)
    x, _ = LATTICE.project(plain.stop_lon, plain.stop_lat)
    has_demand = np.abs(LATTICE.x_m) > 1200  # two banks with nothing between them
    thin = without_idle_stops(plain, has_demand)
    kept = [plain.stop_names.index(name) for name in thin.stop_names]
    assert 2 <= thin.n_stops < plain.n_stops
    assert (np.abs(x[kept]) > 1200 - LATTICE.radius_m).all()
    far = thin.shortest_path(0, thin.n_stops - 1)
    along = sum(thin.link(a, b)[1] for a, b in pairwise(far.tolist()))
    before = plain.shortest_path(kept[0], kept[-1])
    shortest = sum(plain.link(a, b)[1] for a, b in pairwise(before.tolist()))
    assert shortest <= along <= 1.5 * shortest
    assert thin.report is not None
    assert dict(thin.report.counts)["stops without demand within their walk, left out"] == plain.n_stops - thin.n_stops
    assert set(np.flatnonzero(has_demand)) & set(plain.shed_hex.tolist()) <= set(thin.shed_hex.tolist())
    assert plain.points is not None
    assert thin.points is not None
    for stop, before_cut in enumerate(kept):
        assert near(thin, stop) == near(plain, before_cut), "the share of each hex within the walk of a stop stays"


def test_a_lattice_with_demand_everywhere_or_nowhere_stays() -> None:
    plain = Network.from_lattice(LATTICE)
    assert without_idle_stops(plain, np.ones(LATTICE.n_hexes, bool)) is plain
    assert without_idle_stops(plain, np.zeros(LATTICE.n_hexes, bool)) is plain


def people(counts: dict[int, float]) -> Demand:
    """Trips from each hex to the last one."""
    ends = sorted(counts)
    return Demand(LATTICE.n_hexes, origin=ends, destination=[LATTICE.n_hexes - 1] * len(ends), trips=[counts[end] for end in ends])


def test_which_stops_exist_follows_rounded_counts_so_that_it_tells_no_small_one() -> None:
    plain = Network.from_lattice(LATTICE)
    busy = dict.fromkeys(range(0, LATTICE.n_hexes - 1, 2), 200.0)
    few, none = busy | {1: 3.0}, busy
    assert fitted_lattice(plain, None, None, people(few), 15).stop_names == fitted_lattice(plain, None, None, people(none), 15).stop_names
    assert fitted_lattice(plain, None, None, people(few), -1).n_stops > fitted_lattice(plain, None, None, people(none), -1).n_stops


def test_a_small_town_keeps_its_stops() -> None:
    plain = Network.from_lattice(LATTICE)
    assert fitted_lattice(plain, None, None, people({0: 3.0, 5: 2.0, 9: 4.0}), 15).n_stops == plain.n_stops


def test_places_given_to_a_study_come_before_those_of_its_city(tmp_path: Path) -> None:
    pl.DataFrame(ROWS).write_csv(tmp_path / "p.csv")
    places = places_of(Sources(city="seoul", places=str(tmp_path / "p.csv")))
    city = read_named_city("seoul")
    study = Study(LATTICE, people({0: 30.0, 5: 30.0}), Network.from_lattice(LATTICE), city=city)
    assert study.known_places is not None
    assert "Hongdae" in study.known_places.names
    assert replace(study, places=places).known_places is places
    assert places_of(Sources(city="seoul")) is None
