/** What the player says, in English. The others have the same members. */
import { durationInWords } from "../../language";

const duration = (seconds: number) => durationInWords("en", seconds);

export const en = {
  // Messages: what is the matter, and what will happen.
  loading: "Loading…",
  noSuchBroadcast: "There is no broadcast at this address.",
  noSuchBroadcastHint: "Perhaps the link was cut short, or the broadcast was deleted. Ask whoever sent it for a new one.",
  notStarted: "The broadcast has not started yet.",
  notStartedHint: "Leave this open: it starts by itself.",
  interrupted: "The broadcast is interrupted.",
  interruptedHint: "The network on their side is weak, most likely. We will be back by ourselves.",
  paused: "The broadcast is paused.",
  pausedHint: "It continues by itself when the publisher goes on.",
  ended: "The broadcast has ended.",
  endedHint: "Parts of it may still be on their way; the full recording will be here when they have arrived.",
  complete: "The broadcast has ended.",
  completeHint: "This is where you can watch all of it.",
  nothingRecorded: "The broadcast has ended, and nothing of it has arrived.",
  offline: "Your connection is down.",
  offlineHint: "The broadcast goes on; check your network. The picture comes back by itself, and you can watch what you missed.",
  /** Where nothing goes on meanwhile that could be missed. */
  offlineStillHint: "Check your network. This goes on by itself when you are connected again.",
  server: "The server has a problem.",
  serverHint: "It is not your network. We keep trying; there is nothing that you need to do.",
  unplayable: "This browser cannot play this video.",
  unplayableHint: "Try a current version of Chrome, Edge, Firefox or Safari.",
  buffering: "Loading the picture…",
  waitsAtHole: "What was recorded next is still on its way.",
  waitsAtHoleHint: "You can wait for it here, or go back to live.",
  /** Before a length of time that counts. */
  forTime: "for",
  liveInterrupted: "Live is interrupted",
  livePaused: "Live is paused",

  // Offers and what they lead to.
  missed: (length: string) => `Watch what you missed (${length})`,
  missedArrived: "What was recorded during the interruption has arrived.",
  missedAway: "It went on while you were away.",
  missedSpoken: (seconds: number) => `You can watch what you missed: ${duration(seconds)}.`,
  stayLive: "Stay live",
  jumpToLive: "Jump to live",
  watchRecording: "Watch the recording",
  watchFromStart: "Watch from the beginning",
  catchingUp: "Catching up",
  behind: (length: string) => `${length} behind live`,
  catchingUpSpoken: "Catching up with live.",
  liveAgain: "You are live again.",
  tapForSound: "Tap for sound",

  // Controls.
  player: "Video player",
  play: "Play",
  pause: "Pause",
  live: "Live",
  isLive: "You are watching live",
  mute: "Mute",
  unmute: "Unmute",
  volume: "Volume",
  timeline: "Timeline",
  percent: (percent: number) => `${percent} percent`,
  captionsOn: "Show captions",
  captionsOff: "Hide captions",
  settings: "Settings",
  quality: "Quality",
  automatic: "Automatic",
  speed: "Speed",
  normal: "Normal",
  share: "Share this moment",
  shareCopied: "The link to this moment is copied.",
  shareManually: "Copy the link to this moment:",
  pictureInPicture: "Picture in picture",
  fullscreen: "Full screen",
  leaveFullscreen: "Leave full screen",
  help: "Keyboard shortcuts",
  close: "Close",
  stretch: {
    missing: "Missing; may still arrive",
    paused: "Paused",
    late: "Arrived late",
  },
  watchLate: "Watch what arrived late",
  position: (position: string, total: string) => `${position} of ${total}`,

  keys: {
    space: "Space",
    togglePlay: "Play or pause",
    skip: "Back or forward 10 seconds",
    volume: "Volume",
    mute: "Mute",
    fullscreen: "Full screen",
    captions: "Captions",
    pictureInPicture: "Picture in picture",
    live: "Jump to live",
    part: "Jump to a part of the video",
    speed: "Slower or faster",
    help: "This help",
  },
};

/** Every language has these. */
export type Words = typeof en;
