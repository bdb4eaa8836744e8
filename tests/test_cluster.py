"""Counting in other processes gives what one process gives, to the last bit."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import fields

import numpy as np
import polars as pl
import pytest
from cities import city

from owlbus import cluster
from owlbus.cluster import runner, split_sources
from owlbus.common.errors import DataError, UsageError
from owlbus.common.units import NightWindow
from owlbus.demand import estimate_demand
from owlbus.demand.counting import CountedFiles, CountSettings, count_part
from owlbus.plan.limits import RouteLimits
from owlbus.records import open_sources
from owlbus.sample import sample_city, sample_grid
from owlbus.search import Problem, plan_routes
from owlbus.search.stopping import MaxSteps

QUIET = {"processes": True, "dashboard_address": ":0", "silence_logs": 50, "threads_per_worker": 1, "memory_limit": 0}


@pytest.fixture(scope="module")
def town():
    city = sample_city("seoul")
    return sample_grid(city), [city.calls_path, city.taxi_path]


def same(one, two) -> bool:
    pairs = [(getattr(one, field.name), getattr(two, field.name)) for field in fields(one)]
    return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)


def test_parts_of_files_cover_every_row_once(town):
    with open_sources(town[1]) as sources:
        parts = split_sources(sources, 100_000)
    assert [(part.first_row, part.stop_row) for part in parts[:4]] == [
        (0, 100_000),
        (100_000, 200_000),
        (200_000, 300_000),
        (300_000, 320_000),
    ]
    assert [part.stop_row for part in parts[4:]] == [None], "rides are compared with one another, so their file stays whole"


def test_accounts_of_parts_merge_in_any_order_to_that_of_the_whole(town):
    grid, files = town
    terms = CountSettings(grid, NightWindow())
    with open_sources(files[:1]) as sources:
        whole = count_part(terms, sources)
        parts = [count_part(terms, [part]) for part in split_sources(sources, 90_000)]
    merged = CountedFiles()
    for part in reversed(parts):
        merged.merge(part)
    assert same(whole.tallies["calls"].counted("calls").demand, merged.tallies["calls"].counted("calls").demand)
    (one,), (two,) = (account.row_counts.values() for account in (whole, merged))
    assert (one.rows.tolist(), one.first) == (two.rows.tolist(), two.first)


def test_two_processes_count_and_reject_what_one_does(town, monkeypatch, tmp_path):
    monkeypatch.setattr(cluster, "split_sources", lambda sources: split_sources(sources, 100_000))
    grid, files = town
    one, report = estimate_demand(files, grid, rejected=tmp_path / "one.parquet")
    two, other = estimate_demand(files, grid, run=runner("processes:2"), rejected=tmp_path / "two.parquet")
    assert same(one, two)
    assert report == other
    rejected = [pl.read_parquet(tmp_path / name) for name in ("one.parquet", "two.parquet")]
    assert rejected[0].equals(rejected[1])
    assert rejected[0].height == report.rows_rejected
    assert (tmp_path / "two.parquet").stat().st_mode & 0o777 == 0o600


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(town):
    dask = pytest.importorskip("distributed")
    grid, files = town
    terms = CountSettings(grid, NightWindow())
    one, _ = estimate_demand(files[:1], grid)
    with dask.LocalCluster(n_workers=2, **QUIET) as local, open_sources(files[:1]) as sources:
        victim = next(iter(local.workers.values())).pid
        show = cluster._track

        def kill_and_show(title, client, futures):
            next(iter(dask.as_completed(futures)))
            os.kill(victim, signal.SIGKILL)
            show(title, client, futures)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cluster, "_track", kill_and_show)
            patch.setattr(cluster, "split_sources", lambda sources: split_sources(sources, 20_000))
            account = cluster.count_on_dask(terms, sources, local.scheduler_address, 0)
    assert same(one, account.tallies["calls"].counted("calls").demand)


def ring():
    """A ring of twelve stops with two chords, and trips across it."""
    return city(12, [(i, (i + 1) % 12) for i in range(12)] + [(0, 6), (3, 9)], {(i, (i + 5) % 12): i + 1.0 for i in range(12)})


def ring_plan(scheduler, steps):
    """Plan two routes on the ring with two starts, wherever they run."""
    asked = {"limits": RouteLimits(max_length_m=6_000, max_buses=6), "stop_when": [MaxSteps(steps)], "n_starts": 2}
    with cluster.executor(scheduler) as elsewhere:
        return plan_routes(*ring(), 2, executor=elsewhere, **asked)


def test_starts_of_a_plan_on_dask_find_what_processes_find():
    pytest.importorskip("distributed")
    found = [ring_plan(scheduler, 2_000) for scheduler in ("local:2", "processes:2")]
    assert found[0].plan.equals(found[1].plan)
    assert found[0].value_quanta == Problem.build(*ring()).value(found[0].plan, found[0].objective) > 0


def test_a_plan_in_other_processes_tells_the_moves_of_all_starts():
    here = plan_routes(*ring(), 2, limits=RouteLimits(max_length_m=6_000, max_buses=6), stop_when=[MaxSteps(2_000)])
    apart = ring_plan("processes:2", 2_000)
    assert str(apart.ended_by) == str(here.ended_by) == "the limit of 2,000 moves was reached"
    assert [apart.steps, apart.trace[-1].steps] == [here.steps, here.trace[-1].steps] == [2_000, 2_000]
    assert apart.trace[-1].best_share == apart.share
    assert [point.steps for point in apart.trace] == sorted(point.steps for point in apart.trace)


def test_a_plan_whose_worker_is_killed_in_the_middle_is_that_of_processes():
    dask = pytest.importorskip("distributed")
    steps, killed = 4_000_000, []

    def kill_when_busy(local):
        victim, deadline = next(iter(local.workers.values())), time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.02)
            state = local.scheduler.workers.get(victim.worker_address)
            if state is not None and state.processing:
                killed.append((victim.pid, sorted(task.key.split("-")[0] for task in state.processing)))
                os.kill(victim.pid, signal.SIGKILL)
                return

    with dask.LocalCluster(n_workers=2, **QUIET) as local:
        killer = threading.Thread(target=kill_when_busy, args=(local,))
        killer.start()
        found = ring_plan(local.scheduler_address, steps)
        killer.join()
    assert [calls for _, calls in killed] == [["run_start"]], "it was at work"
    assert found.plan.equals(ring_plan("processes:2", steps).plan)


def test_workers_lost_one_after_the_other_are_told():
    pytest.importorskip("distributed")
    told = r"^4 workers were ended from outside one after the other, perhaps for want of memory; use fewer, or run it again$"
    with pytest.raises(DataError, match=told), cluster.executor("local:1") as pool:
        pool.submit(os._exit, 9).result()


def test_a_worker_that_is_killed_while_it_starts_is_told():
    pytest.importorskip("distributed")

    def kill_the_first():
        deadline = time.monotonic() + 60
        while not (children := multiprocessing.active_children()) and time.monotonic() < deadline:
            time.sleep(0.01)
        children[0].kill()

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    told = r"^1 Dask worker must start on this machine, and did not \(.*\); use fewer, or run it again$"
    with pytest.raises(DataError, match=told), cluster.executor("local:1"):
        pass
    killer.join()


def test_a_scheduler_without_workers_is_not_waited_for_for_ever(monkeypatch, town):
    dask = pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "NO_WORKER_TIMEOUT_S", 0.5)
    with dask.LocalCluster(n_workers=0, **QUIET) as local:
        told = rf"^the Dask scheduler has had no worker for 0.5 s; start one with: dask worker {local.scheduler_address}, and run it again$"
        with pytest.raises(DataError, match=told), cluster.executor(local.scheduler_address) as pool:
            pool.submit(abs, -1).result()
        with pytest.raises(DataError, match=told):
            estimate_demand(town[1], town[0], run=runner(local.scheduler_address))


def test_a_lost_scheduler_is_told():
    dask = pytest.importorskip("distributed")
    told = r"^the Dask scheduler was lost, and with it what its workers had done; start it again, and run this again$"
    with dask.LocalCluster(n_workers=1, **QUIET) as local, cluster.executor(local.scheduler_address) as pool:
        call = pool.submit(time.sleep, 600)
        local.close()
        with pytest.raises(DataError, match=told):
            call.result()


def test_an_error_of_a_part_comes_through_from_dask(tmp_path, town):
    pytest.importorskip("distributed")
    bad = tmp_path / "calls.csv"
    bad.write_text("time,lon,lat,home_lon,home_lat\n" + "\n".join(["x,y,z,u,v"] * 300) + "\n")
    told = []
    for run in (None, runner("local:1")):
        with pytest.raises(DataError) as refused:
            estimate_demand([bad], town[0], run=run)
        told.append(str(refused.value))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        ("two", r"scheduler must be local:N, processes:N or an address such as tcp://host:8786, got 'two'"),
        ("local:0", r"scheduler must name 1 to 512 workers, got 0"),
    ],
)
def test_a_scheduler_that_is_none_is_refused(scheduler, message):
    with pytest.raises(UsageError, match=f"^{message}$"):
        runner(scheduler)


def test_without_dask_the_way_to_it_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(UsageError, match=r"^scheduler needs Dask, which is not installed; add it with: pip install 'owlbus\[cluster\]'$"):
        runner("local:2")
