"""The comments of a run, kept in its folder `explore` where only their owner can read them: they are what people wrote."""

from __future__ import annotations

import datetime as dt
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from owlbus.common.errors import DataError, UsageError
from owlbus.common.files import output_error, parse_json, read_regular
from owlbus.explore.comment_files import FORMATS, comment_rows, comments_csv, comments_geojson
from owlbus.explore.comments import MOST_COMMENTS, pinned_comment, place_text
from owlbus.plan import Plan, Route

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from owlbus.explore.comments import Comment
    from owlbus.network import Network

COMMENTS_FILE = "comments.geojson"

_MOST_KEPT_BYTES = 64 << 20
_OWNER_ONLY = 0o600


@dataclass(slots=True, eq=False)
class CommentStore:
    """
    Comments of a run and their file; every change is on disk before it is told.

    Attributes
    ----------
    folder
        Folder ``explore`` of the run directory.
    network
        Stops and hexes, lon/lat degrees.
    kept
        The comments, oldest first.
    """

    folder: Path
    network: Network
    kept: list[Comment] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    @classmethod
    def open(cls, folder: Path, network: Network, plan: Plan) -> CommentStore:
        """
        Read the comments of a run, if it has any.

        Parameters
        ----------
        folder
            Folder ``explore`` of the run directory; may be absent.
        network
            Stops and hexes, lon/lat degrees.
        plan
            The plan as it was opened; comments on routes that it has no longer stay.

        Returns
        -------
        CommentStore
            With the comments that are kept.

        Raises
        ------
        DataError
            If the file is damaged; nothing is written over it.
        """
        file = folder / COMMENTS_FILE
        try:
            text = read_regular(file, _MOST_KEPT_BYTES).decode()
        except (FileNotFoundError, NotADirectoryError):
            return cls(folder, network)
        except UnicodeDecodeError:
            text = ""
        try:
            rows = _kept_rows(text)
            comments = [replace(pinned_comment(network, _with_routes(plan, rows), row), key=str(row["key"])) for row in rows]
        except (DataError, UsageError, LookupError, TypeError, ValueError) as error:
            msg = f"{file}: is no sound file of comments ({error}); mend it, or move it away"
            raise DataError(msg) from None
        return cls(folder, network, comments)

    def add(self, plan: Plan, values: Mapping[str, Any]) -> Comment:
        """
        Keep a comment.

        Parameters
        ----------
        plan
            The plan in hand, for names of routes.
        values
            As `owlbus.explore.comments.pinned_comment` takes them, lon/lat degrees.

        Returns
        -------
        Comment
            With its key.

        Raises
        ------
        UsageError
            If it is no comment, or there are too many.
        """
        with self._lock:
            comment = replace(pinned_comment(self.network, plan, values, _now()), key=self._next_key())
            self._write([*self.kept, comment])
            return comment

    def remove(self, key: str) -> None:
        """
        Drop a comment.

        Parameters
        ----------
        key
            Its key.

        Raises
        ------
        UsageError
            If there is none of that key.
        """
        with self._lock:
            left = [comment for comment in self.kept if comment.key != key]
            if len(left) == len(self.kept):
                msg = f"there is no comment {str(key)[:40]!r}; reload the page to see those that are kept"
                raise UsageError(msg)
            self._write(left)

    def read_file(self, plan: Plan, text: str, form: str) -> dict[str, Any]:
        """
        Keep the comments of a file; those that are kept already stay as they are.

        Parameters
        ----------
        plan
            The plan in hand, for names of routes.
        text
            The file.
        form
            ``geojson`` or ``csv``.

        Returns
        -------
        dict
            Rows by what became of them: ``added`` and ``known``, and why others are ``left_out``, with their number in the file.

        Raises
        ------
        DataError
            If it is no file of comments.
        UsageError
            If there are too many.
        """
        rows = comment_rows(text, form)
        with self._lock:
            comments, left_out, known, number = list(self.kept), list[dict[str, Any]](), 0, int(self._next_key()[1:])
            for place, row in enumerate(rows, start=1):
                try:
                    comment = pinned_comment(self.network, plan, row, _now())
                except UsageError as error:
                    left_out.append({"row": place, "why": str(error)})
                    continue
                if any(comment.same_as(other) for other in comments):
                    known += 1
                    continue
                comments.append(replace(comment, key=f"c{number}"))
                number += 1
            added = len(comments) - len(self.kept)
            if added:
                self._write(comments)
        return {"added": added, "known": known, "left_out": left_out}

    def export(self, form: str) -> bytes:
        """
        All comments as a file.

        Parameters
        ----------
        form
            ``geojson`` or ``csv``.

        Returns
        -------
        bytes
            UTF-8.

        Raises
        ------
        UsageError
            If there is no such form.
        """
        if form not in FORMATS:
            msg = f"comments are written as {' or '.join(FORMATS)}, got {str(form)[:40]!r}; choose one of them"
            raise UsageError(msg)
        return (comments_geojson if form == "geojson" else comments_csv)(self.network, self.kept)

    def to_list(self, language: str = "en") -> list[dict[str, Any]]:
        """
        Comments as the page shows them.

        Parameters
        ----------
        language
            Of the names of stops, ``en`` or ``ko``.

        Returns
        -------
        list of dict
            Positions in degrees, what each is pinned to, and the text.
        """
        return [
            {
                "id": one.key,
                "lon": one.lon,
                "lat": one.lat,
                one.pin: one.target,
                "place": place_text(self.network, one, language),
                "text": one.text,
                "name": one.name,
                "time": one.time,
            }
            for one in self.kept
        ]

    def copy_to(self, folder: Path) -> None:
        """
        Write the comments into the folder of another run, where its owner alone can read them.

        Parameters
        ----------
        folder
            Folder ``explore`` of the other run directory.
        """
        if self.kept:
            write_for_owner(folder / COMMENTS_FILE, comments_geojson(self.network, self.kept))

    def _next_key(self) -> str:
        """Key above those of all comments."""
        return f"c{1 + max((int(comment.key[1:]) for comment in self.kept), default=0)}"

    def _write(self, comments: list[Comment]) -> None:
        """Put comments on disk, then take them for the kept ones."""
        if len(comments) > MOST_COMMENTS:
            msg = f"a run keeps at most {MOST_COMMENTS:,} comments, got {len(comments):,}; export some and drop them"
            raise UsageError(msg)
        write_for_owner(self.folder / COMMENTS_FILE, comments_geojson(self.network, comments))
        self.kept = comments


