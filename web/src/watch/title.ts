/**
 * The title of the broadcast. It is in no playlist: the server writes it into the page.
 */

/** Empty if the broadcast has none, whatever the page is called for others; null if the server has not written anything. */
export function writtenTitle(): string | null {
  const written = document.querySelector<HTMLMetaElement>('meta[property="og:title"]');
  if (written === null) return null;
  return "placeholder" in written.dataset ? "" : written.content;
}
