"""What columns and statuses are usually called, and what a name therefore suggests. Names are hints, never proof."""

from __future__ import annotations

import re
from typing import Final


def _all(text: str) -> frozenset[str]:
    """Return the words of a text, which reads better than a list of a hundred strings."""
    return frozenset(text.split())


_WORD: Final = re.compile(r"[^\W_]+")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_IDS: Final = _all("id ids no nr num number key code nummer ref reference uuid guid numero número nummero номер")
_THINGS: Final = _all(
    "case order ticket incident request claim application invoice declaration permit patient trace parcel "
    "shipment delivery job purchase sales document project contract loan offer travel visit admission encounter "
    "sr po wo so work service issue change problem process instance batch lot dossier auftrag bestellung vorgang "
    "fall zaak pedido caso commande заказ заявка обращение"
)
_STRANGERS: Final = _all(
    "customer client user resource employee product seller vendor supplier event activity status session row line "
    "index staff agent variant parent item operator machine worker person task step message"
)
_STATUSES: Final = {
    **dict.fromkeys(_all("activity activityname milestone aktivität activiteit actividad activité"), 10.0),
    **dict.fromkeys(_all("status event task step operation tätigkeit estado statut статус schritt"), 8.0),
    **dict.fromkeys(_all("state action stage phase taskname eventname event_type zustand этап операция"), 7.0),
}
_NOT_STATUS: Final = _all(
    "old previous prev from sub id code by owner reason date time timestamp at user resource instance count "
    "number cost index duration comment no key group created updated start end"
)
_TIMES: Final = {
    **dict.fromkeys(_all("timestamp datetime zeitstempel zeitpunkt"), 8.0),
    **dict.fromkeys(
        _all("time at when moment date datum zeit tijdstip fecha время дата occurred ts"),
        6.0,
    ),
    **dict.fromkeys(_all("on created updated logged recorded changed modified"), 4.0),
}
_STARTS: Final = _all(
    "start started starttime begin began beginning beginn anfang enter entered startdatum inicio début начало"
)
_ENDS: Final = _all(
    "end ended endtime complete completed completion completetime finish finished stop stopped exit left ende fin "
    "enddatum closed close конец"
)
_PROMISED: Final = (
    *("estimat", "promis", "deadline", "requir", "expect", "target", "commit", "zugesagt", "liefertermin", "frist"),
    *("wunschtermin", "fällig", "échéance", "prevista", "prévue", "срок"),
)
_PROMISED_WHOLE: Final = _all("due eta sla soll duedate termin")
_PERHAPS_PROMISED: Final = ("plan", "schedul", "request", "need", "forecast", "desired", "agreed")
_BOOKKEEPING: Final = (
    *("updat", "modif", "export", "import", "load", "etl", "insert", "snapshot", "birth", "dob", "sync", "extract"),
    "ingest",
)
_CANCELLING: Final = (
    *("cancel", "annul", "storn", "abort", "withdr", "reject", "declin", "refus", "void", "unavailab", "denied"),
    *("abandon", "revok", "abgelehnt", "abgebrochen", "geannuleerd", "afgewezen", "отмен", "отказ", "rechaz"),
    *("discard", "delet", "denial"),
)
_STATUS_LIKE: Final = _all("status state outcome result disposition situation estado statut статус zustand resolution")
_WAITS: Final = _all("pending waiting awaiting missing outstanding queueing holding remaining closing meeting")
_WORKS: Final = _all("started processing progress production underway running work active")
_ROLES: Final = _all("role group department dept team unit division abteilung rolle")
_SEGMENTS: Final = _all(
    "channel product type category kind class segment region country market priority severity impact urgency "
    "plant brand tier size family service sector origin site location payment specialization department kanal typ "
    "produkt land priorität art"
)
_NO_SEGMENT: Final = _all(
    "variant creator resource user name status state outcome result id date index comment lifecycle transition "
    "role time timestamp activity event task step end closed resolution row number"
)


