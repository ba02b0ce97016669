// Goes through the states of the watch page, so that each can be looked at.
import { Viewer, seconds } from "./viewer.mjs";

/** Long enough to be seen catching up. */
const MISSED_S = 15;

/**
 * Calls `visit(name, page)` in each state of the watch page of the Headwater at `base`, in pages of this Playwright browser.
 * `create(base, key, title)` makes a broadcast, `segments` are MPEG-TS of a recording, each `segment_s` long, `upright` those of
 * one by a phone held upright, and `settings` are those of a context.
 */
export async function tourWatch(browser, { base, ownerKey, settings = {}, create, segments, upright, segment_s }, visit) {
  const context = await browser.newContext(settings);
  const page = await context.newPage();
  const viewer = new Viewer(page);
  const make = async (title, recorded = segments) => {
    const made = await create(base, ownerKey, title);
    return new Phone(base, ownerKey, made, { segments: recorded, segment_s });
  };
  const tour = { page, viewer, make, upright, visit, watch: (id, query = "") => page.goto(`${base}/watch/${id}${query}`) };
  try {
    const { id } = await fromBeginningToEnd(tour);
    await recorded(tour, id);
    await notAllOfIt(tour);
    await heldUpright(tour);
    await tour.watch("01kjahrq000000000000000007");
    await viewer.until("word that there is none", ({ message, card }) => message === "no-such-broadcast" && card !== null);
    await visit("no-such-broadcast", page);
  } finally {
    await context.close();
  }
}

/** Publishes a recording as if it were captured now. */
class Phone {
  #seq = 0;
  #captured_ms = Date.now();
  #waiting = [];
  #isAway = false;
  #timer;

  constructor(base, ownerKey, { id, publish }, { segments, segment_s }) {
    Object.assign(this, { base, ownerKey, id, token: publish.token, segments, segment_ms: segment_s * 1000 });
  }

  start() {
    this.#captured_ms = Date.now();
    this.#timer = setInterval(() => void this.#capture(), this.segment_ms);
  }

