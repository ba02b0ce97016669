/**
 * The small facts beside the state: for how long, how fast, the battery, the storage, and what is missing.
 */
import { element } from "../../element";
import { isAllSent, isAtRisk, type Model, roomFor_s, roomLeft_s, spoolOf, type Stage } from "../model";
import type { Words } from "../words";

/** In bits per second, with what is around sound and pictures. */
const SOUND_BITRATE = 100_000;

type Name = "time" | "rate" | "link" | "missing" | "storage" | "battery";

export class Facts {
  readonly #values = new Map<Name, HTMLElement>();
  readonly root = element("dl", { class: "facts" });

  constructor(private readonly words: Words) {
    this.#add("time", words.recordedLabel);
    this.#add("rate", words.rateLabel);
    this.#add("link", words.linkLabel);
    this.#add("missing", words.missingLabel);
    this.#add("storage", words.storageLabel);
    this.#add("battery", words.batteryLabel);
  }

  #add(name: Name, label: string): void {
    const value = element("dd");
    this.#values.set(name, value);
    this.root.append(element("div", { class: name, title: label }, element("dt", {}, label), value));
  }

  show(model: Model): void {
    const { words } = this;
    const spool = spoolOf(model);
    const isAtWork = spool !== null && model.stage.kind !== "done";
    this.#set("time", spool !== null ? words.recordedTime(model.recorded_ms / 1000) : null);
    this.#set("rate", model.bitrate === null ? null : `● ${words.rate(model.bitrate)}`);
    this.#set("link", isAtWork && spool.bitsPerSecond && spool.trouble === null ? `↑ ${words.rate(spool.bitsPerSecond)}` : null);
    const { segments = 0, duration_ms = 0 } = spool?.owed ?? {};
    const isMissing = segments > 0 ? words.missingSegments(segments, duration_ms / 1000) : null;
    this.#set("missing", isAtWork ? (isAllSent(spool) ? words.nothingMissing : isMissing) : null);
    const kept = keptHere(model, words);
    this.#set("storage", kept && `▤ ${kept}`);
    const { battery } = model;
    this.#set("battery", battery && `▮ ${words.battery(Math.round(battery.level * 100), battery.charging)}`);
    this.root.querySelector(".battery")?.classList.toggle("bad", battery !== null && !battery.charging && battery.level < 0.15);
  }

  #set(name: Name, text: string | null): void {
    const value = this.#values.get(name)!;
    if (value.textContent !== (text ?? "")) value.textContent = text ?? "";
    value.parentElement!.hidden = text === null;
  }
}

/** How much is kept on this device, and, while that is known, for how long there is room. */
export function keptHere({ keeper, bitrate }: Pick<Model, "keeper" | "bitrate">, words: Words): string | null {
  if (keeper === null) return null;
  const bytes = keeper.spools.reduce((sum, one) => sum + (one.isDone ? 0 : one.keptBytes), 0);
  if (bytes === 0) return null;
  const isKnown = bitrate !== null && keeper.storage.quota > 0;
  return isKnown ? `${words.bytes(bytes)}, ${words.room(roomFor_s(keeper.storage, bitrate + SOUND_BITRATE))}` : words.bytes(bytes);
}

/** What must be said, and whether it needs somebody now. */
export interface Warning {
  text: string;
  isUrgent: boolean;
}

/** Where there is, or soon will be, something to hear. */
const TO_BE_HEARD: readonly Stage["kind"][] = ["ready", "starting", "recording", "paused"];

export function warnings(model: Model, words: Words): Warning[] {
  const said: Warning[] = [];
  const warn = (text: string) => said.push({ text, isUrgent: false });
  const alarm = (text: string) => said.push({ text, isUrgent: true });
  const { keeper, stage, bitrate } = model;
  const isAtWork = stage.kind === "recording";
  if (keeper?.storage.state === "full") alarm(words.storageFull);
  else if (keeper?.storage.state === "failing") alarm(words.storageFailing);
  else if (keeper && isAtWork) {
    const left_s = roomLeft_s(keeper.storage, (bitrate ?? 1_000_000) + SOUND_BITRATE);
    if (keeper.storage.state === "low" && left_s !== null) warn(words.storageLow(left_s));
  }
  if (model.problem) alarm(words.problem(model.problem));
  if (model.isBlind) alarm(words.noPictures);
  if (model.isDeaf) alarm(words.noSound);
  if (!model.hasMicrophone && TO_BE_HEARD.includes(stage.kind)) alarm(words.withoutSound);
  if (isAtWork && !model.isAwake && !document.hidden && model.now_ms > 0 && "wakeLock" in navigator && model.recorded_ms > 4_000) {
    warn(words.notAwake);
  }
  if (isAtRisk(model)) warn(words.evictable);
  return said;
}
