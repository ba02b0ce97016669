// Goes through what a viewer of the watch page can live through. The test that started it breaks what is to break when
// it reads how far this is.
// usage: node web-watch.mjs CHROMIUM PAGE_URL SCENARIO   ->  lines "step NAME FACTS", then JSON: what was seen
import { violations } from "./axe.mjs";
import { withPage } from "./chromium.mjs";
import { SEEN_MS_MAX, Viewer, seconds, step } from "./viewer.mjs";

const [executablePath, url, scenario] = process.argv.slice(2);

/** How long a network is away. */
const OUTAGE_S = 40;
/** How long nobody answers: for more tries of an engine than it takes to give up. */
const SILENCE_S = 14;
/** Longer than it takes until controls go. */
const HELD_MS = 4_000;
/** How long live rests. */
const REST_S = 14;

const SCENARIOS = {
  /** Live, an interruption, what was missed, and live again. */
  async interruption(page, viewer) {
    await page.goto(url);
    const axe = { live: [] };
    step("playing", await viewer.untilPlaying(2));
    const spoken = await listen(page);
    axe.live = await violations(page);
    const calm = ({ message, card }) => message === "interrupted" && card !== null;
    const interrupted = await viewer.until("the message", calm);
    await viewer.shot("interrupted");
    axe.interrupted = await violations(page);
    const counted = await viewer.until("a timer that counts", (now) => calm(now) && seconds(now.timer) >= seconds(interrupted.timer) + 3 && seconds(now.timer) >= OUTAGE_S);
    step("interrupted", counted);
    const back = await viewer.until("the picture again", (now) => now.picture === "moving" && now.time_s > counted.time_s + 1);
    step("back", back);
    const offered = await viewer.until("the offer", ({ offer }) => offer !== null);
    await viewer.shot("offer");
    axe.offer = await violations(page);
    await viewer.press(".hw-missed");
    const taken = await viewer.until("catch-up", (now) => now.view === "catchup" && now.picture === "moving" && now.rate > 1);
    await viewer.shot("catching-up");
    axe.catchingUp = await violations(page);
    step("catching-up", taken);
    // Half of it is enough for the test, and stepping over the rest is no way off.
    for (let presses = 0; presses < 3; presses++) await page.keyboard.press("ArrowRight");
    const stepped = await viewer.until("less to go", (now) => now.following === "catching-up" && now.picture === "moving" && now.behind_s < taken.behind_s - 20);
    const seams = await watchForSeams(page);
    const rejoined = await viewer.until("live again", ({ following }) => following === "live");
    const after = await viewer.untilPlaying(3);
    await viewer.shot("rejoined");
    return { interrupted, counted, back, offered, taken, stepped, rejoined, after, seams: await seams(), spoken: await spoken(), axe };
  },

  /** What was missed, and live again by itself. */
  async rejoin(page, viewer) {
    await page.goto(url);
    step("playing", await viewer.untilPlaying(2));
    const interrupted = await viewer.until("the message", ({ message, card }) => message === "interrupted" && card !== null);
    const stops = await stopsFromRightToLeft(page);
    const offered = await viewer.until("the offer", ({ offer, card }) => offer !== null && card === null);
    stops.push(...(await stopsFromRightToLeft(page)));
    await viewer.press(".hw-missed");
    const taken = await viewer.until("catch-up", (now) => now.view === "catchup" && now.picture === "moving" && now.rate > 1);
    for (let presses = 0; presses < 3; presses++) await page.keyboard.press("ArrowRight");
    const rejoined = await viewer.until("live again", ({ following }) => following === "live");
    const after = await viewer.untilPlaying(3);
    return { interrupted, stops, offered, taken, rejoined, after };
  },

  /** The way out of catch-up, at once. */
  async jump(page, viewer) {
    await page.goto(url);
    step("playing", await viewer.untilPlaying(2));
    const offered = await viewer.until("the offer", ({ offer }) => offer !== null);
    await viewer.press(".hw-missed");
    const taken = await viewer.until("catch-up", (now) => now.view === "catchup" && now.picture === "moving");
    await page.keyboard.press("l");
    const jumped = await viewer.until("live", (now) => now.following === "live" && now.picture === "moving" && now.behind_s < 3);
    return { offered, taken, jumped };
  },

  /** What the timeline shows of an outage, and where that leads. */
  async stretches(page, viewer) {
    await page.goto(url);
    step("playing", await viewer.untilPlaying(1));
    const missing = await stretches(page, "missing");
    step("missing", missing);
    const late = await stretches(page, "late");
    await viewer.shot("stretches");
    // They are in the settings, too.
    await page.mouse.move(300, 300);
    await page.getByRole("button", { name: "Settings" }).click();
    const listed = await page.locator(".hw-late button").allInnerTexts();
    await page.keyboard.press("Escape");
    const { left, right } = (await stretches(page, "late")).find(isWide("late"));
    const { y, height } = await page.locator(".hw-slider").boundingBox();
    await page.mouse.click((left + right) / 2, y + height / 2);
    const taken = await viewer.until("catch-up", ({ view, picture }) => view === "catchup" && picture === "moving");
    return { missing, late, listed, taken };
  },

  /** The viewer's own network. */
  async offline(page, viewer) {
    await page.goto(url);
    step("playing", await viewer.untilPlaying(2));
    await page.context().setOffline(true);
    const told = await viewer.until("word of the network", ({ standing }) => standing === "offline");
    const stood = await viewer.until("a card, once the picture stands", ({ card, picture }) => card !== null && picture === "standing");
    await viewer.shot("offline");
    const axe = { offline: await violations(page) };
    const counted = await viewer.until("a timer that counts", ({ timer }) => seconds(timer) >= seconds(stood.timer) + 5);
    await page.context().setOffline(false);
    const back = await viewer.until("the picture again", (now) => now.standing === "live" && now.picture === "moving");
    const made = await viewer.until("what is behind is made up for", (now) => now.following === "catching-up" && now.rate > 1);
    await viewer.press(".hw-catching-up button");
    const jumped = await viewer.until("live", (now) => now.following === "live" && now.picture === "moving" && now.behind_s < 3);
    return { told, stood, counted, back, made, jumped, axe };
  },

  /** Paused, on again, ended, and the recording. */
  async course(page, viewer) {
    await page.goto(url);
    step("playing", await viewer.untilPlaying(1));
    const paused = await viewer.until("the pause", ({ message, card }) => message === "paused" && card !== null);
    await viewer.shot("paused");
    const axe = { paused: await violations(page) };
    const drawn = await stretches(page, "paused");
    step("paused", paused);
    const resumed = await viewer.until("the picture again", (now) => now.picture === "moving" && now.time_s > paused.time_s + 1);
    step("resumed", resumed);
    const ended = await viewer.until("the end", ({ picture, message }) => picture === "ended" && message === "complete");
    await viewer.shot("ended");
    axe.ended = await violations(page);
    await viewer.press(".hw-card .hw-main");
    const recording = await viewer.until("the recording", ({ view, picture }) => view === "vod" && picture === "moving");
    await viewer.shot("recording");
    axe.recording = await violations(page);
    const played = await viewer.untilPlaying(2);
    const link = await shareMoment(page);
    await page.goto(link);
    const linked = await viewer.until("the moment", ({ picture }) => picture === "moving" || picture === "held");
    return { paused, drawn, resumed, ended, recording, played, link, linked, axe };
  },

  /** The metadata is lost, and the broadcast goes on at other addresses. */
  async elsewhere(page, viewer) {
    const addresses = new Set();
    page.on("response", (response) => {
      const [address] = /(live|dvr)-[^/]+\.m3u8/.exec(response.url()) ?? [];
      if (response.ok() && address) addresses.add(address);
    });
    await page.goto(url);
    step("playing", await viewer.untilPlaying(2));
    const on = await viewer.until("the picture from elsewhere", ({ picture, standing }) => addresses.size > 0 && picture === "moving" && standing === "live");
    const after = await viewer.untilPlaying(3);
    return { on, after, addresses: [...addresses] };
  },

  /** Nobody answers, for longer than an engine would try by itself; then everything goes on. */
  async outage(page, viewer) {
    await page.goto(url);
    const before = await viewer.untilPlaying(3);
    step("playing", before);
    const down = await viewer.until("a card, and try after try", ({ card, picture, timer }) => card !== null && picture !== "moving" && seconds(timer) >= SILENCE_S);
    await viewer.shot("outage");
    step("down", down);
    const back = await viewer.until("the picture again", ({ picture, card }) => picture === "moving" && card === null);
    // The time of what is loaded anew may begin at 0. Who can makes up for what is behind.
    const goesOn = ({ picture, time_s, following }) => picture === "moving" && time_s >= 3 && following !== "catching-up";
    const after = await viewer.until("a picture that goes on", goesOn);
    return { before, down, back, after };
  },

  /** An embed that was open when the server was renewed: what plays has other names by now. */
  async renewed(page, viewer) {
    await page.goto(url);
    await page.locator(".hw-start").waitFor();
    await page.route(/\/assets\/(hls|native|shaka)[^/]*\.js$/, (route) => route.fulfill({ status: 404 }));
    await viewer.press(".hw-start");
    const told = await viewer.until("word of it", ({ message, card }) => message === "renewed" && card !== null);
    await viewer.shot("renewed");
    const axe = { renewed: await violations(page) };
    await Promise.all([page.waitForEvent("load"), viewer.press(".hw-card .hw-main")]);
    await page.unrouteAll();
    await viewer.press(".hw-start");
    return { told, playing: await viewer.untilPlaying(1), axe };
  },

  /** Live that rests: the server has nothing more to say of an interruption that lasts. */
  async rest(page, viewer) {
    const refused = [];
    page.on("response", (response) => response.status() === 503 && refused.push(response.url()));
    await page.goto(url);
    step("playing", await viewer.untilPlaying(1));
    const told = new Set();
    const interrupted = await viewer.until("waiting in vain for the next segment, again and again", ({ message, card, timer }) => {
      const isTold = message === "interrupted" && card !== null;
      if (told.size > 0 || isTold) told.add(message);
      return isTold && seconds(timer) >= REST_S && refused.length > 0;
    });
    await viewer.shot("rest");
    step("resting", interrupted);
    const back = await viewer.until("the picture again", ({ picture, standing, card }) => picture === "moving" && standing === "live" && card === null);
    return { interrupted, back, told: [...told], refused: refused.length };
  },

  /** What Safari 15.4 has not, taken from the newest: it must do without. */
  async older(page, viewer) {
    await page.addInitScript(() => {
      const lacks = { AbortSignal: ["any", "timeout"], URL: ["canParse", "parse"], Promise: ["withResolvers", "try"], Object: ["groupBy"], Array: ["fromAsync"] };
      for (const [name, functions] of Object.entries(lacks)) functions.forEach((one) => delete globalThis[name][one]);
      for (const one of ["toSorted", "toReversed", "toSpliced", "with", "findLast", "findLastIndex"]) delete Array.prototype[one];
      for (const one of ["union", "intersection", "difference"]) delete Set.prototype[one];
    });
    // Rules and colours that it does not know are as good as not there.
    const unknown = [[/@container\b/g, "@unknown"], [/light-dark\(/g, "unknown("], [/container(-type|-name)?:/g, "unknown:"]];
    await page.route("**/*.css", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: unknown.reduce((sheet, [from, to]) => sheet.replace(from, to), await response.text()) });
    });
    await page.goto(url);
    const playing = await viewer.untilPlaying(2);
    await viewer.shot("older");
    const overflows = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    const { right } = await page.getByRole("button", { name: "Full screen", exact: true }).boundingBox().then(({ x, width }) => ({ right: x + width }));
    return { playing, overflows, right, axe: { older: await violations(page) } };
  },

  /** A browser without Media Source Extensions. */
  async withoutMse(page, viewer) {
    await page.addInitScript(() => ["MediaSource", "ManagedMediaSource"].forEach((name) => delete globalThis[name]));
    await page.goto(url);
    return { playing: await viewer.untilPlaying(2) };
  },

  /** Before it begins. */
  async before(page, viewer) {
    await page.goto(url);
    const waiting = await viewer.until("word that it has not started", ({ message }) => message === "not-started");
    await viewer.shot("not-started");
    const axe = { waiting: await violations(page) };
    step("waiting", waiting);
    const playing = await viewer.untilPlaying(2);
    return { waiting, playing, axe };
  },

  /** An address of nothing. */
  async nothing(page, viewer) {
    await page.goto(url);
    const told = await viewer.until("word of it", ({ message }) => message === "no-such-broadcast");
    await viewer.shot("nothing");
    return { told, axe: { nothing: await violations(page) } };
  },

  /** What it is called that has no title, in Russian. */
  async untitled(page) {
    await page.goto(`${url}?lang=ru`);
    await page.waitForFunction(() => document.querySelector("h1").textContent !== "…");
    const names = [await page.innerText("h1"), await page.title()];
    await page.goto(`${url.replace("/watch/", "/embed/")}?lang=ru`);
    return { names: [...names, await page.textContent(".hw-link")] };
  },

  /** Segments that are slow to come, and then refused, of playlists that are there. */
  async refused(page, viewer) {
    const asked = [];
    await page.route("**/*.ts", (route) => void asked.push(route));
    await page.goto(url);
    const slow = await viewer.until("word that it loads", ({ message }) => message === "buffering");
    const refuse = (route) => route.fulfill({ status: 503 });
    await page.unroute("**/*.ts");
    await page.route("**/*.ts", refuse);
    await Promise.all(asked.map(refuse));
    const told = await viewer.until("the server's card", ({ message, card }) => message === "server" && card !== null);
    await viewer.shot("refused");
    const axe = { refused: await violations(page) };
    const counted = await viewer.until("a timer that counts", ({ message, timer }) => message === "server" && seconds(timer) >= seconds(told.timer) + 3);
    await page.unroute("**/*.ts", refuse);
    const playing = await viewer.untilPlaying(2);
    return { slow, told, counted, playing, axe };
  },

  /** To the end of a broadcast that ends while it is interrupted. */
  async through(page, viewer) {
    await page.goto(url);
    step("playing", await viewer.untilPlaying(1));
    step("interrupted", await viewer.until("the interruption", ({ message, card }) => message === "interrupted" && card !== null));
    const ended = await viewer.until("the end", ({ picture, card }) => picture === "ended" && card !== null);
    await viewer.press(".hw-card .hw-main");
    return { ended, again: await viewer.untilPlaying(1) };
  },

  /** Captions that stand in the pictures. */
  async captions(page, viewer) {
    await page.goto(url);
    await viewer.untilPlaying(1);
    const button = page.getByRole("button", { name: "Show captions" });
    await button.waitFor();
    const shown = () => page.evaluate(() => {
      const tracks = Array.from(window.headwater.video.textTracks).filter(({ mode }) => mode === "showing");
      return { kinds: tracks.map(({ kind }) => kind), text: tracks.flatMap(({ cues }) => Array.from(cues, ({ text }) => text)).join(" ") };
    });
    const untilShown = async () => {
      const deadline = Date.now() + SEEN_MS_MAX;
      let on = await shown();
      while (!/CAPTIONS/.test(on.text) && Date.now() < deadline) {
        await page.waitForTimeout(100);
        on = await shown();
      }
      return on;
    };
    const before = await shown();
    await button.click();
    const on = await untilShown();
    await viewer.shot("captions");
    const axe = { captions: await violations(page) };
    // Another source has other tracks.
    await again(page, viewer);
    const still = await untilShown();
    await page.keyboard.press("c");
    const off = await shown();
    return { before, on, still, off, axe };
  },

  /** Just watching. */
  async watch(page, viewer) {
    await page.goto(url);
    return { playing: await viewer.untilPlaying(4) };
  },

  /** How long the first picture takes: after a click on a link to the page, and after one on the player. */
  async first(page, viewer) {
    // Once, so that the machine has read its files; what the browser keeps is what any second viewer has.
    await page.goto(url);
    step("playing", await viewer.untilPlaying(1));
    const times = {};
    const firstFrame = () => page.evaluate(() => new Promise((resolve) => {
      const { video } = window.headwater;
      const seen = () => resolve(performance.timeOrigin + performance.now());
      if (video.readyState >= video.HAVE_CURRENT_DATA && video.currentTime > 0) seen();
      else video.requestVideoFrameCallback(seen);
    }));
    await page.goto(new URL("/docs", url).href).catch(() => undefined);
    const clicked_ms = Date.now();
    await page.goto(url);
    times.link_ms = Math.round((await firstFrame()) - clicked_ms);
    await page.goto(`${url}?autoplay=0`);
    await page.locator(".hw-start").waitFor();
    const pressed = page.evaluate(() => new Promise((resolve) => {
      document.querySelector(".hw-start").addEventListener("click", () => {
        const from = performance.now();
        window.headwater.video.requestVideoFrameCallback(() => resolve(Math.round(performance.now() - from)));
      });
    }));
    await viewer.press(".hw-start");
    times.press_ms = await pressed;
    return { times };
  },

  /** On a phone, where sound needs a press, in Slovenian. */
  async phone(page, viewer) {
    // Whatever is evaluated in a page counts as a press: until it plays, its requests are all that is looked at.
    const segments = countOf(page, /\.ts$/, 6);
    await page.goto(`${url}?lang=sl`);
    await segments;
    const silent = await viewer.untilPlaying(1);
    await page.locator(".hw-tap:visible").waitFor();
    await viewer.shot("phone");
    const axe = { silent: await violations(page) };
    const offered = await page.locator(".hw-tap").innerText();
    await page.locator(".hw-tap").tap();
    const loud = await viewer.until("sound", ({ isMuted }) => !isMuted);
    await page.locator(".hw-tap").waitFor({ state: "hidden" });
    const before = await viewer.untilPlaying(12);
    const box = await page.locator(".hw-surface").boundingBox();
    for (let tap = 0; tap < 2; tap++) await page.touchscreen.tap(box.x + box.width * 0.1, box.y + box.height * 0.3);
    const skipped = await viewer.until("ten seconds before", (now) => now.following === "free" && now.position_s < before.position_s);
    const language = await page.evaluate(() => document.documentElement.lang);
    const shared = [];
    for (const refusal of ["AbortError", "NotAllowedError"]) shared.push(await shareRefused(page, refusal));
    return { silent, offered, loud, before, skipped, language, shared, axe };
  },

  /** Fingers, on an embed of a recording: no control is pressed that cannot be seen, and none goes away under them. */
  async fingers(page, viewer) {
    await page.goto(url);
    await page.locator(".hw-start").tap();
    await viewer.untilPlaying(1);
    await page.evaluate(() => {
      window.pressed = [];
      document.addEventListener("click", ({ target }) => window.pressed.push(target.className), { capture: true });
    });
    for (const selector of [".hw-buttons .hw-button", ".hw-slider", ".hw-link"]) {
      const { x, y, width, height } = await page.locator(selector).first().boundingBox();
      await page.locator(".hw-player.hw-idle").waitFor();
      await page.touchscreen.tap(x + width / 2, y + height / 2);
      await page.locator(".hw-player:not(.hw-idle)").waitFor();
    }
    const seen = { pressed: await page.evaluate(() => window.pressed), after: await viewer.now() };
    await viewer.shot("fingers");
    const held = await drag(page, HELD_MS);
    return { ...seen, held };
  },

  /** How large the player is, and where the line under it ends, on screens of each shape. */
  async shape(page, viewer) {
    const screens = { phone: [390, 844], desktop: [1280, 800], sideways: [844, 390] };
    await page.goto(url);
    await viewer.untilPlaying(1);
    const shapes = {};
    for (const [name, [width, height]] of Object.entries(screens)) {
      await page.setViewportSize({ width, height });
      const player = await page.locator(".hw-player").boundingBox();
      const line = await page.locator(".state-line").boundingBox();
      shapes[name] = { width: player.width, height: player.height, rest: height - line.y - line.height };
      await viewer.shot(`shape-${name}`);
    }
    await page.goto(url.replace("/watch/", "/embed/"));
    await viewer.press(".hw-start");
    await viewer.untilPlaying(1);
    const { width, height } = await page.locator(".hw-player").boundingBox();
    return { ...shapes, embed: { width, height } };
  },

  /** Away for longer than what is made up for: a laptop that slept. */
  async away(page, viewer) {
    await page.goto(url);
    step("playing", await viewer.untilPlaying(1));
    const before = await viewer.now();
    await page.context().setOffline(true);
    const stood = await viewer.until("a card", ({ card, standing }) => card !== null && standing === "offline");
    step("offline", stood);
    await viewer.until("a minute", ({ timer }) => seconds(timer) >= 66);
    await page.context().setOffline(false);
    const back = await viewer.until("live and an offer", (now) => now.following === "live" && now.picture === "moving" && now.offer !== null);
    await viewer.press(".hw-missed");
    const taken = await viewer.until("what was missed", (now) => now.following === "catching-up" && now.picture === "moving" && now.rate > 1);
    return { before, stood, back, taken };
  },

  /** What can be chosen, of a recording in two qualities. */
  async menu(page, viewer) {
    await page.goto(`${url}?view=vod`);
    await viewer.untilPlaying(1);
    await page.mouse.move(300, 300);
    const settings = page.getByRole("button", { name: "Settings" });
    await settings.click();
    const quality = page.getByLabel("Quality");
    const qualities = await quality.locator("option").allInnerTexts();
    // Whichever it is not showing.
    const shown = await page.evaluate(() => window.headwater.video.videoWidth);
    const other = shown === 128 ? 64 : 128;
    const label = qualities.find((text) => text.startsWith(other === 128 ? "72p" : "36p"));
    await quality.selectOption({ label });
    await page.waitForFunction((width) => window.headwater.video.videoWidth === width, other);
    // What was chosen counts for the next source, too.
    await again(page, viewer);
    const kept = await page.evaluate((width) => {
      const { engine } = window.headwater.player;
      const { height } = engine.qualities.find(({ id }) => id === engine.quality) ?? {};
      return { isShown: window.headwater.video.videoWidth === width, height, wanted: (width * 9) / 16 };
    }, other);
    await page.getByLabel("Speed").selectOption("1.5");
    await page.waitForFunction(() => window.headwater.video.playbackRate === 1.5 && window.headwater.video.preservesPitch);
    await page.keyboard.press("Escape");
    const volume = page.getByRole("slider", { name: "Volume" });
    await volume.fill("0.25");
    const loudness = { volume: await page.evaluate(() => window.headwater.video.volume), spoken: await volume.getAttribute("aria-valuetext") };

    await page.getByRole("button", { name: "Full screen", exact: true }).click();
    await page.waitForFunction(() => document.fullscreenElement?.matches(".hw-player"));
    await page.getByRole("button", { name: "Leave full screen" }).click();
    await page.waitForFunction(() => document.fullscreenElement === null);

    const timeline = page.locator(".hw-slider");
    const middle = async () => {
      const { x, y, width, height } = await timeline.boundingBox();
      await page.mouse.move(x + width / 2, y + height / 2);
    };
    await middle();
    const still = page.locator(".hw-tip img:not([hidden])");
    const preview = await still.evaluate((image) => image.decode().then(() => image.naturalWidth));
    const tip = await page.locator(".hw-tip").innerText();
    await viewer.shot("preview");

    // A player of which the browser has no picture in picture does not offer it.
    const pip = page.getByRole("button", { name: "Picture in picture" });
    const canPip = await page.evaluate(() => document.pictureInPictureEnabled === true);
    const small = [{ canPip, isOffered: await pip.isVisible() }];
    if (canPip) {
      await pip.click();
      await page.waitForFunction(() => document.pictureInPictureElement === window.headwater.video);
      await pip.click();
      await page.waitForFunction(() => document.pictureInPictureElement === null);
    }
    await page.evaluate((can) => Object.defineProperty(document, "pictureInPictureEnabled", { value: !can }), canPip);
    await pip.waitFor({ state: canPip ? "hidden" : "visible" });
    small.push({ canPip: !canPip, isOffered: await pip.isVisible() });

    // Written from right to left, the bar is mirrored, and time still runs from left to right.
    await page.evaluate(() => (document.documentElement.dir = "rtl"));
    await page.mouse.move(310, 310);
    const left = async (name) => (await page.getByRole("button", { name, exact: true }).boundingBox()).x;
    const mirrored = (await left("Full screen")) < (await left("Settings")) && (await left("Settings")) < (await page.locator(".hw-bar .hw-time").boundingBox()).x;
    const time = await page.locator(".hw-bar .hw-time").evaluate((part) => getComputedStyle(part).direction);
    const { x, width, y, height } = await timeline.boundingBox();
    await page.mouse.click(x + width * 0.9, y + height / 2);
    const late = await viewer.until("nearly the end", ({ position_s, duration_s }) => position_s > duration_s / 2);
    const overflows = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    await viewer.shot("rtl");
    return { qualities, kept, loudness, preview, tip, small, mirrored, time, late, overflows };
  },

  /** Everything by keyboard, and what screen readers are told. */
  async keys(page, viewer) {
    await page.goto(url);
    step("playing", await viewer.untilPlaying(3));
    const { keyboard } = page;
    await keyboard.press("m");
    const muted = await viewer.until("silence", ({ isMuted }) => isMuted);
    await keyboard.press("m");
    await keyboard.press("0");
    const first = await viewer.until("the beginning", (now) => now.position_s < 3 && now.following === "free");
    await keyboard.press("l");
    const live = await viewer.until("live", ({ following }) => following === "live");
    await keyboard.press("k");
    const held = await viewer.until("a stop", ({ picture }) => picture === "held");
    await keyboard.press("k");
    await viewer.untilPlaying(1);
    await keyboard.press("?");
    await page.locator("dialog.hw-help[open]").waitFor();
    await viewer.shot("help");
    const axe = { help: await violations(page) };
    await keyboard.press("Escape");
    await page.locator(".hw-bar .hw-button[aria-expanded]").click();
    await page.locator(".hw-menu:not([hidden])").waitFor();
    await viewer.shot("menu");
    axe.menu = await violations(page);
    await keyboard.press("Escape");
    await page.locator(".hw-menu").waitFor({ state: "hidden" });
    const focused = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
    const named = await page.locator(".hw-player button:visible").evaluateAll((buttons) =>
      buttons.filter((button) => !(button.getAttribute("aria-label") || button.innerText)).length);
    return { muted, first, live, held, unnamed: named, focused, axe };
  },
};

