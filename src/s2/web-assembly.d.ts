// The part of WebAssembly's JavaScript interface that we use; the type packages have it among the browser's only.
declare global {
  var WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => WebAssembly.Module;
    readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => { readonly buffer: ArrayBuffer };
    readonly Instance: new (module: WebAssembly.Module, imports: object) => { readonly exports: object };
  };
}

export {};
