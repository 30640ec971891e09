"""Lists the numbers of Matter that Perron uses: clusters, attributes, commands, events, and values.

Source: the Matter Application Cluster Specification 1.5 (Connectivity Standards Alliance); each number was compared
with the standard model in `@matter/model` 0.17.9. They stand here only: drafts renumbered Closure Control twice.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from devices.reports import BatteryLevel, LockState, OperationError, OperationSource

DOOR_LOCK: Final = 0x0101
CLOSURE_CONTROL: Final = 0x0104
BOOLEAN_STATE: Final = 0x0045  # of a contact sensor: true means closed
TEMPERATURE_MEASUREMENT: Final = 0x0402
REFRIGERATOR_ALARM: Final = 0x0057
POWER_SOURCE: Final = 0x002F
DESCRIPTOR: Final = 0x001D
DEVICE_TYPE_LIST: Final = 0
PARTS_LIST: Final = 3
DEVICE_TYPE: Final = 0  # field of a structure of that list
BRIDGED_NODE: Final = 0x0013  # a device type: a device of another kind that a bridge carries
OPERATIONAL_CREDENTIALS: Final = 0x003E
BASIC_INFORMATION: Final = 0x0028

FEATURE_MAP: Final = 0xFFFC  # a global attribute: each cluster has it
UNBOLTING: Final = 1 << 12  # feature of a door lock: it can withdraw the bolt without pulling the latch

# Attributes
LOCK_STATE: Final = 0
MAIN_STATE, OVERALL_CURRENT_STATE, OVERALL_TARGET_STATE = 1, 3, 4
STATE_VALUE: Final = 0
MEASURED_VALUE: Final = 0  # in 0.01 degrees Celsius; null: not known
ALARM_STATE: Final = 2
BATTERY_PERCENT_REMAINING, BATTERY_CHARGE_LEVEL = 12, 14  # the first in half percents
CURRENT_FABRIC_INDEX: Final = 5
VENDOR_NAME, PRODUCT_NAME, NODE_LABEL = 1, 3, 5

# Fields of OverallCurrentState and OverallTargetState
POSITION, SECURE_STATE = "0", "3"
FULLY_CLOSED: Final = 0
OPEN_POSITIONS: Final = frozenset({1, 2, 3, 4, 5})
STOPPED, MOVING, WAITING_FOR_MOTION = 0, 1, 2  # of MainState; any other one is no state in which a position counts
MOVE_TO_FULLY_CLOSED, MOVE_TO_FULLY_OPEN = 0, 1
DOOR_OPEN_ALARM: Final = 1  # bit of a refrigerator's alarms

# Events of a door lock
DOOR_LOCK_ALARM, LOCK_OPERATION, LOCK_OPERATION_ERROR = 0, 2, 3
LOCK_JAMMED: Final = 0
LOCK, UNLOCK, NON_ACCESS_USER_EVENT, FORCED_USER_EVENT, UNLATCH = 0, 1, 2, 3, 4

LOCK_STATES: Mapping[int, LockState] = MappingProxyType({
    0: LockState.NOT_FULLY_LOCKED, 1: LockState.LOCKED, 2: LockState.UNLOCKED, 3: LockState.UNLATCHED,
})  # fmt: skip
OPERATIONS: Mapping[int, LockState] = MappingProxyType({
    LOCK: LockState.LOCKED, UNLOCK: LockState.UNLOCKED, UNLATCH: LockState.UNLATCHED,
})  # fmt: skip
SOURCES: Mapping[int, OperationSource] = MappingProxyType({
    0: OperationSource.UNSPECIFIED, 1: OperationSource.MANUAL, 2: OperationSource.PROPRIETARY_REMOTE,
    3: OperationSource.KEYPAD, 4: OperationSource.AUTO, 5: OperationSource.BUTTON, 6: OperationSource.SCHEDULE,
    7: OperationSource.REMOTE, 8: OperationSource.RFID, 9: OperationSource.BIOMETRIC, 10: OperationSource.ALIRO,
})  # fmt: skip
OPERATION_ERRORS: Mapping[int, OperationError] = MappingProxyType({
    0: OperationError.UNSPECIFIED, 1: OperationError.INVALID_CREDENTIAL, 2: OperationError.DISABLED_USER_DENIED,
    3: OperationError.RESTRICTED, 4: OperationError.INSUFFICIENT_BATTERY,
})  # fmt: skip
CHARGE_LEVELS: Mapping[int, BatteryLevel] = MappingProxyType({
    0: BatteryLevel.GOOD, 1: BatteryLevel.LOW, 2: BatteryLevel.CRITICAL,
})  # fmt: skip