def words(name: str) -> list[str]:
    """Return the words of a name, folded: ``caseID``, ``case:id`` and ``Case Id`` are all ``case id``."""
    return [word.casefold() for word in _WORD.findall(_HUMP.sub(" ", name))]


def order_points(name: str) -> float:
    """Say from 0 to 10 how much a column's name sounds like an order's id."""
    found = words(name)
    if found[-2:] == ["concept", "name"] and found[0] in {"case", "trace"}:
        return 10
    things = [word for word in found if word in _THINGS or _glued(word)]
    if set(found) & _STRANGERS and "id" in found:
        return 1
    known = [word for word in found if word in _IDS or word in _THINGS or _glued(word)]
    if things and len(known) == len(found):
        return (9 if len(known) > len(things) or any(map(_glued, things)) else 7) - 0.1 * len(found)
    if found and found[-1] in _IDS:
        return 6 if things else 4 if len(found) == 1 else 3
    return 0


def _glued(word: str) -> bool:
    return any(word == thing + suffix for suffix in ("id", "no", "nr", "number", "nummer", "key") for thing in _THINGS)


def status_points(name: str) -> float:
    """Say from 0 to 10 how much a column's name sounds like the status or activity of an event."""
    found = words(name)
    if found[-2:] == ["concept", "name"]:
        return 9.8 if len(found) == 2 else 0
    points = max((_STATUSES.get(word, 0.0) for word in found), default=0.0)
    strange = len(set(found) & _NOT_STATUS)
    plain = len([word for word in found if word not in _STATUSES and word not in {"name", "new", "to", "type"}])
    return max(0.0, points - 5 * strange - 0.5 * plain)


def time_points(name: str) -> float:
    """Say from 0 to 10 how much a column's name sounds like the time of an event."""
    found = words(name)
    points = max((_TIMES.get(word, 0.0) for word in found), default=0.0)
    compact = "".join(found)
    if not points and ("time" in compact or "date" in compact):
        points = 5.0
    return max(0.0, points + 0.5 * is_end(name) - (6 if is_promised(name) else 0))


def is_start(name: str) -> bool:
    """Whether a time column's name speaks of a start."""
    return bool(set(words(name)) & _STARTS)


def is_end(name: str) -> bool:
    """Whether a time column's name speaks of an end."""
    return bool(set(words(name)) & _ENDS)


def is_promised(name: str) -> bool:
    """Whether a time column's name speaks of a moment that was promised, not one that happened."""
    return any(word.startswith(_PROMISED) or word in _PROMISED_WHOLE for word in words(name))


def is_perhaps_promised(name: str) -> bool:
    """Whether a time column's name may speak of a promise: ``requested date`` is one, ``requested at`` is not."""
    return any(word.startswith(_PERHAPS_PROMISED) for word in words(name))


def is_bookkeeping(name: str) -> bool:
    """Whether a time column tells about the record, not about the order."""
    return any(word.startswith(_BOOKKEEPING) for word in words(name))


def is_cancelling(name: str) -> bool:
    """Whether a status or value says that an order was given up."""
    return any(word.startswith(_CANCELLING) for word in words(name))


def is_status_like(name: str) -> bool:
    """Whether a column says what became of an order."""
    return bool(set(words(name)) & _STATUS_LIKE)


def is_work(status: str) -> bool:
    """Whether a status sounds like someone or something being at the order."""
    found = words(status)
    going = any(word.endswith("ing") and len(word) > 5 for word in found)
    return not set(found) & _WAITS and (going or bool(set(found) & _WORKS))


def is_role(name: str) -> bool:
    """Whether a column names a group of people rather than one of them."""
    return bool(set(words(name)) & _ROLES)


def segment_points(name: str) -> float:
    """Say how much a column's name sounds like a kind of order; negative where it surely is none."""
    found = set(words(name))
    if found & _NO_SEGMENT or is_promised(name) or (found & _STRANGERS and not found & _SEGMENTS):
        return -1
    return 2.0 if found & _SEGMENTS else 0.0
