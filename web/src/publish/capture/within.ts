/**
 * A limit for what a browser may never finish. Pure.
 */

/** How long an encoder may take to give what it has. */
export const FLUSH_MAX_MS = 5_000;

/** Rejects when it takes longer. */
export async function within<T>(limit_ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} takes longer than ${limit_ms / 1000} s`)), limit_ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
