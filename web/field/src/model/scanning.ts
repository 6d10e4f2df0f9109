// The browser's own reader of codes, which may be there and read none.
export interface Detector {
  detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}
interface Barcode {
  new (options: { formats: string[] }): Detector;
  getSupportedFormats?(): Promise<string[]>;
}

const [QR, WAIT_MS] = ["qr_code", 3000];
const barcode = (): Barcode | undefined => (window as unknown as { BarcodeDetector?: Barcode }).BarcodeDetector;

/** Whether a camera and a reader of QR codes are there: some phones offer a reader that knows no format, or never say which. */
export async function readsQr(): Promise<boolean> {
  const asked = barcode()?.getSupportedFormats;
  if (!asked || !navigator.mediaDevices) return false;
  const silent = new Promise<string[]>((resolve) => void window.setTimeout(resolve, WAIT_MS, []));
  return (await Promise.race([asked.call(barcode()), silent]).catch((): string[] => [])).includes(QR);
}

/** Throws where there is none. */
export function qrReader(): Detector {
  const Reader = barcode();
  if (!Reader) throw new Error("no reader of codes");
  return new Reader({ formats: [QR] });
}
