/** What the publish page says, in Slovenian. */
import { clock, counted, durationInWords, wholeMinutes } from "../../language";
import type { Words } from "./en";

const segments = (count: number) => counted("sl", count, { one: "odsek", two: "odseka", few: "odseki", other: "odsekov" });
/** The server has refused (whom or what?). */
const segmentsAccusative = (count: number) => counted("sl", count, { one: "odsek", two: "odseka", few: "odseke", other: "odsekov" });
/** It was not possible to save (of what?). */
const segmentsGenitive = (count: number) => counted("sl", count, { one: "odseka", two: "odsekov", few: "odsekov", other: "odsekov" });
const decimal = (n: number) => n.toFixed(1).replace(".", ",");

const ended = (byOwner: boolean) => (byOwner ? "Lastnik je končal ta prenos" : "Končano");

/** What will not be there. Nothing is said of what there is none of. */
function notThere(refused: number, damaged: number): string {
  const said = [
    ...(refused > 0 ? [`Strežnik je zavrnil ${segmentsAccusative(refused)}.`] : []),
    ...(damaged > 0 ? [`Poškodovano na tej napravi: ${segments(damaged)}.`] : []),
  ];
  return said.join(" ");
}

const unread = (count: number) => `Na tej napravi zdaj ni mogoče prebrati ${segmentsGenitive(count)}`;

const waiting = (s: number) => (s > 0 ? `Čaka ${whole(s)}. ` : "");

