// A page before one is in, or for somebody outside: nothing follows the house here, only a visit can be replayed.
const replay = document.getElementById("replay");
if (replay) (await import("./replay.js")).startReplay(replay);
