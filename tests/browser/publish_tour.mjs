// Goes through the states of the publish page, so that each can be looked at: by axe, or as a picture.
import { roadTo } from "./road.mjs";

/** Chromium's own switches: a camera without a question. */
export const CAMERA_FLAGS = ["--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream"];
const SOON_MS = 60_000;
/** Where buttons are, in whatever language. */
const [PAUSE, SETTINGS, FINISH] = [".buttons > button:first-child", ".buttons > button:last-child", ".left .second"];
/** Below this there is little room: see `keeper/storage.ts`. */
const LITTLE_ROOM_BYTES = 40 << 20;

/**
 * Calls `visit(name, page)` in each state of the publish page of the Headwater at `base`, in pages of this Playwright
 * browser. `settings` are those of a context.
 */
export async function tourPublish(browser, { base, ownerKey, settings = {} }, visit) {
  const road = await roadTo(base);
  const contexts = [];
  const inContext = async (prepare) => {
    const context = await browser.newContext(settings);
    contexts.push(context);
    context.setDefaultTimeout(SOON_MS);
    // Small pictures: whoever looks has other work too.
    await context.addInitScript(() => (localStorage["publish-choice"] ??= JSON.stringify({ quality: "360" })));
    if (prepare) await context.addInitScript(prepare);
    return context;
  };
  const open = async (context, address = "/publish") => {
    const page = await context.newPage();
    page.on("dialog", (dialog) => void dialog.accept());
    await page.goto(new URL(address, road.url).href);
    return page;
  };
  const create = async (title) => {
    const headers = { authorization: `Bearer ${ownerKey}`, "content-type": "application/json" };
    const answer = await fetch(`${base}/v1/broadcasts`, { method: "POST", headers, body: JSON.stringify({ title }) });
    return answer.json();
  };
  const tour = { road, inContext, open, create, visit, ownerKey };
  try {
    await whereNothingCanBeRecorded(tour);
    await recording(tour);
    await whatIsLeft(tour);
    await whatIsStuck(tour);
  } finally {
    for (const context of contexts) await context.close();
    road.close();
  }
}

const until = (page, state) => page.waitForSelector(`main[data-state="${state}"]`);
const stage = (page, name) => page.waitForSelector(`main[data-stage="${name}"]`);

async function whereNothingCanBeRecorded({ inContext, open, create, visit, ownerKey }) {
  const withoutEncoder = await inContext(() => delete window.VideoEncoder);
  const old = await open(withoutEncoder);
  await stage(old, "unsupported");
  await visit("unsupported", old);
  const { id, publish } = await create("Sunrise on the pier");
  const link = `/publish#id=${id}&token=${publish.token}`;
  const invited = await open(withoutEncoder, link);
  await stage(invited, "unsupported");
  for (const way of await invited.locator(".ways summary").all()) await way.click();
  await visit("unsupported-link", invited);
  const blind = await inContext(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotFoundError"));
  });
  const without = await open(blind, link);
  await stage(without, "no-camera");
  for (const way of await without.locator(".ways summary").all()) await way.click();
  await visit("no-camera-link", without);
  const denied = await open(
    await inContext(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    }),
    `/publish#owner-key=${ownerKey}`,
  );
  await stage(denied, "no-camera");
  await visit("no-camera", denied);
  const stranger = await open(await inContext());
  await stage(stranger, "ready");
  await visit("no-target", stranger);
}

/** From the start to the end of a broadcast, and what goes wrong between. */
async function recording({ road, inContext, open, visit, ownerKey }) {
  const context = await inContext();
  const page = await open(context, `/publish#owner-key=${ownerKey}`);
  await stage(page, "ready");
  await page.waitForSelector(".level:not([hidden])");
  await visit("ready", page);
  await page.click(SETTINGS);
  await page.waitForSelector("dialog[open]");
  await visit("settings", page);
  await page.keyboard.press("Escape");
  await page.fill("#title", "Harbour cup, final");
  await page.click(".red");
  await until(page, "live");
  await page.waitForSelector(".facts .rate:not([hidden])");
  await visit("live", page);
  await page.click(".red");
  await page.waitForSelector("dialog[open]");
  await visit("ask", page);
  await page.click('dialog [value="no"]');
  await page.click(PAUSE);
  await until(page, "paused");
  await visit("paused", page);
  await page.click(PAUSE);
  await until(page, "live");
  road.cut();
  await until(page, "later");
  await visit("later", page);
  const devtools = await context.newCDPSession(page);
  const { usage } = await devtools.send("Storage.getUsageAndQuota", { origin: road.url });
  await devtools.send("Storage.overrideQuotaForOrigin", { origin: road.url, quotaSize: usage + LITTLE_ROOM_BYTES });
  await page.waitForSelector(".warnings p");
  await visit("warned", page);
  await page.click(".red");
  await page.click("dialog .danger");
  await until(page, "sending");
  await visit("sending", page);
  const next = await open(context).catch(() => null);
  await next?.close();
  road.open();
  await until(page, "done");
  await visit("done", page);
}