/** Resolves when so many answers have come from addresses like this. */
function countOf(page, pattern, count) {
  return new Promise((resolve) => {
    page.on("response", (response) => pattern.test(response.url()) && --count === 0 && resolve());
  });
}

/** A stretch that is no trifle. */
const isWide = (kind) => (stretch) => stretch.kind === kind && stretch.right - stretch.left >= 40;

/** The stretches of the timeline as they are drawn, in pixels, once one of them is of this kind, and no trifle. */
async function stretches(page, kind) {
  const drawn = () => page.evaluate(() => {
    const box = document.querySelector(".hw-track").getBoundingClientRect();
    return Array.from(document.querySelectorAll(".hw-stretch"), (part) => {
      const { left, right, width, height } = part.getBoundingClientRect();
      return { kind: part.dataset.kind, left, right, width, height, isInside: left > box.left - 1 && right < box.right + 1 };
    });
  });
  const selector = `.hw-stretch[data-kind=${kind}]`;
  const isThere = (of) => [...document.querySelectorAll(of)].some((part) => part.getBoundingClientRect().width >= 41);
  for (;;) {
    await page.waitForFunction(isThere, selector, { timeout: SEEN_MS_MAX });
    // It is drawn anew with each reading, narrower as time goes on.
    const parts = await drawn();
    if (parts.some(isWide(kind))) return parts;
  }
}

