// The owner's pages, as the owner uses them: the list with its pictures, a new broadcast, its links, pause and end.
// usage: node owner.mjs CHROMIUM HOME_URL_WITH_KEY ID   ->  JSON: what was seen, in order
import { violations } from "./axe.mjs";
import { withPage } from "./chromium.mjs";
import { NARROWEST, tooWide } from "./narrow.mjs";

const [executablePath, home, id] = process.argv.slice(2);
const SOON_MS = 30_000;

const seen = await withPage(executablePath, async (page) => {
  page.setDefaultTimeout(SOON_MS);
  await page.goto(home);
  const card = page.locator("li", { has: page.locator(`a[href="/broadcasts/${id}"]`) });
  // A picture that has been decoded.
  const picture = await card.locator("img:not([hidden])").evaluate((img) => img.decode().then(() => img.naturalWidth));
  const listed = { title: await card.locator("h3").innerText(), state: await card.locator(".badge").innerText(), picture };
  const fragment = new URL(page.url()).hash;

  const wrong = await violations(page);
  const narrow = await narrowInRussian(page, home);
  const alsoNarrow = async () => wrong.push(...(await narrow()));
  await alsoNarrow();

  await page.fill("#search", "no such title");
  await card.waitFor({ state: "hidden" });
  const nothing = await page.locator("#broadcasts > .said").innerText();
  await page.fill("#search", listed.title.slice(2, 8).toUpperCase());
  await card.waitFor();

  // What the buttons of the list do.
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const copy = card.getByRole("button", { name: "Copy the embed code" });
  await pressAndHear(page, copy, "Copied");
  const embed = { copied: await page.evaluate(() => navigator.clipboard.readText()) };
  // Where a page may not write to the clipboard, the text is there to be copied by hand.
  await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await pressAndHear(page, copy, "Press Ctrl+C");
  embed.selected = await page.evaluate(() => getSelection().toString());
  wrong.push(...(await violations(page)));
  const other = page.locator("ul.broadcasts > li").filter({ hasNot: page.locator(`a[href="/broadcasts/${id}"]`) });
  await page.fill("#search", "");
  const answerTo = async (value) => {
    await other.getByRole("button", { name: /^End broadcast: / }).click();
    await page.locator(`dialog button[value=${value}]`).click();
    await page.locator("dialog").waitFor({ state: "detached" });
  };
  await answerTo("no");
  const end = { afterNo: await other.locator(".badge").innerText() };
  await answerTo("yes");
  await other.locator(".badge").filter({ hasText: "Ended" }).waitFor();
  end.isOffered = await other.getByRole("button", { name: /^End broadcast: / }).isVisible();

  await card.locator("h3 a").click();
  await page.locator(".links").first().waitFor();
  const links = await page.locator(".links .copyable code").allInnerTexts();
  const toPhone = await page.locator(".links").first().innerText();
  const facts = await page.locator(".numbers dd").allInnerTexts();
  const holes = await page.locator(".holes li").allInnerTexts();
  const rendition = await page.locator("tbody tr").first().locator("th, td").allInnerTexts();
  const codes = await page.locator(".qr svg").count();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    wrong.push(...(await violations(page)));
  }

  await alsoNarrow();
  await page.setViewportSize({ width: 1100, height: 800 });
  const cut_px = await page.locator(".wide").evaluate((table) => table.scrollWidth - table.clientWidth);
  if (cut_px > 0) wrong.push({ id: "the table of renditions is cut off", cut_px });

  const state = page.locator(".one .badge");
  const until = (word) => state.filter({ hasText: word }).waitFor();
  const answer = (value) => page.locator(`dialog button[value=${value}]`).click();
  await page.getByRole("button", { name: "Pause" }).click();
  await answer("yes");
  await until("Paused");
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await page.getByRole("button", { name: "End broadcast" }).click();
  wrong.push(...(await violations(page)));
  await answer("no");
  const afterNo = await state.innerText();
  await page.getByRole("button", { name: "End broadcast" }).click();
  await answer("yes");
  await page.getByRole("button", { name: "End broadcast" }).waitFor({ state: "hidden" });
  const focus = () => page.evaluate(() => `${document.activeElement.tagName} ${document.activeElement.textContent}`);
  const told = page.locator(".one > .said");
  const giveUp = page.getByRole("button", { name: "Give up the rest" });
  const standing = async () => ({
    state: await state.innerText(),
    hint: await page.locator(".recording .hint").innerText(),
    said: await told.innerText(),
    focus: await focus(),
    mayGiveUp: await giveUp.isVisible(),
  });
  await told.filter({ hasText: "State" }).waitFor();
  const waitedFor = await standing();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    wrong.push(...(await violations(page)));
  }
  await alsoNarrow();
  await giveUp.click();
  wrong.push(...(await violations(page)));
  await answer("no");
  const notGivenUp = await standing();
  await giveUp.click();
  await answer("yes");
  await until("Complete");
  await told.filter({ hasText: "Complete" }).waitFor();
  const givenUp = await standing();
  wrong.push(...(await violations(page)));

  await page.getByRole("link", { name: "All broadcasts" }).click();
  await page.fill("#title", "Made in the page");
  await page.getByRole("button", { name: "Create broadcast" }).click();
  await page.waitForURL(/\/broadcasts\//);
  await page.getByRole("heading", { name: "Made in the page" }).waitFor();
  const made = { url: page.url(), state: await state.innerText() };
  await alsoNarrow();
  return { listed, fragment, nothing, embed, end, links, toPhone, facts, holes, rendition, codes, afterNo, waitedFor, notGivenUp, givenUp, made, wrong };
});
console.log(JSON.stringify(seen));

/** Presses a button, and waits until it has said this and is itself again: what stands there for a moment may be over before anybody looks. */
async function pressAndHear(page, locator, expected) {
  const button = await locator.elementHandle();
  const heard = await button.evaluateHandle((button) => {
    const heard = { usual: button.innerText, said: [] };
    const hear = () => button.checkVisibility() && heard.said.push(button.innerText);
    new MutationObserver(hear).observe(button, { childList: true, characterData: true, subtree: true });
    return heard;
  });
  await button.click();
  await page.waitForFunction(({ heard, expected }) => heard.said.includes(expected), { heard, expected });
  await page.waitForFunction(({ heard, button }) => button.innerText === heard.usual, { heard, button });
}

/** Gives how to ask what of the page does not fit a narrow screen in Russian, whose words are the longest; nor of its questions. */
async function narrowInRussian(page, address) {
  const context = await page.context().browser().newContext({ locale: "ru", viewport: NARROWEST });
  const russian = await context.newPage();
  russian.setDefaultTimeout(SOON_MS);
  await russian.goto(address);
  return async () => {
    await russian.goto(page.url());
    await russian.locator(".badge").first().waitFor();
    const found = await tooWide(russian);
    const asking = russian.locator("button.danger-text:visible, button.danger:visible").first();
    if (await asking.isVisible()) {
      await asking.click();
      await russian.locator("dialog[open]").waitFor();
      found.push(...(await tooWide(russian)));
      await russian.locator("dialog button[value=no]").click();
    }
    const [name] = new URL(page.url()).pathname.split("/").filter((part) => part !== "");
    if (process.env.SHOTS) await russian.screenshot({ path: `${process.env.SHOTS}/owner-narrow-${name ?? "list"}.png`, fullPage: true });
    return found;
  };
}
