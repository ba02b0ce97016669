// The publish page at work in a Chromium with a fake camera, whose profile outlives it.
// usage: node publish_page.mjs CHROMIUM URL PROFILE SCENARIO [WATCH_URL]
// Says on a line of its own what is reached, for whoever breaks the network then, and in the end, as JSON, what was seen.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Encoded } from "./encoded.mjs";
import { Viewer, seconds } from "./viewer.mjs";

const [executablePath, url, profile, scenario, watchUrl] = process.argv.slice(2);
const FLAGS = [
  "--autoplay-policy=no-user-gesture-required",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--headless=new",
  "--no-first-run",
  "--no-sandbox",
  "--remote-debugging-port=0",
  "--use-fake-device-for-media-stream=device-count=2",
  "--use-fake-ui-for-media-stream",
  "--window-size=390,844",
];
/** How long anything may take that needs no outage. */
const SOON_MS = 40_000;
/** How long it is recorded without a network. */
const OUTAGE_S = 40;
const SHORT_OUTAGE_S = 8;
/** Chromium writes to a file only while there is a mebibyte of room. */
const ROOM_BYTES = (1 << 20) + 100_000;

const complaints = [];
/** What the browser has asked: whether to leave, by its type. */
const dialogs = [];
const encoded = new Encoded(join(profile, "encoded"));
const say = (what) => console.log(what);

/** A browser of its own process group, so that all of it can be killed at once. */
async function openBrowser() {
  const child = spawn(executablePath, [...FLAGS, `--user-data-dir=${profile}`, "about:blank"], { detached: true, stdio: ["ignore", "ignore", "pipe"] });
  const kill = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  };
  process.once("exit", kill);
  // Nor does it outlive us when we are killed: the end of this pipe is then all that tells.
  const guard = spawn("/bin/sh", ["-c", `read -r _; kill -KILL -- -${child.pid}`], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  child.once("exit", () => guard.kill());
  const address = await new Promise((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (text) => {
      said += text;
      const found = /DevTools listening on (\S+)/.exec(said);
      if (found) resolve(found[1]);
    });
    child.once("exit", () => reject(new Error(`Chromium does not start: ${said}`)));
  });
  const browser = await chromium.connectOverCDP(address);
  const [context] = browser.contexts();
  await encoded.watch(context);
  // Small pictures: this machine has other work too.
  await context.addInitScript(() => localStorage.setItem("publish-choice", JSON.stringify({ quality: "360" })));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  return { browser, context, kill: () => (kill(), ended) };
}

async function openPage(context, address) {
  const page = await context.newPage();
  page.setDefaultTimeout(SOON_MS);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => {
    dialogs.push(dialog.type());
    void dialog.accept();
  });
  await page.goto(address);
  await page.waitForSelector('main[data-stage="ready"]');
  // Nobody presses before there is something to be seen.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  return page;
}

const line = (page) => page.textContent(".line");
const until = (page, state, timeout = SOON_MS) => page.waitForSelector(`main[data-state="${state}"]`, { timeout });
const spool = (page) => page.evaluate(() => window.publisher.model.keeper.spools[0]);

/** Until this much waits to be sent. */
async function untilWaiting(page, seconds) {
  const waits = (s) => (window.publisher.model.keeper?.spools[0]?.owed.duration_ms ?? 0) >= s * 1000;
  await page.waitForFunction(waits, seconds, { timeout: (seconds + 40) * 1000 });
}

async function untilNothingWaits(page) {
  const isSent = () => window.publisher.model.keeper?.spools[0]?.owed.segments === 0;
  await page.waitForFunction(isSent, null, { timeout: 90_000 });
}

async function untilRecorded(page, segments) {
  const has = (count) => window.publisher.model.keeper?.spools[0]?.recorded.segments >= count;
  await page.waitForFunction(has, segments, { timeout: SOON_MS });
}

/** Takes the room away, until something waits for it in memory. */
async function untilNothingFits(page, context) {
  const devtools = await context.newCDPSession(page);
  const { origin } = new URL(url);
  const { usage } = await devtools.send("Storage.getUsageAndQuota", { origin });
  await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: usage + ROOM_BYTES });
  const isFull = () => window.publisher.model.keeper.storage.waiting > 100_000;
  await page.waitForFunction(isFull, null, { timeout: SOON_MS });
}

