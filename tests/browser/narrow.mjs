// Looks for what does not fit a narrow screen.

/** WCAG 1.4.10: what has to do without scrolling sideways. */
export const NARROWEST = { width: 320, height: 640 };

/** What is wider than the page, or cut off by it, or by the button that it stands on. */
export async function tooWide(page) {
  const before = page.viewportSize();
  await page.setViewportSize(NARROWEST);
  const found = await page.evaluate(() => {
    const { clientWidth, scrollWidth } = document.documentElement;
    const isSeen = (part) => part.getBoundingClientRect().width > 1 && part.checkVisibility({ visibilityProperty: true });
    const isBeside = (part) => {
      const { left, right } = part.getBoundingClientRect();
      return left < 0 || right > clientWidth || (part.matches("button, a.button") && part.scrollWidth > part.clientWidth + 1);
    };
    const beside = [...document.querySelectorAll("button, a, input, select, h1, h2, h3, p, li, dd")].filter((part) => isSeen(part) && isBeside(part));
    const places = beside.map((part) => `${part.tagName} ${part.className} ${part.textContent}`);
    return scrollWidth > clientWidth || places.length > 0 ? [{ id: "too-wide", clientWidth, scrollWidth, places }] : [];
  });
  await page.setViewportSize(before);
  return found;
}
