// Methods every Buffer has and the type package leaves out: the cheapest way from bytes to a string and back.
declare global {
  interface Buffer {
    latin1Slice(start: number, end: number): string;
    latin1Write(text: string, offset: number): number;
    utf8Slice(start: number, end: number): string;
  }
}

export {};
