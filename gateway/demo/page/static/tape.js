// The tape of a run: what the page shows is recorded as it comes, so that it can be paused, gone back in and seen again.
// While nothing is held, the newest is shown. The run itself goes on: nothing here stops the house.
const LEAP_BACK = 6000; // milliseconds, in a scene without chapters
const AT_BEGINNING = 1500; // milliseconds after a chapter's beginning within which "back" means the chapter before

export class Tape {
  // `show(snapshot, mode)` is called with each snapshot to be seen; mode: live, paused, replay
  constructor(show) {
    this.show = show;
    this.entries = []; // { at, now }, the run's snapshots by milliseconds since it began
    this.mode = "live";
    this.position = 0; // milliseconds; where a viewer who does not see it live is
    this.until = null; // milliseconds at which a chapter that was asked for is over
    this.ahead = 0; // how far the page's clock is ahead of the tape's
    this.looked = 0;
    setInterval(() => this.tick(), 50);
  }

  add(entries, now) {
    this.ahead = Date.now() - now;
    for (const { at, whole, now: changes } of entries) {
      const before = this.entries.at(-1)?.now;
      if (whole && before && changes.run !== before.run) { this.entries = []; this.mode = "live"; }
      this.entries.push({ at, now: whole ? changes : { ...before, ...changes } });
    }
    if (entries.length && this.mode === "live") this.look();
  }

  get newest() { return this.entries.at(-1)?.now ?? null; }
  get isOver() { return this.newest?.stage === "over" || this.newest?.stage === "rest"; }
  get end() { return this.isOver ? this.entries.at(-1).at : Date.now() - this.ahead; }
  get behind() { return this.mode === "live" ? 0 : Math.max(0, this.end - this.position); }
  get shown() { return this.mode === "live" ? this.newest : this.entryAt(this.position)?.now ?? null; }
  get began() { return Date.parse(this.newest?.began ?? ""); }

  entryAt(position) { return this.entries.findLast((one) => one.at <= position) ?? this.entries[0]; }

  look() { if (this.shown) this.show(this.shown, this.mode); }

  tick() {
    const passed = Date.now() - this.looked;
    this.looked = Date.now();
    if (this.mode !== "replay") return;
    const before = this.entryAt(this.position);
    this.position += passed;
    if (this.position >= (this.until ?? Infinity) || (this.isOver && this.position >= this.end)) { this.goLive(); return; }
    if (this.entryAt(this.position) !== before) this.look();
  }

  goLive() { this.mode = "live"; this.until = null; this.look(); }

  pause() {
    if (this.mode === "live") this.position = this.end;
    this.mode = "paused";
    this.until = null;
    this.look();
  }

  play(from = this.position, until = null) {
    this.position = from;
    this.until = until;
    this.looked = Date.now();
    this.mode = "replay";
    this.look();
  }

  toggle() { if (this.mode === "paused") this.play(); else this.pause(); }

  // where each chapter begins, by its number; a chapter that has not come yet has no entry
  get chapters() {
    const found = new Map();
    for (const { at, now } of this.entries) if (now.says?.chapter && !found.has(now.says.chapter)) found.set(now.says.chapter, at);
    return found;
  }

  // `only`: show this chapter alone, then what was shown before it
  playChapter(number, only = false) {
    const found = this.chapters;
    if (!found.has(number)) return;
    const after = [...found.values()].filter((at) => at > found.get(number));
    this.play(found.get(number), only ? Math.min(this.end, ...after) : null);
  }

  back() {
    const here = this.mode === "live" ? this.end : this.position;
    const starts = [...this.chapters.values()].filter((at) => at <= here - AT_BEGINNING);
    this.play(starts.length ? starts.at(-1) : Math.max(0, here - LEAP_BACK));
  }
}