export const sl: Words = {
  documentTitle: "V živo · Headwater",
  headline(line) {
    switch (line.kind) {
      case "ready": return "Pripravljeno";
      case "starting": return "Začenjamo …";
      case "connecting": return line.waiting_s > 4 ? `Snemamo, povezujemo se: čaka ${whole(line.waiting_s)}` : "Snemamo, povezujemo se …";
      case "live": return `V živo, zamik ${decimal(line.behind_s)} s`;
      case "later": return line.waiting_s >= 1 ? `Snemamo, pošljemo pozneje: čaka ${whole(line.waiting_s)}` : "Snemamo, pošljemo pozneje";
      case "paused": return line.waiting_s > 0 ? `Premor, poslati je treba še ${whole(line.waiting_s)}` : "Premor";
      case "saving": return "Shranjujemo zadnje trenutke …";
      case "sending":
        if (line.waiting_s === 0 && !line.isTold) return line.isReachable ? "Končano, obveščamo strežnik …" : "Končano. Strežnik tega še ne ve: obvestimo ga pozneje";
        if (line.waiting_s === 0) return line.isReachable ? `${ended(line.byOwner)}, preverjamo, ali je vse na varnem …` : `${ended(line.byOwner)}, vse je poslano: pozneje preverimo, ali je na varnem`;
        return line.isReachable ? `${ended(line.byOwner)}, pošiljamo: še ${whole(line.waiting_s)}` : `${ended(line.byOwner)}, pošljemo pozneje: čaka ${whole(line.waiting_s)}`;
      case "reading-again": return `Končano. ${unread(line.segments)}: poskušamo znova … ${notThere(line.refused, line.damaged)}`.trimEnd();
      case "kept-here": return `Končano. ${notThere(line.refused, line.damaged)} Posnetek ostane na tej napravi.`;
      case "done": return `${ended(line.byOwner)}. Vse je poslano in na varnem.`;
      case "ended-there": return "Prenos je končan; kar ni bilo poslano, ne bo več sprejeto. Ostane na tej napravi.";
      case "not-accepted": return "Strežnik ne sprejme te povezave. Posneto ostane na tej napravi.";
      case "no-broadcast": return "Strežnik ne pozna tega prenosa. Posneto ostane na tej napravi.";
    }
  },
  catchingUp: (missing_s) => `in pošiljamo zamujeno: še ${whole(missing_s)}`,
  keepOpen: "Ne zapirajte strani, dokler ni vse poslano. Če jo zaprete, se pošiljanje nadaljuje, ko jo spet odprete.",
  mayClose: "Stran lahko zaprete.",
  title: "Naslov",
  titleHint: "O čem bo prenos?",
  untitled: "Brez naslova",
  start: "Začni prenos",
  goOn: "Nadaljuj",
  stop: "Končaj prenos",
  stopSure: "Želite končati prenos?",
  stopSureText: "Potem ga ne bo več mogoče nadaljevati. Kar še ni poslano, bo poslano.",
  stopYes: "Končaj",
  stopNo: "Še ne",
  pause: "Premor",
  resume: "Nadaljuj",
  mute: "Izklopi mikrofon",
  unmute: "Vklopi mikrofon",
  switchCamera: "Zamenjaj kamero",
  settings: "Nastavitve",
  close: "Zapri",
  camera: "Kamera",
  microphone: "Mikrofon",
  noMicrophone: "Ni mikrofona",
  quality: "Velikost slike",
  qualityNote: "Bitna hitrost se omrežju prilagaja sama.",
  unnamed: (kind, n) => `${kind} ${n}`,
  level: "Glasnost",
  newOne: "Nov prenos",
  watch: "Odpri stran za gledanje",
  share: "Deli stran za gledanje",
  recordedTime: (s) => clock(s),
  recordedLabel: "Posneto",
  rate: (bitsPerSecond) => `${decimal(bitsPerSecond / 1e6)} Mbit/s`,
  rateLabel: "Bitna hitrost posnetka",
  linkLabel: "Hitrost omrežja",
  battery: (percent, charging) => (charging ? `${percent} %, se polni` : `${percent} %`),
  batteryLabel: "Baterija",
  storageLabel: "Posnetki na tej napravi",
  bytes: (bytes) => (bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${decimal(bytes / 1e9)} GB`),
  room: (s) => (s < 3600 ? `prostora za ${Math.floor(s / 60)} min` : `prostora za ${Math.floor(s / 3600)} h`),
  missingLabel: "Še ni poslano",
  nothingMissing: "vse je poslano",
  missingSegments: (count, s) => `${segments(count)}, ${whole(s)}`,
  storageLow: (left_s) => `Na napravi je malo prostora: dovolj za približno ${durationInWords("sl", wholeMinutes(left_s))}.`,
  storageFull: "Na napravi ni prostora! Sprostite ga zdaj, sicer bo nadaljnje snemanje izgubljeno.",
  storageFailing: "Naprava posnetka ne shranjuje. Nekaj časa ostane v pomnilniku in poskušamo znova: strani ne zapirajte.",
  lostFootage: "Del posnetka je izgubljen: zanj ni bilo prostora.",
  noPictures: "Kamera ne daje slike. Poskušamo znova …",
  noSound: "Mikrofon ne daje zvoka. Poskušamo znova …",
  withoutSound: "Ni mikrofona: prenos je brez zvoka. Dovolite mikrofon za to stran ali ga izberite v nastavitvah.",
  notAwake: "Zaslon se lahko ugasne: pustite ga prižganega.",
  evictable: "Brskalnik lahko izbriše, kar še ni poslano, če na napravi zmanjka prostora. Pustite nekaj prostora in poskrbite, da bo kmalu poslano.",
  problem(problem) {
    switch (problem.kind) {
      case "refused": return "Strežnik ne sprejme vašega lastniškega ključa. Znova odprite povezavo, ki jo je izpisal Headwater.";
      case "unreachable": return "Strežnik se ne odziva. Za nov prenos je potrebno omrežje; začeti prenos teče tudi brez njega.";
      case "held": return "S tem prenosom dela drug zavihek. Če želite nadaljevati tukaj, pritisnite »Nadaljuj v tem zavihku«.";
      case "taken-over": return "Ta prenos je prevzel drug zavihek. Tukaj se nič več ne snema; posneto je shranjeno in se pošilja od tam.";
      case "asker-gone": return "Zavihka, ki je prosil za ta prenos, ni več. Snemanje se nadaljuje tukaj.";
      case "no-room": return sl.lostFootage;
      case "lost": return "Del posnetka je izgubljen: naprava ga ni shranila.";
      case "camera":
        if (problem.why === "denied") return "Ta kamera ni dovoljena. Dovolite jo v nastavitvah brskalnika za to stran.";
        return problem.why === "none" ? "Te kamere ni več." : "To kamero uporablja nekaj drugega. Zaprite to ali izberite drugo kamero.";
      case "microphone":
        if (problem.why === "denied") return "Ta mikrofon ni dovoljen. Dovolite ga v nastavitvah brskalnika za to stran.";
        return problem.why === "none" ? "Tega mikrofona ni več." : "Tega mikrofona zdaj ni mogoče uporabiti. Izberite drugega.";
      case "encoder": return "Brskalnik zdaj ne more kodirati slike ali zvoka. Izberite drugo velikost slike ali znova naložite stran.";
      case "server": return `Na strežniku je prišlo do napake (${problem.status}). Poskusite znova čez nekaj časa.`;
      case "storage": return "Posnetka tega prenosa na tej napravi ni mogoče odpreti. Znova naložite stran in poskusite še enkrat.";
      case "left-out": return `V datoteki manjka del posnetka: zdaj na tej napravi ni mogoče prebrati ${segmentsGenitive(problem.segments)}. Ne izbrišite ga tukaj in poskusite znova pozneje.`;
      case "not-saved": return "Posnetka ni bilo mogoče shraniti v datoteko: zdaj ga na tej napravi ni mogoče prebrati. Ne izbrišite ga tukaj in poskusite znova pozneje.";
      case "keeper": return "Del strani, ki shranjuje in pošilja posnetek, ne deluje več. Znova naložite stran: shranjeno bo takrat poslano.";
      case "renewed": return "Najverjetneje je bil Headwater posodobljen, ko je bila stran že odprta. Za snemanje znova naložite stran: kar je shranjeno, ni izgubljeno.";
      case "other": return "Nekaj je šlo narobe. Poskusite znova ali znova naložite stran: kar je shranjeno, ni izgubljeno.";
    }
  },
  noTarget: "Za prenos odprite povezavo, ki ste jo dobili, ali lastniško povezavo, ki jo je Headwater izpisal ob prvem zagonu.",
  stage(stage) {
    if (stage.kind === "asking") return "Prosimo, dovolite kamero in mikrofon.";
    if (stage.kind !== "no-camera") return "";
    if (stage.why === "denied") return "Kamera ni dovoljena. Dovolite jo v nastavitvah brskalnika za to stran in poskusite znova.";
    if (stage.why === "none") return "Na tej napravi ni kamere.";
    return "Kamero uporablja nekaj drugega. Zaprite to in poskusite znova.";
  },
  tryAgain: "Poskusi znova",
  unsupportedTitle: "Ta brskalnik ne more prenašati v živo",
  unsupported(missing) {
    switch (missing) {
      case "secure-context": return "Brskalniki dajo kamero samo stranem, ki pridejo prek https ali s tega računalnika (localhost).";
      case "camera": return "Stranem ne da kamere.";
      case "encoder": return "Ne zna kodirati videa H.264 (WebCodecs).";
      case "storage": return "Nima shrambe, ki bi preživela sesutje (origin private file system); morda je to zasebno okno.";
    }
  },
  unsupportedDo(missing) {
    if (missing === "secure-context") return "Zaženite Headwater s https in odprite to stran z naslovom https. Z lastnim potrdilom, za katero telefon vpraša enkrat:";
    if (missing === "storage") return "Odprite to stran v običajnem oknu.";
    return "Primerni so Chrome ali Edge na Androidu in na računalniku ter Safari od različice 17.";
  },
  otherWays: "Drugi načini za prenos",
  ffmpegWay: "Z ffmpeg, na naslov push z lastnikove strani:",
  obsWay: "Z OBS Studio: izberite storitev »YouTube - HLS« ter strežnik in ključ z lastnikove strani vpišite v service.json profila.",
  leftTitle: "Prejšnji posnetki na tej napravi",
  left: {
    interrupted(waiting_s, unreadable) {
      if (waiting_s > 0) return `Prekinjen. Poslati je treba še ${whole(waiting_s)}.`;
      return unreadable > 0 ? `Prekinjen. ${unread(unreadable)}: poskušamo znova.` : "Prekinjen. Vse doslej posneto je poslano.";
    },
    sending({ waiting_s, unreadable, isTold, isReachable }) {
      if (waiting_s > 0) return `Končan. Poslati je treba še ${whole(waiting_s)}.`;
      if (unreadable > 0) return `Končan. ${unread(unreadable)}: poskušamo znova.`;
      if (!isTold) return isReachable ? "Končan. Obveščamo strežnik." : "Končan. Strežnik tega še ne ve: obvestimo ga pozneje.";
      return isReachable ? "Končan. Preverjamo, ali je vse na varnem." : "Končan. Pozneje preverimo, ali je vse na varnem.";
    },
    stuck: (refused, damaged) => `${notThere(refused, damaged)} Posnetek ostane na tej napravi.`,
    afterTheEnd: "Prenos je končan; kar ni bilo poslano, ne bo več sprejeto. Ostane na tej napravi.",
    notAccepted: (waiting_s) => `Strežnik ne sprejme povezave, s katero je bil ta prenos posnet. ${waiting(waiting_s)}Posnetek ostane na tej napravi in bo poslan, ko tukaj odprete veljavno povezavo.`,
    noBroadcast: (waiting_s) => `Strežnik ne pozna tega prenosa. ${waiting(waiting_s)}Posnetek ostane na tej napravi.`,
    sent: "Vse je poslano in na varnem.",
    held(state) {
      switch (state) {
        case "there": return "S tem posnetkom dela drug zavihek.";
        case "taken-over": return "Ta posnetek je prevzel drug zavihek.";
        case "asking": return "Sprašujemo drugi zavihek …";
        case "held-up": return "Drugi zavihek trenutno ne more shraniti, kar je posnel. Poskuša znova in potem odda ta posnetek: ne zapirajte ga in sprostite prostor, če ga je malo.";
        case "recording": return "Drugi zavihek snema ta prenos. Tam odgovorite, ali ga odda.";
        case "kept": return "Drugi zavihek snema ta prenos in ga obdrži.";
        case "silent": return "Drugi zavihek ne odgovarja. Najprej ga odprite: če ga zaprete, prevzame ta, a kar tam še ni shranjeno, se lahko izgubi.";
      }
    },
    damaged: (count) => `Ob zaustavitvi brskalnika ni bilo mogoče shraniti ${segmentsGenitive(count)}.`,
    unreadable: "Posnetka na tej napravi zdaj ni mogoče odpreti. Ostane tukaj; poskušamo znova, zdaj in ob vsakem obisku.",
  },
  takeOver: "Nadaljuj v tem zavihku",
  handOverSure: "Oddati prenos drugemu zavihku?",
  handOverText: "Drugi zavihek prosi za ta prenos. Če ga oddate, se snemanje tukaj ustavi in se lahko nadaljuje tam. Nič posnetega se ne izgubi.",
  handOverYes: "Oddaj",
  handOverNo: "Snemaj naprej tukaj",
  finish: "Zaključi",
  save: "Shrani v datoteko",
  discard: "Izbriši s te naprave",
  discardSure: "Želite izbrisati ta posnetek s te naprave?",
  discardText: "Česar strežnik nima, ni nikjer drugje. Če bi posnetek še potrebovali, ga prej shranite v datoteko.",
  discardUnreadable: "Zdaj ga ni mogoče odpreti, ob poznejšem obisku pa bo morda šlo. Izbrisanega ni mogoče povrniti.",
  discardYes: "Izbriši",
  discardNo: "Obdrži",
};

function whole(s: number): string {
  return s < 60 ? `${Math.round(s)} s` : clock(s);
}
