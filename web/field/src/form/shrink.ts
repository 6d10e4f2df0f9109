// A photo as it leaves a phone: small enough for a slow line, and without what the camera wrote into it (place, serial number).
const LONGEST_PX = 1280;
const QUALITY = 0.75;
/** A photo of 48 megapixels takes a slow phone a few seconds. What takes longer than this never ends, and the form would wait for it for ever. */
const LONGEST_MS = 30_000;

interface Size {
  width: number;
  height: number;
}

/** At most 1280 px on its longer side, never larger than it is. */
export function smaller({ width, height }: Size): Size {
  const scale = Math.min(1, LONGEST_PX / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** JPEG bytes of an image file, upright. Throws where it is no image, and where the browser does not answer in time. */
export async function shrink(file: Blob): Promise<Uint8Array> {
  const address = URL.createObjectURL(file);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Error("no answer")), LONGEST_MS)));
  try {
    return await Promise.race([made(file, address), late]);
  } finally {
    clearTimeout(timer);
    URL.revokeObjectURL(address);
  }
}

async function made(file: Blob, address: string): Promise<Uint8Array> {
  // its size stands in its head, turned as the camera says: nothing has to be unpacked for it
  const image = await loaded(address);
  const size = smaller({ width: image.naturalWidth, height: image.naturalHeight });
  const small = await resized(file, size);
  const canvas = document.createElement("canvas");
  Object.assign(canvas, size);
  canvas.getContext("2d")?.drawImage(small ?? image, 0, 0, size.width, size.height);
  small?.close();
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  if (!blob) throw new Error("the image could not be written");
  return new Uint8Array(await blob.arrayBuffer());
}

function loaded(address: string): Promise<HTMLImageElement> {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("no image"));
    image.src = address;
  });
}

/**
 * Unpacked at this size: a photo of 48 megapixels would take 190 MB otherwise. Null where the browser cannot, or gives another shape
 * because it makes a picture smaller before it turns it upright: only one side is asked for, so that this can be told.
 */
async function resized(file: Blob, { width, height }: Size): Promise<ImageBitmap | null> {
  const side = width >= height ? { resizeWidth: width } : { resizeHeight: height };
  const small = await createImageBitmap(file, { ...side, resizeQuality: "medium", imageOrientation: "from-image" }).catch(() => null);
  if (small === null || (Math.abs(small.width - width) <= 1 && Math.abs(small.height - height) <= 1)) return small;
  small.close();
  return null;
}