def write_for_owner(file: Path, data: bytes) -> None:
    """
    Write a file that its owner alone can read, whole or not at all.

    Parameters
    ----------
    file
        File to write or replace; its folder is made if it is absent.
    data
        Its bytes.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileNotFoundError):
            part.unlink()
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except OSError as error:
        raise output_error(file, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _now() -> str:
    """Return the time in the zone of this machine, to the minute."""
    return dt.datetime.now().astimezone().isoformat(timespec="minutes")


def _kept_rows(text: str) -> list[dict[str, Any]]:
    """Return the rows of a file of kept comments, each with its key."""
    features = parse_json(text)["features"]
    if not features:
        return []
    rows = comment_rows(text, "geojson")
    keys = [str(feature["properties"]["id"]) for feature in features]
    if len(set(keys)) < len(keys) or any(not (key[:1] == "c" and key[1:].isascii() and key[1:].isdigit()) for key in keys):
        msg = "keys must be c1, c2 and so on, each once"
        raise DataError(msg)
    return [row | {"key": key} for row, key in zip(rows, keys, strict=True)]


def _with_routes(plan: Plan, rows: list[dict[str, Any]]) -> Plan:
    """Return a plan that has the routes which kept comments name, though they may be gone."""
    gone = sorted({str(row["route"]) for row in rows if row.get("route")} - set(plan.names))
    return Plan((*plan.routes, *(Route([0, 1], name) for name in gone)), plan.network_fingerprint)
