/**
 * Code that is loaded when it is needed. A server that was renewed has it under other names only, and a page that was opened
 * before cannot have it any more.
 */
import { Deadline } from "./deadline";

/** How long the server may take to answer. */
const ANSWER_MS_MAX = 10_000;

/** Code cannot be had, though its server answers: most likely that was renewed, and the page has to be loaded again. */
export class Renewed extends Error {}

/** What `load` imports. Rejects with `Renewed` if its server answers, else with what went wrong. */
export async function loaded<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (await doesServerAnswer()) throw new Renewed("code is not there any more", { cause: error });
    throw error;
  }
}

/** The server that our own code came from, whatever it says of it now. */
async function doesServerAnswer(): Promise<boolean> {
  const deadline = new Deadline(ANSWER_MS_MAX);
  try {
    // On another site's page it says no more than that there is an answer.
    const { type, status } = await fetch(import.meta.url, { mode: "no-cors", cache: "no-store", signal: deadline.signal });
    return type === "opaque" || status < 500;
  } catch {
    return false;
  } finally {
    deadline.clear();
  }
}
