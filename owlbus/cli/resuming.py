"""`--resume`: what a run keeps while it works, and what it goes on from."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from owlbus.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from owlbus.cli.talk import Talk
    from owlbus.pipeline import Study
    from owlbus.pipeline.keeping import Keeper
    from owlbus.plan import Plan
    from owlbus.rundir import RunDir


def keeper_of(run: RunDir, *, resume: bool) -> Keeper | None:
    """
    What keeps the records that were counted, if the user asks for it.

    Parameters
    ----------
    run
        The run directory.
    resume
        Whether the user does.

    Returns
    -------
    Keeper or None
        Keeps what each file came to, in whole rows.
    """
    from owlbus.pipeline.keeping import Keeper

    return Keeper(run.keep()) if resume else None


@contextmanager
def going_on(voice: Talk, keeper: Keeper | None) -> Iterator[None]:
    """
    Say how much had been counted before, or how to go on after a stop.

    Parameters
    ----------
    voice
        What it is said with.
    keeper
        What keeps the number of parts, or None.

    Raises
    ------
    KeyboardInterrupt
        After a stop, with what is kept.
    """
    try:
        yield
    except KeyboardInterrupt:
        if keeper is None:
            raise
        msg = f"{keeper.n_parts} parts of the records are counted and kept; run the same again to go on"
        raise KeyboardInterrupt(msg) from None
    if keeper is not None and keeper.n_found:
        voice.say(f"{keeper.n_found} of {keeper.n_parts} parts of the records had been counted before the stop")


def plan_to_go_on_from(study: Study, run: RunDir) -> Plan | None:
    """
    Plan that an earlier run into the same folder had come to: kept by one that was killed, else written by one that ended.

    Parameters
    ----------
    study
        Whose network it has to run on.
    run
        The run directory; a plan of it names stops by index.

    Returns
    -------
    Plan or None
        The plan; None where there is none yet.
    """
    from owlbus.pipeline.keeping import read_kept_plan
    from owlbus.plan import read_plan

    kept, written = read_kept_plan(run.keep(), study.network), run.path / "plan.geojson"
    if kept is not None or not written.is_file():
        return kept
    return read_plan(written, study.network)


def require_whole(*, resume: bool, base: str | None) -> None:
    """
    Refuse to go on where there is no search that could.

    Parameters
    ----------
    resume
        Whether the user asks for it.
    base
        Plan that is changed a little, whose stops are counted against it, or None.

    Raises
    ------
    UsageError
        If both are given.
    """
    if resume and base is not None:
        msg = f"--resume goes on with a search for new routes, and --base {base} is changed a little at once; leave one of them out"
        raise UsageError(msg)
