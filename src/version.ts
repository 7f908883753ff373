// The version and the commit that the build stamped into the bundle; from a checkout, "0.0.0-checkout".

declare const PETIOLE_VERSION: string;
declare const PETIOLE_COMMIT: string;

export const VERSION: string = typeof PETIOLE_VERSION === "string" ? PETIOLE_VERSION : "0.0.0-checkout";

export const COMMIT: string = typeof PETIOLE_COMMIT === "string" ? PETIOLE_COMMIT : "unknown";
