// What a user of the page may do. Each role may do what the one before it may.
//
//   viewer ⊂ technician ⊂ owner

export const ROLES = ["viewer", "technician", "owner"] as const;

export type Role = (typeof ROLES)[number];

export function hasRole(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}
