/**
 * Which tab has a spool: one at a time (Web Locks). Whoever waits for one gets it in turn, also when the tab that has it is
 * closed or reloaded.
 */

/** What this tab has, and how it lets go of it. */
const ours = new Map<string, () => void>();
/** What this tab waits for. */
const awaited = new Map<string, AbortController>();

/** Takes a spool for this tab, as long as it runs or until it lets go; whether no other one has it. */
export function hold(id: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const take = (lock: Lock | null) => {
      resolve(lock !== null);
      return lock === null ? undefined : untilLetGo(id);
    };
    navigator.locks.request(lockName(id), { ifAvailable: true }, take).catch(reject);
  });
}

/** Waits until the other tab lets go of a spool, and takes it. */
export async function holdLater(id: string): Promise<void> {
  for (;;) if (await inTurn(id)) return;
}

/** `false` if another one is to have it first. */
function inTurn(id: string): Promise<boolean> {
  const giveWay = new AbortController();
  awaited.set(id, giveWay);
  return new Promise((resolve, reject) => {
    const take = () => {
      awaited.delete(id);
      resolve(true);
      return untilLetGo(id);
    };
    const { signal } = giveWay;
    navigator.locks.request(lockName(id), { signal }, take).catch((error: unknown) => (signal.aborted ? resolve(false) : reject(error)));
  });
}

/** Another tab has asked for it: that one gets it first. */
export function goBehind(id: string): void {
  awaited.get(id)?.abort();
}

export function letGo(id: string): void {
  ours.get(id)?.();
  ours.delete(id);
}

/** Whether any tab waits for it. */
export async function isAwaited(id: string): Promise<boolean> {
  const { pending = [] } = await navigator.locks.query();
  return pending.some(({ name }) => name === lockName(id));
}

function untilLetGo(id: string): Promise<void> {
  return new Promise((resolve) => ours.set(id, resolve));
}

function lockName(id: string): string {
  return `headwater-spool-${id}`;
}
