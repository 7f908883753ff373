// The version that the build stamped into the bundle; from a checkout, "0.0.0-checkout".

declare const PETIOLE_VERSION: string;

export const VERSION: string = typeof PETIOLE_VERSION === "string" ? PETIOLE_VERSION : "0.0.0-checkout";