/** What earlier visits left: interrupted, held by another tab, and sent. */
async function whatIsLeft({ road, inContext, open, create, visit }) {
  const { id, publish } = await create("Morning on the pier");
  const context = await inContext();
  const page = await open(context, `/publish#id=${id}&token=${publish.token}`);
  await stage(page, "ready");
  await page.waitForFunction(() => document.querySelector(".more").textContent !== "");
  await visit("ready-link", page);
  await page.click(".red");
  await until(page, "live");
  await page.evaluate(() => navigator.serviceWorker.ready);
  const other = await open(context);
  await other.waitForSelector('.left [data-state="held"]');
  await visit("held", other);
  await takenOver(page, other, visit);
  await other.close();
  road.cut();
  await until(page, "later");
  await page.waitForFunction(() => window.publisher.model.keeper.spools[0].owed.duration_ms > 6_000);
  await page.reload();
  await page.waitForSelector('.left [data-state="interrupted"]');
  await visit("interrupted", page);
  // While it is sent, its card stays where somebody is about to press.
  await page.evaluate(() => (window.seen = document.querySelector(".left .card")));
  await page.focus(FINISH);
  road.open();
  const saysAllIsSent = () => window.publisher.model.keeper.spools[0].owed.segments === 0 && !/\d/.test(document.querySelector(".left .card p").textContent);
  await page.waitForFunction(saysAllIsSent);
  const isKept = await page.evaluate((finish) => window.seen === document.querySelector(".left .card") && document.activeElement.matches(finish), FINISH);
  if (!isKept) throw new Error("the card of what is sent was made anew");
  road.cut();
  await page.click(FINISH);
  await page.waitForSelector('.left [data-state="sending"]');
  const hasFocus = await page.evaluate(() => document.activeElement.matches('.left [data-state="sending"]'));
  if (!hasFocus) throw new Error("the focus is lost with the button");
  await visit("left-sending", page);
  road.open();
  await page.waitForSelector('.left [data-state="sent"]');
  await visit("sent", page);
}

/** What one tab records to, and another one asks for: refused, given, and taken back. */
async function takenOver(page, other, visit) {
  const TAKE_OVER = '.left [data-state="held"] .primary';
  const held = (tab, state) => tab.waitForFunction((state) => window.publisher.model.keeper.held[0]?.state === state, state);
  const ask = async () => {
    await other.bringToFront();
    await other.click(TAKE_OVER);
    await held(other, "recording");
  };
  const answer = async (value) => {
    await page.bringToFront();
    await page.waitForSelector("dialog[open]");
    if (value === "no") await visit("hand-over", page);
    await page.click(`dialog button[value=${value}]`);
  };
  await ask();
  await visit("held-asked", other);
  await answer("no");
  await held(other, "kept");
  await visit("held-kept", other);
  await ask();
  await answer("yes");
  await held(page, "taken-over");
  await visit("taken-over", page);
  await page.click(TAKE_OVER);
  await page.click('.left [data-state="interrupted"] .primary');
  await until(page, "live");
}

/** What the server does not take, and what cannot be read. */
async function whatIsStuck({ inContext, open, create, visit }) {
  const { id } = await create("Evening on the pier");
  const context = await inContext();
  const page = await open(context, `/publish#id=${id}&token=wrong&title=Evening%20on%20the%20pier`);
  await stage(page, "ready");
  await page.click(".red");
  await until(page, "not-accepted");
  await page.waitForFunction(() => window.publisher.model.keeper.spools[0].recorded.segments > 1);
  await visit("not-accepted", page);
  await page.evaluate(leaveSomethingUnreadable);
  await page.reload();
  await page.waitForSelector('.left [data-state="unreadable"]');
  await page.waitForSelector('.left [data-state="stuck"]');
  await visit("stuck", page);
  await page.click('.left [data-state="stuck"] .discard');
  await page.waitForSelector("dialog[open]");
  await visit("delete", page);
  await page.click("dialog .danger");
  await page.waitForSelector('.left [data-state="stuck"]', { state: "detached" });
  await page.click('.left [data-state="unreadable"] .discard');
  await page.click("dialog .danger");
  await page.waitForSelector(".left", { state: "hidden" });
  const left = await page.evaluate(spools);
  if (left.length > 0) throw new Error(`deleted, and still there: ${left}`);
}

/** Footage, and no word of what it is of. */
async function leaveSomethingUnreadable() {
  const root = await navigator.storage.getDirectory();
  const folder = await (await root.getDirectoryHandle("spools")).getDirectoryHandle("01kjahrq000000000000000007", { create: true });
  await folder.getFileHandle(`00000000-1790000000000-2000-0-${"a".repeat(32)}.ts`, { create: true });
}

async function spools() {
  const names = [];
  const root = await navigator.storage.getDirectory();
  for await (const [name] of (await root.getDirectoryHandle("spools")).entries()) names.push(name);
  return names;
}
