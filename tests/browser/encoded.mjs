// Takes down what the encoders of a page give, before the page does anything with it: so that what becomes of it in the
// end can be compared with it, picture by picture. It outlives the page, and the browser.
//
//     const encoded = new Encoded(folder);
//     await encoded.watch(context);
//     …                            // pages record
//     encoded.breaksOff();         // the page that records now is about to be killed
//     encoded.report();            // for each document: { pictures: "FOLDER/0.h264", sound: [["digest", …], …],
//                                  //                      rates: [[bits per second, what the first picture at it is], …], … }
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const START_CODE = Buffer.from([0, 0, 0, 1]);

/** Runs in the page, before its own scripts: other encoders than the browser's are workers, which answer with packets. */
function hook() {
  const document_ms = performance.timeOrigin;
  let encoders = 0;
  const base64 = (data) => {
    const bytes = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
  };
  const tell = (kind, encoder, data, description) =>
    window.encoderGave({ document_ms, kind, encoder, data: base64(data), description: description && base64(description) });
  const watched = (Encoder, kind) => class extends Encoder {
    #rate = null;
    #starts;

    constructor({ output, error }) {
      const encoder = encoders++;
      /** By the time of the first picture after it. */
      const starts = new Map();
      super({
        output(chunk, meta) {
          const data = new Uint8Array(chunk.byteLength);
          chunk.copyTo(data);
          if (starts.has(chunk.timestamp)) window.encoderHasRate({ document_ms, rate: [starts.get(chunk.timestamp), chunk.type] });
          starts.delete(chunk.timestamp);
          tell(kind, encoder, data, meta?.decoderConfig?.description);
          output(chunk, meta);
        },
        error,
      });
      this.#starts = starts;
    }

    configure(config) {
      if (kind === "picture") this.#rate = config.bitrate;
      super.configure(config);
    }

    encode(media, ...options) {
      if (this.#rate !== null) this.#starts.set(media.timestamp, this.#rate);
      this.#rate = null;
      super.encode(media, ...options);
    }
  };
  window.VideoEncoder = watched(VideoEncoder, "picture");
  window.AudioEncoder = watched(AudioEncoder, "sound");
  window.Worker = class extends Worker {
    constructor(...args) {
      super(...args);
      const encoder = encoders++;
      this.addEventListener("message", ({ data }) => {
        const packets = data?.data?.packets;
        if (Array.isArray(packets)) for (const { encodedData } of packets) tell("sound", encoder, encodedData);
      });
    }
  };
}

export class Encoded {
  #documents = new Map();
  #newest = null;

  constructor(folder) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** Of all pages of this browser context that are opened from now on. */
  async watch(context) {
    await context.exposeBinding("encoderGave", (_, given) => this.#take(given));
    await context.exposeBinding("encoderHasRate", (_, { document_ms, rate }) => this.#of(document_ms).rates.push(rate));
    await context.addInitScript(hook);
  }

  /** What is in the encoders of the page that records now will be lost. */
  breaksOff() {
    this.#newest.isBroken = true;
  }

  report() {
    return [...this.#documents.values()].map(({ sound, ...rest }) => ({ ...rest, sound: [...sound.values()] }));
  }

  #take({ document_ms, kind, encoder, data, description }) {
    const bytes = Buffer.from(data, "base64");
    const of = this.#of(document_ms);
    if (kind === "picture") {
      if (description) appendFileSync(of.pictures, parameterSets(Buffer.from(description, "base64")));
      appendFileSync(of.pictures, withStartCodes(bytes));
    } else {
      if (!of.sound.has(encoder)) of.sound.set(encoder, []);
      of.sound.get(encoder).push(createHash("md5").update(bytes).digest("hex"));
    }
  }

  #of(document_ms) {
    const known = this.#documents.get(document_ms);
    if (known) return known;
    const of = { pictures: join(this.folder, `${this.#documents.size}.h264`), sound: new Map(), rates: [], isBroken: false };
    this.#documents.set(document_ms, of);
    this.#newest = of;
    return of;
  }
}

/** From a sample of ISO/IEC 14496-15, with lengths of four bytes, to Annex B of H.264. */
function withStartCodes(sample) {
  const parts = [];
  for (let at = 0; at < sample.length; ) {
    const length = sample.readUInt32BE(at);
    parts.push(START_CODE, sample.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return Buffer.concat(parts);
}

/** Those of an AVCDecoderConfigurationRecord: ISO/IEC 14496-15, 5.3.3.1. */
function parameterSets(record) {
  const parts = [];
  let at = 5;
  for (const mask of [0x1f, 0xff]) {
    let count = record[at++] & mask;
    for (; count > 0; count--) {
      const length = record.readUInt16BE(at);
      parts.push(START_CODE, record.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
  }
  return Buffer.concat(parts);
}
