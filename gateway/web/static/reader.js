// The reader of bar and QR codes. It is large, so it comes when somebody wants to read; what it reads leaves no browser.
const READER = "/static/zxing-reader-3.1.4"; // its script and its WebAssembly must be of one version

export const LARGEST = 2000; // pixels of a photo's longer side

let reader = null; // the promise of it, once something was to be read

export function load() {
  reader ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = `${READER}.js`;
    script.onload = () => {
      const ready = { overrides: { locateFile: () => `${READER}.wasm` }, fireImmediately: true };
      ZXingWASM.prepareZXingModule(ready).then(() => done(ZXingWASM), failed);
    };
    script.onerror = failed;
    document.head.append(script);
  });
  reader.catch(() => { reader = null; });
  return reader;
}
