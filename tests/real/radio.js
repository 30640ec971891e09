// A radio for a real Zigbee2MQTT: loaded before it (node --require), it takes the place of its serial adapter. One lock
// on the air, told over stdin what to do, one JSON line each: {"asleep": true} (or the reason), {"turn": "unlock"}, {"battery": 42}.
"use strict";
const path = require("node:path");
const readline = require("node:readline");

const herdsman = path.dirname(require.resolve("zigbee-herdsman/package.json", {paths: [process.env.Z2M_FOLDER]}));
const {Adapter} = require(path.join(herdsman, "dist/adapter/adapter.js"));
const Zcl = require(path.join(herdsman, "dist/zspec/zcl"));
const DOOR_LOCK = 0x0101;
const POWER = 0x0001;
const LOCK = {ieee: "0x000d6f00055a1b01", address: 0x1234};
const LOCKED = 1;
const UNLOCKED = 2;

class Radio extends Adapter {
    state = LOCKED;
    asleep = false;
    mute = false; // it moves and reports nothing
    tsn = 1;
    async start() {
        readline.createInterface({input: process.stdin}).on("line", (line) => this.told(JSON.parse(line)));
        return "resumed";
    }
    async stop() {}
    async getCoordinatorIEEE() { return "0x00124b0024c2e4f1"; }
    async getCoordinatorVersion() { return {type: "none", meta: {}}; }
    async reset() {}
    async supportsBackup() { return false; }
    async backup() { throw new Error("no backup"); }
    async getNetworkParameters() { return {panID: 0x1a62, extendedPanID: "0xdddddddddddddddd", channel: 11, nwkUpdateID: 0}; }
    async addInstallCode() {}
    waitFor() { return {promise: new Promise(() => {}), cancel: () => {}}; }
    async sendZdo() { return [0, undefined]; }
    async permitJoin() {}
    async sendZclFrameToGroup() {}
    async sendZclFrameToAll() {}

    said(frame) {
        return {
            clusterID: frame.cluster.ID, data: frame.toBuffer(), header: frame.header, address: LOCK.address, endpoint: 1,
            linkquality: 120, groupID: 0, wasBroadcast: false, destinationEndpoint: 1,
        };
    }
    global(command, cluster, payload, tsn) {
        const s2c = Zcl.Direction.SERVER_TO_CLIENT;
        return this.said(Zcl.Frame.create(Zcl.FrameType.GLOBAL, s2c, true, undefined, tsn, command, cluster, payload, {}));
    }
    specific(command, payload, tsn) {
        const s2c = Zcl.Direction.SERVER_TO_CLIENT;
        return this.said(Zcl.Frame.create(Zcl.FrameType.SPECIFIC, s2c, true, undefined, tsn, command, DOOR_LOCK, payload, {}));
    }
    tell(payload) {
        this.emit("zclPayload", payload);
        return payload;
    }
    report(cluster, attrId, dataType, attrData) {
        this.tell(this.global("report", cluster, [{attrId, dataType, attrData}], this.tsn++ % 256));
    }
    move(state) {
        this.state = state;
        if (!this.mute) setTimeout(() => this.report(DOOR_LOCK, 0, Zcl.DataType.ENUM8, state), 50);
    }
    told(what) {
        if ("asleep" in what) this.asleep = what.asleep;
        if ("mute" in what) this.mute = what.mute;
        if ("battery" in what) this.report(POWER, 33, Zcl.DataType.UINT8, what.battery * 2);
        if ("turn" in what) {
            this.state = what.turn === "lock" ? LOCKED : UNLOCKED;
            const code = what.turn === "lock" ? 13 : 14;
            const event = {opereventsrc: 2, opereventcode: code, userid: 65535, pin: "", zigbeelocaltime: 0, data: ""};
            this.tell(this.specific("operationEventNotification", event, this.tsn++ % 256));
        }
    }
    async sendZclFrameToEndpoint(ieee, address, endpoint, frame, timeout) {
        if (typeof this.asleep === "string") throw new Error(this.asleep);
        if (this.asleep) throw new Error(`Timeout - ${address} - ${endpoint} - ${frame.header.transactionSequenceNumber} - ${frame.cluster.ID} - ${frame.command.ID} after ${timeout}ms`);
        const tsn = frame.header.transactionSequenceNumber;
        if (frame.header.isGlobal && frame.command.name === "read") {
            const answer = frame.payload.map((one) => frame.cluster.ID === DOOR_LOCK && one.attrId === 0
                ? {attrId: 0, status: 0, dataType: Zcl.DataType.ENUM8, attrData: this.state}
                : {attrId: one.attrId, status: 134});
            return this.tell(this.global("readRsp", frame.cluster.ID, answer, tsn));
        }
        if (frame.header.isGlobal && frame.command.name === "configReport") {
            return this.tell(this.global("configReportRsp", frame.cluster.ID, [{status: 0}], tsn));
        }
        if (frame.header.isSpecific && frame.cluster.ID === DOOR_LOCK) {
            const {name} = frame.command;
            if (name === "lockDoor" || name === "unlockDoor") {
                this.move(name === "lockDoor" ? LOCKED : UNLOCKED);
                return this.tell(this.specific(`${name}Rsp`, {status: 0}, tsn));
            }
        }
        return this.tell(this.global("defaultRsp", frame.cluster.ID, {cmdId: frame.command.ID, statusCode: 0}, tsn));
    }
}

Adapter.create = async (network, serial, backup, options) => new Radio(network, serial, backup, options);