/** Until viewers are told that the broadcast stands so. */
async function untilTold(page, state) {
  const isTold = async (state) => {
    const { id } = window.publisher.model.keeper.spools[0];
    return (await (await fetch(`/v1/broadcasts/${id}`, { cache: "no-store" })).json()).state === state;
  };
  await page.waitForFunction(isTold, state, { timeout: SOON_MS, polling: 200 });
}

async function goLive(page) {
  await page.click(".red");
  await until(page, "live");
  await untilRecorded(page, 2);
}

async function end(page) {
  await page.click(".red");
  await page.click("dialog .danger");
  await until(page, "done", 90_000);
}

/** What the spool held, by number and digest. */
const report = (page) => page.evaluate(() => window.publisher.report(window.publisher.model.keeper.spools[0].id));

/** Somebody else's browser, as good as. */
async function watch(browser) {
  const page = await (await browser.newContext()).newPage();
  page.on("pageerror", (error) => complaints.push(`viewer: ${error}`));
  await page.goto(watchUrl);
  return new Viewer(page);
}

/** Runs in the page: a camera that is drawn, and can be turned and taken away. */
function drawnCamera() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
  const pen = canvas.getContext("2d");
  window.drawn = { isAway: false, turn: () => Object.assign(canvas, { width: 360, height: 640 }) };
  let n = 0;
  setInterval(() => {
    if (window.drawn.isAway) return;
    pen.fillStyle = `hsl(${(n += 7)} 80% 50%)`;
    pen.fillRect(0, 0, canvas.width, canvas.height);
  }, 50);
  const { mediaDevices } = navigator;
  const open = mediaDevices.getUserMedia.bind(mediaDevices);
  mediaDevices.getUserMedia = async (wanted) => {
    if (!wanted.video) return open(wanted);
    if (window.drawn.isAway) throw new DOMException("taken", "NotReadableError");
    const sound = wanted.audio ? (await open({ audio: wanted.audio })).getTracks() : [];
    return new MediaStream([...canvas.captureStream().getTracks(), ...sound]);
  };
}

/** Runs in the page: a phone whose battery is draining, which can be made hot, and which says what is asked of its screen. */
function phone() {
  const locks = [];
  const battery = Object.assign(new EventTarget(), { level: 0.42, charging: false });
  window.phone = { locks, drain: (level) => Object.assign(battery, { level }).dispatchEvent(new Event("levelchange")) };
  navigator.getBattery = () => Promise.resolve(battery);
  WakeLock.prototype.request = (type) => {
    const lock = { type, released: false, release: () => Promise.resolve((lock.released = true)) };
    locks.push(lock);
    return Promise.resolve(lock);
  };
  window.PressureObserver = class {
    constructor(tell) {
      window.phone.heat = (state) => tell([{ state }]);
    }
    observe = () => Promise.resolve();
    disconnect = () => undefined;
  };
}

/** What a tab says of a broadcast that another one has. */
const HELD = '.left [data-state="held"]';
const INTERRUPTED = '.left [data-state="interrupted"]';

/** Asks for it. */
async function askFor(page) {
  await page.bringToFront();
  await page.click(`${HELD} .primary`);
}

/** In the page: how a question comes that is asked unasked. */
function noteHowItAsks() {
  const watch = new MutationObserver(() => {
    const dialog = document.querySelector("dialog[open]");
    if (dialog) window.unasked ??= `${dialog.role}, yes ${dialog.querySelector("[value=yes]").disabled ? "not yet" : "at once"}`;
  });
  watch.observe(document.body, { childList: true });
}

async function answerTo(page, answer) {
  await page.bringToFront();
  const asks = await page.textContent("dialog[open] h2");
  await page.click(`dialog[open] button[value=${answer}]`);
  return { asks, unasked: await page.evaluate(() => window.unasked) };
}

async function goOn(page) {
  await page.bringToFront();
  await page.click(`${INTERRUPTED} .primary`);
  await until(page, "live");
  await untilRecorded(page, (await spool(page)).recorded.segments + 2);
}

