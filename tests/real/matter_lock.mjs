// A virtual Matter lock, contact and thermometer (@matter/main): ordered by JSON lines on stdin, it tells what it was asked to do.
import { Endpoint, Environment, ServerNode, VendorId } from "@matter/main";
import { BridgedDeviceBasicInformationServer } from "@matter/main/behaviors/bridged-device-basic-information";
import { DoorLockServer } from "@matter/main/behaviors/door-lock";
import { DoorLock } from "@matter/main/clusters/door-lock";
import { ContactSensorDevice } from "@matter/main/devices/contact-sensor";
import { DoorLockDevice } from "@matter/main/devices/door-lock";
import { TemperatureSensorDevice } from "@matter/main/devices/temperature-sensor";
import { AggregatorEndpoint } from "@matter/main/endpoints/aggregator";
import { Bytes } from "@matter/general";
import { TestCert_PAA_NoVID_Cert } from "@matter/protocol";
import { writeFileSync } from "node:fs";
import readline from "node:readline";

const [port, storage, authority, plain] = process.argv.slice(2);
writeFileSync(authority, TestCert_PAA_NoVID_Cert); // who certified this lock: a test authority of the standard's own
Environment.default.vars.set("storage.path", storage);
Environment.default.vars.set("log.level", "error");
const say = what => process.stdout.write(JSON.stringify(what) + "\n");

const FEATURES = ["PinCredential", "CredentialOverTheAirAccess", "User", "YearDayAccessSchedules", "DoorPositionSensor", "AliroProvisioning"];
class Lock extends DoorLockServer.with(...FEATURES, ...(plain ? [] : ["Unbolting"])) {
    unlockDoor(request) { say({ invoked: "UnlockDoor" }); return super.unlockDoor(request); }
    unboltDoor(request) { say({ invoked: "UnboltDoor" }); return super.unboltDoor(request); }
    lockDoor(request) { say({ invoked: "LockDoor" }); return super.lockDoor(request); }
}

// The lock's keypad: what it does with a PIN that somebody outside types; the PIN is looked up where the lock stores it.
function typeAtKeypad(agent, typed) {
    const { auth, events, state } = agent.doorLock, pin = new TextEncoder().encode(typed), kind = DoorLock.CredentialType.Pin;
    const used = auth.credentials.find(one => one.credentialType === kind && Bytes.areEqual(auth.decrypt(one.credentialData), pin));
    const said = { lockOperationType: 1, operationSource: 3, fabricIndex: null, sourceNode: null };
    if (used === undefined) return events.lockOperationError.emit({ ...said, operationError: 1, userIndex: null, credentials: null }, agent.context);
    state.lockState = DoorLock.LockState.Unlocked;
    const { credentialIndex } = used;
    const userIndex = auth.findUserIndexForCredential(kind, credentialIndex);
    events.lockOperation.emit({ ...said, userIndex, credentials: [{ credentialType: kind, credentialIndex }] }, agent.context);
}

const node = await ServerNode.create({
    id: "lock",
    network: { port: Number(port) },
    commissioning: { passcode: 20202021, discriminator: 3840 },
    productDescription: { name: "Virtual lock", deviceType: 0x000a },
    basicInformation: {
        vendorName: "Test", vendorId: VendorId(0xfff1), productName: "Virtual lock", productId: 0x8000,
        serialNumber: "lock-1", uniqueId: "lock-1",
    },
});
const lock = new Endpoint(DoorLockDevice.with(Lock), {
    id: "lock",
    doorLock: {
        lockState: DoorLock.LockState.Locked, lockType: DoorLock.LockType.DeadBolt, actuatorEnabled: true,
        operatingMode: DoorLock.OperatingMode.Normal, doorState: DoorLock.DoorState.DoorClosed,
        supportedOperatingModes: { vacation: true, privacy: true, passage: true, alwaysSet: 2047 },
        numberOfTotalUsersSupported: 10, numberOfPinUsersSupported: 10, minPinCodeLength: 4, maxPinCodeLength: 8,
        numberOfCredentialsSupportedPerUser: 3, credentialRulesSupport: { single: true },
        numberOfYearDaySchedulesSupportedPerUser: 4, requirePinForRemoteOperation: false, sendPinOverTheAir: false,
        wrongCodeEntryLimit: 5, userCodeTemporaryDisableTime: 10,
        aliroReaderVerificationKey: null, aliroReaderGroupIdentifier: null,
        aliroReaderGroupSubIdentifier: new Uint8Array(16), aliroExpeditedTransactionSupportedProtocolVersions: [],
        numberOfAliroCredentialIssuerKeysSupported: 10, numberOfAliroEndpointKeysSupported: 10,
    },
});
const contact = new Endpoint(ContactSensorDevice, { id: "contact", booleanState: { stateValue: true } });
const air = new Endpoint(TemperatureSensorDevice, {
    id: "air", temperatureMeasurement: { measuredValue: 412, minMeasuredValue: -4000, maxMeasuredValue: 8500 },
});
const endpoints = { lock, contact, air };
for (const endpoint of Object.values(endpoints)) await node.add(endpoint);
const bridge = new Endpoint(AggregatorEndpoint, { id: "bridge" }); // a contact of another radio behind it
await node.add(bridge);
await bridge.add(new Endpoint(ContactSensorDevice.with(BridgedDeviceBasicInformationServer), {
    id: "behind", booleanState: { stateValue: true },
    bridgedDeviceBasicInformation: { nodeLabel: "Behind", uniqueId: "behind-1", reachable: true },
}));
await node.start();
say({ started: true });

for await (const line of readline.createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    if (order.set) await endpoints[order.on].set(order.set);
    if (order.turn !== undefined) {
        await lock.act(agent => {
            agent.doorLock.state.lockState = order.turn;
            agent.doorLock.events.lockOperation.emit({
                lockOperationType: order.turn === DoorLock.LockState.Locked ? 0 : 1, operationSource: order.source,
                userIndex: order.user ?? null, fabricIndex: null, sourceNode: null, credentials: null,
            }, agent.context);
        });
    }
    if (order.type !== undefined) await lock.act(agent => typeAtKeypad(agent, order.type));
    if (order.alarm !== undefined) {
        await lock.act(agent => agent.doorLock.events.doorLockAlarm.emit({ alarmCode: order.alarm }, agent.context));
    }
    say({ did: order });
}
