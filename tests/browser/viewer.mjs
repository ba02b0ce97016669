// What a viewer sees of the player on a watch or embed page, for scripts that try it.

/** The longest wait for anything: real media goes by real time, on a busy machine. */
export const SEEN_MS_MAX = 120_000;

/** Tells whoever started the script how far it is. */
export function step(name, facts = {}) {
  console.log(`step ${name} ${JSON.stringify(facts)}`);
}

/** "for 1:02" -> 62 */
export function seconds(timer) {
  const [, minutes, rest] = /(\d+):(\d\d)$/.exec(timer ?? "") ?? [, 0, -1];
  return 60 * Number(minutes) + Number(rest);
}

/** The player in a page, or in a frame of it. */
export class Viewer {
  constructor(page, frame = page, shots = process.env.SHOTS) {
    this.page = page;
    this.frame = frame;
    this.shots = shots;
  }

  /** What can be seen now. */
  now() {
    return this.frame.evaluate(() => {
      const { player, video, errors } = window.headwater;
      const root = document.querySelector(".hw-player");
      const text = (selector) => root.querySelector(selector)?.innerText ?? null;
      const live = (button) => ({
        state: button.dataset.live,
        name: button.getAttribute("aria-label") ?? button.innerText,
        dot: getComputedStyle(button.querySelector(".hw-dot")).backgroundColor,
      });
      const shown = (selector) => root.querySelector(`${selector}:not([hidden])`) !== null;
      return {
        ...player.state,
        picture: root.dataset.picture,
        message: root.dataset.message,
        card: shown(".hw-card") ? text(".hw-card") : null,
        timer: shown(".hw-card") ? text(".hw-card .hw-timer") : shown(".hw-line") ? text(".hw-line .hw-timer") : null,
        catchingUp: shown(".hw-catching-up") ? text(".hw-catching-up") : null,
        live: shown(".hw-live") ? live(root.querySelector(".hw-live")) : null,
        offer: shown(".hw-offer") ? text(".hw-missed") : null,
        rate: video.playbackRate,
        preservesPitch: video.preservesPitch,
        time_s: video.currentTime,
        engine: player.engine?.name ?? null,
        sound_bytes: video.webkitAudioDecodedByteCount,
        errors: errors.length,
      };
    });
  }

  /** Waits until what is seen satisfies `holds`, a function of what `now` returns; gives back what was seen then. */
  async until(what, holds) {
    const deadline = Date.now() + SEEN_MS_MAX;
    for (;;) {
      const seen = await this.now().catch((error) => ({ error: String(error) }));
      if (!seen.error && holds(seen)) return seen;
      if (Date.now() > deadline) {
        const errors = await this.frame.evaluate(() => window.headwater?.errors).catch(() => null);
        throw new Error(`waited in vain for ${what}; seen last: ${JSON.stringify(seen)}; errors: ${JSON.stringify(errors)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Waits until the picture has moved for so many seconds without a break worth mentioning. */
  async untilPlaying(seconds = 1) {
    const start = await this.until("a picture that moves", ({ picture }) => picture === "moving");
    return this.until("a picture that goes on", ({ time_s }) => Math.abs(time_s - start.time_s) >= seconds);
  }

  async press(selector) {
    await this.frame.locator(selector).click();
  }

  /** A picture of the page, for those who look at them: SHOTS names a folder. */
  async shot(name) {
    if (this.shots) await this.page.screenshot({ path: `${this.shots}/${name}.png` });
  }

}
