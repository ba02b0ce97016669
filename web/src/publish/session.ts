/**
 * The publisher at work: carries out what the person does, and keeps the model true.
 */
import { Renewed } from "../code";
import { load } from "../owner-key";
import { ApiFailure, createBroadcast, getBroadcast } from "../transport";
import { forgetLink, type Link, takeLink } from "./address";
import { Camera } from "./camera";
import { Recording } from "./capture/recording";
import { type Choice, devices, findMissing, loadChoice, storeChoice, whyNone } from "./devices";
import { DeviceState } from "./device-state";
import { Keeper } from "./keeper/keeper";
import { isAwaited } from "./keeper/locks";
import type { Address } from "./keeper/messages";
import { isUnsent, type Model, type Problem, spoolOf, type Stage } from "./model";
import type { SegmentReport } from "./uplink/status";

/** How often what moves is looked at. */
const LOOK_EVERY_MS = 200;

export class Session {
  readonly #keeper: Keeper;
  readonly #camera: Camera;
  readonly #device = new DeviceState();
  readonly #listening = new AbortController();
  #recording: Recording | null = null;
  /** What begins and ends recording: one after the other, however quick the person is. */
  #doing: Promise<void> = Promise.resolve();
  #recordedBefore_ms = 0;
  #choice = loadChoice();
  #link: Link | null = takeLink();
  readonly #timer: number;
  model: Model;

