/**
 * Which quality the viewer wants, whatever each source has. Pure.
 */
import type { Quality } from "./engine";

/** What was chosen: qualities have other numbers in another source. */
export type Wanted = Pick<Quality, "height" | "bits_per_s">;

/** The quality that is most like it: in height, then in bit rate. Null if there is none. */
export function mostLike(wanted: Wanted, qualities: readonly Quality[]): Quality | null {
  const off = ({ height, bits_per_s }: Wanted) => [Math.abs(height - wanted.height), Math.abs(bits_per_s - wanted.bits_per_s)] as const;
  const nearer = (a: Quality, b: Quality) => {
    const [[pixels, bits], [otherPixels, otherBits]] = [off(a), off(b)];
    return pixels - otherPixels || bits - otherBits;
  };
  return [...qualities].sort(nearer)[0] ?? null;
}