/** The recording from its beginning: another source. */
async function again(page, viewer) {
  await page.evaluate(() => window.headwater.player.watchRecording());
  await viewer.untilPlaying(1);
}

/** Counts what a viewer would see as a seam: another source, a picture that waits, a jump. Returns how to ask. */
async function watchForSeams(page) {
  await page.evaluate(() => {
    const { video } = window.headwater;
    const seen = { sources: 0, waits: 0, jump_s: 0 };
    let before_s = video.currentTime;
    window.seams = seen;
    video.addEventListener("emptied", () => seen.sources++);
    video.addEventListener("waiting", () => seen.waits++);
    video.addEventListener("timeupdate", () => (before_s = video.currentTime));
    video.addEventListener("seeking", () => (seen.jump_s = Math.max(seen.jump_s, Math.abs(video.currentTime - before_s))));
  });
  return () => page.evaluate(() => window.seams);
}

/** Keeps what screen readers are told. Returns how to ask. */
async function listen(page) {
  await page.evaluate(() => {
    window.spoken = [];
    const told = document.querySelector(".hw-player [role=status]");
    new MutationObserver(() => told.textContent && window.spoken.push(told.textContent)).observe(told, { childList: true, characterData: true, subtree: true });
  });
  return () => page.evaluate(() => window.spoken);
}

