"""Describes the cameras of an entrance for a page: their names for people, and the still before the live picture."""

from datetime import datetime

from gateway.config.device_names import device_names
from gateway.config.home import EntranceSection
from gateway.domain.frozen import Frozen
from gateway.evidence.documents.photos import PhotoMoment
from gateway.evidence.thumbnails import kept_thumbnails
from gateway.web.server.context import GatewayServices, Viewer


class Still(Frozen):
    """A picture of the last visit: its address, the visit, and when that began (UTC)."""

    address: str
    visit: str
    at: datetime


class CameraFigure(Frozen):
    """One camera on a page."""

    name: str
    label: str
    is_private: bool  # it sees the inside, and may be watched only while a visit runs
    off_until: datetime | None  # guests stay: it sees the inside, and is off until then (UTC)
    is_available: bool  # it may be watched now
    still: Still | None


def camera_figures(services: GatewayServices, entrance: str, viewer: Viewer) -> tuple[CameraFigure, ...]:
    """Return the cameras of an entrance, those that see the person at the door first; none without the right."""
    if not viewer.may("watch_live"):
        return ()
    section = services.home.entrances[entrance]
    labels, always = device_names(services.home, viewer.language), services.store.privacy.inside_always()
    stills = last_stills(services, entrance) if viewer.may("see_history") else {}
    return tuple(
        CameraFigure(
            name=name,
            label=labels[name],
            is_private=services.is_inside(name) and not always,
            off_until=services.off_until(name),
            is_available=services.may_be_watched(name),
            still=stills.get(_moment_of(section, name)),
        )
        for name in section.film_cameras
    )


def _moment_of(section: EntranceSection, camera: str) -> PhotoMoment | None:
    """Return the moment whose picture is this camera's; None: that of no moment is surely."""
    if camera == section.door_camera:
        return PhotoMoment.ARRIVAL
    return PhotoMoment.CARRYING if camera == next(iter(section.cameras.inside), None) else None


def last_stills(services: GatewayServices, entrance: str) -> dict[PhotoMoment | None, Still]:
    """Return the pictures of the last sealed visit at an entrance whose film is kept, by their moments."""
    film = services.store.recordings.last_sealed_film(entrance)
    if film is None:
        return {}
    return {
        moment: Still(address=f"/history/{film.visit}/thumbnail?moment={moment}", visit=film.visit, at=film.began)
        for moment in kept_thumbnails(services.films_folder, film.visit)
    }
