// A robot on vda-5050-lib, a client that nobody here wrote. It speaks version 2; what version 3 adds is said as the
// library allows: topics of its own (`registerExtensionTopic`) and states that it does not validate.
//
// Each line of standard input is {"state": {...}} to publish, or {"claims": {...}} to sign and publish as its identity.
// Each line of standard output is what it received: {"topic": ..., "body": {...}}.

import { createPrivateKey, sign } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.env.VDA5050}/`);
const { AgvClient, Topic } = require("vda-5050-lib");
const settings = JSON.parse(process.env.ROBOT);
const key = createPrivateKey({ key: Buffer.from(settings.key, "base64"), format: "der", type: "pkcs8" });
const robot = new AgvClient({ manufacturer: settings.manufacturer, serialNumber: settings.serialNumber }, {
  interfaceName: "vda5050",
  vdaVersion: "2.0.0",
  topicObjectValidation: { inbound: false, outbound: false },
  transport: {
    brokerUrl: settings.broker, username: settings.username, password: settings.password, reconnectPeriod: 0,
    topicFormat: "%interfaceName%/v3/%manufacturer%/%serialNumber%/%topic%",
  },
});
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const say = (topic) => (body) => process.stdout.write(`${JSON.stringify({ topic, body })}\n`);

for (const topic of ["responses", "perronChallenge"]) robot.registerExtensionTopic(topic, true, false, () => undefined);
robot.registerExtensionTopic("perronIdentity", false, true, () => undefined);
await robot.start();
for (const topic of ["responses", "perronChallenge"]) await robot.subscribe(topic, say(topic));
say("started")({});

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.state) await robot.publish(Topic.State, order.state);
  if (order.claims) {
    const signed = `${part({ alg: "Ed25519", kid: settings.kid, typ: "perron-robot+jwt" })}.${part(order.claims)}`;
    const token = `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
    await robot.publish("perronIdentity", { token });
  }
}
await robot.stop();