/** Draws the timeline's slider to and fro with a finger for so long. Gives what is seen before it is let go. */
async function drag(page, ms) {
  const devtools = await page.context().newCDPSession(page);
  const touch = (type, ...touchPoints) => devtools.send("Input.dispatchTouchEvent", { type, touchPoints });
  const { x, y, width, height } = await page.locator(".hw-slider").boundingBox();
  const at = (part) => ({ x: x + width * part, y: y + height / 2 });
  await touch("touchStart", at(0.3));
  const until_ms = Date.now() + ms;
  for (let moves = 0; Date.now() < until_ms; moves++) {
    await touch("touchMove", at(0.3 + 0.01 * (moves % 20)));
    await page.waitForTimeout(100);
  }
  const seen = await page.evaluate(() => ({
    isIdle: document.querySelector(".hw-player").classList.contains("hw-idle"),
    tip: document.querySelector(".hw-tip:not([hidden])")?.innerText ?? null,
  }));
  await touch("touchEnd");
  return seen;
}

/** Of each sentence that ends with a full stop: whether that stands after it, in a page that is written from right to left. */
async function stopsFromRightToLeft(page) {
  const stops = await page.evaluate(() => {
    document.documentElement.dir = "rtl";
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (texts.nextNode()) {
      const { currentNode: text } = texts;
      const { data, length } = text;
      const { parentElement } = text;
      if (!data.endsWith(".") || !parentElement.checkVisibility() || parentElement.matches(".hw-hidden")) continue;
      const box = (at) => {
        const range = document.createRange();
        range.setStart(text, at);
        range.setEnd(text, at + 1);
        return range.getBoundingClientRect();
      };
      found.push({ text: data, isAfter: box(length - 1).left >= box(length - 2).right - 1 });
    }
    return found;
  });
  await page.evaluate(() => (document.documentElement.dir = "ltr"));
  return stops;
}

