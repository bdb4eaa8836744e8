"""Who rides, fitted to counted boardings: the model against plain loops, a synthetic truth recovered, a wrong stop found."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from explore_town import town_run
from scipy.optimize import minimize

from owlbus import Operation, RideChoice, build_timetable, calibrate_choice, rider_service
from owlbus.cli.app import run as run_command
from owlbus.common.acceptance import expected_wait_s
from owlbus.common.errors import DataError, PrivacyError, UsageError
from owlbus.explore.opened_run import open_run
from owlbus.timetable.boarding_counts import match_boardings, read_boardings
from owlbus.timetable.fit_choice import ALL_FITTED, FITTED, BoardingModel, fit_choice
from owlbus.timetable.rider_choice import accept, ride_terms
from owlbus.timetable.rider_flows import find_riders

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from owlbus.explore.opened_run import OpenedRun
    from owlbus.timetable import Timetable
    from owlbus.timetable.boarding_counts import BoardingCounts

TRUTH = RideChoice(walk_weight=3.0, wait_weight=1.5, transfer_min=5.0, scale_min=12.0, scale_trips=0.6)
N_NIGHTS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return town_run(tmp_path_factory.mktemp("calibrate"), times=20)


@pytest.fixture(scope="module")
def town(folder: Path) -> OpenedRun:
    return open_run(folder)


@pytest.fixture(scope="module")
def timetable(town: OpenedRun) -> Timetable:
    return build_timetable(town.study.network, town.study.demand, town.plan, Operation(fleet=6))[0]


@pytest.fixture(scope="module")
def model(town: OpenedRun, timetable: Timetable) -> BoardingModel:
    return BoardingModel.build(town.study.network, town.study.demand, timetable)


def all_rows(town: OpenedRun) -> list[tuple[tuple[int], int]]:
    """Every stop of the plan in every hour."""
    return [((stop,), hour) for stop in town.plan.used_stops.tolist() for hour in range(len(town.study.demand.hours))]


def counts_of(town: OpenedRun, boardings: NDArray[Any]) -> BoardingCounts:
    rows = all_rows(town)
    hours = [str(town.study.demand.hours[hour]) for _, hour in rows]
    return match_boardings(
        town.study.network, town.study.demand.hours, [str(stops[0]) for stops, _ in rows], boardings.tolist(), hours=hours
    )


def expected(model: BoardingModel, town: OpenedRun, choice: RideChoice = TRUTH) -> NDArray[np.float64]:
    found: NDArray[np.float64] = N_NIGHTS * (model.cells(all_rows(town)) @ model.journeys(choice))
    return found


# The model


def test_boardings_by_stop_and_hour_are_those_of_a_plain_loop(model: BoardingModel, town: OpenedRun, timetable: Timetable) -> None:
    """Each journey, leg by leg: people come evenly through their hour, wait, ride, and board in this hour or a later one."""
    riders, n_hours = model.riders, len(model.riders.hours)
    headways, slow = timetable.headway_s, np.zeros((town.study.network.n_stops, n_hours))
    for p in range(riders.walk_m.size):
        legs = [
            (int(riders.direction[leg, p]), int(riders.board[leg, p]), int(riders.alight[leg, p]))
            for leg in (0, 1)
            if riders.direction[leg, p] >= 0
        ]
        for hour in range(n_hours):
            waits = [int(expected_wait_s(headways[direction, hour])) for direction, _, _ in legs]
            rides = [int(timetable.directions[d].arrive_s[off] - timetable.directions[d].depart_s[on]) for d, on, off in legs]
            minutes = TRUTH.generalised_min(round(riders.walk_m[p] * 0.8), sum(waits), sum(rides), max(0, len(legs) - 1))
            drive_s = town.study.network.drive_s[riders.first_stop[p], riders.last_stop[p]]
            trips = 0.6 * riders.trip_quanta[hour, p] / 1024 * float(TRUTH.share(minutes, drive_s))
            delay_s = 0.0
            for leg, (direction, on, _) in enumerate(legs):
                delay_s += sum(waits) // len(legs) + (rides[leg - 1] if leg else 0)
                later, into_s = divmod(delay_s, 3600)
                stop = int(timetable.directions[direction].stops[on])
                slow[stop, min(n_hours - 1, hour + int(later))] += trips * (1 - into_s / 3600)
                slow[stop, min(n_hours - 1, hour + int(later) + 1)] += trips * into_s / 3600
    fast = expected(model, town) / N_NIGHTS
    rows = all_rows(town)
    np.testing.assert_allclose(fast, [slow[stops[0], hour] for stops, hour in rows], rtol=1e-9)
    assert fast.sum() == pytest.approx(slow.sum())
    assert model.riders.transfers.any()


@pytest.mark.parametrize("name", ALL_FITTED)
def test_slopes_are_those_of_small_differences(name: str, model: BoardingModel) -> None:
    value = getattr(TRUTH, name)
    above, below = (model.journeys(replace(TRUTH, **{name: value + by})) for by in (1e-5, -1e-5))
    np.testing.assert_allclose(model.slopes(TRUTH, [name])[:, 0], (above - below) / 2e-5, atol=1e-8)


def test_rows_without_an_hour_and_names_of_several_stops_are_sums(model: BoardingModel, town: OpenedRun) -> None:
    journeys, stops = model.journeys(TRUTH), town.plan.used_stops.tolist()[:3]
    by_hour = model.cells([((stop,), hour) for stop in stops for hour in range(5)]) @ journeys
    assert (model.cells([(tuple(stops), None)]) @ journeys)[0] == pytest.approx(by_hour.sum())


# The fit


def test_a_fit_is_no_worse_than_a_search_that_knows_no_slopes(model: BoardingModel, town: OpenedRun) -> None:
    rng, names = np.random.default_rng(2), ("scale_trips", "scale_min", "wait_weight")
    mean = expected(model, town)
    kept = np.flatnonzero(mean > 0)
    cells, counted = model.cells(all_rows(town))[kept], rng.poisson(mean[kept]).astype(float)
    begin = replace(TRUTH, scale_trips=1.0, scale_min=15.0, wait_weight=2.0)
    fit = fit_choice(model, cells, counted, begin=begin, names=names, n_counted_nights=N_NIGHTS)

    def deviance(numbers: NDArray[np.float64]) -> float:
        choice = replace(begin, **dict(zip(names, np.abs(numbers).tolist(), strict=True)))
        mu = N_NIGHTS * (cells @ model.journeys(choice))
        return float(2 * (np.where(counted > 0, counted * np.log(np.maximum(counted, 1e-300) / mu), 0.0) - (counted - mu)).sum())

    best = minimize(deviance, [1.0, 15.0, 2.0], method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-8, "fatol": 1e-10})
    assert fit.is_converged
    assert fit.deviance == pytest.approx(deviance(np.array([getattr(fit.choice, name) for name in names])))
    assert fit.deviance <= best.fun + 1e-6
    assert fit.deviance < fit.first_deviance


def test_a_synthetic_truth_is_recovered_without_bias_and_with_honest_intervals(model: BoardingModel, town: OpenedRun) -> None:
    rng, names = np.random.default_rng(0), ("scale_trips", "scale_min", "walk_weight", "wait_weight")
    mean = expected(model, town)
    kept = np.flatnonzero(mean > 0)
    cells, begin = model.cells(all_rows(town))[kept], replace(TRUTH, **{name: getattr(RideChoice(), name) for name in names})
    ratios, within = [], []
    for _ in range(100):
        fit = fit_choice(model, cells, rng.poisson(mean[kept]).astype(float), begin=begin, names=names, n_counted_nights=N_NIGHTS)
        assert fit.is_converged
        ratios.append([getattr(fit.choice, name) / getattr(TRUTH, name) for name in names])
        within.append([low <= getattr(TRUTH, name) <= high for name, (low, high) in ((name, fit.interval(name)) for name in names)])
    error = np.std(ratios, axis=0) / math.sqrt(len(ratios))
    assert (np.abs(np.mean(ratios, axis=0) - 1) < np.maximum(0.05, 3 * error)).all()
    assert (np.mean(within, axis=0) >= 0.82).all()  # 90 % intervals: three errors of a share of 100 draws below
    assert np.mean(within) < 0.97


def test_numbers_that_are_zero_are_fitted_at_the_end_of_their_range(model: BoardingModel, town: OpenedRun) -> None:
    mean = expected(model, town, replace(TRUTH, wait_weight=0.0, transfer_min=0.0))
    kept = np.flatnonzero(mean > 0)
    names = ("wait_weight", "transfer_min")
    fit = fit_choice(
        model, model.cells(all_rows(town))[kept], np.random.default_rng(5).poisson(mean[kept]).astype(float), begin=TRUTH, names=names
    )
    exact = fit_choice(
        model, model.cells(all_rows(town))[kept], mean[kept], begin=replace(TRUTH, wait_weight=2.0), names=names, n_counted_nights=N_NIGHTS
    )
    assert exact.is_converged
    assert [getattr(exact.choice, name) for name in names] == pytest.approx([0.0, 0.0], abs=1e-6)
    assert all(low == 0 for low, _ in map(exact.interval, names))
    assert all(getattr(fit.choice, name) >= 0 for name in names)


def test_counts_that_vary_more_than_poisson_widen_the_intervals(model: BoardingModel, town: OpenedRun) -> None:
    rng, names = np.random.default_rng(1), ("scale_trips",)
    mean = expected(model, town)
    kept = np.flatnonzero(mean > 0)
    cells, wild = model.cells(all_rows(town))[kept], rng.poisson(mean[kept] * rng.gamma(2.0, 0.5, kept.size)).astype(float)
    plain, wide = (fit_choice(model, cells, counted, begin=TRUTH, names=names, n_counted_nights=N_NIGHTS) for counted in (mean[kept], wild))
    assert plain.dispersion == pytest.approx(0, abs=1e-6)
    assert wide.dispersion is not None
    assert wide.dispersion > 2
    assert wide.error[0] / plain.error[0] == pytest.approx(math.sqrt(wide.dispersion), rel=0.2)


# What is told


def test_a_wrong_stop_is_found(town: OpenedRun, timetable: Timetable, model: BoardingModel) -> None:
    counted = np.random.default_rng(3).poisson(expected(model, town)).astype(float)
    by_stop = counted.reshape(-1, 5).sum(axis=1)
    wrong = int(np.argsort(by_stop)[len(by_stop) // 2])  # neither a busy stop nor an empty one
    counted.reshape(-1, 5)[wrong] *= 6
    found = calibrate_choice(
        town.study.network, town.study.demand, timetable, counts_of(town, counted), names=("scale_trips", "scale_min"), begin=TRUTH,
        n_counted_nights=N_NIGHTS, min_count=-1,
    )  # fmt: skip
    worst = found.rows()[0]
    assert worst["stop"] == str(town.plan.used_stops[wrong])
    assert worst["residual"] > 6
    assert worst["observed"] > worst["predicted"]
    assert any(line.startswith(f"Far off: {worst['stop']}") for line in found.warnings)
    assert found.worst_stops[0] == town.plan.used_stops[wrong]
    feature = json.loads(found.to_geojson(town.study.network))["features"][0]
    assert feature["properties"] == worst
    assert feature["geometry"]["coordinates"][0] == pytest.approx(float(town.study.network.stop_lon[town.plan.used_stops[wrong]]), abs=1e-6)


def test_numbers_that_the_data_cannot_tell_apart_are_named(town: OpenedRun, timetable: Timetable, model: BoardingModel) -> None:
    counts = counts_of(town, expected(model, town))
    settings: dict[str, Any] = {"begin": TRUTH, "n_counted_nights": N_NIGHTS, "min_count": -1}
    found = calibrate_choice(town.study.network, town.study.demand, timetable, counts, names=("scale_trips", "alternative_min"), **settings)
    assert [pair[:2] for pair in found.fit.alike] == [("scale_trips", "alternative_min")]
    assert found.warnings[0].startswith("The data hardly tell scale_trips and alternative_min apart (correlation -0.9")
    alone = calibrate_choice(town.study.network, town.study.demand, timetable, counts, names=("scale_trips",), **settings)
    assert alone.warnings == ()
    assert alone.choice.scale_trips == 0.6


def test_stops_where_the_model_has_nobody_board_are_left_out_and_counted(
    town: OpenedRun, timetable: Timetable, model: BoardingModel
) -> None:
    network, hours = town.study.network, town.study.demand.hours
    free = min(set(range(network.n_stops)) - set(town.plan.used_stops.tolist()))
    used = town.plan.used_stops.tolist()
    values = [*(model.cells([((stop,), None) for stop in used]) @ model.journeys(TRUTH)), 90.0]
    counts = match_boardings(network, hours, [*map(str, used), str(free)], values)
    found = calibrate_choice(network, town.study.demand, timetable, counts, names=("scale_trips",), begin=TRUTH)
    document = found.to_dict()
    assert (document["rows"], document["rows_outside"], document["boardings_outside"]) == (len(used), 1, 90)
    assert all(row["observed"] % 15 == 0 == row["predicted"] % 15 for row in document["stops"])
    only = match_boardings(network, hours, [str(free)], [3])
    with pytest.raises(DataError, match=r"^the model has nobody board at any of 1 rows; name stops of the routes, in hours with buses"):
        calibrate_choice(network, town.study.demand, timetable, only)


def test_printed_stops_tell_no_more_than_rounded_counts(town: OpenedRun, timetable: Timetable, model: BoardingModel) -> None:
    counted = expected(model, town)
    settings: dict[str, Any] = {"names": ("scale_trips",), "begin": TRUTH, "n_counted_nights": N_NIGHTS}
    found = calibrate_choice(town.study.network, town.study.demand, timetable, counts_of(town, counted), **settings)
    more = calibrate_choice(town.study.network, town.study.demand, timetable, counts_of(town, counted + 1), **settings)
    assert found.rows() == more.rows()


def test_a_choice_is_read_as_it_was_written(town: OpenedRun, timetable: Timetable, model: BoardingModel, tmp_path: Path) -> None:
    counts = counts_of(town, np.random.default_rng(4).poisson(expected(model, town)))
    found = calibrate_choice(town.study.network, town.study.demand, timetable, counts, names=FITTED, n_counted_nights=N_NIGHTS)
    file = tmp_path / "choice.json"
    file.write_text(json.dumps(found.choice_document()))
    assert RideChoice.read(file) == found.choice
    assert json.loads(file.read_text())["report"]["fitted"]["scale_min"]["begin"] == 15.0


@pytest.mark.parametrize(
    ("stops", "hours", "boardings", "line"),
    [
        ([], None, [], r"^boardings must have a row for at least one stop, got none$"),
        (
            ["0", "Nowhere", "6000"],
            None,
            [1, 1, 1],
            r"^each row must name a stop of the network, 2 of 3 do not, first 'Nowhere' on line 2; ",
        ),
        (["0"], ["7"], [1], r"^hour must be one of 00, 01, 02, 03, 04, the hours of the demand, got '7' on line 1$"),
        (["0"], ["night"], [1], r"got 'night' on line 1$"),
        (["0"], None, [-1], r"^boardings must be a number from 0 to 1e\+09, got '-1' on line 1$"),
        (["0"], None, ["nan"], r"got 'nan' on line 1$"),
        (["0", "1", "0"], None, [1, 1, 1], r"^each stop and hour must be counted once, '0' stands on lines 1 and 3; add them up$"),
        (["0", "0"], ["", "24"], [1, 1], r"'0' stands on lines 1 and 2; add them up$"),
    ],
)
def test_counts_that_do_not_match_are_refused_with_their_line(
    town: OpenedRun, stops: list[str], hours: list[str] | None, boardings: list[Any], line: str
) -> None:
    with pytest.raises(DataError, match=line):
        match_boardings(town.study.network, town.study.demand.hours, stops, boardings, hours=hours)


def test_a_name_stands_for_all_stops_that_have_it_whatever_its_case(town: OpenedRun) -> None:
    names = ["" for _ in range(town.study.network.n_stops)]
    names[3], names[8] = "City Hall", "City Hall"
    network = replace(town.study.network, stop_names=tuple(names))
    assert match_boardings(network, (24,), ["city hall"], [4]).stops == ((3, 8),)
    with pytest.raises(DataError, match=r"; did you mean City Hall\?$"):
        match_boardings(network, (24,), ["city hal"], [4])


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"place,boardings\n1,2\n", "counts.csv: must have columns stop and boardings, got no stop; name them in the first line"),
        (b"stop,boardings\nX,2\n", "counts.csv: each row must name a stop of the network, 1 of 1 do not, first 'X' on line 2; "),
        (b"stop,boardings\n\xff,2\n", "counts.csv: cannot be read (it is no UTF-8); name a CSV file"),
        (b"", "counts.csv: must have columns stop and boardings, got no stop and no boardings"),
        (b"stop,boardings\n1\n", "counts.csv: boardings must be a number from 0 to 1e+09, got '' on line 2"),
    ],
)
def test_a_file_of_counts_is_refused_in_one_line(town: OpenedRun, tmp_path: Path, content: bytes, line: str) -> None:
    file = tmp_path / "counts.csv"
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_boardings(file, town.study.network, town.study.demand.hours)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "rows", "error", "line"),
    [
        (("walk",), 9, UsageError, r"^fit_names must be some of scale_trips, .*, got 'walk'$"),
        ((), 9, UsageError, r"^fit_names must be some of scale_trips, .*, got 'none'$"),
        (FITTED, 3, DataError, r"^5 numbers can be fitted to at least as many rows with boardings, got 3 rows that the model"),
    ],
)
def test_fits_that_cannot_be_made_are_refused(
    model: BoardingModel, town: OpenedRun, names: tuple[str, ...], rows: int, error: type[Exception], line: str
) -> None:
    with pytest.raises(error, match=line):
        fit_choice(model, model.cells(all_rows(town))[:rows], np.ones(rows), names=names)
    with pytest.raises(DataError, match="got nobody boarded; count more stops"):
        fit_choice(model, model.cells(all_rows(town))[:9], np.zeros(9), names=("scale_trips",))


# Timetables of those who ride


def test_who_does_not_accept_a_journey_is_lost_and_nobody_else(town: OpenedRun, timetable: Timetable) -> None:
    riders = find_riders(town.study.network, town.study.demand, town.plan)
    terms = ride_terms(town.study.network, riders, timetable.directions, timetable.headway_s)
    riding = accept(riders, terms, replace(TRUTH, scale_trips=1.0))
    all_of = riders.trip_quanta.sum(axis=1) + riders.lost_quanta
    np.testing.assert_array_equal(riding.trip_quanta.sum(axis=1) + riding.lost_quanta, all_of)
    walks = riders.direction[0] < 0
    np.testing.assert_array_equal(riding.trip_quanta[:, walks], riders.trip_quanta[:, walks])
    assert (riding.trip_quanta[:, ~walks] <= riders.trip_quanta[:, ~walks]).all()
    nobody = ride_terms(town.study.network, riders, timetable.directions, np.zeros_like(timetable.headway_s))
    assert accept(riders, nobody, TRUTH).trip_quanta[:, ~walks].sum() == 0


def test_a_choice_of_one_share_for_all_is_that_uptake(town: OpenedRun) -> None:
    study, indifferent = town.study, RideChoice(scale_min=9_000.0)
    half, chosen = Operation(fleet=6, uptake_share=0.5), Operation(fleet=6, choice=indifferent)
    tables = [build_timetable(study.network, study.demand, town.plan, operation)[0] for operation in (half, chosen)]
    services = [rider_service(study.network, study.demand, tables[0], operation) for operation in (half, chosen)]
    assert services[1].boardings_trips.sum() == pytest.approx(services[0].boardings_trips.sum(), rel=0.01)
    assert tables[0].headway_s.tolist() == tables[1].headway_s.tolist()


# The commands


@pytest.fixture(scope="module")
def counts_file(town: OpenedRun, folder: Path) -> Path:
    """Boardings of the timetable that goes with the run."""
    from owlbus.pipeline.outputs import timetable_of_plan

    timetable, _, _ = timetable_of_plan(town.study, town.plan, 7, town.headway_s)
    model = BoardingModel.build(town.study.network, town.study.demand, timetable)
    file = folder.parent / "counts.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["stop", "hour", "boardings"])
        for ((stop,), hour), mean in zip(all_rows(town), expected(model, town), strict=True):
            writer.writerow([stop, f"{town.study.demand.hours[hour] % 24:02d}", round(mean)])
    return file


def test_the_command_writes_what_the_timetable_reads(
    folder: Path, counts_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "fitted"
    words = ["calibrate", str(folder), "--boardings", str(counts_file), "--counted-nights", str(N_NIGHTS), "--out", str(out)]
    assert run_command([*words, "--fit", "scale_trips,scale_min", "--json", "-q"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document["fitted"]) == {"scale_trips", "scale_min"}
    choice = RideChoice.read(out / "choice.json")
    assert document["choice"]["scale_min"] == choice.scale_min
    page = (out / "calibrate.html").read_text()
    assert "generalised minutes of one unit of utility" in page
    assert "://" not in page
    assert {path.name for path in out.iterdir()} >= {"calibration.json", "residuals.geojson", "run.json"}
    assert run_command(["timetable", str(folder), "--choice", str(out / "choice.json"), "--json", "-q"]) == 0
    with_choice = json.loads(capsys.readouterr().out)
    assert run_command(["timetable", str(folder), "--json", "-q"]) == 0
    assert with_choice["riders"]["within_share"] != json.loads(capsys.readouterr().out)["riders"]["within_share"]


def test_the_command_speaks_korean_and_prints_tables(
    folder: Path, counts_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["calibrate", str(folder), "--boardings", str(counts_file), "--out", str(tmp_path / "ko"), "--lang", "ko"]
    assert run_command(words) == 0
    said = capsys.readouterr()
    assert "Who rides, with 90 % intervals" in said.out
    assert "Deviance" in said.err
    assert "누가 타는가" in (tmp_path / "ko" / "calibrate.html").read_text()


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["--fit", "walk"], 2, "--fit must be some of scale_trips, "),
        (["--counted-nights", "0"], 2, "--counted-nights must lie in [1, 100000], got 0"),
        (["--choice", "absent.json"], 3, "absent.json: cannot be read"),
    ],
)
def test_the_command_refuses_in_one_line(
    folder: Path, counts_file: Path, words: list[str], code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["calibrate", str(folder), "--boardings", str(counts_file), *words, "-q"]) == code
    error = capsys.readouterr().err
    assert error.startswith(f"error: {line}")
    assert len(error.splitlines()) == 1


def test_a_timetable_takes_a_choice_or_an_uptake(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "choice.json"
    RideChoice().write(file)
    assert run_command(["timetable", str(folder), "--choice", str(file), "--uptake", "0.5", "-q"]) == 2
    assert "--uptake is one share for all trips; leave one of them out" in capsys.readouterr().err


def test_a_number_that_no_row_depends_on_has_no_correlation_and_is_named(
    town: OpenedRun, timetable: Timetable, model: BoardingModel
) -> None:
    counts = counts_of(town, np.ceil(expected(model, town)))
    begin = replace(TRUTH, transfer_min=9_000.0)  # nobody changes buses
    found = calibrate_choice(town.study.network, town.study.demand, timetable, counts, begin=begin, names=("scale_trips", "transfer_min"))
    document = found.to_dict()
    json.dumps(document, allow_nan=False)
    assert document["correlation"] == {
        "scale_trips": {"scale_trips": 1.0, "transfer_min": 0.0},
        "transfer_min": {"scale_trips": 0.0, "transfer_min": 1.0},
    }
    assert document["vague"] == ["transfer_min"]
    assert document["fitted"]["transfer_min"]["high"] is None


def test_stops_are_rounded_by_the_riders_that_one_trip_stands_for(town: OpenedRun, timetable: Timetable, model: BoardingModel) -> None:
    counts = counts_of(town, np.ceil(20 * expected(model, town)))
    begin = replace(TRUTH, scale_trips=20 * TRUTH.scale_trips)
    found = calibrate_choice(town.study.network, town.study.demand, timetable, counts, begin=begin, names=("scale_min",))
    base = found.to_dict()["min_count"]
    assert base == 15 * math.ceil(begin.scale_trips)
    assert all(row["predicted"] % base == 0 for row in found.rows())


def test_few_trips_are_not_fitted_since_a_number_would_tell_their_count(tmp_path: Path) -> None:
    few = open_run(town_run(tmp_path))
    table = build_timetable(few.study.network, few.study.demand, few.plan, Operation(fleet=6))[0]
    counts = match_boardings(few.study.network, few.study.demand.hours, [str(few.plan.used_stops[0])], [9])
    with pytest.raises(PrivacyError, match=r"150 trips a night board or more, got .*; name more stops and hours, or fit fewer numbers"):
        calibrate_choice(few.study.network, few.study.demand, table, counts, names=("scale_trips",))
    assert calibrate_choice(few.study.network, few.study.demand, table, counts, names=("scale_trips",), min_count=-1).fit.names


def test_a_run_with_day_types_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = town_run(tmp_path)
    about = json.loads((folder / "run.json").read_text())
    about["settings"]["days"] = "sun-thu=45,fri-sat=20"
    (folder / "run.json").write_text(json.dumps(about))
    (tmp_path / "counts.csv").write_text("stop,boardings\n0,9\n")
    assert run_command(["calibrate", str(folder), "--boardings", str(tmp_path / "counts.csv"), "--counted-nights", "5"]) == 3
    assert "day types (sun-thu=45,fri-sat=20)" in capsys.readouterr().err
