// Looks for accessibility errors in a page as it is now, frames included, with axe-core.
//
//     import { violations } from "./axe.mjs";
//     const found = await violations(page);   // [] if there are none
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** WCAG 2.2, A and AA, and what axe calls best practice. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** The violations in a Playwright page: rule, impact, what is wrong, and the first places, as CSS selectors. */
export async function violations(page) {
  const found = [];
  for (const frame of page.frames()) {
    // Evaluated by the debugger, which a Content-Security-Policy does not stop.
    await frame.evaluate(source);
    const inFrame = await frame.evaluate(async (tags) => {
      const { violations } = await globalThis.axe.run(document, { runOnly: tags, resultTypes: ["violations"] });
      return violations.map(({ id, impact, help, nodes }) => {
        const places = nodes.slice(0, 3).map(({ target, failureSummary }) => `${target.join(" ")}: ${failureSummary}`);
        return { id, impact, help, places };
      });
    }, TAGS);
    found.push(...inFrame.map((violation) => ({ frame: new URL(frame.url()).pathname, ...violation })));
  }
  return found;
}
