// What ended the last run, and what that is likely to mean.

import { catalogue } from "../words/catalogue.ts";

export const crashWords = catalogue({
  title: {
    en: "The program was restarted after a failure ({at})",
    de: "Das Programm wurde nach einem Ausfall neu gestartet ({at})",
    fr: "Le programme a redémarré après une panne ({at})",
    es: "El programa se reinició tras un fallo ({at})",
    pt: "O programa foi reiniciado após uma falha ({at})",
    zh: "程序在故障后已重新启动（{at}）",
  },
  loop: {
    en: "It stood still and was ended. What was confirmed is safe. If it happens again: Doctor, then tell the manufacturer.",
    de: "Es stand still und wurde beendet. Bestätigtes ist sicher. Kommt es wieder vor: Doktor, dann dem Hersteller melden.",
    fr: "Il était bloqué et a été arrêté. Ce qui était confirmé est en sécurité. Si cela se répète : diagnostic, puis prévenir le fabricant.",
    es: "Se quedó parado y fue terminado. Lo confirmado está a salvo. Si se repite: diagnóstico y avisar al fabricante.",
    pt: "Ele travou e foi encerrado. O que foi confirmado está a salvo. Se acontecer de novo: diagnóstico, depois avise o fabricante.",
    zh: "程序停滞后被终止。已确认的数据是安全的。若再次发生：运行诊断并告知厂商。",
  },
  disk: {
    en: "The flash gave no answer. What was confirmed is safe, but the card may be worn: back up, and change it soon.",
    de: "Der Flash gab keine Antwort. Bestätigtes ist sicher, aber die Karte ist vielleicht verschlissen: sichern und bald tauschen.",
    fr: "La mémoire flash ne répondait plus. Ce qui était confirmé est en sécurité, mais la carte est peut-être usée : sauvegarder et la remplacer bientôt.",
    es: "La memoria flash no respondía. Lo confirmado está a salvo, pero la tarjeta puede estar gastada: haga una copia y cámbiela pronto.",
    pt: "A flash não respondia. O que foi confirmado está a salvo, mas o cartão pode estar gasto: faça backup e troque-o em breve.",
    zh: "闪存无响应。已确认的数据是安全的，但存储卡可能已磨损：请备份并尽快更换。",
  },
  uplink: {
    en: "A link to the hub had got stuck. What was confirmed is safe. If it happens again: Doctor.",
    de: "Eine Verbindung zum Hub hing fest. Bestätigtes ist sicher. Kommt es wieder vor: Doktor.",
    fr: "Une liaison au hub était bloquée. Ce qui était confirmé est en sécurité. Si cela se répète : diagnostic.",
    es: "Un enlace con el hub se quedó atascado. Lo confirmado está a salvo. Si se repite: diagnóstico.",
    pt: "Uma conexão com o hub ficou presa. O que foi confirmado está a salvo. Se acontecer de novo: diagnóstico.",
    zh: "与中心的链路曾卡住。已确认的数据是安全的。若再次发生：运行诊断。",
  },
  bug: {
    en: "A fault of the program. What was confirmed is safe. Update it, and send the sentence below to the manufacturer.",
    de: "Ein Fehler des Programms. Bestätigtes ist sicher. Aktualisieren Sie es, und schicken Sie den Satz unten dem Hersteller.",
    fr: "Une erreur du programme. Ce qui était confirmé est en sécurité. Mettre à jour, et envoyer la phrase ci-dessous au fabricant.",
    es: "Un error del programa. Lo confirmado está a salvo. Actualícelo y envíe la frase de abajo al fabricante.",
    pt: "Um erro do programa. O que foi confirmado está a salvo. Atualize-o e envie a frase abaixo ao fabricante.",
    zh: "程序错误。已确认的数据是安全的。请更新，并将下面的文字发给厂商。",
  },
  last: {
    en: "Last failure",
    de: "Letzter Ausfall",
    fr: "Dernière panne",
    es: "Último fallo",
    pt: "Última falha",
    zh: "上次故障",
  },
});
