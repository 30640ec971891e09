// Preloaded into Node-RED: every connection sends small packets at once (TCP_NODELAY), which mqtt.js leaves to Nagle.
const { Socket } = require("node:net");
const connect = Socket.prototype.connect;
Socket.prototype.connect = function (...words) {
  return connect.apply(this, words).setNoDelay(true);
};