  constructor(
    preview: HTMLVideoElement,
    private readonly changed: () => void,
  ) {
    this.model = {
      stage: { kind: "asking" },
      ended: [],
      wanted: null,
      target: this.#target(),
      keeper: null,
      problem: null,
      bitrate: null,
      level: 0,
      isMuted: false,
      hasMicrophone: false,
      cameras: 0,
      battery: null,
      isAwake: false,
      isBlind: false,
      isDeaf: false,
      isEvictable: false,
      recorded_ms: 0,
      size: null,
      now_ms: 0,
    };
    this.#camera = new Camera(preview, {
      picture: (taken) => (this.#recording ? this.#recording.addPicture(taken) : taken.frame.close()),
      sound: (packet) => this.#recording?.addSound(packet),
      failed: (error) => this.#failed(error),
    });
    this.#keeper = new Keeper({
      status: (keeper) => {
        this.model = { ...this.model, keeper };
        this.#endWithTheOthers();
        this.#noticeDone();
        this.#noticeBack();
        this.#look();
      },
      kept: () => undefined,
      lost: (_, why) => this.#trouble({ kind: why.kind === "no-room" ? "no-room" : "lost" }),
      saved: (name, file) => download(name, file),
      leftOut: (segments) => this.#trouble({ kind: "left-out", segments }),
      wanted: (id) => this.#takeWanted(id),
      notSaved: () => this.#trouble({ kind: "not-saved" }),
      failed: () => this.#trouble({ kind: "keeper" }),
    });
    this.#tellOfLink();
    void this.#lookWhetherEvictable();
    this.#timer = window.setInterval(() => {
      this.#look();
      void this.noticeGone();
    }, LOOK_EVERY_MS);
    const { signal } = this.#listening;
    addEventListener("beforeunload", (event) => isUnsent(this.model) && event.preventDefault(), { signal });
    addEventListener("hashchange", () => this.#takeLink(), { signal });
    // What is held of a camera when a page goes is missing to the next one, which may run in the same process.
    addEventListener("pagehide", () => void this.#camera.destroy(), { signal });
    addEventListener("pageshow", ({ persisted }) => persisted && location.reload(), { signal });
  }

  destroy(): void {
    clearInterval(this.#timer);
    this.#listening.abort();
    this.#device.destroy();
    void this.#camera.destroy();
    this.#keeper.destroy();
  }

  get link(): Link | null {
    return this.#link;
  }

  get choice(): Choice {
    return this.#choice;
  }

  /** The camera and the microphone that are open. */
  get open(): { camera: string | undefined; microphone: string | undefined } {
    return { camera: this.#camera.settings.deviceId, microphone: this.#camera.microphoneSettings.deviceId };
  }

  report(id: string): Promise<SegmentReport[]> {
    return this.#keeper.report(id);
  }

  /** A link need not say what the broadcast is called: the server knows. */
  async #askTitle(): Promise<void> {
    const link = this.#link;
    if (link === null || link.title !== "") return;
    const seen = await getBroadcast(link.id).catch(() => null);
    if (seen === null || this.#link !== link) return;
    this.#link = { ...link, title: seen.broadcast.title };
    this.model = { ...this.model, target: this.#target() };
  }

  /** Opens the camera, if there can be one. */
  async begin(): Promise<void> {
    const missing = await findMissing();
    if (missing !== null) return this.#goTo({ kind: "unsupported", missing });
    this.#goTo({ kind: "asking" });
    void this.#askTitle();
    Recording.load().catch((error: unknown) => console.warn("not loaded yet", error));
    try {
      await this.#camera.open(this.#choice);
      await this.#count();
      this.#goTo({ kind: "ready" });
    } catch (error) {
      console.warn("no camera", error);
      this.#goTo({ kind: "no-camera", why: whyNone(error) });
    }
  }

  /** The red button: records to the link's broadcast, or to a new one of this title. */
  async start(title: string): Promise<void> {
    if (this.model.stage.kind !== "ready") return;
    this.#goTo({ kind: "starting", id: this.#link?.id ?? null });
    // While it is a touch that brought us here.
    void this.#camera.sound?.wake();
    void this.#askToPersist();
    const link = this.#addressOfLink();
    await this.#record(async () => link ?? this.#create(title));
  }

  async #create(title: string): Promise<Address> {
    const made = await createBroadcast(title, load());
    return { id: made.id, token: made.publish.token, title: made.title, server: location.origin };
  }

  /** Goes on with a broadcast that was interrupted. */
  async goOn(id: string): Promise<void> {
    if (this.model.stage.kind !== "ready") return;
    const spool = this.model.keeper?.spools.find((spool) => spool.id === id);
    this.#goTo({ kind: "starting", id });
    void this.#camera.sound?.wake();
    void this.#askToPersist();
    const link = this.#addressOfLink();
    await this.#record(async () => (link?.id === id ? link : { id, token: "", title: spool?.title ?? "", server: "" }));
  }

  /** What is stored may be deleted for want of room, unless the browser promises that it is not. */
  async #askToPersist(): Promise<void> {
    const isPersistent = await navigator.storage.persist?.().catch(() => false);
    this.model = { ...this.model, isEvictable: isPersistent !== true };
  }

  /** The same for what an earlier visit left: without asking the person anything. */
  async #lookWhetherEvictable(): Promise<void> {
    const isPersistent = await navigator.storage?.persisted?.().catch(() => false);
    this.model = { ...this.model, isEvictable: isPersistent !== true };
  }

  #addressOfLink(): Address | null {
    return this.#link && { ...this.#link, server: location.origin };
  }

  /** A link that is opened again may have the token that what is left was sent without. */
  #tellOfLink(): void {
    const address = this.#addressOfLink();
    if (address) this.#keeper.know(address);
  }

  /** After what is still being cut: the camera gives one recording its pictures at a time. */
  async #record(addressed: () => Promise<Address>): Promise<void> {
    await this.#then(async () => {
      try {
        await this.#recordTo(await addressed());
      } catch (error) {
        this.#goTo({ kind: "ready" });
        this.#trouble(problemOf(error));
      }
    });
  }

  async #recordTo(address: Address): Promise<void> {
    this.#goTo({ kind: "starting", id: address.id });
    const why = await this.#keeper.adopt(address);
    if (why !== null) {
      this.#goTo({ kind: "ready" });
      return this.#trouble({ kind: why.kind === "unreadable" ? "storage" : why.kind === "dead" ? "keeper" : "held" });
    }
    this.#keeper.pause(address.id, false);
    this.#forgetEnded(address.id);
    this.#recordedBefore_ms = 0;
    await this.#roll(address.id);
  }

  async #roll(id: string): Promise<void> {
    await this.#beginRecording(id);
    this.model = { ...this.model, problem: null };
    this.#goTo({ kind: "recording", id, since_ms: performance.now() });
  }

  async #beginRecording(id: string): Promise<void> {
    const recording = new Recording(this.#camera.sound, {
      footage: (footage) => this.#keeper.keep(id, footage),
      failed: (error) => this.#failed(error),
      observed: () => {
        const spool = spoolOf(this.model);
        const isReachable = spool !== null && spool.trouble === null && spool.recorder !== null;
        return {
          bitsPerSecond: isReachable ? spool.bitsPerSecond : null,
          // What is missing is sent with what live leaves over, and is no sign of a slow link.
          waiting_ms: spool ? spool.owed.duration_ms - spool.missing_ms : 0,
          pressure: this.#device.pressure,
        };
      },
    });
    await recording.begin();
    this.#recording = recording;
    this.#camera.take();
    this.#device.stayAwake(true);
  }

  /** One that began without a microphone stays without sound: another one begins as soon as there is one. */
  async #beginWithSound(): Promise<void> {
    await this.#then(async () => {
      const { stage } = this.model;
      if (stage.kind !== "recording" || this.#recording?.hasSound !== false || this.#camera.sound === null) return;
      await this.#cut();
      // Whatever was pressed meanwhile waits for this.
      await this.#beginRecording(stage.id).catch((error: unknown) => this.#stopFor(stage.id, error));
    });
  }

  async pause(): Promise<void> {
    const { stage } = this.model;
    if (stage.kind !== "recording") return;
    this.#goTo({ kind: "paused", id: stage.id });
    await this.#then(async () => {
      await this.#cut();
      this.#keeper.pause(stage.id, true);
    });
  }

  async resume(): Promise<void> {
    const { stage } = this.model;
    if (stage.kind !== "paused") return;
    this.#goTo({ kind: "starting", id: stage.id });
    void this.#camera.sound?.wake();
    await this.#then(async () => {
      try {
        this.#keeper.pause(stage.id, false);
        await this.#roll(stage.id);
      } catch (error) {
        this.#stopFor(stage.id, error);
      }
    });
  }

  /** Nothing can be recorded: that is a pause, unless somebody has ended it. */
  #stopFor(id: string, error: unknown): void {
    this.#keeper.pause(id, true);
    if (this.model.stage.kind !== "ending") this.#goTo({ kind: "paused", id });
    this.#trouble(problemOf(error));
  }

  /** Sends everything, then says so. */
  async end(): Promise<void> {
    const { stage } = this.model;
    if (stage.kind !== "recording" && stage.kind !== "paused") return;
    // At once: what is recorded next is another one.
    if (this.#link?.id === stage.id) this.#forgetLink();
    this.#goTo({ kind: "ending", id: stage.id });
    this.#noteEnded(stage.id);
    await this.#then(async () => {
      await this.#cut();
      this.#keeper.end(stage.id);
    });
  }

  /** Ends a broadcast that an earlier visit left. */
  finish(id: string): void {
    this.#keeper.end(id);
    this.#noteEnded(id);
    if (this.#link?.id === id) this.#forgetLink();
  }

  #noteEnded(id: string): void {
    this.model = { ...this.model, ended: [...this.model.ended.filter((other) => other !== id), id] };
  }

  #forgetEnded(id: string): void {
    this.model = { ...this.model, ended: this.model.ended.filter((other) => other !== id) };
  }

  /**
   * What somebody else has ended is not recorded on: nobody else says where it ends, and of what has ended for good nothing
   * more is taken.
   */
  #endWithTheOthers(): void {
    for (const { id, said, endedByOwner, endedThere } of this.model.keeper?.spools ?? []) {
      if (!(endedByOwner || endedThere) || said === "ended") continue;
      if (spoolOf(this.model)?.id !== id) this.finish(id);
      else void this.end();
    }
  }

  /** Gives what an earlier visit left to the person, as files. */
  save(id: string): void {
    this.#forgetProblem("left-out", "not-saved");
    this.#keeper.save(id);
  }

  /** Deletes it from this device, sent or not. */
  discard(id: string): void {
    this.#keeper.discard(id);
    this.#forgetEnded(id);
  }

  /** Asks the tab that has a broadcast for it. */
  takeOver(id: string): void {
    this.#forgetProblem("held", "taken-over");
    this.#keeper.takeOver(id);
  }

  /** Another tab asks for a broadcast. Where it is at work, the person is asked. */
  #takeWanted(id: string): void {
    if (!this.#isAtWork(id)) return void this.handOver(id);
    this.#keeper.answer(id, "person-asked");
    this.model = { ...this.model, wanted: id };
    this.#look();
  }

  #isAtWork(id: string): boolean {
    const { stage } = this.model;
    return (stage.kind === "starting" || stage.kind === "recording" || stage.kind === "paused") && stage.id === id;
  }

  /** Gives a broadcast to the tab that asked for it, with all that was recorded. */
  async handOver(id: string): Promise<void> {
    this.#forgetWanted(id);
    // Whoever asked waits for it, or is gone.
    if (this.#isAtWork(id) && !(await isAwaited(id).catch(() => false))) return this.#trouble({ kind: "asker-gone" });
    this.#keeper.answer(id, "coming");
    this.#giveIfHere(id);
    let given: Promise<boolean> | null = null;
    await this.#then(async () => {
      this.#giveIfHere(id);
      if (this.#isGiving(id) && this.#recording) await this.#cut();
      given = this.#keeper.handOver(id);
    });
    // Out here: what is recorded meanwhile does not wait for the disk.
    const isGiven = await given;
    if (isGiven) this.#forgetEnded(id);
    if (!this.#isGiving(id)) return;
    this.#recordedBefore_ms = 0;
    this.#goTo({ kind: "ready" });
    if (isGiven) this.#trouble({ kind: "taken-over", id });
  }

  /** At once, so that nothing else is begun; and again, if something was just being begun. */
  #giveIfHere(id: string): void {
    if (this.#isAtWork(id) || (this.model.stage.kind === "ending" && this.model.stage.id === id)) this.#goTo({ kind: "giving", id });
  }

  #isGiving(id: string): boolean {
    return this.model.stage.kind === "giving" && this.model.stage.id === id;
  }

  /** The other tab does not get it. */
  keepHere(id: string): void {
    this.#forgetWanted(id);
    this.#keeper.answer(id, "kept");
  }

  #forgetWanted(id: string): void {
    if (this.model.wanted === id) this.model = { ...this.model, wanted: null };
  }

  /** Whoever has asked may be closed meanwhile. */
  async noticeGone(): Promise<void> {
    const { wanted } = this.model;
    if (wanted === null || (await isAwaited(wanted).catch(() => false))) return;
    this.#forgetWanted(wanted);
    this.#look();
  }

  /** What another tab has taken over is here again. */
  #noticeBack(): void {
    const { problem, keeper } = this.model;
    if (problem?.kind === "taken-over" && keeper?.spools.some(({ id }) => id === problem.id)) this.#forgetProblem("taken-over");
  }

  /** After one is done: back to the beginning. */
  again(): void {
    if (this.model.stage.kind !== "done" && this.model.stage.kind !== "ending") return;
    this.#recordedBefore_ms = 0;
    this.#goTo({ kind: "ready" });
  }

  async switchCamera(): Promise<void> {
    const cameras = await devices("videoinput");
    const { facingMode, deviceId } = this.#camera.settings;
    if (facingMode === "user" || facingMode === "environment") {
      await this.choose({ camera: null, facing: facingMode === "user" ? "environment" : "user" });
    } else {
      const next = (cameras.findIndex((camera) => camera.deviceId === deviceId) + 1) % Math.max(cameras.length, 1);
      await this.choose({ camera: cameras[next]?.deviceId ?? null });
    }
  }

  /** Another camera, microphone or size, also while it records. */
  async choose(change: Partial<Choice>): Promise<void> {
    const before = this.#choice;
    const choice = { ...before, ...change };
    const what = "microphone" in change ? "microphone" : "camera";
    this.#choice = choice;
    storeChoice(choice);
    try {
      if (what === "microphone") await this.#camera.openMicrophone(choice);
      else await this.#camera.openCamera(choice);
      if (what === "microphone") void this.#beginWithSound();
      this.#forgetProblem(what);
    } catch (error) {
      console.warn(`no ${what}`, error);
      if (this.#choice === choice) storeChoice((this.#choice = before));
      this.#trouble({ kind: what, why: whyNone(error) });
    }
    await this.#count();
  }

  mute(isMuted: boolean): void {
    this.#camera.isMuted = isMuted;
    this.model = { ...this.model, isMuted };
    this.#look();
  }

  /** What was recorded so far becomes footage. */
  async #cut(): Promise<void> {
    const recording = this.#recording;
    this.#camera.rest();
    await recording?.end();
    this.#recordedBefore_ms += recording?.recorded_ms ?? 0;
    if (this.#recording === recording) this.#recording = null;
    this.#device.stayAwake(false);
  }

  #then(work: () => Promise<void>): Promise<void> {
    this.#doing = this.#doing.then(work).catch((error: unknown) => this.#failed(error));
    return this.#doing;
  }

  #noticeDone(): void {
    const { stage } = this.model;
    if (stage.kind === "ending" && spoolOf(this.model)?.isDone) this.#goTo({ kind: "done", id: stage.id });
  }

  #takeLink(): void {
    this.#link = takeLink();
    this.model = { ...this.model, target: this.#target() };
    this.#tellOfLink();
    void this.#askTitle();
    this.#look();
  }

  #forgetLink(): void {
    this.#link = null;
    forgetLink();
    this.model = { ...this.model, target: this.#target() };
  }

  #target(): Model["target"] {
    if (this.#link) return { kind: "link", id: this.#link.id, title: this.#link.title };
    return load() === null ? { kind: "none" } : { kind: "own" };
  }

  async #count(): Promise<void> {
    const { length } = await devices("videoinput");
    this.model = { ...this.model, cameras: length };
  }

  #goTo(stage: Stage): void {
    this.model = { ...this.model, stage };
    this.#askNoMore();
    this.#look();
  }

  /** What is not at work any more is given without a word, after whatever is just being done to it. */
  #askNoMore(): void {
    const { wanted } = this.model;
    if (wanted === null || this.#isAtWork(wanted)) return;
    this.#forgetWanted(wanted);
    queueMicrotask(() => this.#takeWanted(wanted));
  }

  #trouble(problem: Problem): void {
    this.model = { ...this.model, problem };
    this.#look();
  }

  /** It is over, if it is one of these. */
  #forgetProblem(...kinds: Problem["kind"][]): void {
    const { problem } = this.model;
    if (problem !== null && kinds.includes(problem.kind)) this.model = { ...this.model, problem: null };
  }

  #failed(error: unknown): void {
    console.error(error);
    this.#trouble({ kind: "encoder" });
  }

  #look(): void {
    this.#camera.watch();
    this.model = {
      ...this.model,
      bitrate: this.#recording?.bitrate ?? null,
      size: this.#recording?.size ?? null,
      level: this.#camera.sound?.level ?? 0,
      hasMicrophone: this.#camera.hasMicrophone,
      battery: this.#device.battery,
      isAwake: this.#device.isAwake,
      isBlind: this.#camera.isSilent,
      isDeaf: this.#camera.isDeaf,
      recorded_ms: this.#recordedBefore_ms + (this.#recording?.recorded_ms ?? 0),
      now_ms: performance.timeOrigin + performance.now(),
    };
    this.changed();
  }
}

/** How long the browser may take to begin a download. */
const DOWNLOAD_MS = 60_000;

function download(name: string, file: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), DOWNLOAD_MS);
}

function problemOf(error: unknown): Problem {
  console.error(error);
  if (error instanceof Renewed) return { kind: "renewed" };
  if (!(error instanceof ApiFailure)) return { kind: "other" };
  if (error.kind === "refused" || error.kind === "unreachable" || error.status === null) {
    return { kind: error.kind === "refused" ? "refused" : "unreachable" };
  }
  return { kind: "server", status: error.status };
}