/** Presses the share button; the link is what lands in the clipboard. */
async function shareMoment(page) {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.mouse.move(300, 300);
  await page.getByRole("button", { name: "Share this moment" }).click();
  await page.locator(".hw-share:not([hidden])").waitFor();
  return page.evaluate(() => navigator.clipboard.readText());
}

/** Presses the share button where the phone's own dialog ends so. Gives whether something is shown, and what was copied. */
async function shareRefused(page, refusal) {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.evaluate((name) => {
    window.asked = new Promise((resolve) => {
      const share = () => {
        // When the next picture is drawn, the page has dealt with the refusal.
        requestAnimationFrame(resolve);
        return Promise.reject(new DOMException("as the test has it", name));
      };
      Object.defineProperty(navigator, "share", { value: share, configurable: true });
    });
    return navigator.clipboard.writeText("nothing");
  }, refusal);
  for (const x of [300, 310]) await page.mouse.move(x, 100);
  await page.getByRole("button", { name: "Delite ta trenutek" }).tap();
  await page.evaluate(() => window.asked);
  if (refusal !== "AbortError") await page.locator(".hw-share:not([hidden])").waitFor();
  const isShown = await page.locator(".hw-share").isVisible();
  return { isShown, copied: await page.evaluate(() => navigator.clipboard.readText()) };
}

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: "dark", asksForPress: true };

const settings = ["phone", "older", "fingers"].includes(scenario) ? PHONE : {};
const seen = await withPage(executablePath, (page) => SCENARIOS[scenario](page, new Viewer(page)), settings);
console.log(JSON.stringify(seen));
