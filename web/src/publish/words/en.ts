/** What the publish page says, in English. The other languages have the type of this. */
import { clock, counted, durationInWords, wholeMinutes } from "../../language";
import type { WhereElse } from "../keeper/messages";
import type { Headline, Missing, Problem, Stage } from "../model";

const segments = (count: number) => counted("en", count, { one: "segment", other: "segments" });

const ended = (byOwner: boolean) => (byOwner ? "The owner has ended this broadcast" : "Ended");

/** What will not be there. Nothing is said of what there is none of. */
function notThere(refused: number, damaged: number): string {
  const said = [
    ...(refused > 0 ? [`The server refused ${segments(refused)}.`] : []),
    ...(damaged > 0 ? [`${segments(damaged)} got damaged on this device.`] : []),
  ];
  return said.join(" ");
}

const unread = (count: number) => `${segments(count)} cannot be read on this device now`;

/** How what was ended stands. `isTold`: whether the server knows of the end. */
interface Ending {
  waiting_s: number;
  unreadable: number;
  isTold: boolean;
  isReachable: boolean;
}

const waiting = (s: number) => (s > 0 ? `${whole(s)} waiting. ` : "");

export const en = {
  documentTitle: "Go live · Headwater",
  headline(line: Headline): string {
    switch (line.kind) {
      case "ready": return "Ready";
      case "starting": return "Starting …";
      case "connecting": return line.waiting_s > 4 ? `Recording, connecting: ${whole(line.waiting_s)} waiting` : "Recording, connecting …";
      case "live": return `Live, ${line.behind_s.toFixed(1)} s behind`;
      case "later": return line.waiting_s >= 1 ? `Recording, will send later: ${whole(line.waiting_s)} waiting` : "Recording, will send later";
      case "paused": return line.waiting_s > 0 ? `Paused, ${whole(line.waiting_s)} still to send` : "Paused";
      case "saving": return "Saving the last moments …";
      case "sending":
        if (line.waiting_s === 0 && !line.isTold) return line.isReachable ? "Ended, telling the server …" : "Ended. The server does not know yet, and will be told later";
        if (line.waiting_s === 0) return line.isReachable ? `${ended(line.byOwner)}, making sure all is safe …` : `${ended(line.byOwner)}, all is sent: will make sure later that it is safe`;
        return line.isReachable ? `${ended(line.byOwner)}, sending: ${whole(line.waiting_s)} left` : `${ended(line.byOwner)}, will send later: ${whole(line.waiting_s)} waiting`;
      case "reading-again": return `Ended. ${unread(line.segments)}: trying again … ${notThere(line.refused, line.damaged)}`.trimEnd();
      case "kept-here": return `Ended. ${notThere(line.refused, line.damaged)} They stay on this device.`;
      case "done": return `${ended(line.byOwner)}. Everything is sent and safe.`;
      case "ended-there": return "The broadcast has ended; what was not sent is no longer accepted. It stays on this device.";
      case "not-accepted": return "The server does not accept this link. What you record stays on this device.";
      case "no-broadcast": return "The server does not know this broadcast. What you record stays on this device.";
    }
  },
  /** Beside being live, what is old is being sent. */
  catchingUp: (missing_s: number) => `and sending what was missing: ${whole(missing_s)} left`,
  keepOpen: "Keep this page open until it is sent. If you close it, it goes on when you open it again.",
  mayClose: "You may close this page.",
  title: "Title",
  titleHint: "What is it about?",
  untitled: "Untitled",
  start: "Start broadcasting",
  goOn: "Go on",
  stop: "End the broadcast",
  stopSure: "End the broadcast?",
  stopSureText: "It cannot be continued afterwards. What is not sent yet will still be sent.",
  stopYes: "End it",
  stopNo: "Not yet",
  pause: "Pause",
  resume: "Resume",
  mute: "Mute the microphone",
  unmute: "Unmute the microphone",
  switchCamera: "Switch camera",
  settings: "Settings",
  close: "Close",
  camera: "Camera",
  microphone: "Microphone",
  noMicrophone: "No microphone",
  quality: "Picture size",
  qualityNote: "The bit rate follows the network by itself.",
  unnamed: (kind: string, n: number) => `${kind} ${n}`,
  level: "Sound level",
  newOne: "New broadcast",
  watch: "Open the watch page",
  share: "Share the watch page",
  recordedTime: (s: number) => clock(s),
  recordedLabel: "Recorded",
  rate: (bitsPerSecond: number) => `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`,
  rateLabel: "Bit rate of the recording",
  linkLabel: "What the network carries",
  battery: (percent: number, charging: boolean) => (charging ? `${percent} %, charging` : `${percent} %`),
  batteryLabel: "Battery",
  storageLabel: "Footage kept on this device",
  bytes: (bytes: number) => (bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`),
  room: (s: number) => (s < 3600 ? `room for ${Math.floor(s / 60)} min` : `room for ${Math.floor(s / 3600)} h`),
  missingLabel: "Not sent yet",
  nothingMissing: "nothing missing",
  missingSegments: (count: number, s: number) => `${segments(count)}, ${whole(s)}`,
  storageLow: (left_s: number) => `Little room on this device: enough for about ${durationInWords("en", wholeMinutes(left_s))}.`,
  storageFull: "No room on this device! Free some space now, or what you record next is lost.",
  storageFailing: "This device does not save what is recorded. It is kept in memory for a while and tried again: keep this page open.",
  lostFootage: "Some footage was lost: there was no room for it.",
  noPictures: "The camera gives no pictures. Trying again …",
  noSound: "The microphone gives no sound. Trying again …",
  withoutSound: "No microphone: this is broadcast without sound. Allow a microphone for this page, or choose one in the settings.",
  notAwake: "The screen may switch off: keep it on.",
  evictable: "This browser may delete what is not sent yet when the device runs short of room. Keep some free, and let it be sent soon.",
  problem(problem: Problem): string {
    switch (problem.kind) {
      case "refused": return "The server does not accept your owner key. Open the link again that Headwater printed.";
      case "unreachable": return "The server does not answer. To make a new broadcast, a network is needed; a broadcast that was begun goes on without.";
      case "held": return "Another tab of this browser is working on this broadcast. To go on here, press “Use this tab”.";
      case "taken-over": return "Another tab has taken over this broadcast. Nothing is recorded here any more; what was recorded is kept and sent there.";
      case "asker-gone": return "The tab that asked for this broadcast is gone. Recording goes on here.";
      case "no-room": return en.lostFootage;
      case "lost": return "Some footage was lost: this device did not save it.";
      case "camera":
        if (problem.why === "denied") return "This camera is not allowed. Allow it in the browser's settings for this page.";
        return problem.why === "none" ? "This camera is no longer there." : "This camera is in use by something else. Close that, or choose another one.";
      case "microphone":
        if (problem.why === "denied") return "This microphone is not allowed. Allow it in the browser's settings for this page.";
        return problem.why === "none" ? "This microphone is no longer there." : "This microphone cannot be used now. Choose another one.";
      case "encoder": return "This browser cannot encode the picture or the sound now. Choose another picture size, or reload the page.";
      case "server": return `The server has an error of its own (${problem.status}). Try again in a while.`;
      case "storage": return "What is kept of this broadcast on this device cannot be opened. Reload the page and try again.";
      case "left-out": return `Not all of it is in the file: ${segments(problem.segments)} cannot be read on this device now. Keep the recording here, and try again later.`;
      case "not-saved": return "It could not be saved to a file: it cannot be read on this device now. Keep the recording here, and try again later.";
      case "keeper": return "The part of this page that saves and sends has broken. Reload the page: what was saved is sent then.";
      case "renewed": return "Headwater was updated while this page was open, most likely. Reload the page to record: what was saved is not lost.";
      case "other": return "Something went wrong. Try again, or reload the page: what was saved is not lost.";
    }
  },
  noTarget: "To broadcast, open the link that you were given, or the owner's link that Headwater printed at its first start.",
  stage(stage: Stage): string {
    if (stage.kind === "asking") return "Please allow the camera and the microphone.";
    if (stage.kind !== "no-camera") return "";
    if (stage.why === "denied") return "The camera is not allowed. Allow it in the browser's settings for this page, then try again.";
    if (stage.why === "none") return "There is no camera on this device.";
    return "The camera is in use by something else. Close that, then try again.";
  },
  tryAgain: "Try again",
  unsupportedTitle: "This browser cannot broadcast",
  unsupported(missing: Missing): string {
    switch (missing) {
      case "secure-context": return "Browsers give the camera only to pages that come over https, or from this very machine (localhost).";
      case "camera": return "It gives pages no camera.";
      case "encoder": return "It cannot encode H.264 video (WebCodecs).";
      case "storage": return "It has no storage that survives a crash (the origin private file system), perhaps because this is a private window.";
    }
  },
  unsupportedDo(missing: Missing): string {
    if (missing === "secure-context") return "Start Headwater with https, and open this page by its https address. With a certificate of its own, which the phone asks about once:";
    if (missing === "storage") return "Open this page in an ordinary window.";
    return "Chrome or Edge, on Android or on a computer, can; Safari can from version 17 on.";
  },
  otherWays: "Other ways to broadcast",
  ffmpegWay: "With ffmpeg, to the push address that the owner's page shows:",
  obsWay: "With OBS Studio: choose the service “YouTube - HLS”, and put the server and the key of the owner's page into the profile's service.json.",
  leftTitle: "Earlier recordings on this device",
  left: {
    interrupted(waiting_s: number, unreadable: number): string {
      if (waiting_s > 0) return `Interrupted. ${whole(waiting_s)} still to send.`;
      return unreadable > 0 ? `Interrupted. ${unread(unreadable)}: trying again.` : "Interrupted. Everything recorded so far is sent.";
    },
    sending({ waiting_s, unreadable, isTold, isReachable }: Ending): string {
      if (waiting_s > 0) return `Ended. ${whole(waiting_s)} still to send.`;
      if (unreadable > 0) return `Ended. ${unread(unreadable)}: trying again.`;
      if (!isTold) return isReachable ? "Ended. Telling the server." : "Ended. The server does not know yet, and will be told later.";
      return isReachable ? "Ended. Making sure all is safe." : "Ended. Will make sure later that all is safe.";
    },
    stuck: (refused: number, damaged: number) => `${notThere(refused, damaged)} They stay on this device.`,
    afterTheEnd: "The broadcast has ended; what was not sent is no longer accepted. It stays on this device.",
    notAccepted: (waiting_s: number) => `The server does not accept the link that this was recorded with. ${waiting(waiting_s)}It stays on this device, and is sent once a link that is valid is opened here.`,
    noBroadcast: (waiting_s: number) => `The server does not know this broadcast. ${waiting(waiting_s)}It stays on this device.`,
    sent: "Everything is sent and safe.",
    held(state: WhereElse): string {
      switch (state) {
        case "there": return "Another tab is working on this one.";
        case "taken-over": return "Another tab has taken this one over.";
        case "asking": return "Asking the other tab for it …";
        case "held-up": return "The other tab cannot save at the moment what was recorded there. It tries again, and gives this one then: do not close it, and free some space if there is little.";
        case "recording": return "The other tab is recording this one. Answer there whether it may be taken over.";
        case "kept": return "The other tab is recording this one, and keeps it.";
        case "silent": return "The other tab does not answer. Go to it first: if it is closed, this one takes over, and what is not saved there yet may be lost.";
      }
    },
    unreadable: "A recording on this device cannot be opened now. It stays here, and is tried again, now and at each visit.",
    damaged: (count: number) => `${segments(count)} could not be saved when the browser was stopped.`,
  },
  takeOver: "Use this tab",
  handOverSure: "Let another tab take over?",
  handOverText: "It asks for this broadcast. If it gets it, recording stops here, and can go on there. Nothing that was recorded is lost.",
  handOverYes: "Let it take over",
  handOverNo: "Keep recording here",
  finish: "Finish",
  save: "Save to a file",
  discard: "Delete from this device",
  discardSure: "Delete this recording from this device?",
  discardText: "What the server does not have is nowhere else. If you may want it, save it to a file first.",
  discardUnreadable: "It cannot be opened now, but a later visit may succeed. What is deleted cannot be brought back.",
  discardYes: "Delete it",
  discardNo: "Keep it",
};

export type Words = typeof en;

function whole(s: number): string {
  return s < 60 ? `${Math.round(s)} s` : clock(s);
}
