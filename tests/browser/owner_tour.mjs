// Goes through the states of the owner's pages, so that each can be looked at.
import { roadTo } from "./road.mjs";

const SOON_MS = 60_000;

/**
 * Calls `visit(name, page)` in each state of the owner's pages of the Headwater at `base`, which has no broadcast yet, in
 * pages of this Playwright browser. `create(base, key, title)` makes a broadcast, `publish(address)` starts a publisher to it,
 * and `settings` are those of a context.
 */
export async function tourOwner(browser, { base, ownerKey, settings = {}, create, publish }, visit) {
  const road = await roadTo(base);
  const context = await browser.newContext(settings);
  context.setDefaultTimeout(SOON_MS);
  const page = await context.newPage();
  const publishers = [];
  const begin = async (title) => {
    const made = await create(base, ownerKey, title);
    const publisher = publish(made.publish.push_url);
    publishers.push(publisher);
    return { id: made.id, publisher };
  };
  const order = (id, what) => fetch(`${base}/v1/broadcasts/${id}/${what}`, { method: "POST", headers: { authorization: `Bearer ${ownerKey}` } });
  const goTo = (address) => page.goto(new URL(address, road.url).href);
  const make = (title) => create(base, ownerKey, title);
  const tour = { page, road, ownerKey, visit, begin, make, order, goTo };
  try {
    await beforeAnything(tour);
    await waitedFor(tour, await oneBroadcast(tour));
    await several(tour, () => create(base, ownerKey, "Sunday service"));
    await goTo("/broadcasts/01kjahrq000000000000000007");
    await page.getByText("There is no broadcast").waitFor();
    await visit("not-found", page);
  } finally {
    for (const publisher of publishers) publisher.kill("SIGKILL");
    await context.close();
    road.close();
  }
}

/** Until every still that is asked for is there. */
const stills = (page) =>
  page.waitForFunction(() => [...document.querySelectorAll(".still img")].every((image) => !image.hidden && image.complete));
const state = (page, word) => page.locator(".one .badge").filter({ hasText: word }).waitFor();

async function beforeAnything({ page, visit, goTo, ownerKey }) {
  await goTo("/");
  const key = page.getByLabel("Owner key");
  await key.waitFor();
  await visit("key-asked", page);
  await key.fill("not the key");
  await page.keyboard.press("Enter");
  await page.getByText("This is not the owner key").waitFor();
  await visit("key-wrong", page);
  await key.fill(ownerKey);
  await page.keyboard.press("Enter");
  await page.getByText("No broadcasts yet").waitFor();
  await visit("empty", page);
}

/** A broadcast from its making to its end. */
async function oneBroadcast({ page, road, visit, begin, order, goTo }) {
  await page.locator("#title").fill("Choir, last rehearsal");
  await page.getByRole("button", { name: "Create broadcast" }).click();
  await state(page, "Not started");
  await page.locator(".qr svg").first().waitFor();
  await visit("not-started", page);
  const { id, publisher } = await begin("Harbour cup, final");
  await goTo(`/broadcasts/${id}`);
  await state(page, "Live");
  await page.locator(".numbers").waitFor();
  await stills(page);
  await visit("live", page);
  await page.getByRole("button", { name: "End broadcast" }).click();
  await page.locator("dialog[open]").waitFor();
  await visit("end-asked", page);
  await page.locator('dialog [value="no"]').click();
  await order(id, "pause");
  await state(page, "Paused");
  await visit("paused", page);
  await order(id, "resume");
  publisher.kill("SIGKILL");
  await state(page, "Interrupted");
  await visit("interrupted", page);
  road.cut();
  await page.getByText("Trying again").waitFor();
  await visit("unreachable", page);
  road.open();
  await order(id, "end");
  await state(page, "Complete");
  await stills(page);
  await visit("complete", page);
  return id;
}

/** One that its owner has ended, of which not everything has arrived; what has is from the recording of another. */
async function waitedFor({ page, road, visit, make, order, goTo }, recorded) {
  const { id, publish } = await make("Evening on the river");
  const lines = async (address) => (await (await fetch(address)).text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const multivariant = new URL(`/hls/${recorded}/index.m3u8`, road.url);
  const playlist = new URL((await lines(multivariant))[0], multivariant);
  const segments = (await lines(playlist)).slice(0, 4);
  for (const [seq, name] of segments.entries()) {
    if (seq === 2) continue;
    const body = await (await fetch(new URL(name, playlist))).arrayBuffer();
    await fetch(new URL(`/ingest/${id}/main/${seq}.ts`, road.url), { method: "PUT", headers: { authorization: `Bearer ${publish.token}` }, body });
  }
  await order(id, "end");
  await goTo(`/broadcasts/${id}`);
  await page.getByText("We wait until").waitFor();
  await stills(page);
  await visit("waited-for", page);
  await page.getByRole("button", { name: "Give up the rest" }).click();
  await page.locator("dialog[open]").waitFor();
  await visit("give-up-asked", page);
  await page.locator('dialog [value="yes"]').click();
  await state(page, "Complete");
  await visit("given-up", page);
}

/** The list, with broadcasts in several states. */
async function several({ page, visit, begin, order, goTo }, createOnly) {
  await createOnly();
  const [broken] = [await begin("Evening on the pier"), await begin("Ski race, second run: the women's slalom and the giant slalom of the juniors")];
  await goTo("/");
  await page.locator(".badge").filter({ hasText: "Live" }).nth(1).waitFor();
  const paused = await begin("Lecture 7");
  await page.locator(".badge").filter({ hasText: "Live" }).nth(2).waitFor();
  paused.publisher.kill("SIGKILL");
  await order(paused.id, "pause");
  broken.publisher.kill("SIGKILL");
  await page.locator(".badge").filter({ hasText: "Interrupted" }).waitFor();
  await page.locator(".badge").filter({ hasText: "Paused" }).waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll(".still img")].filter((image) => !image.hidden).length >= 4);
  await visit("list", page);
  await page.locator("#search").fill("no such title");
  await page.getByText("No title has").waitFor();
  await visit("nothing-found", page);
}
