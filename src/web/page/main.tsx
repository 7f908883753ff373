// The page starts here: choices that hold everywhere (language, appearance), then the gate, then the shell.

import { render } from "preact";
import { App } from "./shell/app.tsx";
import { Attendance } from "./shell/attendance.tsx";
import { Gate } from "./shell/gate.tsx";
import { LiveProvider } from "./shell/live.tsx";
import { AppearanceProvider } from "./ui/appearance.tsx";
import { ToastProvider } from "./ui/toast.tsx";
import { LanguageProvider } from "./words/language.tsx";

render(
  <LanguageProvider>
    <AppearanceProvider>
      <ToastProvider>
        <Gate>
          <LiveProvider>
            <App />
            <Attendance />
          </LiveProvider>
        </Gate>
      </ToastProvider>
    </AppearanceProvider>
  </LanguageProvider>,
  document.getElementById("page")!,
);
