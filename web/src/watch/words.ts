/**
 * What the pages around a player say.
 */
import { type Language, pick } from "../language";

const en = {
  untitled: "Untitled",
  /** In the title of the window, when there is no broadcast. */
  notFound: "Not found",
  states: {
    loading: "Loading…",
    "no-such-broadcast": "There is no broadcast at this address",
    "not-started": "Not started yet",
    live: "Live",
    interrupted: "Interrupted; the picture will come back by itself",
    paused: "Paused by the publisher",
    ended: "Ended; what is still on its way will be added",
    complete: "Recording",
    offline: "No connection from here",
    "server-trouble": "The server has a problem; trying again",
  },
  watchOn: "Watch in a window of its own",
};

export type PageWords = typeof en;

const ru: PageWords = {
  untitled: "Без названия",
  notFound: "Не найдено",
  states: {
    loading: "Загрузка…",
    "no-such-broadcast": "По этому адресу трансляции нет",
    "not-started": "Ещё не началась",
    live: "Прямой эфир",
    interrupted: "Прервалась; картинка вернётся сама",
    paused: "Автор поставил трансляцию на паузу",
    ended: "Завершена; то, что ещё в пути, будет добавлено",
    complete: "Запись",
    offline: "Нет связи с вашей стороны",
    "server-trouble": "На сервере неполадки; пробуем снова",
  },
  watchOn: "Смотреть в отдельном окне",
};

const sl: PageWords = {
  untitled: "Brez naslova",
  notFound: "Ni najdeno",
  states: {
    loading: "Nalaganje …",
    "no-such-broadcast": "Na tem naslovu ni prenosa",
    "not-started": "Še se ni začelo",
    live: "V živo",
    interrupted: "Prekinjeno; slika se bo vrnila sama",
    paused: "Avtor je prenos začasno ustavil",
    ended: "Končano; kar je še na poti, bo dodano",
    complete: "Posnetek",
    offline: "Z vaše strani ni povezave",
    "server-trouble": "Težava na strežniku; poskušamo znova",
  },
  watchOn: "Glejte v ločenem oknu",
};

export function pageWords(language: Language): PageWords {
  return pick(language, { en, ru, sl });
}