  stop() {
    clearInterval(this.#timer);
  }

  /** The network is away; what is captured waits. */
  leave() {
    this.#isAway = true;
  }

  /** The newest first, as a publisher does. */
  async back() {
    this.#isAway = false;
    for (const one of this.#waiting.splice(0).reverse()) await this.put(one);
  }

  async put({ seq, captured_ms }) {
    const headers = { authorization: `Bearer ${this.token}`, "segment-captured-at": new Date(captured_ms).toISOString() };
    const answer = await fetch(`${this.base}/ingest/${this.id}/main/${seq}.ts`, { method: "PUT", headers, body: this.segments[seq] });
    if (!answer.ok) throw new Error(`segment ${seq}: ${answer.status} ${await answer.text()}`);
  }

  /** With all that was captured. */
  async end() {
    this.stop();
    await this.order("end", { last: { main: this.#seq - 1 } }, this.token);
  }

  async order(what, body = {}, bearer = this.ownerKey) {
    const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json" };
    const answer = await fetch(`${this.base}/v1/broadcasts/${this.id}/${what}`, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${what}: ${answer.status} ${await answer.text()}`);
  }

  async #capture() {
    const one = { seq: this.#seq++, captured_ms: this.#captured_ms };
    this.#captured_ms += this.segment_ms;
    if (one.seq >= this.segments.length) return this.stop();
    if (this.#isAway) this.#waiting.push(one);
    else await this.put(one);
  }
}

async function fromBeginningToEnd({ page, viewer, make, visit, watch }) {
  const phone = await make("Harbour cup, final");
  await watch(phone.id);
  await viewer.until("word that it has not started", ({ message, card }) => message === "not-started" && card !== null);
  await visit("not-started", page);
  phone.start();
  await viewer.untilPlaying(1);
  await visit("live", page);
  await page.keyboard.press("m");
  await page.locator(".hw-bar .hw-button[aria-expanded]").click();
  await visit("menu", page);
  await page.keyboard.press("Escape");
  phone.leave();
  await viewer.until("the interruption", ({ message, card }) => message === "interrupted" && card !== null);
  await visit("interrupted", page);
  await viewer.until("enough to be missed", ({ timer }) => seconds(timer) >= MISSED_S);
  await phone.back();
  await viewer.until("the offer", ({ offer, picture, card }) => offer !== null && picture === "moving" && card === null);
  await visit("offer", page);
  await viewer.press(".hw-missed");
  await viewer.until("catch-up", ({ following, picture, catchingUp }) => following === "catching-up" && picture === "moving" && catchingUp !== null);
  await visit("catching-up", page);
  await viewer.press(".hw-catching-up button");
  await viewer.until("live", ({ following, picture }) => following === "live" && picture === "moving");
  await page.context().setOffline(true);
  await viewer.until("word of the network", ({ standing, card }) => standing === "offline" && card !== null);
  await visit("offline", page);
  await page.context().setOffline(false);
  await viewer.until("the picture again", ({ standing, picture }) => standing === "live" && picture === "moving");
  await phone.order("pause");
  phone.stop();
  await viewer.until("the pause", ({ message, card }) => message === "paused" && card !== null);
  await visit("paused", page);
  await phone.end();
  await viewer.until("the end", ({ message, card }) => message === "complete" && card !== null);
  await visit("complete", page);
  return phone;
}

/** Its recording, a server that cannot give it, and one that was renewed meanwhile. */
async function recorded({ page, viewer, visit, watch }, id) {
  await watch(id);
  await viewer.untilPlaying(1);
  await visit("recording", page);
  await watch(id, "?autoplay=0");
  await page.locator(".hw-start").waitFor();
  await page.waitForFunction(() => document.querySelector(".hw-poster")?.naturalWidth > 0);
  await visit("start", page);
  await page.route("**/*.ts", (route) => route.fulfill({ status: 503 }));
  await watch(id);
  await viewer.until("the server's card", ({ message, card }) => message === "server" && card !== null);
  await visit("server", page);
  await page.unrouteAll();
  await page.route("**/assets/hls*.js", (route) => route.fulfill({ status: 404 }));
  await watch(id);
  await viewer.until("word that it is to be loaded again", ({ message, card }) => message === "renewed" && card !== null);
  await visit("renewed", page);
  await page.unrouteAll();
}

/** It has ended, and some of it is still on its way; or all of it. */
async function notAllOfIt({ page, viewer, make, visit, watch }) {
  const some = await make("Evening on the river");
  const captured_ms = Date.now() - 10_000;
  for (const seq of [0, 1, 3]) await some.put({ seq, captured_ms: captured_ms + seq * some.segment_ms });
  await some.order("end");
  await watch(some.id);
  await viewer.until("the end", ({ message, picture, card }) => message === "ended" && picture === "ended" && card !== null);
  await visit("ended", page);
  const none = await make("Lecture 7");
  await none.order("end");
  await watch(none.id);
  await viewer.until("word that nothing came", ({ message, card }) => message === "nothing-recorded" && card !== null);
  await visit("nothing-recorded", page);
}

/** By a phone held upright: live, and what lies over the picture. */
async function heldUpright({ page, viewer, make, upright, visit, watch }) {
  const phone = await make("Along the towpath", upright);
  phone.start();
  await watch(phone.id);
  await viewer.untilPlaying(1);
  await visit("upright", page);
  phone.leave();
  await viewer.until("the interruption", ({ message, card }) => message === "interrupted" && card !== null);
  await visit("upright-interrupted", page);
  await viewer.until("enough to be missed", ({ timer }) => seconds(timer) >= MISSED_S);
  await phone.back();
  await viewer.until("the offer", ({ offer, picture, card }) => offer !== null && picture === "moving" && card === null);
  await visit("upright-offer", page);
  await phone.end();
  await viewer.until("the end", ({ message, card }) => message === "complete" && card !== null);
  await visit("upright-complete", page);
}
