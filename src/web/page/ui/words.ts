// What the building blocks say by themselves.

import { catalogue } from "../words/catalogue.ts";

export const uiWords = catalogue({
  close: { en: "Close", de: "Schließen", fr: "Fermer", es: "Cerrar", pt: "Fechar", zh: "关闭" },
  cancel: { en: "Cancel", de: "Abbrechen", fr: "Annuler", es: "Cancelar", pt: "Cancelar", zh: "取消" },
  copy: { en: "Copy", de: "Kopieren", fr: "Copier", es: "Copiar", pt: "Copiar", zh: "复制" },
  copied: { en: "Copied", de: "Kopiert", fr: "Copié", es: "Copiado", pt: "Copiado", zh: "已复制" },
  notCopied: {
    en: "The browser does not allow copying; select the text instead",
    de: "Der Browser erlaubt kein Kopieren; bitte den Text markieren",
    fr: "Le navigateur refuse la copie ; sélectionnez le texte",
    es: "El navegador no permite copiar; seleccione el texto",
    pt: "O navegador não permite copiar; selecione o texto",
    zh: "浏览器不允许复制，请手动选中文本",
  },
  showPassword: {
    en: "Show password",
    de: "Passwort zeigen",
    fr: "Afficher le mot de passe",
    es: "Mostrar la contraseña",
    pt: "Mostrar a senha",
    zh: "显示密码",
  },
  hidePassword: {
    en: "Hide password",
    de: "Passwort verbergen",
    fr: "Masquer le mot de passe",
    es: "Ocultar la contraseña",
    pt: "Ocultar a senha",
    zh: "隐藏密码",
  },
  yourPassword: {
    en: "Your password",
    de: "Ihr Passwort",
    fr: "Votre mot de passe",
    es: "Su contraseña",
    pt: "A sua senha",
    zh: "您的密码",
  },
  typeWord: {
    en: "Type {word} to go on",
    de: "Zum Fortfahren {word} eintippen",
    fr: "Saisissez {word} pour continuer",
    es: "Escriba {word} para continuar",
    pt: "Digite {word} para continuar",
    zh: "输入 {word} 以继续",
  },
});
