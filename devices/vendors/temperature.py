"""Converts sensors' temperatures and rejects values that no household fridge or freezer has. Pure."""

from devices.strict_json import MalformedPayload, number

# A household's freezer goes down to -30 °C, and no kitchen is warmer than 60 °C. A value outside is a sensor's fault: a
# DS18B20 reports -127 when it is torn off and 85 when it has just started, Zigbee's "not measured" (0x8000) is -327.68.
COLDEST_C, WARMEST_C = -45.0, 60.0


def plausible_celsius(value: object, unit: object) -> float | None:
    """Return `value`, in degrees of `unit` (C or F), as degrees Celsius.

    Return None if it is no number, has no known unit, or is outside the plausible range.
    """
    try:
        degrees = number(value, "temperature")
    except MalformedPayload:
        return None
    if unit not in ("C", "F"):
        return None
    celsius = degrees if unit == "C" else round((degrees - 32) * 5 / 9, 2)
    return celsius if COLDEST_C <= celsius <= WARMEST_C else None
