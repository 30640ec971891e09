"""The household's page about its cars: where each must stand, on a drawing that no map service makes."""

import math

from aiohttp import web
from pydantic import ValidationError

from gateway.config import editor
from gateway.config.editor import EditRejected
from gateway.domain.visit.closures import CarBoot
from gateway.domain.visit.fence import Fence
from gateway.system.i18n import Text, _
from gateway.web.auth.accounts import CurrentUser
from gateway.web.auth.roles import UserRight
from gateway.web.server.car_view import car_boots, show_car, with_age
from gateway.web.server.page import Page, form_texts, get, post

CARS_PATH = "/cars"
MAX_AGE_TO_SET_S = 300.0  # seconds: an older position is no place to set a fence at
MAX_ACCURACY_TO_SET_M = 50.0
DECIMALS = 5  # of a degree in the house file: about a metre

NUMBERS = _("Write numbers: degrees with a point, metres and seconds without.")
NO_YOUNG_FIX = _(
    "The car has no position that is young and exact enough. Wait until it stands in the open, or write it."
)
OUT_OF_RANGE = _("The radius is 15 to 500 metres, the age 10 to 300 seconds, the place a place on earth.")
WRITTEN = _("Written. The box reads the changed house. A moment, please.")


class CarsPage(Page):
    """The page of the cars."""

    @get(CARS_PATH, UserRight.SEE_HISTORY)
    async def _page(
        self, request: web.Request, _user: CurrentUser, *, notice: Text | None = None, error: Text | None = None
    ) -> web.Response:
        last, mono = self._services.positions(), self._now.mono
        cars = [
            show_car(entrance, boot, last.get(boot.devices.get("place", "")), mono)
            for entrance, boot in car_boots(self._home)
        ]
        return self._render_page(
            request, "cars", status=200 if error is None else 422, page=CARS_PATH, notice=notice, error=error, cars=cars
        )

    @post(f"{CARS_PATH}/{{entrance}}/{{closure}}", UserRight.ENROL)
    async def _set_fence(self, request: web.Request, user: CurrentUser) -> web.Response:
        """Write where a car must stand into the house file: the owner's numbers, or where the car is now."""
        entrance, ident = request.match_info["entrance"], request.match_info["closure"]
        boot = next((one for name, one in car_boots(self._home) if (name, one.id) == (entrance, ident)), None)
        if boot is None:
            raise web.HTTPNotFound
        fence = self._fence(boot, await form_texts(request))
        error = await self._authorizer.password_error(request, user)
        if error is not None or isinstance(fence, Text):
            return await self._page(request, user, error=error if not isinstance(fence, Text) else fence)
        section = fence.model_dump(mode="json")
        try:
            await self._services.home_file_writer.write(
                lambda text, file: editor.with_fence(text, file, entrance, ident, section)
            )
        except (EditRejected, OSError) as problem:
            return await self._page(request, user, error=_("Not done: {why}", why=str(problem)))
        return await self._page(request, user, notice=WRITTEN)

    def _fence(self, boot: CarBoot, form: dict[str, str]) -> Fence | Text:
        """Return the fence that a form describes, or why it describes none."""
        values: dict[str, float] = {}
        wanted = ("radius", "fix_age") if form.get("do") == "here" else ("latitude", "longitude", "radius", "fix_age")
        for name in wanted:
            try:
                values[name] = float(form.get(name, "").replace(",", "."))
            except ValueError:
                return NUMBERS
        if form.get("do") == "here":
            here = self._present_place(boot)
            if here is None:
                return NO_YOUNG_FIX
            values |= here
        try:
            return Fence.model_validate(values)
        except ValidationError:
            return NUMBERS if not all(map(math.isfinite, values.values())) else OUT_OF_RANGE

    def _present_place(self, boot: CarBoot) -> dict[str, float] | None:
        """Return where the car is, if it said so a short while ago and is sure of it."""
        last = self._services.positions().get(boot.devices.get("place", ""))
        if last is None or last.report.age_s is None or last.report.accuracy_m is None:
            return None
        now = with_age(last.report, last.report.age_s + self._now.mono - last.heard_mono)
        is_sure = (now.age_s or 0.0) <= MAX_AGE_TO_SET_S and (now.accuracy_m or 0.0) <= MAX_ACCURACY_TO_SET_M
        if not is_sure or now.latitude is None or now.longitude is None:
            return None
        return {"latitude": round(now.latitude, DECIMALS), "longitude": round(now.longitude, DECIMALS)}
