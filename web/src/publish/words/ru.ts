/** What the publish page says, in Russian. */
import { clock, counted, durationInWords, wholeMinutes } from "../../language";
import type { Words } from "./en";

const segments = (count: number) => counted("ru", count, { one: "фрагмент", few: "фрагмента", many: "фрагментов" });
const decimal = (n: number) => n.toFixed(1).replace(".", ",");

const ended = (byOwner: boolean) => (byOwner ? "Владелец завершил эту трансляцию" : "Завершено");

/** What will not be there. Nothing is said of what there is none of. */
function notThere(refused: number, damaged: number): string {
  const said = [
    ...(refused > 0 ? [`Сервер отклонил ${segments(refused)}.`] : []),
    ...(damaged > 0 ? [`На этом устройстве повреждено: ${segments(damaged)}.`] : []),
  ];
  return said.join(" ");
}

const unread = (count: number) => `На этом устройстве сейчас не удаётся прочитать ${segments(count)}`;

const waiting = (s: number) => (s > 0 ? `Ждёт ${whole(s)}. ` : "");

export const ru: Words = {
  documentTitle: "Начать трансляцию · Headwater",
  headline(line) {
    switch (line.kind) {
      case "ready": return "Готово к работе";
      case "starting": return "Начинаем …";
      case "connecting": return line.waiting_s > 4 ? `Идёт запись, соединяемся: ждёт ${whole(line.waiting_s)}` : "Идёт запись, соединяемся …";
      case "live": return `В эфире, задержка ${decimal(line.behind_s)} с`;
      case "later": return line.waiting_s >= 1 ? `Идёт запись, отправим позже: ждёт ${whole(line.waiting_s)}` : "Идёт запись, отправим позже";
      case "paused": return line.waiting_s > 0 ? `Пауза, осталось отправить ${whole(line.waiting_s)}` : "Пауза";
      case "saving": return "Сохраняем последние секунды …";
      case "sending":
        if (line.waiting_s === 0 && !line.isTold) return line.isReachable ? "Завершено, сообщаем серверу …" : "Завершено. Сервер ещё не знает об этом: сообщим позже";
        if (line.waiting_s === 0) return line.isReachable ? `${ended(line.byOwner)}, проверяем сохранность …` : `${ended(line.byOwner)}, всё отправлено: сохранность проверим позже`;
        return line.isReachable ? `${ended(line.byOwner)}, отправляем: осталось ${whole(line.waiting_s)}` : `${ended(line.byOwner)}, отправим позже: ждёт ${whole(line.waiting_s)}`;
      case "reading-again": return `Завершено. ${unread(line.segments)}: пробуем снова … ${notThere(line.refused, line.damaged)}`.trimEnd();
      case "kept-here": return `Завершено. ${notThere(line.refused, line.damaged)} Запись останется на этом устройстве.`;
      case "done": return `${ended(line.byOwner)}. Всё отправлено и сохранено.`;
      case "ended-there": return "Трансляция завершена; что не отправлено, больше не принимается. Оно останется на этом устройстве.";
      case "not-accepted": return "Сервер не принимает эту ссылку. Ваша запись останется на этом устройстве.";
      case "no-broadcast": return "Сервер не знает такой трансляции. Ваша запись останется на этом устройстве.";
    }
  },
  catchingUp: (missing_s) => `и отправляем пропущенное: осталось ${whole(missing_s)}`,
  keepOpen: "Не закрывайте страницу, пока всё не отправлено. Если закроете, отправка продолжится, когда откроете её снова.",
  mayClose: "Страницу можно закрыть.",
  title: "Название",
  titleHint: "О чём трансляция?",
  untitled: "Без названия",
  start: "Начать трансляцию",
  goOn: "Продолжить",
  stop: "Завершить трансляцию",
  stopSure: "Завершить трансляцию?",
  stopSureText: "Потом её нельзя будет продолжить. Всё, что ещё не отправлено, будет отправлено.",
  stopYes: "Завершить",
  stopNo: "Ещё нет",
  pause: "Пауза",
  resume: "Продолжить",
  mute: "Выключить микрофон",
  unmute: "Включить микрофон",
  switchCamera: "Сменить камеру",
  settings: "Настройки",
  close: "Закрыть",
  camera: "Камера",
  microphone: "Микрофон",
  noMicrophone: "Нет микрофона",
  quality: "Размер картинки",
  qualityNote: "Битрейт подстраивается под сеть сам.",
  unnamed: (kind, n) => `${kind} ${n}`,
  level: "Уровень звука",
  newOne: "Новая трансляция",
  watch: "Открыть страницу просмотра",
  share: "Поделиться страницей просмотра",
  recordedTime: (s) => clock(s),
  recordedLabel: "Записано",
  rate: (bitsPerSecond) => `${decimal(bitsPerSecond / 1e6)} Мбит/с`,
  rateLabel: "Битрейт записи",
  linkLabel: "Скорость сети",
  battery: (percent, charging) => (charging ? `${percent} %, заряжается` : `${percent} %`),
  batteryLabel: "Батарея",
  storageLabel: "Записи на этом устройстве",
  bytes: (bytes) => (bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} МБ` : `${decimal(bytes / 1e9)} ГБ`),
  room: (s) => (s < 3600 ? `места на ${Math.floor(s / 60)} мин` : `места на ${Math.floor(s / 3600)} ч`),
  missingLabel: "Ещё не отправлено",
  nothingMissing: "всё отправлено",
  missingSegments: (count, s) => `${segments(count)}, ${whole(s)}`,
  storageLow: (left_s) => `На устройстве мало места: хватит примерно на ${durationInWords("ru", wholeMinutes(left_s))}.`,
  storageFull: "На устройстве нет места! Освободите его сейчас, иначе дальнейшая запись пропадёт.",
  storageFailing: "Устройство не сохраняет запись. Пока она остаётся в памяти, и мы пробуем снова: не закрывайте страницу.",
  lostFootage: "Часть записи потеряна: для неё не было места.",
  noPictures: "Камера не даёт изображения. Пробуем снова …",
  noSound: "Микрофон не даёт звука. Пробуем снова …",
  withoutSound: "Нет микрофона: трансляция идёт без звука. Разрешите микрофон для этой страницы или выберите его в настройках.",
  notAwake: "Экран может погаснуть: не давайте ему выключиться.",
  evictable: "Браузер может удалить ещё не отправленное, если на устройстве кончится место. Оставьте свободное место и дайте записи отправиться.",
  problem(problem) {
    switch (problem.kind) {
      case "refused": return "Сервер не принимает ваш ключ владельца. Откройте ещё раз ссылку, которую напечатал Headwater.";
      case "unreachable": return "Сервер не отвечает. Для новой трансляции нужна сеть; начатая продолжается и без неё.";
      case "held": return "С этой трансляцией работает другая вкладка. Чтобы вести её здесь, нажмите «Продолжить в этой вкладке».";
      case "taken-over": return "Эту трансляцию забрала другая вкладка. Здесь больше ничего не записывается; записанное сохранено и отправляется оттуда.";
      case "asker-gone": return "Вкладки, которая просила эту трансляцию, больше нет. Запись продолжается здесь.";
      case "no-room": return ru.lostFootage;
      case "lost": return "Часть записи потеряна: устройство не смогло её сохранить.";
      case "camera":
        if (problem.why === "denied") return "Доступ к этой камере запрещён. Разрешите его для этой страницы в настройках браузера.";
        return problem.why === "none" ? "Этой камеры больше нет." : "Эта камера занята другой программой. Закройте её или выберите другую камеру.";
      case "microphone":
        if (problem.why === "denied") return "Доступ к этому микрофону запрещён. Разрешите его для этой страницы в настройках браузера.";
        return problem.why === "none" ? "Этого микрофона больше нет." : "Этот микрофон сейчас недоступен. Выберите другой.";
      case "encoder": return "Браузер сейчас не может кодировать изображение или звук. Выберите другой размер картинки или перезагрузите страницу.";
      case "server": return `На сервере ошибка (${problem.status}). Попробуйте немного позже.`;
      case "storage": return "Сохранённое на этом устройстве не открывается. Перезагрузите страницу и попробуйте снова.";
      case "left-out": return `В файле нет части записи: сейчас на этом устройстве не удаётся прочитать ${segments(problem.segments)}. Не удаляйте её здесь и попробуйте снова позже.`;
      case "not-saved": return "Сохранить в файл не удалось: сейчас запись не читается на этом устройстве. Не удаляйте её здесь и попробуйте снова позже.";
      case "keeper": return "Часть страницы, которая сохраняет и отправляет запись, перестала работать. Перезагрузите страницу: сохранённое будет отправлено.";
      case "renewed": return "Скорее всего, Headwater обновился, пока эта страница была открыта. Чтобы вести запись, перезагрузите страницу: сохранённое не пропадёт.";
      case "other": return "Что-то пошло не так. Попробуйте снова или перезагрузите страницу: сохранённое не пропадёт.";
    }
  },
  noTarget: "Чтобы вести трансляцию, откройте ссылку, которую вам дали, или ссылку владельца, которую Headwater напечатал при первом запуске.",
  stage(stage) {
    if (stage.kind === "asking") return "Разрешите, пожалуйста, камеру и микрофон.";
    if (stage.kind !== "no-camera") return "";
    if (stage.why === "denied") return "Доступ к камере запрещён. Разрешите его для этой страницы в настройках браузера и попробуйте снова.";
    if (stage.why === "none") return "На этом устройстве нет камеры.";
    return "Камера занята другой программой. Закройте её и попробуйте снова.";
  },
  tryAgain: "Попробовать снова",
  unsupportedTitle: "Этот браузер не может вести трансляцию",
  unsupported(missing) {
    switch (missing) {
      case "secure-context": return "Браузеры дают камеру только страницам, открытым по https или с этого же компьютера (localhost).";
      case "camera": return "Он не даёт страницам камеру.";
      case "encoder": return "Он не умеет кодировать видео H.264 (WebCodecs).";
      case "storage": return "В нём нет хранилища, которое переживёт сбой (origin private file system); возможно, это приватное окно.";
    }
  },
  unsupportedDo(missing) {
    if (missing === "secure-context") return "Запустите Headwater с https и откройте эту страницу по адресу https. С собственным сертификатом, о котором телефон спросит один раз:";
    if (missing === "storage") return "Откройте эту страницу в обычном окне.";
    return "Подойдут Chrome или Edge на Android и на компьютере, Safari начиная с версии 17.";
  },
  otherWays: "Другие способы вести трансляцию",
  ffmpegWay: "Через ffmpeg, на адрес push со страницы владельца:",
  obsWay: "Через OBS Studio: выберите сервис «YouTube - HLS» и впишите сервер и ключ со страницы владельца в service.json профиля.",
  leftTitle: "Прежние записи на этом устройстве",
  left: {
    interrupted(waiting_s, unreadable) {
      if (waiting_s > 0) return `Прервана. Осталось отправить ${whole(waiting_s)}.`;
      return unreadable > 0 ? `Прервана. ${unread(unreadable)}: пробуем снова.` : "Прервана. Всё записанное отправлено.";
    },
    sending({ waiting_s, unreadable, isTold, isReachable }) {
      if (waiting_s > 0) return `Завершена. Осталось отправить ${whole(waiting_s)}.`;
      if (unreadable > 0) return `Завершена. ${unread(unreadable)}: пробуем снова.`;
      if (!isTold) return isReachable ? "Завершена. Сообщаем серверу." : "Завершена. Сервер ещё не знает об этом: сообщим позже.";
      return isReachable ? "Завершена. Проверяем сохранность." : "Завершена. Сохранность проверим позже.";
    },
    stuck: (refused, damaged) => `${notThere(refused, damaged)} Запись останется на этом устройстве.`,
    afterTheEnd: "Трансляция завершена; что не отправлено, больше не принимается. Оно останется на этом устройстве.",
    notAccepted: (waiting_s) => `Сервер не принимает ссылку, по которой велась запись. ${waiting(waiting_s)}Запись останется на этом устройстве и отправится, когда вы откроете здесь действующую ссылку.`,
    noBroadcast: (waiting_s) => `Сервер не знает такой трансляции. ${waiting(waiting_s)}Запись останется на этом устройстве.`,
    sent: "Всё отправлено и сохранено.",
    held(state) {
      switch (state) {
        case "there": return "С этой записью работает другая вкладка.";
        case "taken-over": return "Эту запись забрала другая вкладка.";
        case "asking": return "Спрашиваем другую вкладку …";
        case "held-up": return "Другая вкладка сейчас не может сохранить записанное там. Она пробует снова и потом отдаст эту запись: не закрывайте её и освободите место, если его мало.";
        case "recording": return "Другая вкладка ведёт эту запись. Ответьте там, можно ли её забрать.";
        case "kept": return "Другая вкладка ведёт эту запись и не отдаёт её.";
        case "silent": return "Другая вкладка не отвечает. Сначала откройте её: если её закрыть, запись перейдёт сюда, но то, что там ещё не сохранено, может пропасть.";
      }
    },
    unreadable: "Запись на этом устройстве сейчас не открывается. Она останется здесь; пробуем снова, сейчас и при каждом посещении.",
    damaged: (count) => `${segments(count)} не удалось сохранить, когда браузер был остановлен.`,
  },
  takeOver: "Продолжить в этой вкладке",
  handOverSure: "Отдать трансляцию другой вкладке?",
  handOverText: "Она просит эту трансляцию. Если отдать, запись здесь остановится, и её можно будет продолжить там. Ничего из записанного не пропадёт.",
  handOverYes: "Отдать",
  handOverNo: "Вести запись здесь",
  finish: "Завершить",
  save: "Сохранить в файл",
  discard: "Удалить с устройства",
  discardSure: "Удалить эту запись с устройства?",
  discardText: "Того, чего нет на сервере, больше нет нигде. Если запись может пригодиться, сначала сохраните её в файл.",
  discardUnreadable: "Сейчас она не открывается, но при следующем посещении это может получиться. Удалённое вернуть нельзя.",
  discardYes: "Удалить",
  discardNo: "Оставить",
};

function whole(s: number): string {
  return s < 60 ? `${Math.round(s)} с` : clock(s);
}
