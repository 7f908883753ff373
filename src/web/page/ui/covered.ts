// Whether something stands before what is below here, a login for one. An open dialog would lie over it, so dialogs step aside.

import { createContext } from "preact";

export const CoveredContext = createContext(false);
