/** A name as one part of an API's path, as RFC 3986 has it: the browser's own function leaves some characters that our server refuses. */
export function encoded(name: string): string {
  return encodeURIComponent(name).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