const SCENARIOS = {
  /** Two tabs of one broadcast: it goes from one to the other, and where it is recorded to, only if that is agreed to there. */
  async take_over({ context }) {
    const said = (page, text) => page.waitForFunction(([held, text]) => document.querySelector(`${held} p`)?.textContent.includes(text), [HELD, text]);
    const first = await openPage(context, url);
    await goLive(first);
    await first.evaluate(noteHowItAsks);
    let second = await openPage(context, url);
    await second.waitForSelector(HELD);
    await second.evaluate((held) => (window.told = document.querySelector(`${held} [role="status"]`)), HELD);
    await askFor(second);
    await said(second, "Answer there");
    const { asks, unasked } = await answerTo(first, "no");
    await said(second, "keeps it");
    // It is heard by those who do not see: the place where it is said stays.
    const heard = await second.evaluate(() => (window.told.isConnected ? window.told.textContent : "nothing"));
    await untilRecorded(first, (await spool(first)).recorded.segments + 1);
    // Whoever asks, and is gone, gets nothing.
    await askFor(second);
    await said(second, "Answer there");
    await first.waitForSelector("dialog[open]");
    await second.close();
    await first.bringToFront();
    await first.waitForSelector("dialog[open]", { state: "detached" });
    const kept = await first.evaluate(() => window.publisher.model.stage.kind);
    second = await openPage(context, url);
    await askFor(second);
    await answerTo(first, "yes");
    await second.waitForSelector(INTERRUPTED);
    await said(first, "has taken");
    const told = await first.textContent('.warnings [role="alert"] p');
    await goOn(second);
    // Whoever was waiting for it gets it when the page is reloaded, and gives it back without a word.
    encoded.breaksOff();
    await second.reload();
    await first.waitForSelector(INTERRUPTED);
    await askFor(second);
    await goOn(second);
    await said(first, "has taken");
    await end(second);
    return { words: { asks, unasked, heard, kept, told }, segments: await report(second) };
  },

  async straight({ context }) {
    const page = await openPage(context, url);
    await goLive(page);
    await untilRecorded(page, 4);
    const live = await line(page);
    await page.click('[aria-label="Pause"]');
    await until(page, "paused");
    await untilNothingWaits(page);
    await untilTold(page, "paused");
    await page.click('[aria-label="Resume"]');
    await until(page, "live");
    await untilRecorded(page, 7);
    // Another size is another format.
    await page.evaluate(() => window.publisher.choose({ quality: "540" }));
    await untilRecorded(page, 10);
    const camera = () => window.publisher.open.camera;
    const before = await page.evaluate(camera);
    await page.click('[aria-label="Switch camera"]');
    await page.waitForFunction((before) => window.publisher.open.camera !== before, before);
    await untilRecorded(page, 13);
    await end(page);
    const seen = { words: { live, done: await line(page) }, segments: await report(page) };
    // There is nothing to be warned of any more.
    await page.reload();
    return { ...seen, dialogs };
  },

  /** A link that does not carry what is recorded, however little that is; and then one that does. */
  async narrow({ context }) {
    const page = await openPage(context, url);
    await goLive(page);
    say("live");
    const isLeast = () => window.publisher.model.bitrate === 150_000;
    await page.waitForFunction(isLeast, null, { timeout: 90_000 });
    say("waited");
    await untilNothingWaits(page);
    await end(page);
    return { words: { done: await line(page) }, segments: await report(page) };
  },

  /** Where a camera's track cannot be read, as on every iPhone: what the preview shows is recorded. */
  async preview(opened) {
    await opened.context.addInitScript(() => delete window.MediaStreamTrackProcessor);
    return SCENARIOS.straight(opened);
  },

  /** The phone is turned while it records. */
  async turned({ context }) {
    await context.addInitScript(drawnCamera);
    const page = await openPage(context, url);
    await goLive(page);
    await untilRecorded(page, 4);
    const size = () => page.evaluate(() => window.publisher.model.size);
    const sizes = [await size()];
    await page.evaluate(() => window.drawn.turn());
    await page.waitForFunction(() => window.publisher.model.size?.height === 640);
    sizes.push(await size());
    await untilRecorded(page, (await spool(page)).recorded.segments + 3);
    await end(page);
    return { sizes, words: {}, segments: await report(page) };
  },

  /** Something else takes the camera for some time, and leaves the microphone. */
  async blind({ context }) {
    await context.addInitScript(drawnCamera);
    const page = await openPage(context, url);
    await goLive(page);
    await page.evaluate(() => (window.drawn.isAway = true));
    await page.waitForFunction(() => window.publisher.model.isBlind, null, { timeout: SOON_MS });
    const warned = await page.textContent('.warnings [role="alert"]');
    const before = (await spool(page)).recorded.segments;
    await untilRecorded(page, before + 5);
    const blind = await line(page);
    await page.evaluate(() => (window.drawn.isAway = false));
    await page.waitForFunction(() => !window.publisher.model.isBlind, null, { timeout: SOON_MS });
    await untilRecorded(page, (await spool(page)).recorded.segments + 3);
    await end(page);
    return { words: { warned, blind }, segments: await report(page) };
  },

  /** Whoever watches in a browser of their own is told of the outage, and sees later what was recorded in it. */
  async outage({ browser, context }) {
    const page = await openPage(context, url);
    await goLive(page);
    const viewer = await watch(browser);
    const playing = await viewer.untilPlaying(2);
    say("live");
    await until(page, "later");
    const later = await line(page);
    const told = await viewer.until("the message", ({ message, card }) => message === "interrupted" && card !== null);
    await untilWaiting(page, OUTAGE_S);
    const waited = await line(page);
    const counted = await viewer.until("a timer that counts", ({ message, timer }) => message === "interrupted" && seconds(timer) >= OUTAGE_S);
    say("waited");
    await until(page, "live");
    const back = await line(page);
    const again = await viewer.until("the picture again", (now) => now.picture === "moving" && now.message === "none" && now.time_s > told.time_s + 1);
    const offered = await viewer.until("the offer", ({ offer }) => offer !== null);
    await viewer.press(".hw-missed");
    const taken = await viewer.until("catch-up", (now) => now.catchingUp !== null && now.picture === "moving" && now.rate > 1);
    // Half of it is enough, and stepping over the rest is no way off.
    for (let presses = 0; presses < 3; presses++) await viewer.page.keyboard.press("ArrowRight");
    const rejoined = await viewer.until("live again", (now) => now.catchingUp === null && now.picture === "moving" && now.rate === 1);
    const after = await viewer.untilPlaying(2);
    await untilNothingWaits(page);
    await end(page);
    const ended = await viewer.until("the end", ({ picture, message }) => picture === "ended" && message === "complete");
    const watched = { playing, told, counted, again, offered, taken, rejoined, after, ended };
    return { words: { later, waited, back, done: await line(page) }, watched, segments: await report(page) };
  },

  /** Its owner ends it in a tunnel: nobody presses anything here. */
  async ended({ context }) {
    const page = await openPage(context, url);
    await goLive(page);
    say("live");
    await untilWaiting(page, SHORT_OUTAGE_S);
    say("waited");
    await until(page, "done", 90_000);
    return { words: { done: await line(page) }, segments: await report(page) };
  },

  /** It ends in a tunnel, for good: nothing more of it is taken. */
  async given_up({ context }) {
    const page = await openPage(context, url);
    await goLive(page);
    say("live");
    await untilWaiting(page, SHORT_OUTAGE_S);
    say("waited");
    await page.waitForSelector('main[data-stage="ending"][data-state="ended-there"]');
    const told = await line(page);
    // To the beginning: what is left can be had, and deleted.
    await page.click(".again");
    await page.waitForSelector('.left [data-state="stuck"]');
    const offered = await page.$$eval(".left button", (buttons) => buttons.length);
    return { words: { told, left: await page.textContent(".left .card p") }, offered, segments: await report(page) };
  },

  async reload({ context }) {
    const page = await openPage(context, url);
    await goLive(page);
    await page.evaluate(() => navigator.serviceWorker.ready);
    say("live");
    await untilWaiting(page, SHORT_OUTAGE_S);
    encoded.breaksOff();
    // The dialog that warns of unsent footage is answered with yes.
    await page.reload();
    const warnings = [...dialogs];
    await page.waitForSelector(INTERRUPTED);
    const found = await page.textContent(".left .card p");
    await page.click(".left .primary");
    await page.waitForFunction(() => document.querySelector("main").dataset.stage === "recording");
    const before = (await spool(page)).recorded.segments;
    await untilRecorded(page, before + 3);
    const again = await line(page);
    say("waited");
    await until(page, "live");
    await untilNothingWaits(page);
    await end(page);
    return { dialogs: warnings, words: { found, again }, segments: await report(page) };
  },

  /** The owner's own broadcast, and a second tab that takes over what the first leaves. */
  async own({ context }) {
    const first = await openPage(context, url);
    await first.fill("#title", "Regatta");
    // It was open before there was anything.
    const second = await openPage(context, new URL("/publish", url).href);
    await first.bringToFront();
    await goLive(first);
    const id = (await spool(first)).id;
    await second.waitForSelector(".left .card");
    const held = await second.textContent(".left .card p");
    const address = await first.evaluate(() => location.href);
    say("live");
    await untilWaiting(first, 3);
    encoded.breaksOff();
    await first.close();
    await second.waitForSelector(INTERRUPTED);
    const title = await second.textContent(".left h2");
    say("waited");
    await untilNothingWaits(second);
    await second.click(".left .second");
    await second.waitForSelector('.left [data-state="sent"]');
    return { id, address, words: { held, title }, segments: await report(second) };
  },

  /** Without a network there is soon no room either. */
  async full({ context }) {
    const page = await openPage(context, url);
    await goLive(page);
    say("live");
    await untilWaiting(page, 3);
    await untilNothingFits(page, context);
    const warned = await page.textContent(".warnings");
    const waited = await line(page);
    say("waited");
    await until(page, "live");
    await untilNothingWaits(page);
    const hasRoom = () => window.publisher.model.keeper.storage.waiting === 0;
    await page.waitForFunction(hasRoom, null, { timeout: SOON_MS });
    await end(page);
    return { words: { warned, waited }, segments: await report(page) };
  },

  /** The best recorder dies, and another one takes what comes. */
  async fleet({ context }) {
    const page = await openPage(context, url);
    await goLive(page);
    const first = (await spool(page)).recorder;
    say(`live at ${first}`);
    await page.waitForFunction((first) => window.publisher.model.keeper.spools[0].recorder !== first, first, { timeout: SOON_MS });
    await untilRecorded(page, (await spool(page)).recorded.segments + 3);
    await until(page, "live");
    await untilNothingWaits(page);
    const { recorder } = await spool(page);
    await end(page);
    return { recorder, words: {}, segments: await report(page) };
  },

  /** What the phone says of itself, and what is asked of it. */
  async device({ context }) {
    await context.addInitScript(phone);
    const page = await openPage(context, url);
    const locks = () => page.evaluate(() => window.phone.locks.map(({ type, released }) => ({ type, released })));
    const battery = () => page.textContent(".facts .battery dd");
    const asked = [await locks()];
    await goLive(page);
    asked.push(await locks());
    const levels = [await battery()];
    await page.evaluate(() => window.phone.drain(0.1));
    await page.waitForSelector(".facts .battery.bad");
    levels.push(await battery());
    const before = await page.evaluate(() => window.publisher.model.bitrate);
    await page.evaluate(() => window.phone.heat("critical"));
    const isCooler = (before) => window.publisher.model.bitrate <= before * 0.61;
    await page.waitForFunction(isCooler, before, { timeout: SOON_MS });
    await untilRecorded(page, (await spool(page)).recorded.segments + 1);
    await end(page);
    asked.push(await locks());
    return { asked, levels, words: {}, segments: await report(page) };
  },

  /** A browser that cannot encode, and one without a camera. */
  async unable({ context }) {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const look = async (stage, lack) => {
      const page = await context.newPage();
      page.setDefaultTimeout(SOON_MS);
      await page.addInitScript(lack);
      await page.goto(url);
      await page.waitForSelector(`main[data-stage="${stage}"]`);
      const lines = await page.locator(".ways pre").allTextContents();
      await page.locator(".ways summary").first().click();
      await page.locator(".ways .copyable button").first().click();
      await page.locator('.ways [role="status"]', { hasText: "copied" }).waitFor();
      return { lines, copied: await page.evaluate(() => navigator.clipboard.readText()) };
    };
    const unsupported = await look("unsupported", () => delete window.VideoEncoder);
    const noCamera = await look("no-camera", () => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotFoundError"));
    });
    return { unsupported, noCamera };
  },

  /** Where AAC cannot be had. */
  async opus({ context }) {
    await context.route("**/mediabunny-aac-encoder*", (route) => route.abort());
    const page = await openPage(context, url);
    await goLive(page);
    await untilRecorded(page, 4);
    await end(page);
    return { words: {}, segments: await report(page) };
  },

  /** A microphone that is refused at first. */
  async silent({ context }) {
    await context.addInitScript(() => {
      const { mediaDevices } = navigator;
      const open = mediaDevices.getUserMedia.bind(mediaDevices);
      const isRefused = ({ audio }) => audio && !window.hasMicrophone;
      mediaDevices.getUserMedia = (wanted) => (isRefused(wanted) ? Promise.reject(new DOMException("no", "NotAllowedError")) : open(wanted));
    });
    const page = await openPage(context, url);
    await goLive(page);
    const warned = await page.textContent('.warnings [role="alert"]');
    await page.evaluate(() => (window.hasMicrophone = true));
    await page.click(".buttons > button:last-child");
    await page.waitForSelector("dialog[open] #microphone");
    // The only one can be chosen, since it is not open.
    const [none, ...others] = await page.$$eval("#microphone option", (options) => options.map(({ value }) => value));
    await page.selectOption("#microphone", others[0]);
    await page.keyboard.press("Escape");
    await page.waitForSelector('.warnings [role="alert"] p', { state: "detached" });
    await untilRecorded(page, (await spool(page)).recorded.segments + 3);
    await end(page);
    return { words: { warned, none }, segments: await report(page) };
  },

  /** No network, soon no room, and then no browser: and all segments need the same init section. */
  async opus_kill(first) {
    const { context } = first;
    await context.route("**/mediabunny-aac-encoder*", (route) => route.abort());
    const page = await openPage(context, url);
    await goLive(page);
    await context.unrouteAll();
    // Its files could not be had before either.
    await page.evaluate(() => navigator.serviceWorker.register("/service-worker.js").then(() => navigator.serviceWorker.ready).then(() => undefined));
    say("live");
    await untilWaiting(page, 3);
    await untilNothingFits(page, context);
    const before = (await report(page)).length;
    encoded.breaksOff();
    await first.kill();
    const next = await openPage((await openBrowser()).context, new URL("/publish", url).href);
    await next.waitForSelector(INTERRUPTED);
    const kept = (await report(next)).length;
    say("waited");
    await untilNothingWaits(next);
    await next.click(".left .second");
    await next.waitForSelector('.left [data-state="sent"]');
    return { words: {}, before, kept, segments: await report(next) };
  },

  async kill(first) {
    const page = await openPage(first.context, url);
    await goLive(page);
    await page.evaluate(() => navigator.serviceWorker.ready);
    say("live");
    await untilWaiting(page, SHORT_OUTAGE_S);
    const before = (await report(page)).length;
    encoded.breaksOff();
    await first.kill();
    const { context } = await openBrowser();
    const next = await openPage(context, new URL("/publish", url).href);
    await next.waitForSelector(INTERRUPTED);
    const found = await next.textContent(".left .card p");
    const kept = (await report(next)).length;
    say("waited");
    await untilNothingWaits(next);
    const sent = await next.textContent(".left .card p");
    await next.click(".left .second");
    await next.waitForSelector('.left [data-state="sent"]');
    return { words: { found, sent }, before, kept, segments: await report(next) };
  },
};

const browser = await openBrowser();
try {
  const seen = await SCENARIOS[scenario](browser);
  say(JSON.stringify({ ...seen, encoded: encoded.report(), complaints }));
  process.exit(0);
} catch (error) {
  const [page] = browser.context.pages().slice(-1);
  const main = await page?.evaluate(() => document.querySelector("main").innerText).catch(() => "");
  console.log(`${error.stack}\nthe page says: ${main}\n${complaints.join("\n")}`);
  process.exit(1);
}
