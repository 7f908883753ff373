// Choices that this browser remembers: language and appearance. A browser that keeps nothing (private mode, by policy) forgets them.

export function kept(name: string): string | null {
  try {
    return localStorage.getItem(`petiole.${name}`);
  } catch {
    return null; // storage is forbidden
  }
}

export function keep(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`petiole.${name}`);
    else localStorage.setItem(`petiole.${name}`, value);
  } catch {
    // storage is forbidden or full: it is a comfort, nothing more
  }
}
